// The table of internal snapshots ("Snapshots" of qcow2.txt).

import { be64, putBe64, toUtf8, utf8, viewOf } from "../bytes.ts";
import { corrupt, refused } from "../error.ts";
import { readInside, type Storage } from "../storage.ts";
import { type Header, MAX_L1_BYTES } from "./header.ts";

const ENTRY_BYTES = 40;
const MAX_EXTRA_BYTES = 1024;
/** Beyond this a table of snapshots is not believed. */
const MAX_TABLE_BYTES = 64 * 2 ** 20;

export interface Snapshot {
  readonly id: string;
  readonly name: string;
  readonly l1Offset: number;
  /** Entries. */
  readonly l1Size: number;
  /** Seconds since 1970 UTC, and nanoseconds of the second. */
  readonly seconds: number;
  readonly nanoseconds: number;
  readonly vmClock: number;
  readonly vmStateBytes: number;
  /** Undefined in images of version 2 that do not say it. */
  readonly diskBytes: number | undefined;
  /** What later versions of the format may have added. */
  readonly extra: Uint8Array;
}

/** The snapshots of an image, in the order of its table. @throws ImageError where the table makes no sense. */
export function loadSnapshots(storage: Storage, header: Header): Snapshot[] {
  const snapshots: Snapshot[] = [];
  let at = header.snapshotsOffset;
  for (let i = 0; i < header.snapshots; i++) {
    const view = viewOf(readInside(storage, at, ENTRY_BYTES, "snapshot table"));
    const extraBytes = view.getUint32(36);
    const idBytes = view.getUint16(12);
    const nameBytes = view.getUint16(14);
    const l1Offset = be64(view, 0);
    const l1Size = view.getUint32(8);
    const bad = (what: string) => corrupt(`${storage.name}: snapshot ${i + 1} has ${what}`);
    if (extraBytes > MAX_EXTRA_BYTES) throw bad("too much extra data");
    if (l1Size * 8 > MAX_L1_BYTES) throw bad("an L1 table that is too large");
    if (!(l1Offset % header.clusterBytes === 0)) throw bad("an L1 table between clusters");
    if (l1Offset + l1Size * 8 > storage.size()) throw bad("an L1 table beyond the end of the file");
    const rest = readInside(storage, at + ENTRY_BYTES, extraBytes + idBytes + nameBytes, "snapshot table");
    const extra = rest.subarray(0, extraBytes);
    const extraView = viewOf(extra);
    snapshots.push({
      ...{ l1Offset, l1Size, extra },
      id: utf8(rest.subarray(extraBytes, extraBytes + idBytes)),
      name: utf8(rest.subarray(extraBytes + idBytes)),
      ...{ seconds: view.getUint32(16), nanoseconds: view.getUint32(20), vmClock: be64(view, 24) },
      vmStateBytes: extraBytes >= 8 ? be64(extraView, 0) : view.getUint32(32),
      diskBytes: extraBytes >= 16 ? be64(extraView, 8) : undefined,
    });
    at += entryBytes(extraBytes, idBytes, nameBytes);
    if (at - header.snapshotsOffset > MAX_TABLE_BYTES)
      throw corrupt(`${storage.name}: its snapshot table is too large`);
  }
  return snapshots;
}

function entryBytes(extra: number, id: number, name: number): number {
  return Math.ceil((ENTRY_BYTES + extra + id + name) / 8) * 8;
}

export function tableBytes(snapshots: readonly Snapshot[]): number {
  return snapshots.reduce((sum, s) => sum + entryBytes(s.extra.length, toUtf8(s.id).length, toUtf8(s.name).length), 0);
}

export function makeTable(snapshots: readonly Snapshot[]): Uint8Array {
  const bytes = new Uint8Array(tableBytes(snapshots));
  const view = viewOf(bytes);
  let at = 0;
  for (const s of snapshots) {
    const id = toUtf8(s.id);
    const name = toUtf8(s.name);
    putBe64(view, at, s.l1Offset);
    view.setUint32(at + 8, s.l1Size);
    view.setUint16(at + 12, id.length);
    view.setUint16(at + 14, name.length);
    view.setUint32(at + 16, s.seconds);
    view.setUint32(at + 20, s.nanoseconds);
    putBe64(view, at + 24, s.vmClock);
    view.setUint32(at + 32, s.vmStateBytes < 2 ** 32 ? s.vmStateBytes : 0);
    view.setUint32(at + 36, s.extra.length);
    bytes.set(s.extra, at + ENTRY_BYTES);
    bytes.set(id, at + ENTRY_BYTES + s.extra.length);
    bytes.set(name, at + ENTRY_BYTES + s.extra.length + id.length);
    at += entryBytes(s.extra.length, id.length, name.length);
  }
  return bytes;
}

/** The extra data of a new snapshot. `icount` is QEMU's, all ones where there is none. */
export function makeExtra(diskBytes: number): Uint8Array {
  const bytes = new Uint8Array(24);
  putBe64(viewOf(bytes), 8, diskBytes);
  return bytes.fill(0xff, 16);
}

/** By name, or else by identifier, as qemu-img does. */
export function findSnapshot(snapshots: readonly Snapshot[], nameOrId: string, image: string): Snapshot {
  const found = snapshots.find((s) => s.name === nameOrId) ?? snapshots.find((s) => s.id === nameOrId);
  if (found === undefined) throw refused(`${image} has no snapshot ${nameOrId}`);
  return found;
}
