import { instantiate } from "../wasm/instantiate.ts";
import { HANDLER_DECODE, RECORD_BYTES, RECORDS } from "./decoded-layout.ts";
import type { DecodedPages } from "./decoded-pages.ts";
import type { EngineStats } from "./engine.ts";
import { DROPPED_PART, MAX_TRANSLATED_BYTES } from "./limits.ts";
import type { MadeRegion, MadeRegions, RegionRequest } from "./region-maker.ts";
import type { RegionSource } from "./region-source.ts";

export interface TranslatorOptions {
  readonly memory: WebAssembly.Memory;
  readonly table: WebAssembly.Table;
  /** Table entries from here to the table's end are for regions. */
  readonly firstRegion: number;
  readonly native: Readonly<Record<string, unknown>>;
  readonly host: Readonly<Record<string, unknown>>;
  /** Exports of the interpreter: the dispatch runtime. */
  readonly runtime: Readonly<Record<string, unknown>>;
  readonly pages: DecodedPages;
  readonly source: RegionSource;
  readonly stats: EngineStats;
}

interface Installed {
  readonly record: number;
  /** Indices of the decoded pages that it has code of. */
  readonly pages: readonly number[];
  readonly tableIndex: number;
  readonly bytes: number;
}

/** How the interpreter exports what regions have instead of the function of the same name. */
const SETTLED = "settled.";

/** Has regions translated to WebAssembly, and keeps them: a bounded cache that drops the oldest pages' regions. */
export class Translator {
  readonly #options: TranslatorOptions;
  /** What modules of regions import. */
  readonly #imports: Record<string, Record<string, unknown>>;
  /** What an entry is that no region has. */
  readonly #unused: unknown;
  readonly #free: number[] = [];
  /** Regions by index of each decoded page that they have code of, the oldest page first. */
  readonly #installed = new Map<number, Installed[]>();
  #bytes = 0;

  constructor(options: TranslatorOptions) {
    this.#options = options;
    const { memory, table, native, host, runtime } = options;
    this.#unused = table.get(HANDLER_DECODE);
    const settled = Object.entries(runtime).filter(([name]) => name.startsWith(SETTLED));
    this.#imports = {
      ...{ env: { memory, table }, native, host },
      engine: { ...runtime, ...Object.fromEntries(settled.map(([name, f]) => [name.slice(SETTLED.length), f])) },
    };
    for (let i = table.length - 1; i >= options.firstRegion; i--) this.#free.push(i);
  }

  /** Asks for a region. */
  request(request: RegionRequest): void {
    this.#options.source.ask(request);
  }

  /**
   * Puts regions that have been made in the place of the records' handlers; called after every slice. `now`: all that was asked for, where
   * they are made in this thread.
   */
  install(now: boolean): void {
    const { source } = this.#options;
    for (let made = source.take(now); made; made = source.take(now)) this.#installAll(made);
  }

  /** Drops the regions of a decoded page. */
  dropPage(index: number): void {
    const { pages, table, stats } = this.#options;
    const list = this.#installed.get(index);
    if (!list) return;
    this.#installed.delete(index);
    for (const region of list) {
      const { record, tableIndex, bytes } = region;
      for (const other of region.pages) {
        const rest = this.#installed.get(other)?.filter((r) => r !== region);
        if (rest) this.#installed.set(other, rest);
      }
      if (pages.handler(record) === tableIndex) pages.setHandler(record, HANDLER_DECODE);
      table.set(tableIndex, this.#unused);
      this.#free.push(tableIndex);
      this.#bytes -= bytes;
      stats.regionsDropped++;
      stats.droppedBytes += bytes;
    }
    // What was hot may become so again.
    for (let i = 0; i < RECORDS; i++) pages.forgetHeat(pages.address(index) + i * RECORD_BYTES);
  }

  #installAll({ module, regions }: MadeRegions): void {
    this.#makeRoom(regions.length);
    const exports = instantiate(module, this.#imports);
    for (const [i, region] of regions.entries()) {
      if (!this.#stands(region)) continue;
      const { record, pages, bytes } = region;
      const tableIndex = this.#free.pop() as number;
      this.#options.table.set(tableIndex, exports[`r${i}`]);
      this.#options.pages.setHandler(record, tableIndex);
      const installed: Installed = { record, pages, tableIndex, bytes };
      for (const index of pages) {
        const list = this.#installed.get(index) ?? [];
        list.push(installed);
        this.#installed.set(index, list);
      }
      const { stats } = this.#options;
      this.#bytes += bytes;
      stats.regions++;
      stats.translatedBytes += bytes;
      stats.translatedInstructions += region.instructions;
    }
  }

  /** Is there no region yet where this one starts, and is it what would be made now? */
  #stands({ record, words }: MadeRegion): boolean {
    const { pages, firstRegion } = this.#options;
    if (pages.handler(record) >= firstRegion) return false;
    for (let i = 0; i < words.length; i += 2) {
      const at = words[i] as number;
      const index = pages.indexOfRecord(at);
      if (pages.pageOf(index) !== 0 && pages.word(index, (at - pages.address(index)) / RECORD_BYTES) === words[i + 1])
        continue;
      // It may become hot again.
      pages.forgetHeat(record);
      return false;
    }
    return true;
  }

  #makeRoom(regions: number): void {
    if (this.#free.length >= regions && this.#bytes < MAX_TRANSLATED_BYTES) return;
    const pages = [...this.#installed.keys()];
    for (const index of pages.slice(0, Math.ceil(pages.length / DROPPED_PART))) this.dropPage(index);
  }
}
