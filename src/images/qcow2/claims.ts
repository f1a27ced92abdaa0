// Which clusters of a file hold its tables: each is held once, and no guest data may lie in them.

import { corrupt, unsupported } from "../error.ts";
import type { Storage } from "../storage.ts";
import { entryOffset } from "./entry.ts";
import type { Header } from "./header.ts";
import type { Refcounts } from "./refcounts.ts";
import { type Snapshot, tableBytes } from "./snapshot-table.ts";

/** More than a whole disk of 8 TiB has at the usual cluster size. */
const MAX_METADATA_CLUSTERS = 2 ** 20;

/** What has tables in a file. */
export interface Tables {
  readonly storage: Storage;
  readonly header: Header;
  readonly refcounts: Refcounts;
  readonly snapshots: readonly Snapshot[];
}

/** Adds the clusters of all tables to `refcounts.metadata`. @throws ImageError when two tables overlap. */
export function claimMetadata(tables: Tables, l1: DataView): void {
  const { header, refcounts, snapshots } = tables;
  const { clusterBytes } = header;
  const { name } = tables.storage;
  const claim = (offset: number, bytes: number): void => {
    for (let c = Math.floor(offset / clusterBytes); c * clusterBytes < offset + bytes; c++) {
      if (refcounts.metadata.has(c)) throw corrupt(`${name}: its tables overlap`);
      if (refcounts.metadata.size > MAX_METADATA_CLUSTERS) throw unsupported(`${name} has too many tables`);
      refcounts.metadata.add(c);
    }
  };
  claim(0, clusterBytes);
  claim(header.refcountTableOffset, header.refcountTableClusters * clusterBytes);
  for (const offset of refcounts.table) if (offset !== 0) claim(offset, clusterBytes);
  claim(header.l1Offset, l1.byteLength);
  if (snapshots.length > 0) {
    claim(header.snapshotsOffset, tableBytes(snapshots));
    for (const { l1Offset, l1Size } of snapshots) if (l1Size > 0) claim(l1Offset, l1Size * 8);
  }
  for (let at = 0; at < l1.byteLength; at += 8) {
    const offset = entryOffset(l1, at);
    if (offset === 0) continue;
    if (offset % clusterBytes !== 0) throw corrupt(`${name}: an L1 entry points between clusters`);
    claim(offset, clusterBytes);
  }
}
