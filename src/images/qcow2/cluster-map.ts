// Where the bytes of a disk are: an L1 table, and the L2 tables that it leads to.

import { putBe64, viewOf } from "../bytes.ts";
import type { Storage } from "../storage.ts";
import { ClusterCache, type MetadataCluster } from "./cluster-cache.ts";
import type { Damage } from "./damage.ts";
import { type Entry, EntryFormat, entryOffset, SUBCLUSTERS, setCopied } from "./entry.ts";
import type { Header } from "./header.ts";

/** Bytes of the disk that are the same and in one piece. */
export interface Run {
  readonly kind: "data" | "zero" | "hole" | "compressed";
  readonly length: number;
  /** Where data is; of compressed data, its entry says it. */
  readonly host: number;
  readonly entry: Entry | undefined;
}

export class ClusterMap {
  readonly entries: EntryFormat;
  readonly entriesPerTable: number;
  readonly l2: ClusterCache;
  /** Bytes of the disk that an L2 table is for. */
  readonly covered: number;
  readonly #clusterBytes: number;
  readonly #damage: Damage;
  #l1: Uint8Array;
  #l1View: DataView;
  #l1Dirty = false;

  constructor(storage: Storage, header: Header, damage: Damage, l1: Uint8Array) {
    const { clusterBytes } = header;
    this.#clusterBytes = clusterBytes;
    this.#damage = damage;
    this.entries = new EntryFormat(header.clusterBits, header.version, header.extendedL2);
    this.entriesPerTable = clusterBytes / this.entries.bytes;
    this.covered = clusterBytes * this.entriesPerTable;
    this.l2 = new ClusterCache(storage, clusterBytes, "L2 table");
    this.#l1 = l1;
    this.#l1View = viewOf(l1);
  }

  /** The L1 table, with what has not been written. */
  get l1(): Uint8Array {
    return this.#l1;
  }

  /** Another L1 table takes the place of the one that was. */
  use(l1: Uint8Array): void {
    this.#l1 = l1;
    this.#l1View = viewOf(l1);
  }

  // Reading.

  /** The L2 table of that number; undefined: there is none. @throws ImageError */
  table(number: number): MetadataCluster | undefined {
    if ((number + 1) * 8 > this.#l1.length) return undefined;
    const offset = entryOffset(this.#l1View, number * 8);
    if (offset === 0) return undefined;
    if (offset % this.#clusterBytes !== 0) throw this.#damage.error("an L1 entry points between clusters");
    return this.l2.get(offset);
  }

  tableAt(offset: number): MetadataCluster | undefined {
    return this.table(Math.floor(offset / this.covered));
  }

  /** Which entry of its L2 table an offset has. */
  indexOf(offset: number): number {
    return Math.floor(offset / this.#clusterBytes) % this.entriesPerTable;
  }

  /** What is at `offset`, as far as it is the same and in one piece; `length` bytes at most. @throws ImageError */
  run(offset: number, length: number): Run {
    const { covered, entries } = this;
    const clusterBytes = this.#clusterBytes;
    const inTable = Math.min(length, covered - (offset % covered));
    const table = this.tableAt(offset);
    if (table === undefined) return { kind: "hole", length: inTable, host: 0, entry: undefined };
    const unit = entries.extended ? clusterBytes / SUBCLUSTERS : clusterBytes;
    let run: Run | undefined;
    let known = 0;
    while (known < inTable) {
      const at = offset + known;
      const within = at % clusterBytes;
      const entry = entries.read(table.view, this.indexOf(at));
      const piece = Math.min(inTable - known, entry.compressed ? clusterBytes - within : unit - (at % unit));
      const kind = this.kind(entry, entries.extended ? Math.floor(within / unit) : 0);
      const host = kind === "data" ? entry.host + within : 0;
      if (run === undefined) run = { kind, length: piece, host, entry };
      else if (kind !== run.kind || kind === "compressed" || (kind === "data" && host !== run.host + known)) break;
      known += piece;
    }
    const found = run as Run;
    return { ...found, length: known };
  }

  /** What an entry says of one of its subclusters. @throws ImageError */
  kind(entry: Entry, subcluster: number): Run["kind"] {
    if (entry.compressed) return "compressed";
    const bit = 2 ** subcluster;
    const zero = (entry.zero & bit) !== 0;
    if ((entry.allocated & bit) === 0) return zero ? "zero" : "hole";
    if (zero || entry.host === 0) throw this.#damage.error("an L2 entry contradicts itself");
    if (entry.host % this.#clusterBytes !== 0) throw this.#damage.error("an L2 entry points between clusters");
    return "data";
  }

  // Writing.

  /** The L2 table of that number is at `offset` from now on, and nobody else's. */
  setTable(number: number, offset: number): void {
    putBe64(this.#l1View, number * 8, offset);
    setCopied(this.#l1View, number * 8, true);
    this.#l1Dirty = true;
  }

  get anyDirty(): boolean {
    return this.#l1Dirty || this.l2.anyDirty;
  }

  /** L2 tables, and then what leads to them, each on the host's disk before the next. */
  write(storage: Storage, l1Offset: number): void {
    if (this.l2.anyDirty) {
      this.l2.write();
      storage.flush();
    }
    if (this.#l1Dirty) {
      storage.write(l1Offset, this.#l1);
      this.#l1Dirty = false;
      storage.flush();
    }
  }
}
