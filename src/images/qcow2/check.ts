// Checks a qcow2 image: counts all references to each cluster, and compares with the reference counts that the image has.

import { be64, viewOf } from "../bytes.ts";
import { refused } from "../error.ts";
import { readInside, type Storage } from "../storage.ts";
import { entryOffset, isCopied } from "./entry.ts";
import { FIELD, INCOMPATIBLE } from "./header.ts";
import type { Qcow2Image } from "./qcow2.ts";
import { tableBytes } from "./snapshot-table.ts";
import { fixCopied } from "./snapshots.ts";

export interface CheckResult {
  /** Faults that can lose data, and clusters that nobody refers to; those left after repairs. */
  corruptions: number;
  leaks: number;
  corruptionsFixed: number;
  leaksFixed: number;
  /** The first faults, a line each. */
  readonly messages: string[];
  imageEndOffset: number;
  totalClusters: number;
  allocatedClusters: number;
  compressedClusters: number;
  fragmentedClusters: number;
}

const MAX_MESSAGES = 50;
const MAX_LEAK_MESSAGES = 10;
/** Counters of 512 MiB, made in pieces where there is something to count. */
const MAX_CLUSTERS = 2 ** 27;
const PIECE = 4096;

/** References to clusters, by cluster. */
class Counter {
  readonly #pieces = new Map<number, Uint32Array>();
  end = 0;

  add(cluster: number, count: number): void {
    const index = Math.floor(cluster / PIECE);
    let piece = this.#pieces.get(index);
    if (piece === undefined) {
      piece = new Uint32Array(PIECE);
      this.#pieces.set(index, piece);
    }
    piece[cluster % PIECE] = Math.min(0xffff_ffff, (piece[cluster % PIECE] as number) + count);
    this.end = Math.max(this.end, cluster + 1);
  }

  get(cluster: number): number {
    return this.#pieces.get(Math.floor(cluster / PIECE))?.[cluster % PIECE] ?? 0;
  }
}

class Check {
  readonly image: Qcow2Image;
  readonly storage: Storage;
  /** All references, and those that the refcount table and its blocks make. */
  readonly counts = new Counter();
  readonly own = new Counter();
  readonly result: CheckResult;
  /** The refcount table or its blocks cannot be used. */
  rebuild = false;
  readonly l2 = new Map<number, { readonly count: number; readonly active: boolean }>();
  refcountFaults = 0;
  readonly fileClusters: number;

  constructor(image: Qcow2Image) {
    this.image = image;
    this.storage = image.storage;
    this.fileClusters = Math.ceil(this.storage.size() / image.clusterBytes);
    if (this.fileClusters > MAX_CLUSTERS) throw refused(`${this.storage.name} is too large to be checked`);
    this.result = {
      ...{ corruptions: 0, leaks: 0, corruptionsFixed: 0, leaksFixed: 0, messages: [], imageEndOffset: 0 },
      totalClusters: Math.ceil(image.bytes / image.clusterBytes),
      ...{ allocatedClusters: 0, compressedClusters: 0, fragmentedClusters: 0 },
    };
  }

  fault(message: string): void {
    this.result.corruptions++;
    if (this.result.messages.length < MAX_MESSAGES) this.result.messages.push(message);
  }

  leak(cluster: number, has: number, wanted: number): void {
    // Faults come first, where there is no room for all.
    if (++this.result.leaks <= MAX_LEAK_MESSAGES) {
      this.result.messages.push(`cluster ${cluster} leaks: its count is ${has}, its references are ${wanted}`);
    }
  }

  /** Counts references to a range of the file. @returns whether it is inside the file, give or take a part of a cluster. */
  count(offset: number, length: number, what: string, count = 1): boolean {
    const { clusterBytes } = this.image;
    const first = Math.floor(offset / clusterBytes);
    const last = Math.floor((offset + length - 1) / clusterBytes);
    if (!(last < this.fileClusters)) {
      this.fault(`${what} is beyond the end of the file`);
      return false;
    }
    for (let c = first; c <= last; c++) this.counts.add(c, count);
    return true;
  }

  all(): void {
    const { image } = this;
    const { header } = image;
    this.count(0, image.clusterBytes, "the header");
    this.tables(image.map.l1, header.l1Offset, "the active L1 table", true);
    if (image.snapshots.length > 0)
      this.count(header.snapshotsOffset, tableBytes(image.snapshots), "the snapshot table");
    for (const snapshot of image.snapshots) {
      if (snapshot.l1Size === 0) continue;
      const l1 = readInside(this.storage, snapshot.l1Offset, snapshot.l1Size * 8, "snapshot's L1 table");
      this.tables(l1, snapshot.l1Offset, `the L1 table of snapshot ${snapshot.id}`, false);
    }
    this.l2Tables();
    this.bitmaps();
    this.refcountStructures();
  }

