// Flattened device trees: Devicetree Specification v0.4, chapter 5 (format version 17, readable as 16).

import { latin1, utf8 } from "../base/text.ts";

/** A node. Names are unique among siblings, and so are the names of a node's properties. */
export interface FdtNode {
  /** With its unit address; "" for the root. */
  readonly name: string;
  readonly properties: Map<string, Uint8Array>;
  readonly children: FdtNode[];
}

export interface Reservation {
  /** Exact below 2^53; a larger one cannot be in RAM and is clamped. */
  readonly address: number;
  readonly size: number;
}

export interface Fdt {
  readonly root: FdtNode;
  readonly reservations: readonly Reservation[];
  readonly bootCpu: number;
}

/** The blob is no well-formed flattened device tree; the message says why. */
export class FdtError extends Error {
  override readonly name = "FdtError";
}

const MAGIC = 0xd00dfeed;
const VERSION = 17;
const LAST_COMPATIBLE = 16;
const HEADER_BYTES = 40;
const BEGIN_NODE = 1;
const END_NODE = 2;
const PROP = 3;
const NOP = 4;
const END = 9;

/** What Linux documents as the largest device tree (Documentation/arch/arm64/booting). */
export const FDT_MAX_BYTES = 0x20_0000;
/** Deeper than any real tree, so that a hostile one cannot exhaust the stack of who walks it. */
const MAX_DEPTH = 64;

// Values of properties (section 2.2.4).

export const cells = (...values: number[]): Uint8Array => {
  const bytes = new Uint8Array(values.length * 4);
  const view = new DataView(bytes.buffer);
  values.forEach((value, i) => {
    view.setUint32(i * 4, value);
  });
  return bytes;
};
/** Each value as two cells, high first. */
export const cells64 = (...values: number[]): Uint8Array =>
  cells(...values.flatMap((value) => [Math.floor(value / 2 ** 32), value >>> 0]));
/** One string, or a list of them: each with its terminating zero. */
export const strings = (...values: string[]): Uint8Array => utf8(values.map((value) => `${value}\0`).join(""));
/** The value of a property whose presence is what counts. */
export const EMPTY = new Uint8Array(0);

export function fdtNode(name: string, properties: Record<string, Uint8Array>, children: FdtNode[] = []): FdtNode {
  return { name, properties: new Map(Object.entries(properties)), children };
}

/** The node at an absolute path such as "/cpus/cpu@0". */
export function fdtFind(root: FdtNode, path: string): FdtNode | undefined {
  let node: FdtNode | undefined = root;
  for (const name of path.split("/").filter((part) => part !== "")) {
    node = node?.children.find((child) => child.name === name);
  }
  return node;
}

class Writer {
  #bytes = new Uint8Array(4096);
  length = 0;

  u32(value: number): void {
    this.#room(4);
    new DataView(this.#bytes.buffer).setUint32(this.length, value);
    this.length += 4;
  }
  bytes(value: Uint8Array): void {
    this.#room(value.length);
    this.#bytes.set(value, this.length);
    this.length += value.length;
  }
  align(to: number): void {
    const length = Math.ceil(this.length / to) * to;
    this.#room(length - this.length);
    this.length = length;
  }
  done(): Uint8Array {
    return this.#bytes.slice(0, this.length);
  }
  #room(bytes: number): void {
    if (this.length + bytes <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.length + bytes));
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}

/** The blob of a tree. */
export function writeFdt(tree: Fdt): Uint8Array {
  const structure = new Writer();
  const names = new Writer();
  const nameOffsets = new Map<string, number>();
  const nameOffset = (name: string): number => {
    let offset = nameOffsets.get(name);
    if (offset === undefined) {
      offset = names.length;
      nameOffsets.set(name, offset);
      names.bytes(utf8(`${name}\0`));
    }
    return offset;
  };
  const writeNode = (node: FdtNode): void => {
    structure.u32(BEGIN_NODE);
    structure.bytes(utf8(`${node.name}\0`));
    structure.align(4);
    for (const [name, value] of node.properties) {
      structure.u32(PROP);
      structure.u32(value.length);
      structure.u32(nameOffset(name));
      structure.bytes(value);
      structure.align(4);
    }
    for (const child of node.children) writeNode(child);
    structure.u32(END_NODE);
  };
  writeNode(tree.root);
  structure.u32(END);

  const reservations = tree.reservations.flatMap(({ address, size }) => [address, size]);
  const reserved = cells64(...reservations, 0, 0);
  const structureAt = HEADER_BYTES + reserved.length;
  const namesAt = structureAt + structure.length;
  const total = Math.ceil((namesAt + names.length) / 8) * 8;
  const out = new Writer();
  for (const field of [MAGIC, total, structureAt, namesAt, HEADER_BYTES, VERSION, LAST_COMPATIBLE, tree.bootCpu]) {
    out.u32(field);
  }
  out.u32(names.length);
  out.u32(structure.length);
  out.bytes(reserved);
  out.bytes(structure.done());
  out.bytes(names.done());
  out.align(8);
  return out.done();
}

/** Whether the bytes claim to be a flattened device tree. */
export function isFdt(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && new DataView(bytes.buffer, bytes.byteOffset).getUint32(0) === MAGIC;
}

