import type { EngineStats } from "./engine.ts";
import { MAX_BATCH, MAX_WAIT } from "./limits.ts";
import type { FoundRegion, MadeRegions, RegionMaker, RegionRequest } from "./region-maker.ts";

/** Where the regions that are asked for come from. */
export interface RegionSource {
  /** Asks for a region. It may never come. */
  ask(request: RegionRequest): void;
  /** Regions that have been made; called after each slice until there are none. `now`: without waiting for more to be asked for. */
  take(now: boolean): MadeRegions | undefined;
  /** Nothing more will be asked for. */
  close(): void;
}

/** Makes regions in the thread that takes them: always the same ones at the same places of an execution. */
export class LocalRegions implements RegionSource {
  readonly #maker: RegionMaker;
  readonly #stats: EngineStats;
  readonly #now: () => number;
  /** By record. */
  readonly #found = new Map<number, FoundRegion>();
  /** Slices since the oldest request. */
  #slices = 0;

  /** `now`: nanoseconds of a clock, for statistics. */
  constructor(maker: RegionMaker, stats: EngineStats, now: () => number) {
    this.#maker = maker;
    this.#stats = stats;
    this.#now = now;
  }

  ask(request: RegionRequest): void {
    if (this.#found.has(request.record)) return;
    const found = this.#timed(() => {
      const code = this.#maker.codeAt(request);
      return code && this.#maker.find(code);
    });
    if (found) this.#found.set(found.record, found);
  }

  take(now: boolean): MadeRegions | undefined {
    if (this.#found.size === 0) return undefined;
    if (!now && this.#found.size < MAX_BATCH / 2 && ++this.#slices < MAX_WAIT) return undefined;
    this.#slices = 0;
    const batch = [...this.#found.values()].slice(0, MAX_BATCH);
    for (const { record } of batch) this.#found.delete(record);
    return this.#timed(() => this.#maker.make(batch.map((found) => this.#maker.lower(found))));
  }

  close(): void {
    this.#found.clear();
  }

  #timed<T>(make: () => T): T {
    const started = this.#now();
    const made = make();
    this.#stats.translationMilliseconds += (this.#now() - started) / 1e6;
    return made;
  }
}
