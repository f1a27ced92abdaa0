// qcow2 images, versions 2 and 3, for reading and writing.
//
// What keeps an image whole when the process or the host dies at any moment: data goes to free clusters at once; then, at a flush,
// (1) reference counts that grew, (2) L2 tables, (3) L1 entries, each on the host's disk before the next; counts shrink last, and what
// they free is not used again before. So no table ever refers to a cluster that counts as free or holds somebody else's data; what
// is lost is what was not flushed, and clusters may leak.

import { isZero, putBe64, roundUp, viewOf } from "../bytes.ts";
import { corrupt, refused } from "../error.ts";
import type { Extent, Image } from "../image.ts";
import { type Codecs, readInside, type Storage } from "../storage.ts";
import { claimMetadata } from "./claims.ts";
import type { MetadataCluster } from "./cluster-cache.ts";
import { ClusterMap } from "./cluster-map.ts";
import { CompressedClusters } from "./compressed.ts";
import { Damage } from "./damage.ts";
import type { Entry } from "./entry.ts";
import { FIELD, type Header, INCOMPATIBLE } from "./header.ts";
import { Refcounts } from "./refcounts.ts";
import { resizeDisk } from "./resize.ts";
import { findSnapshot, loadSnapshots, type Snapshot } from "./snapshot-table.ts";

/** Clusters that one write takes at once, at most. */
const MAX_CLUSTERS_AT_ONCE = 1024;

export interface Qcow2Options {
  /** Opens although the image is marked corrupt or dirty, or its tables overlap: for checking and repairing. */
  readonly forCheck?: boolean;
}

export class Qcow2Image implements Image {
  readonly format = "qcow2";
  readonly readOnly: boolean;
  readonly backing: Image | undefined;
  readonly storage: Storage;
  readonly header: Header;
  readonly refcounts: Refcounts;
  readonly map: ClusterMap;
  readonly clusterBytes: number;
  snapshots: Snapshot[];
  /** Clusters whose counts shrink by one once the tables that no longer refer to them are on disk. */
  readonly #frees: number[] = [];
  readonly #compressed: CompressedClusters;
  readonly #damage: Damage;
  #closed = false;
  /** Of the snapshot that is looked at. */
  #snapshotBytes: number | undefined;

