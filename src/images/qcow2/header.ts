// The header of a qcow2 image (QEMU's docs/interop/qcow2.txt, "Header" and "Header extensions").

import { be64, latin1, putBe64, toUtf8, utf8, viewOf } from "../bytes.ts";
import { corrupt, refused, unsupported } from "../error.ts";
import { readInside, type Storage } from "../storage.ts";

export const QCOW2_MAGIC = 0x514649fb;
export const V2_HEADER_BYTES = 72;
const V3_HEADER_BYTES = 104;
const COMPRESSION_HEADER_BYTES = 112;
const MAX_HEADER_BYTES = 4096;

/** As QEMU has them: what is larger is not believed, so that nothing huge is allocated. */
export const MAX_L1_BYTES = 32 * 2 ** 20;
const MAX_REFCOUNT_TABLE_BYTES = 8 * 2 ** 20;
const MAX_SNAPSHOTS = 65536;
const MAX_BACKING_NAME_BYTES = 1023;

export const INCOMPATIBLE = { dirty: 1, corrupt: 2, dataFile: 4, compression: 8, extendedL2: 16 } as const;
export const LAZY_REFCOUNTS = 1;
export const AUTOCLEAR_BITMAPS = 1;

const EXTENSION = {
  end: 0,
  backingFormat: 0xe2792aca,
  bitmaps: 0x23852875,
  encryption: 0x0537be77,
  dataFile: 0x44415441,
} as const;

/** Offsets of the fields that change while an image is in use. */
export const FIELD = {
  size: 24,
  l1Size: 36,
  l1Offset: 40,
  refcountTableOffset: 48,
  refcountTableClusters: 56,
  snapshots: 60,
  snapshotsOffset: 64,
  incompatible: 72,
  compatible: 80,
  autoclear: 88,
} as const;

export interface Bitmaps {
  readonly count: number;
  readonly directoryOffset: number;
  readonly directoryBytes: number;
}

/** The header as it is in the file: fields are read from its bytes, and all of it is written at once. */
export class Header {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #storage: Storage;
  readonly clusterBits: number;
  readonly backingFile: string | undefined;
  readonly backingFormat: string | undefined;
  readonly bitmaps: Bitmaps | undefined;

  /** @throws ImageError for what is no sound qcow2 header, and for features that are not known. */
  constructor(storage: Storage) {
    const name = storage.name;
    const first = readInside(storage, 0, V2_HEADER_BYTES, "qcow2 header");
    const version = viewOf(first).getUint32(4);
    if (viewOf(first).getUint32(0) !== QCOW2_MAGIC) throw corrupt(`${name} is no qcow2 image`);
    if (version !== 2 && version !== 3) throw unsupported(`${name}: version ${version} of qcow2 is not known`);
    let length = V2_HEADER_BYTES;
    if (version === 3) {
      length = viewOf(readInside(storage, 0, V3_HEADER_BYTES, "qcow2 header")).getUint32(100);
      if (length < V3_HEADER_BYTES || length > MAX_HEADER_BYTES || length % 8 !== 0) {
        throw corrupt(`${name}: its header says that it has ${length} bytes`);
      }
    }
    this.#storage = storage;
    this.#bytes = readInside(storage, 0, length, "qcow2 header");
    this.#view = viewOf(this.#bytes);
    this.clusterBits = this.#view.getUint32(20);
    if (this.clusterBits < 9 || this.clusterBits > 21) {
      throw corrupt(`${name}: clusters of 2^${this.clusterBits} bytes; qcow2 has 2^9 to 2^21`);
    }
    this.#checkFeatures(name);
    this.#checkTables(name);
    const extensions = this.#extensions();
    this.backingFormat = extensions.backingFormat;
    this.bitmaps = extensions.bitmaps;
    this.backingFile = this.#backingName();
  }