/** The tree of a blob. Throws FdtError and nothing else, whatever the bytes are. Property values are copies. */
export function readFdt(bytes: Uint8Array): Fdt {
  if (bytes.length < HEADER_BYTES || !isFdt(bytes)) throw new FdtError("it has no device tree header");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const total = view.getUint32(4);
  const structureAt = view.getUint32(8);
  const namesAt = view.getUint32(12);
  const reservationsAt = view.getUint32(16);
  const version = view.getUint32(20);
  const lastCompatible = view.getUint32(24);
  if (version < VERSION || lastCompatible > VERSION) {
    throw new FdtError(`it has format version ${version}, and version ${VERSION} is needed`);
  }
  const namesBytes = view.getUint32(32);
  const structureBytes = view.getUint32(36);
  if (total > bytes.length) throw new FdtError(`it is cut off: ${bytes.length} bytes of ${total}`);
  if (structureAt % 4 !== 0 || structureAt + structureBytes > total)
    throw new FdtError("its structure block is outside");
  if (namesAt + namesBytes > total) throw new FdtError("its strings block is outside");

  const reservations = readReservations(view, reservationsAt, total);
  const names = bytes.subarray(namesAt, namesAt + namesBytes);
  const root = new StructureReader(bytes, structureAt, structureAt + structureBytes, names).tree();
  return { root, reservations, bootCpu: view.getUint32(28) };
}

function readReservations(view: DataView, start: number, end: number): Reservation[] {
  const reservations: Reservation[] = [];
  for (let at = start; ; at += 16) {
    if (at % 8 !== 0 || at + 16 > end) throw new FdtError("its memory reservations do not end");
    const address = view.getUint32(at) * 2 ** 32 + view.getUint32(at + 4);
    const size = view.getUint32(at + 8) * 2 ** 32 + view.getUint32(at + 12);
    if (address === 0 && size === 0) return reservations;
    reservations.push({
      address: Math.min(address, Number.MAX_SAFE_INTEGER),
      size: Math.min(size, Number.MAX_SAFE_INTEGER),
    });
  }
}

class StructureReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #end: number;
  readonly #names: Uint8Array;
  #at: number;

  constructor(bytes: Uint8Array, start: number, end: number, names: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#at = start;
    this.#end = end;
    this.#names = names;
  }

  tree(): FdtNode {
    const open: FdtNode[] = [];
    let root: FdtNode | undefined;
    for (;;) {
      const token = this.#u32();
      const node = open.at(-1);
      if (token === NOP) continue;
      if (token === END) {
        if (node !== undefined || root === undefined) throw new FdtError("its structure ends inside a node");
        return root;
      }
      if (token === BEGIN_NODE) {
        const begun = fdtNode(this.#nodeName(node), {});
        if (node === undefined) {
          if (root !== undefined) throw new FdtError("it has two root nodes");
          root = begun;
        }
        node?.children.push(begun);
        open.push(begun);
        if (open.length > MAX_DEPTH) throw new FdtError(`its nodes are nested more than ${MAX_DEPTH} deep`);
      } else if (node === undefined) {
        throw new FdtError("it has something outside the root node");
      } else if (token === END_NODE) {
        open.pop();
      } else if (token === PROP) {
        if (node.children.length > 0) throw new FdtError(`node "${node.name}" has a property after a subnode`);
        this.#property(node);
      } else {
        throw new FdtError(`its structure has the unknown token ${token}`);
      }
    }
  }

  #u32(): number {
    if (this.#at + 4 > this.#end) throw new FdtError("its structure does not end");
    const value = this.#view.getUint32(this.#at);
    this.#at += 4;
    return value;
  }

  #take(length: number): Uint8Array {
    if (length > this.#end - this.#at) throw new FdtError("its structure is cut off");
    const taken = this.#bytes.slice(this.#at, this.#at + length);
    this.#at += Math.ceil(length / 4) * 4;
    return taken;
  }

  #nodeName(parent: FdtNode | undefined): string {
    const zero = this.#bytes.indexOf(0, this.#at);
    if (zero < 0 || zero >= this.#end) throw new FdtError("a node's name does not end");
    const name = latin1(this.#take(zero + 1 - this.#at).subarray(0, -1));
    if (parent === undefined ? name !== "" : !isName(name) || name.includes("/")) {
      throw new FdtError(`a node has the bad name "${printable(name)}"`);
    }
    if (parent?.children.some((sibling) => sibling.name === name)) throw new FdtError(`it has two nodes "${name}"`);
    return name;
  }

  #property(node: FdtNode): void {
    const length = this.#u32();
    const offset = this.#u32();
    const zero = this.#names.indexOf(0, offset);
    if (offset >= this.#names.length || zero < 0) throw new FdtError("a property's name is outside the strings block");
    const name = latin1(this.#names.subarray(offset, zero));
    if (!isName(name)) throw new FdtError(`a property has the bad name "${printable(name)}"`);
    if (node.properties.has(name)) throw new FdtError(`node "${node.name}" has "${name}" twice`);
    node.properties.set(name, this.#take(length));
  }
}

const isName = (name: string): boolean => /^[!-~]+$/.test(name);
const printable = (name: string): string => name.slice(0, 40).replace(/[^ -~]/g, "?");