  /** Counts an L1 table, and notes its L2 tables: each is read once, however often it is referred to. */
  tables(l1: Uint8Array, offset: number, what: string, active: boolean): void {
    if (l1.length > 0 && !this.count(offset, l1.length, what)) return;
    if (this.counts.get(offset / this.image.clusterBytes) > 1) {
      this.fault(`${what} is where something else is`);
      return;
    }
    const view = viewOf(l1);
    for (let at = 0; at < l1.length; at += 8) {
      const table = entryOffset(view, at);
      if (table === 0) continue;
      if (table % this.image.clusterBytes !== 0) {
        this.fault(`${what} points between clusters`);
        continue;
      }
      const known = this.l2.get(table);
      this.l2.set(table, { count: (known?.count ?? 0) + 1, active: active || known?.active === true });
    }
  }

  l2Tables(): void {
    let next = 0;
    for (const [table, { count, active }] of this.l2) {
      if (table + this.image.clusterBytes > this.storage.size()) {
        this.fault("an L2 table is beyond the end of the file");
        continue;
      }
      this.count(table, this.image.clusterBytes, "an L2 table", count);
      next = this.table(table, count, active, next);
    }
  }

  /** @param next where data is expected that goes on in a row; returns it for the table after. */
  table(offset: number, count: number, active: boolean, next: number): number {
    const { image, result } = this;
    const bytes = readInside(this.storage, offset, image.clusterBytes, "L2 table");
    const view = viewOf(bytes);
    for (let i = 0; i < image.map.entriesPerTable; i++) {
      const entry = image.map.entries.read(view, i);
      if (entry.host === 0) {
        if (entry.allocated !== 0) this.fault(`entry ${i} of the L2 table at ${offset} contradicts itself`);
        continue;
      }
      if (entry.compressed) {
        // Its last sector may end behind the end of the file.
        this.count(entry.host, Math.min(entry.compressedBytes, this.limit(entry.host)), "compressed data", count);
      } else if (entry.host % image.clusterBytes !== 0) {
        this.fault(`entry ${i} of the L2 table at ${offset} points between clusters`);
        continue;
      } else this.count(entry.host, image.clusterBytes, `data of the L2 table at ${offset}`, count);
      if (!active) continue;
      result.allocatedClusters++;
      if (entry.compressed) {
        result.compressedClusters++;
        result.fragmentedClusters++;
      } else {
        if (next !== 0 && entry.host !== next) result.fragmentedClusters++;
        next = entry.host + image.clusterBytes;
      }
    }
    return next;
  }

  limit(offset: number): number {
    return Math.max(1, this.fileClusters * this.image.clusterBytes - offset);
  }

  bitmaps(): void {
    const { bitmaps } = this.image.header;
    if (bitmaps === undefined) return;
    const { clusterBytes } = this.image;
    if (!this.count(bitmaps.directoryOffset, bitmaps.directoryBytes, "the bitmap directory")) return;
    let room = 64 * 2 ** 20;
    if (bitmaps.directoryBytes > room) {
      this.fault("the bitmap directory is too large");
      return;
    }
    if (bitmaps.directoryOffset + bitmaps.directoryBytes > this.storage.size()) return;
    const directory = readInside(this.storage, bitmaps.directoryOffset, bitmaps.directoryBytes, "bitmap directory");
    const view = viewOf(directory);
    let at = 0;
    for (let i = 0; i < bitmaps.count && at + 24 <= directory.length; i++) {
      const tableOffset = be64(view, at);
      const tableBytes = view.getUint32(at + 8) * 8;
      at += Math.ceil((24 + view.getUint32(at + 20) + view.getUint16(at + 18)) / 8) * 8;
      room -= tableBytes;
      if (room < 0) {
        this.fault("the bitmaps' tables are too large");
        return;
      }
      if (tableBytes === 0) continue;
      if (!this.count(tableOffset, tableBytes, "a bitmap's table")) continue;
      if (tableOffset + tableBytes > this.storage.size()) continue;
      const table = viewOf(readInside(this.storage, tableOffset, tableBytes, "bitmap table"));
      for (let n = 0; n < tableBytes; n += 8) {
        const data = entryOffset(table, n);
        if (data !== 0) this.count(data, clusterBytes, "a bitmap's data");
      }
    }
  }

  refcountStructures(): void {
    const { image } = this;
    const { header } = image;
    const before = this.result.corruptions;
    const inFile = (offset: number, length: number, what: string): boolean => {
      const faults = this.result.corruptions;
      if (!this.count(offset, length, what)) return false;
      for (let c = offset / image.clusterBytes; c * image.clusterBytes < offset + length; c++) {
        this.own.add(c, 1);
        if (this.counts.get(c) > 1) this.fault(`${what} is where something else is`);
      }
      return this.result.corruptions === faults;
    };
    const tableBytes = header.refcountTableClusters * image.clusterBytes;
    if (!inFile(header.refcountTableOffset, tableBytes, "the refcount table")) this.rebuild = true;
    for (const offset of image.refcounts.table) {
      if (offset === 0) continue;
      if (offset % image.clusterBytes !== 0 || !Number.isSafeInteger(offset)) {
        this.fault("a refcount block is not at a cluster");
        this.rebuild = true;
      } else if (!inFile(offset, image.clusterBytes, "a refcount block")) this.rebuild = true;
      else if (offset + image.clusterBytes > this.storage.size()) {
        this.fault("a refcount block is beyond the end of the file");
        this.rebuild = true;
      }
    }
    this.refcountFaults = this.result.corruptions - before;
  }

