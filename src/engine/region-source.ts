import type { EngineStats } from "./engine.ts";
import { MAX_BATCH, MAX_WAIT } from "./limits.ts";
import type { MadeRegions, RegionMaker, RegionRequest } from "./region-maker.ts";
import type { PlacedRegion } from "./region-object.ts";
import { type RegionKeeping, RegionPlacer } from "./region-placer.ts";

/** Where the regions that are asked for come from. */
export interface RegionSource {
  /** Asks for a region. It may never come. */
  ask(request: RegionRequest): void;
  /** Regions that have been made; called after each slice until there are none. `now`: without waiting for more to be asked for. */
  take(now: boolean): MadeRegions | undefined;
  /** Nothing more will be asked for. */
  close(): void;
}

export interface LocalRegionsOptions {
  readonly maker: RegionMaker;
  readonly stats: EngineStats;
  /** Nanoseconds of a clock, for statistics. */
  readonly now: () => number;
  readonly keeping: RegionKeeping | undefined;
  /** Regions have been made. */
  readonly onMade: () => void;
}

/** Makes regions in the thread that takes them: where nothing is kept, always the same ones at the same places of an execution. */
export class LocalRegions implements RegionSource {
  readonly #options: LocalRegionsOptions;
  /** By record. */
  readonly #placed = new Map<number, PlacedRegion>();
  readonly #placer: RegionPlacer;
  /** Slices since the oldest request. */
  #slices = 0;

  constructor(options: LocalRegionsOptions) {
    this.#options = options;
    this.#placer = new RegionPlacer(options.maker, options.keeping);
  }

  ask(request: RegionRequest): void {
    if (this.#placed.has(request.record)) return;
    const placed = this.#timed(() => this.#placer.place(request));
    if (placed) this.#placed.set(placed.record, placed);
    this.#options.stats.keptRegions = this.#placer.taken;
  }

  take(now: boolean): MadeRegions | undefined {
    if (this.#placed.size === 0) return undefined;
    if (!now && this.#placed.size < MAX_BATCH / 2 && ++this.#slices < MAX_WAIT) return undefined;
    this.#slices = 0;
    const batch = [...this.#placed.values()].slice(0, MAX_BATCH);
    for (const { record } of batch) this.#placed.delete(record);
    const made = this.#timed(() => this.#options.maker.make(batch));
    this.#options.onMade();
    return made;
  }

  close(): void {
    this.#placed.clear();
  }

  #timed<T>(make: () => T): T {
    const { stats, now } = this.#options;
    const started = now();
    const made = make();
    stats.translationMilliseconds += (now() - started) / 1e6;
    return made;
  }
}
