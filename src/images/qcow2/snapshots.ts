// Internal snapshots: made, gone back to, deleted. Each first counts what will be referred to, then changes the header in one write,
// and only then gives back what is no longer referred to: at any moment the image is whole, and at worst clusters leak.

import { putBe64, toUtf8, viewOf } from "../bytes.ts";
import { corrupt, refused } from "../error.ts";
import { readInside } from "../storage.ts";
import { entryOffset, setCopied } from "./entry.ts";
import { FIELD, l1EntriesFor, MAX_L1_BYTES } from "./header.ts";
import type { Qcow2Image } from "./qcow2.ts";
import { findSnapshot, makeExtra, makeTable, type Snapshot, tableBytes } from "./snapshot-table.ts";

/** Makes a snapshot of the disk as it is. @param milliseconds since 1970 UTC. */
export function createSnapshot(image: Qcow2Image, name: string, milliseconds: number): void {
  writable(image);
  if (name === "" || toUtf8(name).length > 1023) throw refused("give the snapshot a name of 1 to 1023 bytes");
  if (image.snapshots.some((s) => s.name === name)) throw refused(`there is a snapshot ${name} already`);
  image.flush();
  addReferences(image, image.map.l1);
  const l1Offset = writeTable(image, withoutCopied(image.map.l1));
  const id = 1 + image.snapshots.reduce((most, s) => Math.max(most, Number(s.id) || 0), 0);
  const snapshot: Snapshot = {
    ...{ id: String(id), name, l1Offset, l1Size: image.map.l1.length / 8, vmClock: 0, vmStateBytes: 0 },
    ...{ seconds: Math.floor(milliseconds / 1000), nanoseconds: Math.floor(milliseconds % 1000) * 1e6 },
    ...{ diskBytes: image.bytes, extra: makeExtra(image.bytes) },
  };
  image.refcounts.store();
  image.storage.flush();
  fixCopied(image);
  replaceTable(image, [...image.snapshots, snapshot]);
}

/** Makes the disk what it was when the snapshot was made. */
export function applySnapshot(image: Qcow2Image, nameOrId: string): void {
  writable(image);
  const snapshot = findSnapshot(image.snapshots, nameOrId, image.storage.name);
  const size = snapshot.diskBytes ?? image.bytes;
  const entries = Math.max(snapshot.l1Size, l1EntriesFor(size, image.header.clusterBits, image.header.extendedL2));
  if (!(entries * 8 <= MAX_L1_BYTES)) throw corrupt(`${image.storage.name}: the size of a snapshot is no good number`);
  image.flush();
  const table = new Uint8Array(entries * 8);
  table.set(withoutCopied(tableOf(image, snapshot)));
  const before = image.map.l1.slice();
  addReferences(image, table);
  image.activate(table, size);
  drop(image, before);
  claimTables(image);
  fixCopied(image);
  image.flush();
}

export function deleteSnapshot(image: Qcow2Image, nameOrId: string): void {
  writable(image);
  const snapshot = findSnapshot(image.snapshots, nameOrId, image.storage.name);
  image.flush();
  const table = tableOf(image, snapshot);
  replaceTable(
    image,
    image.snapshots.filter((s) => s !== snapshot),
  );
  drop(image, table);
  image.releaseTable(snapshot.l1Offset, snapshot.l1Size * 8);
  claimTables(image);
  fixCopied(image);
  image.flush();
}

function writable(image: Qcow2Image): void {
  if (image.readOnly) throw refused(`${image.storage.name} is read-only`);
}

function tableOf(image: Qcow2Image, snapshot: Snapshot): Uint8Array {
  return readInside(image.storage, snapshot.l1Offset, snapshot.l1Size * 8, "snapshot's L1 table");
}

function withoutCopied(l1: Uint8Array): Uint8Array {
  const table = l1.slice();
  const view = viewOf(table);
  for (let at = 0; at < table.length; at += 8) setCopied(view, at, false);
  return table;
}

/** Each L2 table of an L1 table, with the number of its references there. */
function l2Tables(image: Qcow2Image, l1: Uint8Array): Map<number, number> {
  const tables = new Map<number, number>();
  const view = viewOf(l1);
  for (let at = 0; at < l1.length; at += 8) {
    const offset = entryOffset(view, at);
    if (offset === 0) continue;
    if (offset % image.clusterBytes !== 0) throw corrupt(`${image.storage.name}: an L1 entry points between clusters`);
    tables.set(offset, (tables.get(offset) ?? 0) + 1);
  }
  return tables;
}

