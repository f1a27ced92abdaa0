import { createDecoder, type Decoder } from "../a64/decoder.ts";
import { ALL_ROWS } from "../a64/index.ts";
import { createObservingDecoder } from "../a64/observing.ts";
import type { Feature } from "../arch/features.ts";
import { ITLB, ITLB_BASE, ITLB_ENTRIES, ITLB_ENTRY_SHIFT, ITLB_TAG } from "../cpu/state-layout.ts";
import { Code } from "../wasm/code.ts";
import { moduleFor } from "../wasm/instantiate.ts";
import { ModuleWriter } from "../wasm/module.ts";
import { DecodedArea } from "./decoded-area.ts";
import { RECORD_BYTES, RECORDS } from "./decoded-layout.ts";
import { hasFusedMultiplyAdd } from "./fused.ts";
import { HANDLER_TYPE, handlerTable, importsAsCalled } from "./imports.ts";
import { InsnReader } from "./insn-reader.ts";
import { MAX_DECODED_PAGES, MAX_REGION_PAGES, MAX_REGIONS, WARM } from "./limits.ts";
import { findRegion, pageNumber, type Region } from "./region.ts";
import { RegionLowering } from "./region-lowering.ts";

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

export function decoderFor({ directSysregs, features }: Pick<MakerSetup, "directSysregs" | "features">): Decoder {
  return directSysregs ? createDecoder(ALL_ROWS, features) : createObservingDecoder(features);
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
}

/** A region that is to be lowered. */
export interface FoundRegion {
  readonly record: number;
  readonly region: Region;
  /** Addresses of the decoded pages that it has code of, by pageNumber(). */
  readonly pages: ReadonlyMap<number, number>;
  readonly aligned: boolean;
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

  constructor(setup: MakerSetup, decoder = decoderFor(setup)) {
    this.#setup = setup;
    this.#area = new DecodedArea(setup.memory.buffer, setup.area, MAX_DECODED_PAGES);
    this.#words = new Int32Array(setup.memory.buffer);
    this.#reader = new InsnReader(decoder);
  }

  /** Finds the code that is to be in a region. Undefined: there is nothing to translate, or a region is there already. */
  find(request: RegionRequest): FoundRegion | undefined {
    const { record, aligned } = request;
    const { firstRegion, eager } = this.#setup;
    const area = this.#area;
    const index = area.indexOfRecord(record);
    if (area.pageOf(index) === 0 || area.handler(record) >= firstRegion) return undefined;
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
    const region = findRegion((record - page) / RECORD_BYTES, {
      reader: this.#reader,
      wordAt: (i) => {
        const at = decodedAt(i);
        return at === 0 ? undefined : area.memoryWord(area.indexOfRecord(at), i - pageNumber(i) * RECORDS);
      },
      isWarm: (i) => {
        const at = decodedAt(i);
        if (at === 0 || eager) return at !== 0;
        return area.heat(at + (i - pageNumber(i) * RECORDS) * RECORD_BYTES) >= WARM;
      },
    });
    if (!region) return undefined;
    const reached = new Set(region.blocks.map((b) => pageNumber(b.start)));
    return { record, region, pages: new Map([...decoded].filter(([number]) => reached.has(number))), aligned };
  }

  /** Translates what was found, each before the next is looked for: much of a region's garbage is then gone before it gets old. */
  make(found: Iterable<FoundRegion>): MadeRegions {
    const { memory, firstRegion, countInstructions: counting, onlyCpu } = this.#setup;
    const module = new ModuleWriter();
    module.importTable("env", "table", handlerTable(firstRegion + MAX_REGIONS));
    const functions = importsAsCalled(module, undefined, hasFusedMultiplyAdd());
    const codes: Code[] = [];
    const regions: MadeRegion[] = [];
    for (const one of found) {
      const { record, region, pages, aligned } = one;
      const code = new Code(HANDLER_TYPE);
      new RegionLowering(code, functions, region, { pages, firstRegion, counting, aligned, onlyCpu }).emit();
      codes.push(code);
      regions.push({
        ...{ record, bytes: code.size, words: wordsOf(one) },
        pages: [...new Set([...pages.values()].map((page) => this.#area.indexOfRecord(page)))],
        instructions: region.blocks.reduce((n, b) => n + b.insns.length, 0),
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

/** The words that a region was made of, each once. */
function wordsOf({ region, pages }: FoundRegion): Int32Array {
  const words = new Map<number, number>();
  for (const { insns } of region.blocks) {
    for (const { index, word } of insns) {
      const page = pages.get(pageNumber(index)) as number;
      words.set(page + (index - pageNumber(index) * RECORDS) * RECORD_BYTES, word);
    }
  }
  return Int32Array.from([...words].flat());
}
