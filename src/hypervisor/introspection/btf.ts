// BTF, the types that a Linux kernel has of itself (Documentation/bpf/btf.rst): a header of 24 bytes, then types, each of 12 bytes and what its kind
// adds, then strings. Guests write it: whatever does not fit makes it nothing.

const MAGIC = 0xeb9f;
const HEADER = 24;
const MOST_BYTES = 64 * 2 ** 20;
const MOST_TYPES = 2_000_000;
/** Anonymous structures in each other, and typedefs of typedefs. */
const DEEPEST = 16;
/** Members that are looked at for one name. */
const MOST_MEMBERS = 200_000;
/** Places of memory that look like the start of BTF. */
const MOST_TRIES = 16;

const KIND = { array: 3, struct: 4, union: 5, typedef: 8, volatile: 9, const: 10, restrict: 11, typeTag: 18 } as const;

/** Bytes after the 12 of a type, by its kind, for each of `vlen`, and at all. */
const EXTRA: readonly (readonly [each: number, once: number])[] = [
  ...[[0, 0] as const, [0, 4] as const, [0, 0] as const, [0, 12] as const, [12, 0] as const, [12, 0] as const],
  // enum, fwd, typedef, volatile, const, restrict, func, func_proto, var, datasec, float, decl_tag, type_tag, enum64
  ...[[8, 0] as const, [0, 0] as const, [0, 0] as const, [0, 0] as const, [0, 0] as const, [0, 0] as const],
  ...[[0, 0] as const, [8, 0] as const, [0, 4] as const, [12, 0] as const, [0, 0] as const, [0, 4] as const],
  ...[[0, 0] as const, [12, 0] as const],
];

/** Where a member is in its structure: bytes; and of what type it is. */
export interface Member {
  readonly offset: number;
  readonly type: number;
}

export class Btf {
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  /** Where each type's 12 bytes are; type 0 is void. */
  readonly #types: readonly number[];
  readonly #strings: number;
  readonly #end: number;

  private constructor(bytes: Uint8Array, types: readonly number[], strings: number, end: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#types = types;
    this.#strings = strings;
    this.#end = end;
  }

  /** The BTF that starts at `at`; undefined: there is none, or it is damaged. */
  static parse(bytes: Uint8Array, at = 0): Btf | undefined {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    if (at + HEADER > bytes.length || view.getUint16(at, true) !== MAGIC || bytes[at + 2] !== 1) return undefined;
    const word = (offset: number): number => view.getUint32(at + offset, true);
    if (word(4) !== HEADER) return undefined;
    const [typeOffset, typeBytes, stringOffset, stringBytes] = [word(8), word(12), word(16), word(20)];
    const start = at + HEADER + typeOffset;
    const strings = at + HEADER + stringOffset;
    if (start + typeBytes > bytes.length || strings + stringBytes > bytes.length) return undefined;
    if (typeBytes + stringBytes > MOST_BYTES) return undefined;
    const types = [-1];
    for (let next = start; next < start + typeBytes; ) {
      if (next + 12 > start + typeBytes || types.length > MOST_TYPES) return undefined;
      const info = view.getUint32(next + 4, true);
      const extra = EXTRA[(info >>> 24) & 0x1f];
      if (extra === undefined) return undefined;
      types.push(next);
      next += 12 + extra[1] + extra[0] * (info & 0xffff);
      if (next > start + typeBytes) return undefined;
    }
    return new Btf(bytes, types, strings, strings + stringBytes);
  }

  /** The first BTF of some size in a kernel's memory. */
  static find(bytes: Uint8Array): Btf | undefined {
    let tries = MOST_TRIES;
    for (let at = bytes.indexOf(MAGIC & 0xff); at >= 0 && tries > 0; at = bytes.indexOf(MAGIC & 0xff, at + 1)) {
      if (bytes[at + 1] !== MAGIC >>> 8 || bytes[at + 2] !== 1 || bytes[at + 4] !== HEADER) continue;
      tries--;
      const btf = Btf.parse(bytes, at);
      if (btf !== undefined && btf.struct("task_struct") !== undefined) return btf;
    }
    return undefined;
  }

