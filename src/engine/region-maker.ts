import { createDecoder, type Decoder } from "../a64/decoder.ts";
import { ALL_ROWS } from "../a64/index.ts";
import { createObservingDecoder } from "../a64/observing.ts";
import type { Feature } from "../arch/features.ts";
import { ITLB, ITLB_BASE, ITLB_ENTRIES, ITLB_ENTRY_SHIFT, ITLB_TAG } from "../cpu/state-layout.ts";
import { Code, type FunctionCode } from "../wasm/code.ts";
import { link } from "../wasm/function-object.ts";
import { moduleFor } from "../wasm/instantiate.ts";
import { ModuleWriter } from "../wasm/module.ts";
import { DecodedArea } from "./decoded-area.ts";
import { RECORD_BYTES, RECORDS } from "./decoded-layout.ts";
import { hasFusedMultiplyAdd } from "./fused.ts";
import { HANDLER_TYPE, linkedImports, relocatableImports } from "./imports.ts";
import { InsnReader } from "./insn-reader.ts";
import { MAX_DECODED_PAGES, MAX_REGION_PAGES, MAX_REGIONS, WARM } from "./limits.ts";
import { findRegion, pageNumber } from "./region.ts";
import { RegionLowering } from "./region-lowering.ts";
import { type PlacedRegion, pagesOf, type RegionPages, recordsOf, wordsOf } from "./region-object.ts";

/** What a maker of regions has to know of the machine. It can be cloned to another thread, where the memory is shared. */
export interface MakerSetup {
  readonly memory: WebAssembly.Memory;
  /** Where the decoded pages are. */
  readonly area: number;
  readonly features: ReadonlySet<Feature>;
  /** False: accesses to system registers come to the processing element (a64/observing.ts). */
  readonly directSysregs: boolean;
  /** Handlers with this table index or a higher one are regions. */
  readonly firstRegion: number;
  /** Regions count their instructions in COUNT_TRANSLATED. */
  readonly countInstructions: boolean;
  /** Code is translated before it is warm. */
  readonly eager: boolean;
  /** The block of the PE, where there is only one. */
  readonly onlyCpu: number | undefined;
}

/** @param recent words that were decoded for a machine of the same kind. */
export function decoderFor(
  { directSysregs, features }: Pick<MakerSetup, "directSysregs" | "features">,
  recent?: Int32Array,
): Decoder {
  return directSysregs
    ? createDecoder(ALL_ROWS, features, undefined, recent)
    : createObservingDecoder(features, recent);
}

/** A region that is wanted. */
export interface RegionRequest {
  /** Where it starts. */
  readonly record: number;
  /** Whether its accesses are checked for alignment. */
  readonly aligned: boolean;
  /** The PE that executes it, whose instruction TLB says which pages are around it. 0: none, the region stays in its page. */
  readonly cpu: number;
  /** The virtual address of the record's page, signed halves, and the context that it is mapped in. */
  readonly vaLow: number;
  readonly vaHigh: number;
  readonly context: number;
  /** Only if it was made before and kept: the place is not hot yet. */
  readonly ifKept: boolean;
}

/** The code around the place where a region is wanted. */
export interface RequestedCode {
  readonly request: RegionRequest;
  /** Number of the instruction in its page. */
  readonly entry: number;
  /** The word that memory has for an instruction; undefined where its page is not decoded. */
  wordAt(index: number): number | undefined;
  /** Addresses of the decoded pages that have been looked at. */
  readonly decoded: RegionPages;
  /** The decoded page with an instruction, or 0. */
  decodedAt(index: number): number;
}

/** A translated region. */
export interface MadeRegion {
  readonly record: number;
  /** Indices of the decoded pages that it has code of. */
  readonly pages: readonly number[];
  /** Bytes of WebAssembly. */
  readonly bytes: number;
  readonly instructions: number;
  /** What it was made of, in pairs: the record of an instruction, and the word that memory held for it. */
  readonly words: Int32Array;
}

/** Regions in one module, which exports them as r0, r1 and so on. */
export interface MadeRegions {
  readonly module: WebAssembly.Module;
  readonly regions: readonly MadeRegion[];
}

/**
 * Makes regions of what is in memory: in the machine's thread or in another one, while the guest runs. What it reads may change under it, so
 * whoever installs a region compares the words that it was made of with memory.
 */
export class RegionMaker {
  readonly #setup: MakerSetup;
  readonly #area: DecodedArea;
  readonly #words: Int32Array;
  readonly #reader: InsnReader;
  readonly #functions = relocatableImports(hasFusedMultiplyAdd());