  get version(): number {
    return this.#view.getUint32(4);
  }
  get clusterBytes(): number {
    return 2 ** this.clusterBits;
  }
  get size(): number {
    return be64(this.#view, FIELD.size);
  }
  get l1Size(): number {
    return this.#view.getUint32(FIELD.l1Size);
  }
  get l1Offset(): number {
    return be64(this.#view, FIELD.l1Offset);
  }
  get refcountTableOffset(): number {
    return be64(this.#view, FIELD.refcountTableOffset);
  }
  get refcountTableClusters(): number {
    return this.#view.getUint32(FIELD.refcountTableClusters);
  }
  get snapshots(): number {
    return this.#view.getUint32(FIELD.snapshots);
  }
  get snapshotsOffset(): number {
    return be64(this.#view, FIELD.snapshotsOffset);
  }
  get incompatible(): number {
    return this.version === 3 ? this.#view.getUint32(FIELD.incompatible + 4) : 0;
  }
  get lazyRefcounts(): boolean {
    return this.version === 3 && (this.#view.getUint32(FIELD.compatible + 4) & LAZY_REFCOUNTS) !== 0;
  }
  get extendedL2(): boolean {
    return (this.incompatible & INCOMPATIBLE.extendedL2) !== 0;
  }
  get refcountOrder(): number {
    return this.version === 3 ? this.#view.getUint32(96) : 4;
  }
  get compression(): "zlib" | "zstd" {
    return this.#bytes.length > V3_HEADER_BYTES && this.#bytes[V3_HEADER_BYTES] === 1 ? "zstd" : "zlib";
  }
  /** Whether the bitmaps extension is to be believed. */
  get bitmapsValid(): boolean {
    return this.version === 3 && (this.#view.getUint32(FIELD.autoclear + 4) & AUTOCLEAR_BITMAPS) !== 0;
  }
  get anyAutoclear(): boolean {
    return this.version === 3 && be64(this.#view, FIELD.autoclear) !== 0;
  }

  /** Changes fields and writes the header, which is within one sector: the host's disk has all of the change, or nothing. */
  update(change: (view: DataView) => void): void {
    change(this.#view);
    this.#storage.write(0, this.#bytes.subarray(0, COMPRESSION_HEADER_BYTES));
  }

  #checkFeatures(name: string): void {
    if (this.#view.getUint32(32) !== 0) throw unsupported(`${name} is encrypted, which Atoll does not know`);
    if (this.version === 2) return;
    const known = Object.values(INCOMPATIBLE).reduce((all, bit) => all | bit, 0);
    const high = this.#view.getUint32(FIELD.incompatible);
    if (high !== 0 || (this.incompatible & ~known) !== 0) {
      throw unsupported(`${name} needs features of qcow2 that Atoll does not know`);
    }
    if (this.incompatible & INCOMPATIBLE.dataFile) {
      throw unsupported(`${name} keeps its data in another file, which Atoll does not know`);
    }
    if (this.refcountOrder > 6) throw corrupt(`${name}: reference counts of 2^${this.refcountOrder} bits`);
    const type = this.#bytes[V3_HEADER_BYTES] ?? 0;
    if ((type !== 0) !== ((this.incompatible & INCOMPATIBLE.compression) !== 0)) {
      throw corrupt(`${name}: its header contradicts itself about compression`);
    }
    if (type > 1) throw unsupported(`${name}: compression type ${type} is not known`);
    if (this.extendedL2 && this.clusterBits < 14) throw corrupt(`${name}: extended L2 entries need clusters of 16K`);
  }

  #checkTables(name: string): void {
    const cluster = this.clusterBytes;
    const aligned = (offset: number): boolean => offset % cluster === 0 && Number.isSafeInteger(offset);
    if (!Number.isSafeInteger(this.size)) throw corrupt(`${name}: the size of its disk is no good number`);
    if (this.l1Size * 8 > MAX_L1_BYTES) throw corrupt(`${name}: its L1 table is too large`);
    if (!aligned(this.l1Offset)) throw corrupt(`${name}: its L1 table is not at a cluster`);
    if (this.l1Size < l1EntriesFor(this.size, this.clusterBits, this.extendedL2)) {
      throw corrupt(`${name}: its L1 table is too small for its disk`);
    }
    const refcountBytes = this.refcountTableClusters * cluster;
    if (refcountBytes > MAX_REFCOUNT_TABLE_BYTES) throw corrupt(`${name}: its refcount table is too large`);
    if (refcountBytes === 0) throw corrupt(`${name}: it has no refcount table`);
    if (!aligned(this.refcountTableOffset)) throw corrupt(`${name}: its refcount table is not at a cluster`);
    if (this.snapshots > MAX_SNAPSHOTS) throw corrupt(`${name}: it says that it has ${this.snapshots} snapshots`);
    if (this.snapshots > 0 && !aligned(this.snapshotsOffset)) {
      throw corrupt(`${name}: its snapshot table is not at a cluster`);
    }
  }

  #extensions(): { backingFormat: string | undefined; bitmaps: Bitmaps | undefined } {
    const storage = this.#storage;
    const end = Math.min(be64(this.#view, 8) || this.clusterBytes, this.clusterBytes, storage.size());
    let backingFormat: string | undefined;
    let bitmaps: Bitmaps | undefined;
    for (let at = this.#bytes.length; at + 8 <= end; ) {
      const head = viewOf(readInside(storage, at, 8, "header extension"));
      const type = head.getUint32(0);
      const length = head.getUint32(4);
      if (type === EXTENSION.end) break;
      if (at + 8 + length > end) throw corrupt(`${storage.name}: a header extension does not fit`);
      if (type === EXTENSION.encryption) throw unsupported(`${storage.name} is encrypted, which Atoll does not know`);
      if (type === EXTENSION.backingFormat) {
        backingFormat = latin1(readInside(storage, at + 8, Math.min(length, 64), "backing format"));
      }
      if (type === EXTENSION.bitmaps && this.bitmapsValid && length >= 24) {
        const data = viewOf(readInside(storage, at + 8, 24, "bitmaps extension"));
        bitmaps = { count: data.getUint32(0), directoryBytes: be64(data, 8), directoryOffset: be64(data, 16) };
      }
      at += 8 + Math.ceil(length / 8) * 8;
    }
    return { backingFormat, bitmaps };
  }

  #backingName(): string | undefined {
    const offset = be64(this.#view, 8);
    const length = this.#view.getUint32(16);
    if (offset === 0 || length === 0) return undefined;
    if (length > MAX_BACKING_NAME_BYTES || offset + length > this.clusterBytes) {
      throw corrupt(`${this.#storage.name}: the name of its backing file does not fit`);
    }
    const bytes = readInside(this.#storage, offset, length, "backing file's name");
    if (bytes.includes(0)) throw corrupt(`${this.#storage.name}: the name of its backing file has a zero byte`);
    return utf8(bytes);
  }
}

export function l1EntriesFor(size: number, clusterBits: number, extendedL2: boolean): number {
  const entries = 2 ** clusterBits / (extendedL2 ? 16 : 8);
  return Math.ceil(size / (entries * 2 ** clusterBits));
}

export interface HeaderFields {
  readonly version: 2 | 3;
  readonly clusterBits: number;
  readonly size: number;
  readonly l1Size: number;
  readonly l1Offset: number;
  readonly refcountTableOffset: number;
  readonly refcountTableClusters: number;
  readonly refcountOrder: number;
  readonly extendedL2: boolean;
  readonly lazyRefcounts: boolean;
  readonly compression: "zlib" | "zstd";
  readonly backing: { readonly file: string; readonly format: string } | undefined;
}

/** The first cluster of a new image. @throws ImageError when the backing file's name does not fit. */
export function makeHeader(fields: HeaderFields): Uint8Array {
  const bytes = new Uint8Array(2 ** fields.clusterBits);
  const view = viewOf(bytes);
  view.setUint32(0, QCOW2_MAGIC);
  view.setUint32(4, fields.version);
  view.setUint32(20, fields.clusterBits);
  putBe64(view, FIELD.size, fields.size);
  view.setUint32(FIELD.l1Size, fields.l1Size);
  putBe64(view, FIELD.l1Offset, fields.l1Offset);
  putBe64(view, FIELD.refcountTableOffset, fields.refcountTableOffset);
  view.setUint32(FIELD.refcountTableClusters, fields.refcountTableClusters);
  let at = V2_HEADER_BYTES;
  if (fields.version === 3) {
    const zstd = fields.compression === "zstd";
    const incompatible = (zstd ? INCOMPATIBLE.compression : 0) | (fields.extendedL2 ? INCOMPATIBLE.extendedL2 : 0);
    view.setUint32(FIELD.incompatible + 4, incompatible);
    view.setUint32(FIELD.compatible + 4, fields.lazyRefcounts ? LAZY_REFCOUNTS : 0);
    view.setUint32(96, fields.refcountOrder);
    view.setUint32(100, COMPRESSION_HEADER_BYTES);
    bytes[V3_HEADER_BYTES] = zstd ? 1 : 0;
    at = COMPRESSION_HEADER_BYTES;
  }
  if (fields.backing !== undefined) {
    const format = toUtf8(fields.backing.format);
    const file = toUtf8(fields.backing.file);
    const nameAt = at + 8 + Math.ceil(format.length / 8) * 8 + 8;
    if (file.length > MAX_BACKING_NAME_BYTES || nameAt + file.length > bytes.length) {
      throw refused("the name of the backing file is too long");
    }
    view.setUint32(at, EXTENSION.backingFormat);
    view.setUint32(at + 4, format.length);
    bytes.set(format, at + 8);
    bytes.set(file, nameAt);
    putBe64(view, 8, nameAt);
    view.setUint32(16, file.length);
  }
  return bytes;
}