  /** The type of a structure with that name. */
  struct(name: string): number | undefined {
    const wanted = [...new TextEncoder().encode(name), 0];
    const found = this.#types.findIndex((at, type) => {
      if (at < 0 || this.#kind(type) !== KIND.struct) return false;
      const text = this.#strings + this.#view.getUint32(at, true);
      return text + wanted.length <= this.#end && wanted.every((byte, i) => this.#bytes[text + i] === byte);
    });
    return found < 0 ? undefined : found;
  }

  /** Bytes of a structure or an array; 0 for others. */
  sizeOf(type: number, depth = 0): number {
    const plain = this.#plain(type);
    const at = this.#types[plain];
    if (at === undefined || at < 0 || depth > DEEPEST) return 0;
    if (this.#kind(plain) !== KIND.array) return this.#view.getUint32(at + 8, true);
    return this.lengthOf(plain) * this.sizeOf(this.elementOf(plain), depth + 1);
  }

  /** Elements of an array; 0: it is none. */
  lengthOf(type: number): number {
    const plain = this.#plain(type);
    return this.#kind(plain) === KIND.array ? this.#view.getUint32((this.#types[plain] as number) + 20, true) : 0;
  }

  elementOf(type: number): number {
    const plain = this.#plain(type);
    return this.#kind(plain) === KIND.array ? this.#view.getUint32((this.#types[plain] as number) + 12, true) : 0;
  }

  /** A member of a structure, also where it is in anonymous ones within. */
  member(struct: number | undefined, name: string): Member | undefined {
    return this.#find(struct, name, 0, { left: MOST_MEMBERS });
  }

  #find(struct: number | undefined, name: string, depth: number, looks: { left: number }): Member | undefined {
    const type = struct === undefined ? 0 : this.#plain(struct);
    const kind = this.#kind(type);
    if ((kind !== KIND.struct && kind !== KIND.union) || depth > DEEPEST) return undefined;
    const at = this.#types[type] as number;
    const info = this.#view.getUint32(at + 4, true);
    for (let i = 0; i < (info & 0xffff) && looks.left > 0; i++) {
      looks.left--;
      const member = at + 12 + 12 * i;
      const bits = this.#view.getUint32(member + 8, true);
      // kind_flag: the upper byte is the size of a bit-field.
      const offset = (info >>> 31 ? bits & 0xff_ffff : bits) >>> 3;
      const memberType = this.#view.getUint32(member + 4, true);
      const memberName = this.#string(this.#view.getUint32(member, true));
      if (memberName === name) return { offset, type: memberType };
      if (memberName !== "") continue;
      const inner = this.#find(memberType, name, depth + 1, looks);
      if (inner !== undefined) return { offset: offset + inner.offset, type: inner.type };
    }
    return undefined;
  }

  #kind(type: number): number {
    const at = this.#types[type];
    return at === undefined || at < 0 ? 0 : (this.#view.getUint32(at + 4, true) >>> 24) & 0x1f;
  }

  /** Without typedefs and qualifiers. */
  #plain(type: number): number {
    let plain = type;
    for (let depth = 0; depth < DEEPEST; depth++) {
      const kind = this.#kind(plain);
      const isName = kind === KIND.typedef || (kind >= KIND.volatile && kind <= KIND.restrict) || kind === KIND.typeTag;
      if (!isName) return plain;
      plain = this.#view.getUint32((this.#types[plain] as number) + 8, true);
    }
    return 0;
  }

  #string(offset: number): string {
    const start = this.#strings + offset;
    if (start >= this.#end) return "";
    const end = this.#bytes.indexOf(0, start);
    return end < 0 || end > this.#end ? "" : new TextDecoder("latin1").decode(this.#bytes.subarray(start, end));
  }
}