  /** Compares with the image's counts. @param visit is told of each that is wrong. */
  compare(visit: (cluster: number, has: number, wanted: number) => void): void {
    const { table, perBlock } = this.image.refcounts;
    for (let block = 0; block * perBlock < Math.max(this.counts.end, table.length * perBlock); block++) {
      const offset = table[block] ?? 0;
      // Behind the last count that is not 0, only what is referred to matters.
      const used = block * perBlock + (offset === 0 ? 0 : this.image.refcounts.used(offset));
      const end = Math.max(used, Math.min((block + 1) * perBlock, this.counts.end));
      for (let cluster = block * perBlock; cluster < end; cluster++) {
        const has = offset === 0 ? 0 : this.image.refcounts.get(cluster);
        const wanted = Math.min(this.counts.get(cluster), this.image.refcounts.max);
        if (has !== wanted) visit(cluster, has, wanted);
        if (has !== 0) this.result.imageEndOffset = (cluster + 1) * this.image.clusterBytes;
      }
    }
  }

  copied(): void {
    const { image } = this;
    let wrong = 0;
    const l1 = viewOf(image.map.l1);
    const tables = new Set<number>();
    for (let at = 0; at < image.map.l1.length; at += 8) {
      const offset = entryOffset(l1, at);
      if (offset === 0 || offset % image.clusterBytes !== 0) continue;
      if (offset + image.clusterBytes > this.storage.size()) continue;
      if (isCopied(l1, at) !== (image.refcounts.get(offset / image.clusterBytes) === 1)) wrong++;
      tables.add(offset);
    }
    for (const offset of tables) {
      const view = viewOf(readInside(this.storage, offset, image.clusterBytes, "L2 table"));
      for (let i = 0; i < image.map.entriesPerTable; i++) {
        const entry = image.map.entries.read(view, i);
        if (entry.host === 0 || entry.compressed || entry.host % image.clusterBytes !== 0) continue;
        const references = image.refcounts.get(entry.host / image.clusterBytes);
        if (isCopied(view, i * image.map.entries.bytes) !== (references === 1)) wrong++;
      }
    }
    for (let i = 0; i < wrong; i++) this.fault("an entry's COPIED flag contradicts the reference count");
  }
}

/**
 * Checks an image that was opened for that.
 * @param repair puts the reference counts right, and removes the marks "dirty" and "corrupt" where nothing else is wrong.
 */
export function checkQcow2(image: Qcow2Image, repair: boolean): CheckResult {
  if (repair && image.readOnly) throw refused(`${image.storage.name} is read-only`);
  const check = new Check(image);
  const { result } = check;
  check.all();
  // Of L1 and L2 tables: what they should say is not to be found out.
  const unrepairable = result.corruptions - check.refcountFaults;
  if (check.rebuild) {
    if (!repair) return result;
    rebuild(check);
  } else {
    const wrong: [number, number][] = [];
    check.compare((cluster, has, wanted) => {
      if (has > wanted) check.leak(cluster, has, wanted);
      else check.fault(`cluster ${cluster} has a count of ${has}, and ${wanted} references`);
      if (repair) wrong.push([cluster, wanted]);
    });
    // Counts without a block to be in need a new table, and blocks.
    const blocked = wrong.some(([cluster]) => {
      const block = Math.floor(cluster / image.refcounts.perBlock);
      return (image.refcounts.table[block] ?? 0) === 0;
    });
    if (blocked) rebuild(check);
    else {
      for (const [cluster, wanted] of wrong) image.refcounts.set(cluster, wanted);
      if (wrong.length > 0) {
        image.refcounts.store();
        image.storage.flush();
      }
    }
  }
  if (!repair) {
    check.copied();
    return result;
  }
  result.corruptions += fixCopied(image);
  result.corruptionsFixed = result.corruptions - unrepairable;
  result.leaksFixed = result.leaks;
  result.corruptions = unrepairable;
  result.leaks = 0;
  const marks = INCOMPATIBLE.dirty | (unrepairable === 0 ? INCOMPATIBLE.corrupt : 0);
  if (image.header.incompatible & marks) {
    image.header.update((view) =>
      view.setUint32(FIELD.incompatible + 4, view.getUint32(FIELD.incompatible + 4) & ~marks),
    );
    image.storage.flush();
  }
  return result;
}

function rebuild(check: Check): void {
  const { image } = check;
  const end = Math.max(check.fileClusters, check.counts.end);
  image.refcounts.rebuild(end, (cluster) => check.counts.get(cluster) - check.own.get(cluster));
}