/** Visits each cluster that an L1 table refers to, at one remove or two, with the number of references. */
function references(image: Qcow2Image, l1: Uint8Array, visit: (cluster: number, count: number) => void): void {
  const { clusterBytes, map } = image;
  const { entries } = map;
  for (const [offset, count] of l2Tables(image, l1)) {
    // Read before it is visited, which may be its end.
    const { view } = map.l2.get(offset);
    visit(offset / clusterBytes, count);
    for (let i = 0; i < map.entriesPerTable; i++) {
      const entry = entries.read(view, i);
      if (entry.host === 0) continue;
      const end = entry.compressed ? entry.host + entry.compressedBytes : entry.host + clusterBytes;
      if (end > image.storage.size() + clusterBytes || (!entry.compressed && entry.host % clusterBytes !== 0)) {
        throw corrupt(`${image.storage.name}: an L2 entry points to where no cluster is`);
      }
      for (let c = Math.floor(entry.host / clusterBytes); c * clusterBytes < end; c++) visit(c, count);
    }
  }
}

/** Counts one reference more to each. Changes nothing where that is not possible. */
function addReferences(image: Qcow2Image, l1: Uint8Array): void {
  references(image, l1, (cluster, count) => {
    if (image.refcounts.get(cluster) + count > image.refcounts.max) {
      throw refused(`${image.storage.name}: its reference counts have too few bits for that many snapshots`);
    }
  });
  references(image, l1, (cluster, count) => image.refcounts.add(cluster, count));
}

/** Gives back what an L1 table referred to, to which nothing on the host's disk leads any more. */
function drop(image: Qcow2Image, l1: Uint8Array): void {
  references(image, l1, (cluster, count) => image.release(cluster, count));
}

/** What is in a cluster of its own afterwards may be written in place: L1 and L2 entries say which that are. */
export function fixCopied(image: Qcow2Image): number {
  let fixed = 0;
  const set = (view: DataView, at: number, copied: boolean): boolean => {
    const before = view.getUint32(at);
    setCopied(view, at, copied);
    if (view.getUint32(at) === before) return false;
    fixed++;
    return true;
  };
  const l1 = viewOf(image.map.l1);
  let l1Changed = false;
  for (let at = 0; at < image.map.l1.length; at += 8) {
    const offset = entryOffset(l1, at);
    if (offset === 0) continue;
    if (set(l1, at, image.refcounts.get(offset / image.clusterBytes) === 1)) l1Changed = true;
  }
  for (const offset of l2Tables(image, image.map.l1).keys()) {
    const table = image.map.l2.get(offset);
    for (let i = 0; i < image.map.entriesPerTable; i++) {
      const entry = image.map.entries.read(table.view, i);
      if (entry.host === 0 || entry.compressed || entry.host % image.clusterBytes !== 0) continue;
      const copied = image.refcounts.get(entry.host / image.clusterBytes) === 1;
      if (set(table.view, i * image.map.entries.bytes, copied)) image.map.l2.touch(table);
    }
    if (image.map.l2.full) image.map.l2.write();
  }
  image.map.l2.write();
  if (l1Changed) image.storage.write(image.header.l1Offset, image.map.l1);
  image.storage.flush();
  return fixed;
}

/** L2 tables that became the active ones are metadata, too. */
function claimTables(image: Qcow2Image): void {
  for (const offset of l2Tables(image, image.map.l1).keys()) image.refcounts.metadata.add(offset / image.clusterBytes);
}

function writeTable(image: Qcow2Image, table: Uint8Array): number {
  if (table.length === 0) return 0;
  const clusters = Math.ceil(table.length / image.clusterBytes);
  const first = image.refcounts.allocate(clusters);
  for (let i = 0; i < clusters; i++) image.refcounts.metadata.add(first + i);
  const whole = new Uint8Array(clusters * image.clusterBytes);
  whole.set(table);
  image.storage.write(first * image.clusterBytes, whole);
  return first * image.clusterBytes;
}

function replaceTable(image: Qcow2Image, snapshots: Snapshot[]): void {
  const oldOffset = image.snapshots.length === 0 ? 0 : image.header.snapshotsOffset;
  const oldBytes = tableBytes(image.snapshots);
  const offset = writeTable(image, makeTable(snapshots));
  image.refcounts.store();
  image.storage.flush();
  image.header.update((view) => {
    putBe64(view, FIELD.snapshotsOffset, offset);
    view.setUint32(FIELD.snapshots, snapshots.length);
  });
  image.storage.flush();
  image.snapshots = snapshots;
  image.releaseTable(oldOffset, oldBytes);
  image.flush();
}
