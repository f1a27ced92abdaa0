// Reference counts of a qcow2 image's clusters: "Host cluster management" of qcow2.txt.

import { be64, putBe64, viewOf } from "../bytes.ts";
import { corrupt, refused } from "../error.ts";
import { readInside, type Storage } from "../storage.ts";
import { ClusterCache, type MetadataCluster } from "./cluster-cache.ts";
import { FIELD, type Header } from "./header.ts";

const MAX_TABLE_BYTES = 8 * 2 ** 20;

/** The count of entry `index` in a refcount block. */
export function readCount(view: DataView, order: number, index: number): number {
  switch (order) {
    case 6:
      return be64(view, index * 8);
    case 5:
      return view.getUint32(index * 4);
    case 4:
      return view.getUint16(index * 2);
    default: {
      // Several in a byte, the lowest first.
      const perByte = 3 - order;
      const shift = (index & ((1 << perByte) - 1)) << order;
      return (view.getUint8(index >> perByte) >> shift) & ((1 << (1 << order)) - 1);
    }
  }
}

/** Writes the count of entry `index` of a refcount block; entries have 2^order bits. */
export function writeCount(view: DataView, order: number, index: number, count: number): void {
  switch (order) {
    case 6:
      putBe64(view, index * 8, count);
      return;
    case 5:
      view.setUint32(index * 4, count);
      return;
    case 4:
      view.setUint16(index * 2, count);
      return;
    default: {
      const perByte = 3 - order;
      const shift = (index & ((1 << perByte) - 1)) << order;
      const mask = ((1 << (1 << order)) - 1) << shift;
      const at = index >> perByte;
      view.setUint8(at, (view.getUint8(at) & ~mask) | (count << shift));
    }
  }
}

/** Changes stay in memory until store(); the order relative to what refers to the clusters is the image's matter. */
export class Refcounts {
  readonly #storage: Storage;
  readonly #header: Header;
  readonly #blocks: ClusterCache;
  /** Clusters that hold metadata: data must never be written there. */
  readonly metadata: Set<number>;
  /** Where each refcount block is; 0 for none. */
  #table: Float64Array;
  #tableDirty = false;
  /** No cluster below this is free. */
  #cursor = 0;
  readonly perBlock: number;
  readonly max: number;

  constructor(storage: Storage, header: Header, metadata: Set<number>) {
    this.#storage = storage;
    this.#header = header;
    this.metadata = metadata;
    this.#blocks = new ClusterCache(storage, header.clusterBytes, "refcount block");
    this.perBlock = (header.clusterBytes * 8) / 2 ** header.refcountOrder;
    this.max = header.refcountOrder === 6 ? Number.MAX_SAFE_INTEGER : 2 ** (2 ** header.refcountOrder) - 1;
    const bytes = header.refcountTableClusters * header.clusterBytes;
    const view = viewOf(readInside(storage, header.refcountTableOffset, bytes, "refcount table"));
    this.#table = new Float64Array(bytes / 8);
    for (let i = 0; i < this.#table.length; i++) {
      this.#table[i] = view.getUint32(i * 8) === 0 && view.getUint32(i * 8 + 4) === 0 ? 0 : be64(view, i * 8);
    }
  }

  get table(): Readonly<Float64Array> {
    return this.#table;
  }
  get anyDirty(): boolean {
    return this.#tableDirty || this.#blocks.anyDirty;
  }
  get full(): boolean {
    return this.#blocks.full;
  }

