// Entries of L1 and L2 tables ("Cluster mapping" and "Extended L2 Entries" of qcow2.txt).

import { join64, putBe64 } from "../bytes.ts";

export const COPIED_HIGH = 0x8000_0000;
const COMPRESSED_HIGH = 0x4000_0000;
const OFFSET_HIGH = 0x00ff_ffff;
const ZERO_LOW = 1;
export const SUBCLUSTERS = 32;
const ALL_SUBCLUSTERS = 0xffff_ffff;

/** The offset of an L1 entry, or of an L2 entry that is not compressed; Infinity where a number cannot hold it. */
export function entryOffset(view: DataView, at: number): number {
  return join64(view.getUint32(at) & OFFSET_HIGH, (view.getUint32(at + 4) & ~0x1ff) >>> 0);
}

export function isCopied(view: DataView, at: number): boolean {
  return (view.getUint32(at) & COPIED_HIGH) !== 0;
}

export function setCopied(view: DataView, at: number, copied: boolean): void {
  const high = view.getUint32(at);
  view.setUint32(at, (copied ? high | COPIED_HIGH : high & ~COPIED_HIGH) >>> 0);
}

/** What an L2 entry says of its cluster. */
export interface Entry {
  readonly compressed: boolean;
  /** Where its data is in the file, 0 for nowhere. Of a compressed cluster: its first byte. */
  readonly host: number;
  /** Bytes of compressed data, to the end of its last sector. */
  readonly compressedBytes: number;
  /** A bit for each subcluster that has data at `host`, one that reads as zeros; all or none without extended L2 entries. */
  readonly allocated: number;
  readonly zero: number;
}

/** How L2 entries of an image look. */
export class EntryFormat {
  readonly bytes: 8 | 16;
  readonly extended: boolean;
  readonly #clusterBits: number;
  readonly #version: number;

  constructor(clusterBits: number, version: number, extended: boolean) {
    this.#clusterBits = clusterBits;
    this.#version = version;
    this.extended = extended;
    this.bytes = extended ? 16 : 8;
  }

  read(view: DataView, index: number): Entry {
    const at = index * this.bytes;
    const high = view.getUint32(at);
    const low = view.getUint32(at + 4);
    if (high & COMPRESSED_HIGH) {
      // Below bit x the offset, above it the number of sectors after the first.
      const bits = 62 - (this.#clusterBits - 8) - 32;
      const host = join64(high & ((1 << bits) - 1), low);
      const sectors = ((high & 0x3fff_ffff) >>> bits) + 1;
      return { compressed: true, host, compressedBytes: sectors * 512 - (low & 511), allocated: 0, zero: 0 };
    }
    const host = entryOffset(view, at);
    if (this.extended) {
      const zero = view.getUint32(at + 8);
      return { compressed: false, host, compressedBytes: 0, allocated: view.getUint32(at + 12), zero };
    }
    const zero = this.#version === 3 && (low & ZERO_LOW) !== 0;
    const allocated = host !== 0 && !zero ? ALL_SUBCLUSTERS : 0;
    return { compressed: false, host, compressedBytes: 0, allocated, zero: zero ? ALL_SUBCLUSTERS : 0 };
  }

  /** All of a cluster is at `host`. */
  writeData(view: DataView, index: number, host: number): void {
    const at = index * this.bytes;
    putBe64(view, at, host);
    setCopied(view, at, true);
    this.#bitmap(view, at, 0, ALL_SUBCLUSTERS);
  }

  /** The cluster has nothing of its own: it reads as zeros (`zero`; not in version 2), or what the backing file has. */
  writeEmpty(view: DataView, index: number, zero: boolean): void {
    const at = index * this.bytes;
    view.setUint32(at, 0);
    view.setUint32(at + 4, zero && !this.extended ? ZERO_LOW : 0);
    this.#bitmap(view, at, zero ? ALL_SUBCLUSTERS : 0, 0);
  }

  /** Compressed data of `length` bytes at any byte `host`. */
  writeCompressed(view: DataView, index: number, host: number, length: number): void {
    const at = index * this.bytes;
    const bits = 62 - (this.#clusterBits - 8) - 32;
    const sectors = Math.floor((host + length - 1) / 512) - Math.floor(host / 512);
    view.setUint32(at, (COMPRESSED_HIGH | ((sectors << bits) >>> 0) | Math.floor(host / 2 ** 32)) >>> 0);
    view.setUint32(at + 4, host % 2 ** 32);
    this.#bitmap(view, at, 0, 0);
  }

  #bitmap(view: DataView, at: number, zero: number, allocated: number): void {
    if (!this.extended) return;
    view.setUint32(at + 8, zero);
    view.setUint32(at + 12, allocated);
  }
}
