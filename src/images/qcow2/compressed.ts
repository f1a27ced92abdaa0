// Compressed clusters: any number of bytes, not aligned, several of them in one cluster of the file.

import { corrupt, unsupported } from "../error.ts";
import type { Codecs, Storage } from "../storage.ts";
import type { Entry } from "./entry.ts";
import type { Refcounts } from "./refcounts.ts";

export class CompressedClusters {
  readonly #storage: Storage;
  readonly #codecs: Codecs;
  readonly #kind: "zlib" | "zstd";
  readonly #clusterBytes: number;
  /** The last that was read: reads of a few sectors come one after the other. */
  #inflated: { readonly host: number; readonly bytes: Uint8Array } | undefined;
  /** Where the next compressed data goes, and how much room is left there. */
  #packAt = 0;
  #packRoom = 0;

  constructor(storage: Storage, codecs: Codecs, kind: "zlib" | "zstd", clusterBytes: number) {
    this.#storage = storage;
    this.#codecs = codecs;
    this.#kind = kind;
    this.#clusterBytes = clusterBytes;
  }

  /** What a compressed cluster holds. The entry lies within the file. @throws ImageError when it is damaged. */
  inflate(entry: Entry): Uint8Array {
    if (this.#inflated?.host === entry.host) return this.#inflated.bytes;
    const data = new Uint8Array(entry.compressedBytes);
    this.#storage.read(entry.host, data);
    const bytes = this.#decompress(data);
    this.#inflated = { host: entry.host, bytes };
    return bytes;
  }

  /** The place in the file of what was read last may be used again. */
  forget(): void {
    this.#inflated = undefined;
  }

  deflate(data: Uint8Array): Uint8Array {
    if (this.#kind === "zlib") return this.#codecs.deflateRaw(data);
    if (this.#codecs.zstd === undefined) throw unsupported(`${this.#storage.name}: this host has no zstd`);
    return this.#codecs.zstd.compress(data);
  }

  /** Room for compressed data, in the cluster of the data before where there is some left. */
  pack(length: number, refcounts: Refcounts, allocate: (count: number) => number): number {
    const cluster = this.#clusterBytes;
    const shared = this.#packRoom > 0 && refcounts.get(Math.floor(this.#packAt / cluster)) < refcounts.max;
    if (shared && this.#packRoom >= length) {
      refcounts.add(Math.floor(this.#packAt / cluster), 1);
      const at = this.#packAt;
      this.#packAt += length;
      this.#packRoom -= length;
      return at;
    }
    const next = allocate(1) * cluster;
    let at = next;
    if (shared && next === this.#packAt + this.#packRoom) {
      refcounts.add(Math.floor(this.#packAt / cluster), 1);
      at = this.#packAt;
    }
    this.#packAt = at + length;
    this.#packRoom = next + cluster - this.#packAt;
    return at;
  }

  #decompress(data: Uint8Array): Uint8Array {
    const { name } = this.#storage;
    const limit = this.#clusterBytes;
    const { zstd } = this.#codecs;
    if (this.#kind === "zstd" && zstd === undefined) throw unsupported(`${name}: this host has no zstd`);
    let bytes: Uint8Array | undefined;
    try {
      bytes = this.#kind === "zlib" ? this.#codecs.inflateRaw(data, limit) : zstd?.decompress(data, limit);
    } catch {
      bytes = undefined;
    }
    if (bytes?.length !== limit) throw corrupt(`${name}: compressed data is damaged`);
    return bytes;
  }
}