  /** @throws ImageError when the refcount block is where none can be. */
  get(cluster: number): number {
    const offset = this.#table[this.#blockOf(cluster)] ?? 0;
    if (offset === 0) return 0;
    return readCount(this.#block(offset).view, this.#header.refcountOrder, cluster % this.perBlock);
  }

  /** Entries of the refcount block at `offset` up to the last that may not be 0. */
  used(offset: number): number {
    const { bytes } = this.#block(offset);
    let end = bytes.length;
    while (end > 0 && bytes[end - 1] === 0) end--;
    return Math.ceil((end * this.perBlock) / bytes.length);
  }

  set(cluster: number, count: number): void {
    if (count > this.max) throw refused(`${this.#storage.name}: a reference count would be more than ${this.max}`);
    const offset = this.#table[this.#blockOf(cluster)] ?? 0;
    if (offset === 0) throw corrupt(`${this.#storage.name}: a cluster in use has no reference count`);
    const block = this.#block(offset);
    writeCount(block.view, this.#header.refcountOrder, cluster % this.perBlock, count);
    this.#blocks.touch(block);
    if (count === 0) this.#cursor = Math.min(this.#cursor, cluster);
  }

  add(cluster: number, delta: number): void {
    const count = this.get(cluster) + delta;
    if (count < 0) throw corrupt(`${this.#storage.name}: a cluster in use has no reference count`);
    this.set(cluster, count);
  }

  /** Takes `count` free clusters in a row; returns the first. Refcount blocks that are missing there are made right behind them. */
  allocate(count: number): number {
    const first = this.#find(count);
    let next = first + count;
    const made: number[] = [];
    for (let index = this.#blockOf(first); index <= this.#blockOf(next - 1); index++) {
      if (this.#table[index] !== 0) continue;
      this.#table[index] = this.#blocks.create(next * this.#header.clusterBytes).offset;
      this.#tableDirty = true;
      made.push(next++);
    }
    for (const cluster of made) {
      this.metadata.add(cluster);
      this.set(cluster, 1);
    }
    for (let i = 0; i < count; i++) this.set(first + i, 1);
    if (this.#cursor === first) this.#cursor = next;
    return first;
  }

  /** Free clusters in a row, with room behind them for the refcount blocks that they and these need. */
  #find(count: number): number {
    let first = this.#cursor;
    let missing = 0;
    for (let cluster = first; ; cluster++) {
      const index = this.#blockOf(cluster);
      if (index >= this.#table.length) this.#growTable(index);
      if (this.get(cluster) !== 0) {
        if (cluster === this.#cursor) this.#cursor++;
        first = cluster + 1;
        missing = 0;
        continue;
      }
      if (this.metadata.has(cluster))
        throw corrupt(`${this.#storage.name}: metadata is in a cluster that counts as free`);
      if (this.#table[index] === 0 && (cluster === first || cluster % this.perBlock === 0)) missing++;
      if (cluster - first + 1 >= count + missing) return first;
    }
  }

  #blockOf(cluster: number): number {
    return Math.floor(cluster / this.perBlock);
  }

  /** Writes the changed blocks, then the table where blocks are new. */
  store(): void {
    this.#blocks.write();
    if (!this.#tableDirty) return;
    this.#storage.flush();
    this.#storage.write(this.#header.refcountTableOffset, this.#tableBytes());
    this.#tableDirty = false;
  }

  /** A larger table in the clusters after what the present one covers, with the refcount blocks that count it. */
  #growTable(index: number): void {
    const { clusterBytes } = this.#header;
    const old = this.#table;
    const perTableCluster = clusterBytes / 8;
    const base = old.length * this.perBlock;
    let blocks = 1;
    let clusters = 1;
    for (;;) {
      const entries = Math.max(Math.ceil(old.length * 1.5), index + 1, old.length + blocks);
      clusters = Math.ceil(entries / perTableCluster);
      const needed = Math.ceil((blocks + clusters) / this.perBlock);
      if (needed <= blocks) break;
      blocks = needed;
    }
    if (clusters * clusterBytes > MAX_TABLE_BYTES) throw refused(`${this.#storage.name}: the image is full`);
    this.store();
    this.#table = new Float64Array(clusters * perTableCluster);
    this.#table.set(old);
    for (let i = 0; i < blocks; i++) {
      const block = this.#blocks.create((base + i) * clusterBytes);
      this.#table[old.length + i] = block.offset;
      for (let n = 0; n < this.perBlock && i * this.perBlock + n < blocks + clusters; n++) {
        writeCount(block.view, this.#header.refcountOrder, n, 1);
      }
    }
    for (let i = 0; i < blocks + clusters; i++) this.metadata.add(base + i);
    this.#blocks.write();
    const oldOffset = this.#header.refcountTableOffset;
    const oldClusters = this.#header.refcountTableClusters;
    const offset = (base + blocks) * clusterBytes;
    this.#storage.write(offset, this.#tableBytes());
    this.#storage.flush();
    this.#header.update((view) => {
      putBe64(view, FIELD.refcountTableOffset, offset);
      view.setUint32(FIELD.refcountTableClusters, clusters);
    });
    this.#storage.flush();
    for (let i = 0; i < oldClusters; i++) {
      this.metadata.delete(oldOffset / clusterBytes + i);
      this.add(oldOffset / clusterBytes + i, -1);
    }
  }

  #tableBytes(): Uint8Array {
    const bytes = new Uint8Array(this.#table.length * 8);
    const view = viewOf(bytes);
    this.#table.forEach((offset, i) => {
      putBe64(view, i * 8, offset);
    });
    return bytes;
  }

  /**
   * New counts for everything, in a new table behind `end` clusters. What the old table and blocks took is free then.
   * @param count of each cluster below `end`, the old refcount structures left out.
   */
  rebuild(end: number, count: (cluster: number) => number): void {
    const { clusterBytes } = this.#header;
    let blocks = 1;
    let clusters = 1;
    for (;;) {
      clusters = Math.ceil((blocks * 8) / clusterBytes);
      const needed = Math.ceil((end + blocks + clusters) / this.perBlock);
      if (needed <= blocks) break;
      blocks = needed;
    }
    if (clusters * clusterBytes > MAX_TABLE_BYTES)
      throw refused(`${this.#storage.name}: the image is too large to repair`);
    for (const offset of this.#table) this.#blocks.forget(offset);
    this.#table = new Float64Array((clusters * clusterBytes) / 8);
    const all = end + blocks + clusters;
    for (let i = 0; i < blocks; i++) {
      const bytes = new Uint8Array(clusterBytes);
      const view = viewOf(bytes);
      for (let n = 0; n < this.perBlock && i * this.perBlock + n < all; n++) {
        const cluster = i * this.perBlock + n;
        writeCount(view, this.#header.refcountOrder, n, cluster < end ? Math.min(count(cluster), this.max) : 1);
      }
      this.#table[i] = (end + i) * clusterBytes;
      this.#storage.write(this.#table[i] as number, bytes);
    }
    const offset = (end + blocks) * clusterBytes;
    this.#storage.write(offset, this.#tableBytes());
    this.#storage.flush();
    this.#header.update((view) => {
      putBe64(view, FIELD.refcountTableOffset, offset);
      view.setUint32(FIELD.refcountTableClusters, clusters);
    });
    this.#storage.flush();
    this.#tableDirty = false;
    this.#cursor = 0;
  }

  #block(offset: number): MetadataCluster {
    if (offset % this.#header.clusterBytes !== 0 || !Number.isSafeInteger(offset)) {
      throw corrupt(`${this.#storage.name}: a refcount block is not at a cluster`);
    }
    return this.#blocks.get(offset);
  }
}