  constructor(
    storage: Storage,
    header: Header,
    backing: Image | undefined,
    codecs: Codecs,
    options: Qcow2Options = {},
  ) {
    this.storage = storage;
    this.header = header;
    this.backing = backing;
    this.readOnly = storage.readOnly;
    this.clusterBytes = header.clusterBytes;
    this.#compressed = new CompressedClusters(storage, codecs, header.compression, this.clusterBytes);
    this.#damage = new Damage(storage.name, header, this.readOnly);
    const metadata = new Set<number>();
    this.refcounts = new Refcounts(storage, header, metadata);
    const l1 = readInside(storage, header.l1Offset, header.l1Size * 8, "L1 table");
    this.map = new ClusterMap(storage, header, this.#damage, l1);
    this.snapshots = loadSnapshots(storage, header);
    if (options.forCheck || this.readOnly) return;
    if (header.incompatible & INCOMPATIBLE.corrupt) {
      throw corrupt(`${storage.name} is marked corrupt: atoll image check --repair may help, or open it read-only`);
    }
    claimMetadata(this, viewOf(l1));
    // What we do not keep right must not be believed afterwards.
    if (header.anyAutoclear) header.update((view) => putBe64(view, FIELD.autoclear, 0));
  }

  get bytes(): number {
    return this.#snapshotBytes ?? this.header.size;
  }

  /** From now on the disk is what it was at a snapshot. Of images that are only read. @throws ImageError when there is none. */
  showSnapshot(nameOrId: string): void {
    if (!this.readOnly) throw refused(`${this.storage.name} is open for writing`);
    const snapshot = findSnapshot(this.snapshots, nameOrId, this.storage.name);
    const bytes = snapshot.diskBytes ?? this.header.size;
    if (!Number.isSafeInteger(bytes)) throw corrupt(`${this.storage.name}: the size of a snapshot is no good number`);
    this.map.use(readInside(this.storage, snapshot.l1Offset, snapshot.l1Size * 8, "snapshot's L1 table"));
    this.#snapshotBytes = bytes;
  }

  /** Nothing was ever written to it: it reads as what is under it. */
  get isEmpty(): boolean {
    return isZero(this.map.l1);
  }

  fileBytes(): number {
    return this.storage.size();
  }

  details(): Readonly<Record<string, unknown>> {
    const { header } = this;
    return {
      compat: header.version === 3 ? "1.1" : "0.10",
      "cluster-size": this.clusterBytes,
      ...(header.version === 3
        ? {
            "compression-type": header.compression,
            "lazy-refcounts": header.lazyRefcounts,
            "refcount-bits": 2 ** header.refcountOrder,
            corrupt: (header.incompatible & INCOMPATIBLE.corrupt) !== 0,
            dirty: (header.incompatible & INCOMPATIBLE.dirty) !== 0,
            "extended-l2": header.extendedL2,
          }
        : {}),
    };
  }

  // Reading.

  read(offset: number, into: Uint8Array): void {
    this.#check(offset, into.length);
    for (let done = 0; done < into.length; ) {
      const run = this.map.run(offset + done, into.length - done);
      const part = into.subarray(done, done + run.length);
      if (run.kind === "data") this.storage.read(run.host, part);
      else if (run.kind === "compressed") {
        const from = (offset + done) % this.clusterBytes;
        part.set(this.#inflate(run.entry as Entry).subarray(from, from + part.length));
      } else if (run.kind === "hole" && this.backing !== undefined) readBacking(this.backing, offset + done, part);
      else part.fill(0);
      done += run.length;
    }
  }

  extent(offset: number, length: number): Extent {
    this.#check(offset, length);
    const run = this.map.run(offset, length);
    return { kind: run.kind === "compressed" ? "data" : run.kind, length: run.length };
  }

  #inflate(entry: Entry): Uint8Array {
    if (entry.host >= this.storage.size()) throw this.#damage.error("compressed data is beyond the end of the file");
    return this.#compressed.inflate(entry);
  }

  // Writing.

  write(offset: number, from: Uint8Array): void {
    this.#writing(offset, from.length);
    for (let done = 0; done < from.length; ) {
      done += this.#writeRun(offset + done, from.subarray(done));
    }
  }

  /** Writes the first bytes of `from`; returns how many. */
  #writeRun(offset: number, from: Uint8Array): number {
    this.#room();
    const table = this.#writableTable(offset);
    const first = Math.floor(offset / this.clusterBytes);
    const last = Math.floor((offset + from.length - 1) / this.clusterBytes);
    const index = first % this.map.entriesPerTable;
    const most = Math.min(last - first + 1, this.map.entriesPerTable - index, MAX_CLUSTERS_AT_ONCE);
    const inPlace = this.#inPlace(table, index, most);
    const count = inPlace > 0 ? inPlace : this.#notInPlace(table, index, most);
    const length = Math.min(from.length, (first + count) * this.clusterBytes - offset);
    const within = offset - first * this.clusterBytes;
    if (inPlace > 0) {
      const host = this.map.entries.read(table.view, index).host;
      this.storage.write(host + within, from.subarray(0, length));
      return length;
    }
    const host = this.#allocate(count) * this.clusterBytes;
    this.#copyAround(first * this.clusterBytes, offset, host, within);
    this.storage.write(host + within, from.subarray(0, length));
    const end = (first + count) * this.clusterBytes;
    this.#copyAround(offset + length, end, host + within + length, end - offset - length);
    for (let i = 0; i < count; i++) {
      this.#free(this.map.entries.read(table.view, index + i));
      this.map.entries.writeData(table.view, index + i, host + i * this.clusterBytes);
    }
    this.map.l2.touch(table);
    return length;
  }

