import type { Decoder } from "../a64/decoder.ts";
import { Code } from "../wasm/code.ts";
import { instantiate, moduleFor } from "../wasm/instantiate.ts";
import { type DefinedFunction, ModuleWriter } from "../wasm/module.ts";
import { HANDLER_DECODE, HEAT, RECORD_BYTES, RECORDS } from "./decoded-layout.ts";
import type { DecodedPages } from "./decoded-pages.ts";
import type { EngineStats } from "./engine.ts";
import { hasFusedMultiplyAdd } from "./fused.ts";
import { declareImports, HANDLER_TYPE } from "./imports.ts";
import { InsnReader } from "./insn-reader.ts";
import { DROPPED_PART, MAX_BATCH, MAX_REGION_PAGES, MAX_TRANSLATED_BYTES, MAX_WAIT, WARM } from "./limits.ts";
import { findRegion, pageNumber, type Region } from "./region.ts";
import { RegionLowering } from "./region-lowering.ts";

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
  /** Regions count their instructions in COUNT_TRANSLATED. */
  readonly countInstructions: boolean;
  /** Code is translated before it is warm. */
  readonly eager: boolean;
  /** Nanoseconds of a clock, for statistics. */
  readonly now: () => number;
}

/** A region that is to be lowered. */
interface Found {
  readonly record: number;
  readonly region: Region;
  /** Addresses of the decoded pages that it has code of, by pageNumber(). */
  readonly pages: ReadonlyMap<number, number>;
  readonly aligned: boolean;
}

/** What is asked for: a region, with its accesses checked for alignment or not; and what is around its page. */
export interface Request {
  readonly aligned: boolean;
  /** The decoded page that is mapped so many pages after the record's page, 0 where that is not known. */
  readonly pageAt: (number: number) => number;
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

/** Translates regions to WebAssembly, and keeps them: a bounded cache that drops the oldest pages' regions. */
export class Translator {
  readonly #options: TranslatorOptions;
  /** The dispatch runtime as regions see it. */
  readonly #runtime: Readonly<Record<string, unknown>>;
  readonly #words: Int32Array;
  readonly #reader: InsnReader;
  /** Regions that are wanted, by their records. */
  readonly #queue = new Map<number, Found>();
  readonly #free: number[] = [];
  /** Regions by index of each decoded page that they have code of, the oldest page first. */
  readonly #installed = new Map<number, Installed[]>();
  #bytes = 0;
  /** Slices since the oldest request. */
  #slices = 0;

  constructor(options: TranslatorOptions) {
    this.#options = options;
    this.#words = new Int32Array(options.memory.buffer);
    this.#reader = new InsnReader(options.decoder);
    const settled = Object.entries(options.runtime).filter(([name]) => name.startsWith(SETTLED));
    this.#runtime = {
      ...options.runtime,
      ...Object.fromEntries(settled.map(([name, f]) => [name.slice(SETTLED.length), f])),
    };
    for (let i = options.table.length - 1; i >= options.firstRegion; i--) this.#free.push(i);
  }

