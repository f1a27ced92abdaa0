import type { KeptEntries } from "./kept-entries.ts";
import type { KeptRegion, KeptRegions } from "./kept-regions.ts";
import type { RegionMaker, RegionRequest } from "./region-maker.ts";
import { type PlacedRegion, pagesOf } from "./region-object.ts";

/** Regions of earlier runs, and of this one for later ones. */
export interface RegionKeeping {
  readonly regions: KeptRegions;
  /** Keeps what regions.add() gave. */
  add(kept: KeptRegion): void;
}

/** What the thread that runs code has of earlier runs. */
export interface KeptForRunning {
  /** Where regions may start that are kept. */
  readonly kept?: KeptEntries | undefined;
  /** Words that were decoded, for a decoder. */
  readonly words?: Int32Array | undefined;
  /** The decoder's table has been added to, so many times in all: keeps it, if it is worth it. */
  keepWords?(table: Int32Array, misses: number): void;
}

/** Gives the regions that are asked for: those that are kept, and new ones, which are kept then. */
export class RegionPlacer {
  readonly #maker: RegionMaker;
  readonly #keeping: RegionKeeping | undefined;
  /** Regions that were made in an earlier run. */
  taken = 0;

  constructor(maker: RegionMaker, keeping?: RegionKeeping) {
    this.#maker = maker;
    this.#keeping = keeping;
  }

  place(request: RegionRequest): PlacedRegion | undefined {
    const code = this.#maker.codeAt(request);
    if (!code) return undefined;
    const kept = this.#keeping?.regions.find(code.entry, request.aligned, code.wordAt);
    if (kept) {
      this.taken++;
      return { object: kept, record: request.record, pages: pagesOf(kept.words, code.decoded) };
    }
    const placed = request.ifKept ? undefined : this.#maker.translate(code);
    if (placed) this.#keeping?.add(this.#keeping.regions.add(placed.object, code.wordAt));
    return placed;
  }
}
