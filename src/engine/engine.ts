import type { Decoder } from "../a64/decoder.ts";
import type { Feature } from "../arch/features.ts";
import type { CodeEngine } from "../cpu/ports.ts";
import { ALIGN_CHECK, BUDGET, CTX, FETCH_BASE, FETCH_VA, PC } from "../cpu/state-layout.ts";
import { instantiate, isShared } from "../wasm/instantiate.ts";
import { HANDLER_DECODE, HANDLER_STOP, HANDLERS_FIRST, RECORD_BYTES, RECORDS } from "./decoded-layout.ts";
import { DecodedPages } from "./decoded-pages.ts";
import { HotPlaces } from "./hot-places.ts";
import type { KeptEntries } from "./kept-entries.ts";
import { KNOWN_WORDS_BYTES, KnownWords } from "./known-words.ts";
import { DECODE_AHEAD, KEPT_ARRIVALS, MAX_DECODED_PAGES } from "./limits.ts";
import { decoderFor, type MakerSetup, RegionMaker, type RegionRequest } from "./region-maker.ts";
import type { KeptForRunning, RegionKeeping } from "./region-placer.ts";
import { LocalRegions, type RegionSource } from "./region-source.ts";
import { RemoteRegions, type StartRegionThread } from "./region-thread.ts";
import { Translator } from "./translator.ts";

/** Which tiers run: the interpreter alone, everything translated at its first execution that can be, or what is hot. */
export type Tier = "interpreter" | "translator" | "auto";

type WasmFunction = (...args: number[]) => number;

export interface EngineOptions {
  readonly memory: WebAssembly.Memory;
  /** The generated interpreter: its module, and the handler keys in the order of the table. */
  readonly interpreter: { readonly module: WebAssembly.Module; readonly keys: readonly number[] };
  /** Exports of native.wasm. */
  readonly native: Readonly<Record<string, unknown>>;
  /** Host functions of a processing element (ir/helpers.ts, HOST). */
  readonly host: Readonly<Record<string, (cpu: number, a: number, b: number) => number>>;
  readonly features: ReadonlySet<Feature>;
  /** Start of Engine.areaBytes() bytes of linear memory for decoded pages, a multiple of 16. */
  readonly area: number;
  readonly tier?: Tier;
  /** Translated code counts its instructions in COUNT_TRANSLATED. */
  readonly countTranslated?: boolean;
  /** The block of the PE, where there is only one: translated code is for that one. */
  readonly onlyCpu?: number | undefined;
  /** False: accesses to system registers come to the processing element (a64/observing.ts). */
  readonly directSysregs?: boolean;
  /**
   * Starts a thread that makes regions, for tier auto where the memory is shared. Absent: this thread makes them, and what is translated when
   * depends on nothing but the guest.
   */
  readonly regionThread?: StartRegionThread | undefined;
  /** Where this thread makes regions, too: those of earlier runs, and what keeps them. Undefined, and what it gives undefined: none. */
  readonly keepRegions?: KeepRegions | undefined;
  /** Nanoseconds of a clock, for statistics. */
  readonly now?: () => number;
  /** Decoded pages are gone or in doubt: no instruction TLB may point to them. */
  readonly flushFetch: () => void;
}

/** A place whose region is kept is asked about when its heat comes to 0 again. */
const KEPT_HEAT = 2 ** 16 - KEPT_ARRIVALS;
/** At most that then: an arrival may count twice. */
const WRAPPED_HEAT = 1;

/** Gives what is kept for a machine that makes its regions in the thread that runs it. */
export type KeepRegions = (setup: MakerSetup) => (RegionKeeping & KeptForRunning) | undefined;

/** Counters for people. */
export interface EngineStats {
  decodedInstructions: number;
  evictions: number;
  regions: number;
  /** Regions among them that were made in an earlier run. */
  keptRegions: number;
  regionsDropped: number;
  translatedInstructions: number;
  /** Bytes of WebAssembly of all regions that were made, and of those that were dropped. */
  translatedBytes: number;
  droppedBytes: number;
  translationMilliseconds: number;
  /** The same of another thread, while the guest ran. */
  otherThreadMilliseconds: number;
}