  /** Is it time to translate what was asked for? Called after every slice. */
  get isDue(): boolean {
    if (this.#queue.size === 0) return false;
    if (this.#queue.size < MAX_BATCH / 2 && ++this.#slices < MAX_WAIT) return false;
    this.#slices = 0;
    return true;
  }

  /** Asks for a region that starts at a record. */
  request(record: number, request: Request): void {
    const found = this.#find(record, request);
    if (found) this.#queue.set(record, found);
  }

  /** Translates what was asked for, and puts it in the place of the records' handlers. */
  translate(): void {
    const { stats, now } = this.#options;
    const started = now();
    const found = [...this.#queue.values()];
    this.#queue.clear();
    for (let i = 0; i < found.length; i += MAX_BATCH) this.#translateBatch(found.slice(i, i + MAX_BATCH));
    stats.translationMilliseconds += (now() - started) / 1e6;
  }

  /** Drops the regions of a decoded page. */
  dropPage(index: number): void {
    const { pages, table, stats } = this.#options;
    for (const found of this.#queue.values()) {
      if (this.#indicesOf(found).includes(index)) this.#queue.delete(found.record);
    }
    const list = this.#installed.get(index);
    if (!list) return;
    this.#installed.delete(index);
    for (const region of list) {
      const { record, tableIndex, bytes } = region;
      for (const other of region.pages) {
        const rest = this.#installed.get(other)?.filter((r) => r !== region);
        if (rest) this.#installed.set(other, rest);
      }
      if (this.#words[record >> 2] === tableIndex) this.#words[record >> 2] = HANDLER_DECODE;
      table.set(tableIndex);
      this.#free.push(tableIndex);
      this.#bytes -= bytes;
      stats.regionsDropped++;
      stats.droppedBytes += bytes;
    }
    // What was hot may become so again.
    const heat = (pages.address(index) + HEAT) >> 2;
    this.#words.fill(0, heat, heat + 512);
  }

  #translateBatch(found: readonly Found[]): void {
    if (found.length === 0) return;
    this.#makeRoom(found.length);
    const { memory, table, native, host, stats, firstRegion, countInstructions } = this.#options;
    const module = new ModuleWriter();
    const functions = declareImports(module, helpersOf(found.map((f) => f.region)), undefined, hasFusedMultiplyAdd());
    const defined = found.map(({ pages, region, aligned }, i): DefinedFunction => {
      const f = module.function(HANDLER_TYPE);
      const code = new Code(HANDLER_TYPE);
      new RegionLowering(code, functions, region, { pages, firstRegion, counting: countInstructions, aligned }).emit();
      f.code = code;
      module.export(`r${i}`, f);
      return f;
    });
    const imports = { env: { memory, table }, native, host, engine: this.#runtime };
    const exports = instantiate(moduleFor(memory, module.finish()), imports);
    found.forEach((one, i) => {
      const { record, region } = one;
      const tableIndex = this.#free.pop() as number;
      table.set(tableIndex, exports[`r${i}`]);
      this.#words[record >> 2] = tableIndex;
      const bytes = defined[i]?.code?.size ?? 0;
      const installed: Installed = { record, pages: this.#indicesOf(one), tableIndex, bytes };
      for (const index of installed.pages) {
        const list = this.#installed.get(index) ?? [];
        list.push(installed);
        this.#installed.set(index, list);
      }
      this.#bytes += bytes;
      stats.regions++;
      stats.translatedBytes += bytes;
      stats.translatedInstructions += region.blocks.reduce((n, b) => n + b.insns.length, 0);
    });
  }

  /** Indices of the decoded pages that a region has code of. One may be mapped at two addresses. */
  #indicesOf({ pages }: Found): number[] {
    return [...new Set([...pages.values()].map((page) => this.#options.pages.indexOfRecord(page)))];
  }

  #find(record: number, { aligned, pageAt }: Request): Found | undefined {
    const { pages, firstRegion, eager } = this.#options;
    const index = pages.indexOfRecord(record);
    if (pages.pageOf(index) === 0 || (this.#words[record >> 2] as number) >= firstRegion) return undefined;
    const page = pages.address(index);
    const entry = (record - page) / RECORD_BYTES;
    const decoded = new Map([[0, page]]);
    const decodedAt = (i: number): number => {
      const number = pageNumber(i);
      const known = decoded.get(number);
      if (known !== undefined) return known;
      const address = decoded.size < MAX_REGION_PAGES ? pageAt(number) : 0;
      if (address !== 0) decoded.set(number, address);
      return address;
    };
    const region = findRegion(entry, {
      reader: this.#reader,
      wordAt: (i) => {
        const at = decodedAt(i);
        if (at === 0) return undefined;
        return pages.word(pages.indexOfRecord(at), i - pageNumber(i) * RECORDS);
      },
      isWarm: (i) => {
        const at = decodedAt(i);
        if (at === 0 || eager) return at !== 0;
        const heat = at + HEAT + (i - pageNumber(i) * RECORDS) * 2;
        return ((this.#words[heat >> 2] as number) >>> (heat & 2 ? 16 : 0)) % 65536 >= WARM;
      },
    });
    if (!region) return undefined;
    const reached = new Set(region.blocks.map((b) => pageNumber(b.start)));
    return { record, region, pages: new Map([...decoded].filter(([number]) => reached.has(number))), aligned };
  }

  #makeRoom(regions: number): void {
    if (this.#free.length >= regions && this.#bytes < MAX_TRANSLATED_BYTES) return;
    const pages = [...this.#installed.keys()];
    for (const index of pages.slice(0, Math.ceil(pages.length / DROPPED_PART))) this.dropPage(index);
  }
}

function helpersOf(regions: readonly Region[]): Set<string> {
  const names = new Set<string>();
  for (const region of regions) {
    for (const block of region.blocks) {
      for (const { ir } of block.insns) {
        for (const { op, attrs } of ir)
          if (op === "call" || op === "host" || op === "hostIf") names.add(attrs.name as string);
          else if (op === "flagsFloat") names.add(`fpOrder${attrs.bits}`);
      }
    }
  }
  return names;
}
