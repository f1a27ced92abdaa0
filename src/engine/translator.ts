import type { Decoder } from "../a64/decoder.ts";
import type { DecodedPages } from "./decoded-pages.ts";
import type { EngineStats } from "./engine.ts";

export interface TranslatorOptions {
  readonly memory: WebAssembly.Memory;
  readonly table: WebAssembly.Table;
  /** Table entries from here to the table's end are for regions. */
  readonly firstRegion: number;
  readonly native: Readonly<Record<string, unknown>>;
  readonly host: Readonly<Record<string, unknown>>;
  /** Exports of the interpreter: the dispatch runtime. */
  readonly runtime: Readonly<Record<string, unknown>>;
  readonly decoder: Decoder;
  readonly pages: DecodedPages;
  readonly stats: EngineStats;
  /** Milliseconds, for statistics. */
  readonly now: () => number;
}

export class Translator {
  wanted = false;
  constructor(_options: TranslatorOptions) {}
  request(_record: number): void {}
  translate(): void {}
  dropPage(_index: number): void {}
}