  constructor(setup: MakerSetup, decoder = decoderFor(setup)) {
    this.#setup = setup;
    this.#area = new DecodedArea(setup.memory.buffer, setup.area, MAX_DECODED_PAGES);
    this.#words = new Int32Array(setup.memory.buffer);
    this.#reader = new InsnReader(decoder);
  }

  /** Looks where a region is wanted. Undefined: there is nothing to translate, or a region is there already. */
  codeAt(request: RegionRequest): RequestedCode | undefined {
    const { record } = request;
    const area = this.#area;
    const index = area.indexOfRecord(record);
    if (area.pageOf(index) === 0 || area.handler(record) >= this.#setup.firstRegion) return undefined;
    const page = area.address(index);
    const decoded = new Map([[0, page]]);
    const decodedAt = (i: number): number => {
      const number = pageNumber(i);
      const known = decoded.get(number);
      if (known !== undefined) return known;
      const address = decoded.size < MAX_REGION_PAGES ? this.#decodedPageAfter(request, number) : 0;
      if (address !== 0) decoded.set(number, address);
      return address;
    };
    return {
      ...{ request, decoded, decodedAt, entry: (record - page) / RECORD_BYTES },
      wordAt: (i) => {
        const at = decodedAt(i);
        return at === 0 ? undefined : area.memoryWord(area.indexOfRecord(at), i - pageNumber(i) * RECORDS);
      },
    };
  }

  /** Finds the code that is to be in a region, and translates it. */
  translate({ request, entry, wordAt, decoded, decodedAt }: RequestedCode): PlacedRegion | undefined {
    const region = findRegion(entry, {
      reader: this.#reader,
      wordAt,
      isWarm: (i) => {
        const at = decodedAt(i);
        if (at === 0 || this.#setup.eager) return at !== 0;
        return this.#area.heat(at + (i - pageNumber(i) * RECORDS) * RECORD_BYTES) >= WARM;
      },
    });
    if (!region) return undefined;
    const { record, aligned } = request;
    const { firstRegion, countInstructions: counting, onlyCpu } = this.#setup;
    const words = wordsOf(region.blocks);
    const pages = pagesOf(words, decoded);
    const code = new Code(HANDLER_TYPE, true);
    const context = { pages: new Set(pages.keys()), firstRegion, counting, aligned, onlyCpu };
    new RegionLowering(code, this.#functions, region, context).emit();
    const instructions = region.blocks.reduce((n, b) => n + b.insns.length, 0);
    return { object: { entry, aligned, instructions, words, code: code.object() }, record, pages };
  }

  /** Puts regions into a module, each before the next is made: much of one's garbage is then gone before it gets old. */
  make(placed: Iterable<PlacedRegion>): MadeRegions {
    const { memory, firstRegion } = this.#setup;
    const module = new ModuleWriter();
    const functionIndex = linkedImports(module, firstRegion + MAX_REGIONS);
    const codes: FunctionCode[] = [];
    const regions: MadeRegion[] = [];
    for (const one of placed) {
      const { object, record, pages } = one;
      codes.push(link(object.code, { functionIndex, address: (number) => pages.get(number) as number }));
      regions.push({
        ...{ record, bytes: object.code.body.length, words: recordsOf(one), instructions: object.instructions },
        pages: [...new Set([...pages.values()].map((page) => this.#area.indexOfRecord(page)))],
      });
    }
    for (const [i, code] of codes.entries()) {
      const f = module.function(HANDLER_TYPE);
      f.code = code;
      module.export(`r${i}`, f);
    }
    return { module: moduleFor(memory, module.finish()), regions };
  }

  /** The decoded page that the instruction TLB has for the page so many pages after the request's, or 0. */
  #decodedPageAfter({ cpu, vaLow, vaHigh, context }: RegionRequest, number: number): number {
    if (cpu === 0) return 0;
    const words = this.#words;
    const low = (vaLow >>> 0) + number * 4096;
    const high = vaHigh + Math.floor(low / 2 ** 32);
    const entry = (cpu + ITLB + (((low | 0) >>> 12) & (ITLB_ENTRIES - 1)) * 2 ** ITLB_ENTRY_SHIFT) >> 2;
    const tag = entry + (ITLB_TAG >> 2);
    if (words[tag] !== (low | context) || words[tag + 1] !== (high | 0)) return 0;
    // Another thread may see a part of an entry that is being replaced: the region asks the TLB again before it enters the page.
    return words[entry + (ITLB_BASE >> 2)] as number;
  }
}
