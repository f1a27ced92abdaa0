import { putBe64, viewOf } from "../bytes.ts";
import { refused } from "../error.ts";
import type { Storage } from "../storage.ts";
import { l1EntriesFor, MAX_L1_BYTES, makeHeader } from "./header.ts";
import { writeCount } from "./refcounts.ts";

export interface Qcow2CreateOptions {
  readonly version?: 2 | 3;
  /** A power of two from 512 to 2 MiB. */
  readonly clusterBytes?: number;
  /** A power of two from 1 to 64. */
  readonly refcountBits?: number;
  readonly lazyRefcounts?: boolean;
  readonly extendedL2?: boolean;
  readonly compression?: "zlib" | "zstd";
  readonly backing?: { readonly file: string; readonly format: string };
}

/** Makes an empty file a qcow2 image whose disk reads as zeros, or as the backing file. @param bytes of the disk. */
export function createQcow2(storage: Storage, bytes: number, options: Qcow2CreateOptions = {}): void {
  const { version = 3, clusterBytes = 65536, refcountBits = 16, extendedL2 = false, lazyRefcounts = false } = options;
  const { compression = "zlib" } = options;
  const clusterBits = Math.log2(clusterBytes);
  const refcountOrder = Math.log2(refcountBits);
  if (!Number.isInteger(clusterBits) || clusterBits < 9 || clusterBits > 21) {
    throw refused("cluster_size: give a power of two from 512 to 2M");
  }
  if (!Number.isInteger(refcountOrder) || refcountOrder < 0 || refcountOrder > 6) {
    throw refused("refcount_bits: give a power of two from 1 to 64");
  }
  if (version === 2 && (refcountBits !== 16 || extendedL2 || lazyRefcounts || compression !== "zlib")) {
    throw refused(
      "compat=0.10 has refcount_bits=16 and compression_type=zlib only, and no lazy_refcounts or extended_l2",
    );
  }
  if (extendedL2 && clusterBits < 14) throw refused("extended_l2 needs a cluster_size of 16K or more");
  const l1Size = Math.max(1, l1EntriesFor(bytes, clusterBits, extendedL2));
  if (l1Size * 8 > MAX_L1_BYTES) throw refused("the disk is too large for this cluster_size");
  const l1Clusters = Math.ceil((l1Size * 8) / clusterBytes);
  const perBlock = (clusterBytes * 8) / refcountBits;
  // The header, the refcount table, its blocks, the L1 table.
  let blocks = 1;
  let tableClusters = 1;
  for (;;) {
    tableClusters = Math.ceil((blocks * 8) / clusterBytes);
    const needed = Math.ceil((1 + tableClusters + blocks + l1Clusters) / perBlock);
    if (needed <= blocks) break;
    blocks = needed;
  }
  const all = 1 + tableClusters + blocks + l1Clusters;
  const blocksAt = 1 + tableClusters;
  const header = makeHeader({
    ...{ version, clusterBits, size: bytes, l1Size, refcountOrder, extendedL2, lazyRefcounts, compression },
    l1Offset: (blocksAt + blocks) * clusterBytes,
    ...{ refcountTableOffset: clusterBytes, refcountTableClusters: tableClusters, backing: options.backing },
  });
  const table = new Uint8Array(tableClusters * clusterBytes);
  for (let i = 0; i < blocks; i++) {
    putBe64(viewOf(table), i * 8, (blocksAt + i) * clusterBytes);
    const block = new Uint8Array(clusterBytes);
    for (let n = 0; n < perBlock && i * perBlock + n < all; n++) writeCount(viewOf(block), refcountOrder, n, 1);
    storage.write((blocksAt + i) * clusterBytes, block);
  }
  storage.write(clusterBytes, table);
  storage.truncate(all * clusterBytes);
  storage.write(0, header);
}