  /** Clusters from `index` on that nobody else uses and that are in a row, so that they can be written where they are. */
  #inPlace(table: MetadataCluster, index: number, most: number): number {
    let host = 0;
    let count = 0;
    for (; count < most; count++) {
      const entry = this.map.entries.read(table.view, index + count);
      if (entry.allocated !== 0xffff_ffff || entry.compressed || this.map.kind(entry, 0) !== "data") break;
      if (count > 0 && entry.host !== host + this.clusterBytes) break;
      const cluster = entry.host / this.clusterBytes;
      const references = this.refcounts.get(cluster);
      if (references !== 1) {
        if (references === 0) throw this.#damage.error("a cluster in use has no reference count");
        break;
      }
      if (this.refcounts.metadata.has(cluster)) throw this.#damage.error("an L2 entry points to metadata");
      host = entry.host;
    }
    return count;
  }

  #notInPlace(table: MetadataCluster, index: number, most: number): number {
    let count = 1;
    while (count < most && this.#inPlace(table, index + count, 1) === 0) count++;
    return count;
  }

  /** Copies what the disk has in [from, to) to `host`, where it is part of a cluster of which the rest is written. */
  #copyAround(from: number, to: number, host: number, length: number): void {
    if (length === 0) return;
    const bytes = new Uint8Array(length);
    // A disk may end within its last cluster.
    const inside = Math.max(0, Math.min(to, this.bytes) - from);
    if (inside > 0) this.read(from, bytes.subarray(0, inside));
    // Beyond the end of the file there are zeros already.
    if (host >= this.storage.size() && isZero(bytes)) return;
    this.storage.write(host, bytes);
  }

  /**
   * Writes a whole cluster compressed, for images that are written once.
   * @param offset a multiple of the cluster size. @param from a cluster's bytes.
   */
  writeCompressed(offset: number, from: Uint8Array): void {
    this.#writing(offset, Math.min(from.length, this.bytes - offset));
    const data = this.#compressed.deflate(from);
    if (data.length >= this.clusterBytes) {
      this.write(offset, from.subarray(0, Math.min(from.length, this.bytes - offset)));
      return;
    }
    this.#room();
    const table = this.#writableTable(offset);
    const host = this.#compressed.pack(data.length, this.refcounts, (count) => this.#allocate(count));
    this.storage.write(host, data);
    const index = this.map.indexOf(offset);
    this.#free(this.map.entries.read(table.view, index));
    this.map.entries.writeCompressed(table.view, index, host, data.length);
    this.map.l2.touch(table);
  }

  writeZeroes(offset: number, length: number, unmap: boolean): void {
    void unmap;
    this.#writing(offset, length);
    this.#eachCluster(offset, length, (at, size, whole) => {
      if (whole) this.empty(at, true);
      else if (!this.#readsZero(at, size)) this.write(at, new Uint8Array(size));
    });
  }

  /** Whole clusters read as zeros afterwards (not as what a backing file has: that may be secret, or old). */
  discard(offset: number, length: number): void {
    this.#writing(offset, length);
    this.#eachCluster(offset, length, (at, _size, whole) => {
      if (whole) this.empty(at, true);
    });
  }

  #eachCluster(offset: number, length: number, visit: (at: number, size: number, whole: boolean) => void): void {
    const { covered } = this.map;
    const end = offset + length;
    for (let at = offset; at < end; ) {
      const within = at % this.clusterBytes;
      const size = Math.min(end - at, this.clusterBytes - within);
      // Where there is no table and no backing file, everything reads as zeros: on to the next table.
      if (this.backing === undefined && this.map.tableAt(at) === undefined) {
        at = (Math.floor(at / covered) + 1) * covered;
        continue;
      }
      visit(at, size, size === this.clusterBytes || (within === 0 && at + size === this.bytes));
      at += size;
    }
  }

  #readsZero(offset: number, length: number): boolean {
    const bytes = new Uint8Array(length);
    this.read(offset, bytes);
    return isZero(bytes);
  }

  /** Gives a cluster's space back. @param zero it must read as zeros; otherwise it reads as what is under it. */
  empty(offset: number, zero: boolean): void {
    const run = this.map.run(offset, Math.min(this.clusterBytes, roundUp(this.bytes, this.clusterBytes) - offset));
    const whole = offset + run.length >= Math.min(offset + this.clusterBytes, this.bytes);
    if (whole && (run.kind === "zero" || (run.kind === "hole" && (!zero || this.backing === undefined)))) return;
    this.#room();
    // Version 2 has no way to say "zeros" where there is a backing file.
    if (zero && this.backing !== undefined && this.header.version === 2) {
      const size = Math.min(this.clusterBytes, this.bytes - offset);
      if (!this.#readsZero(offset, size)) this.write(offset, new Uint8Array(size));
      return;
    }
    const table = this.#writableTable(offset);
    const index = this.map.indexOf(offset);
    this.#free(this.map.entries.read(table.view, index));
    this.map.entries.writeEmpty(table.view, index, zero && this.backing !== undefined);
    this.map.l2.touch(table);
  }

  /** The L2 table of an offset, made or copied so that it may be changed. */
  #writableTable(offset: number): MetadataCluster {
    const number = Math.floor(offset / this.map.covered);
    const old = this.map.table(number);
    if (old !== undefined) {
      const references = this.refcounts.get(old.offset / this.clusterBytes);
      if (references === 0) throw this.#damage.error("an L2 table has no reference count");
      if (references === 1) return old;
    }
    const cluster = this.#allocate(1);
    const table = this.map.l2.create(cluster * this.clusterBytes, old?.bytes.slice());
    this.refcounts.metadata.add(cluster);
    this.map.setTable(number, table.offset);
    // Its other users still have the old one.
    if (old !== undefined) this.#frees.push(old.offset / this.clusterBytes);
    return table;
  }

  #allocate(count: number): number {
    return this.#damage.watch(() => this.refcounts.allocate(count));
  }

  #free(entry: Entry): void {
    if (entry.host === 0) return;
    if (entry.compressed) this.#compressed.forget();
    const end = entry.compressed ? entry.host + entry.compressedBytes : entry.host + 1;
    for (let c = Math.floor(entry.host / this.clusterBytes); c * this.clusterBytes < end; c++) {
      if (this.refcounts.metadata.has(c)) throw this.#damage.error("an L2 entry points to metadata");
      this.#frees.push(c);
    }
  }

  /** Before a change: writes what there is, when that is much. */
  #room(): void {
    if (this.map.l2.full || this.refcounts.full || this.#frees.length > 2 ** 18) this.flush();
  }

  // Flushing.

  flush(): void {
    if (this.readOnly) return;
    this.#damage.check();
    if (this.map.anyDirty || this.refcounts.anyDirty) this.refcounts.store();
    this.storage.flush();
    this.map.write(this.storage, this.header.l1Offset);
    for (const cluster of this.#frees.splice(0)) this.release(cluster);
  }

  /** Takes references away from a cluster that no table on the host's disk makes any more. */
  release(cluster: number, count = 1): void {
    this.#damage.watch(() => this.refcounts.add(cluster, -count));
    if (this.refcounts.get(cluster) > 0) return;
    this.refcounts.metadata.delete(cluster);
    this.map.l2.forget(cluster * this.clusterBytes);
    this.storage.discard(cluster * this.clusterBytes, this.clusterBytes);
  }

  settle(): void {
    if (this.readOnly || this.#damage.found) return;
    this.flush();
    // What the flush has freed.
    this.refcounts.store();
    const whole = roundUp(this.storage.size(), this.clusterBytes);
    if (this.storage.size() < whole) this.storage.truncate(whole);
    this.storage.flush();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      this.settle();
    } finally {
      this.storage.close();
      this.backing?.close();
    }
  }

  // Changes of the whole.

  /** Makes `table` the active L1 table, with a disk of `size` bytes. The old table's clusters are the caller's. */
  activate(table: Uint8Array, size: number): void {
    const clusters = Math.max(1, Math.ceil(table.length / this.clusterBytes));
    const offset = this.#allocate(clusters) * this.clusterBytes;
    for (let i = 0; i < clusters; i++) this.refcounts.metadata.add(offset / this.clusterBytes + i);
    const bytes = new Uint8Array(clusters * this.clusterBytes);
    bytes.set(table);
    this.refcounts.store();
    this.storage.write(offset, bytes);
    this.storage.flush();
    const old = { offset: this.header.l1Offset, bytes: this.header.l1Size * 8 };
    this.header.update((view) => {
      putBe64(view, FIELD.size, size);
      putBe64(view, FIELD.l1Offset, offset);
      view.setUint32(FIELD.l1Size, table.length / 8);
    });
    this.storage.flush();
    this.map.use(bytes.subarray(0, table.length));
    this.#compressed.forget();
    this.releaseTable(old.offset, old.bytes);
  }

  /** Takes a reference away from all clusters of an L1 table or a snapshot table. */
  releaseTable(offset: number, bytes: number): void {
    if (offset === 0) return;
    for (let i = 0; i < Math.ceil(bytes / this.clusterBytes); i++) this.release(offset / this.clusterBytes + i);
  }

  resize(bytes: number): void {
    resizeDisk(this, bytes);
  }

  // Checks.

  #check(offset: number, length: number): void {
    if (!(offset >= 0 && length >= 0 && offset + length <= this.bytes)) {
      throw refused(`${this.storage.name}: beyond the end of the disk`);
    }
  }

  #writing(offset: number, length: number): void {
    if (this.readOnly) throw refused(`${this.storage.name} is read-only`);
    this.#damage.check();
    this.#check(offset, length);
  }
}

/** A disk may be longer than what is under it. */
export function readBacking(backing: Image, offset: number, into: Uint8Array): void {
  const inside = Math.max(0, Math.min(into.length, backing.bytes - offset));
  if (inside > 0) backing.read(offset, into.subarray(0, inside));
  into.fill(0, inside);
}