/** Runs A64 code: interprets decoded pages, and translates what is hot. */
export class Engine implements CodeEngine {
  readonly #stats: EngineStats = {
    decodedInstructions: 0,
    evictions: 0,
    regions: 0,
    keptRegions: 0,
    regionsDropped: 0,
    translatedInstructions: 0,
    translatedBytes: 0,
    droppedBytes: 0,
    translationMilliseconds: 0,
    otherThreadMilliseconds: 0,
  };
  /** Words that were decoded, but for those that generated code has decoded. */
  #decoded = 0;
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #decoder: Decoder;
  readonly #known: KnownWords;
  readonly #pages: DecodedPages;
  readonly #enter: WasmFunction;
  readonly #translator: Translator | undefined;
  readonly #hotPlaces = new HotPlaces();
  /** Handlers with this table index or a higher one are regions. */
  readonly #firstRegion: number;
  readonly #source: RegionSource | undefined;
  readonly #kept: KeptEntries | undefined;
  /** Translate at the first execution. */
  readonly #eager: boolean;

  get stats(): EngineStats {
    this.#stats.decodedInstructions = this.#decoded + this.#known.decoded;
    return this.#stats;
  }

  static areaBytes(): number {
    return DecodedPages.bytes(MAX_DECODED_PAGES) + KNOWN_WORDS_BYTES;
  }

  constructor(options: EngineOptions) {
    const { memory, interpreter, native, host, features } = options;
    this.#eager = options.tier === "translator";
    this.#words = new Int32Array(memory.buffer);
    this.#bytes = new Uint8Array(memory.buffer);
    const firstRegion = HANDLERS_FIRST + interpreter.keys.length;
    this.#firstRegion = firstRegion;
    const setup: MakerSetup = {
      ...{ memory, area: options.area, features, firstRegion, directSysregs: options.directSysregs !== false },
      ...{ countInstructions: options.countTranslated === true, eager: this.#eager, onlyCpu: options.onlyCpu },
    };
    const remote = this.#remoteRegions(options, setup);
    const local = remote === undefined && options.tier === "auto" ? options.keepRegions?.(setup) : undefined;
    const earlier: KeptForRunning | undefined = remote ?? local;
    this.#kept = earlier?.kept;
    this.#known = new KnownWords(memory.buffer, options.area + DecodedPages.bytes(MAX_DECODED_PAGES), earlier?.words);
    // What is to be translated at its first execution is told to the host.
    this.#decoder = decoderFor(setup, this.#eager ? undefined : this.#known.recent);
    interpreter.keys.forEach((key, i) => {
      this.#known.setHandler(key, HANDLERS_FIRST + i);
    });
    if (this.#kept) this.#known.setStarts(this.#kept.starts);
    this.#pages = new DecodedPages(
      memory.buffer,
      options.area,
      MAX_DECODED_PAGES,
      (index) => {
        this.#stats.evictions++;
        this.#translator?.dropPage(index);
      },
      () => options.flushFetch(),
      native.isSame as WasmFunction,
    );
    const exports = instantiate(interpreter.module, {
      env: { memory },
      native,
      host,
      engine: {
        decode: (cpu: number, record: number) => this.#decode(cpu, record),
        hot: (cpu: number, record: number) => this.#warm(cpu, record),
        unfit: (cpu: number, record: number) => this.#retranslate(cpu, record),
      },
    });
    this.#enter = exports.enter as unknown as WasmFunction;
    if (options.tier !== "interpreter") {
      this.#source =
        remote ??
        new LocalRegions({
          ...{ maker: new RegionMaker(setup, this.#decoder), stats: this.#stats, now: options.now ?? (() => 0) },
          ...{ keeping: local, onMade: () => local?.keepWords?.(this.#decoder.recent, this.#decoder.misses) },
        });
      this.#translator = new Translator({
        ...{
          memory,
          table: exports.table as WebAssembly.Table,
          firstRegion,
          native,
          host,
          runtime: exports,
          pages: this.#pages,
        },
        ...{ stats: this.#stats, source: this.#source },
      });
    }
  }

  /** Undefined: this thread makes regions, or nobody does. */
  #remoteRegions({ regionThread, tier }: EngineOptions, setup: MakerSetup): RemoteRegions | undefined {
    if (regionThread === undefined || tier === "interpreter" || this.#eager || !isShared(setup.memory))
      return undefined;
    const regions = new RemoteRegions(
      () => regionThread(setup),
      ({ milliseconds, kept }) => {
        this.#stats.otherThreadMilliseconds += milliseconds;
        this.#stats.keptRegions += kept;
        regions.keepWords(this.#decoder.recent, this.#decoder.misses);
      },
    );
    return regions;
  }

  /** The machine is not run any more. */
  close(): void {
    this.#source?.close();
  }

  run(cpu: number, budget: number): void {
    this.#enter(cpu, budget);
    this.#hotPlaces.passed(budget - (this.#words[(cpu + BUDGET) >> 2] as number));
    this.#translator?.install(false);
  }

  /**
   * Executes the one instruction at PC; EXIT says how it ended: EXIT_STEP or EXIT_BUDGET after an instruction that went well. The record is
   * copied to a page of its own, whose other records stop; a taken branch stops because the budget is spent.
   */
  step(cpu: number): void {
    const base = this.#words[(cpu + FETCH_BASE) >> 2] as number;
    const offset = ((this.#words[(cpu + PC) >> 2] as number) & 0xffc) * (RECORD_BYTES / 4);
    const record = base + offset;
    const index = this.#pages.indexOfRecord(record);
    // The interpreter's record, whatever region starts here.
    this.#decodeOne(index, offset / RECORD_BYTES, this.#pages.scratch + offset);
    this.#words[(cpu + FETCH_BASE) >> 2] = this.#pages.scratch;
    this.#enter(cpu, 0);
    this.#pages.setHandler(this.#pages.scratch + offset, HANDLER_STOP);
    if (this.#words[(cpu + FETCH_BASE) >> 2] === this.#pages.scratch) this.#words[(cpu + FETCH_BASE) >> 2] = base;
  }

  /** Translates the code at these byte offsets of a page of memory now, without waiting for it to become hot. */
  translate(page: number, offsets: Iterable<number>): void {
    const decoded = this.#pages.get(page);
    for (const offset of offsets) {
      const record = decoded + offset * (RECORD_BYTES / 4);
      this.#translator?.request({ record, aligned: false, cpu: 0, vaLow: 0, vaHigh: 0, context: 0, ifKept: false });
    }
    this.#translator?.install(true);
  }

  decodedPage(page: number): number {
    return this.#pages.get(page);
  }

  invalidateCode(start: number, bytes: number): void {
    let at = start - (start % 4);
    const end = start + bytes;
    while (at < end) {
      const page = at - (at % 4096);
      const stop = Math.min(end, page + 4096);
      const index = this.#pages.find(page);
      if (index >= 0) {
        this.#translator?.dropPage(index);
        this.#pages.reset(index, (at & 0xfff) >> 2, Math.ceil((stop - at) / 4));
      }
      at = stop;
    }
  }

  invalidateAllCode(): boolean {
    return this.#pages.doubt();
  }

  /** Branches have come to a place often. */
  #warm(cpu: number, record: number): void {
    if (this.#translator === undefined || this.#pages.handler(record) >= this.#firstRegion) return;
    const heat = this.#pages.heat(record);
    const ifKept = heat <= WRAPPED_HEAT && this.#kept !== undefined;
    if (ifKept || this.#hotPlaces.isHot(record, heat)) this.#translator.request(this.#requestOf(cpu, record, ifKept));
  }

  /** How a region for what the PE executes is to be made. */
  #requestOf(cpu: number, record: number, ifKept = false): RegionRequest {
    const word = (offset: number): number => this.#words[(cpu + offset) >> 2] as number;
    return {
      ...{ record, cpu, ifKept, aligned: word(ALIGN_CHECK) !== 0, context: word(CTX) },
      ...{ vaLow: word(FETCH_VA), vaHigh: word(FETCH_VA + 4) },
    };
  }

  /** A region was made for the other way of looking at alignment: the page's regions go, and come again if they are still hot. */
  #retranslate(cpu: number, record: number): void {
    this.#translator?.dropPage(this.#pages.indexOfRecord(record));
    this.#decode(cpu, record);
  }

  #decode(cpu: number, record: number): void {
    const index = this.#pages.indexOfRecord(record);
    const first = (record - this.#pages.address(index)) / RECORD_BYTES;
    const last = Math.min(first + DECODE_AHEAD, RECORDS);
    for (let i = first; i < last; i++) {
      const at = this.#pages.address(index) + i * RECORD_BYTES;
      // What is known already is left to generated code, which takes less time for it.
      if (
        i > first &&
        (this.#pages.handler(at) !== HANDLER_DECODE || this.#decoder.knows(this.#pages.memoryWord(index, i)))
      )
        break;
      this.#decodeOne(index, i, at);
    }
    if (this.#eager) {
      this.#translator?.request(this.#requestOf(cpu, record));
      this.#translator?.install(true);
    }
  }

  /** Decodes instruction `i` of a page into the record at `at`. */
  #decodeOne(index: number, i: number, at: number): void {
    const word = this.#pages.word(index, i);
    const key = this.#decoder.decodeInto(word, this.#bytes, this.#words, at);
    this.#pages.setHandler(at, this.#known.handler(key));
    this.#decoded++;
    if (this.#kept?.startsWith(word, i) && this.#kept.has(i, (n) => this.#pages.memoryWord(index, n)))
      this.#pages.setHeat(at, KEPT_HEAT);
  }
}
