// An engine for instruction vectors: EL0 with an identity map of Normal memory, in which are one page of code and one of data.

import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { CPU_MODELS } from "../../src/arch/cpu-models.ts";
import * as L from "../../src/cpu/state-layout.ts";
import * as S from "../../src/cpu/sysreg-layout.ts";
import { HANDLERS_FIRST, RECORD_BYTES } from "../../src/engine/decoded-layout.ts";
import { Engine, type Tier } from "../../src/engine/engine.ts";
import { HELPERS } from "../../src/ir/helpers.ts";
import {
  CPU_BASE,
  PHYS_REGION_BASE,
  PHYS_REGION_BYTES,
  PHYS_REGION_PA,
  PHYS_REGION_SIZE,
  PHYS_REGIONS,
} from "../../src/memory/linear-layout.ts";
import {
  FPCR_AT,
  FPSR_AT,
  fillMemory,
  MEMORY_ADDRESS,
  MEMORY_BYTES,
  NZCV_AT,
  SLOT_ADDRESS,
  SP_AT,
  V_AT,
} from "./inputs.ts";

const build = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "build");
const CODE = 0x6000000;
const DATA = CODE + 0x1000;
const TABLES = CODE + 0x2000;
/** Physical address of the translation table. */
const TABLES_ADDRESS = 0x30000000;
const PAGE_OF_SLOT = SLOT_ADDRESS - (SLOT_ADDRESS % 4096);
/** UDF #0: ends every vector. */
const END = 0;
const X_BYTES = 31 * 8;

/** How a run ended: offset of PC from the instruction, and the exception class. */
export interface Ending {
  readonly exit: number;
  readonly exceptionClass: number;
  readonly pc: number;
}

type Functions = Record<string, (...args: number[]) => number>;

export class Bench {
  readonly engine: Engine;
  readonly #memory = new WebAssembly.Memory({ initial: 2048, maximum: 2048, shared: true });
  readonly #words = new Int32Array(this.#memory.buffer);
  readonly #bytes = new Uint8Array(this.#memory.buffer);
  readonly #native: Functions;
  readonly #firstRegion: number;
  /** The page of memory that vectors touch. */
  readonly page = new Int32Array(this.#memory.buffer, DATA, MEMORY_BYTES / 4);

  constructor(tier: Tier) {
    const never = (what: string) => () => {
      throw new Error(`${what} is not for vectors`);
    };
    const host = Object.fromEntries(Object.keys(HELPERS).map((name) => [name, never(name)]));
    const env = { memory: this.#memory };
    const module = new WebAssembly.Module(readFileSync(join(build, "native.wasm")));
    const imports = { env, host: { ...host, now: () => 0, busRead: () => 1, busWrite: () => 1 } };
    const { exports } = new WebAssembly.Instance(module, imports as unknown as Record<string, Record<string, unknown>>);
    this.#native = exports as unknown as Functions;
    const keys = JSON.parse(readFileSync(join(build, "interpreter.json"), "utf8")) as number[];
    this.#firstRegion = HANDLERS_FIRST + keys.length;
    this.engine = new Engine({
      memory: this.#memory,
      interpreter: { module: new WebAssembly.Module(readFileSync(join(build, "interpreter.wasm"))), keys },
      native: this.#native,
      host,
      features: CPU_MODELS.max.features,
      area: 0x400000,
      tier,
      flushFetch() {},
    });
    this.#describe([
      [PAGE_OF_SLOT, CODE],
      [MEMORY_ADDRESS, DATA],
      [TABLES_ADDRESS, TABLES],
    ]);
    // Level 1, 39 bits of address (T0SZ = 25): the first GiB as one block, AF, inner shareable, read and write from EL0, attribute 0.
    this.#words.set([0x741, 0], TABLES >> 2);
    this.#set64(S.TTBR0_EL1, TABLES_ADDRESS);
    this.#set64(S.TCR_EL1, 25);
    this.#set64(S.MAIR_EL1, 0xff);
    // DZE, M
    this.#set64(S.SCTLR_EL1, (1 << 14) | 1);
    // FPEN
    this.#set64(S.CPACR_EL1, 3 << 20);
    this.#call("contextChanged", CPU_BASE);
    this.#set64(L.PC, PAGE_OF_SLOT);
    if (this.#call("translateFetch", CPU_BASE) !== CODE) throw new Error("the code page is not where it should be");
    this.#call("fillFetch", CPU_BASE, this.engine.decodedPage(CODE), 0);
  }

  /** The table of physical regions of one page each: [physical address, linear address]. */
  #describe(regions: readonly (readonly [number, number])[]): void {
    this.#words[PHYS_REGIONS >> 2] = regions.length;
    regions.forEach(([pa, base], i) => {
      const at = PHYS_REGIONS + PHYS_REGION_SIZE * (i + 1);
      this.#words[(at + PHYS_REGION_PA) >> 2] = pa;
      this.#words[(at + PHYS_REGION_BYTES) >> 2] = 4096;
      this.#words[(at + PHYS_REGION_BASE) >> 2] = base;
    });
  }

  #call(name: string, ...args: number[]): number {
    return (this.#native[name] as (...args: number[]) => number)(...args);
  }

  /** Puts instructions into the code page: each with what follows it, at its byte offset; all else ends a run. */
  load(code: ReadonlyMap<number, readonly number[]>): void {
    this.engine.invalidateCode(CODE, 4096);
    this.#words.fill(END, CODE >> 2, (CODE + 4096) >> 2);
    for (const [offset, words] of code) this.#words.set(words, (CODE + offset) >> 2);
  }

  /** Is there translated code in the place of the instruction at an offset? */
  isTranslated(offset: number): boolean {
    const record = this.engine.decodedPage(CODE) + (offset / 4) * RECORD_BYTES;
    return ((this.#words[record >> 2] as number) & 0xffff) >= this.#firstRegion;
  }

  /** Translates the instructions at these offsets. */
  translate(offsets: Iterable<number>): void {
    this.engine.translate(CODE, offsets);
  }

  /** Runs the instruction at an offset of the code page from a state (inputs.ts); at most `budget` instructions. */
  run(offset: number, state: Uint8Array, budget = 1000): Ending {
    const view = new DataView(state.buffer, state.byteOffset, state.byteLength);
    const at = CPU_BASE;
    this.#bytes.set(state.subarray(0, X_BYTES), at + L.X);
    this.#set64(L.X + 8 * L.SLOT_ZR, 0);
    this.#bytes.set(state.subarray(SP_AT, SP_AT + 8), at + L.SP);
    this.#bytes.set(state.subarray(V_AT, NZCV_AT), at + L.V);
    const nzcv = view.getUint32(NZCV_AT, true);
    this.#set32(L.NF, nzcv);
    this.#set32(L.ZF, (nzcv & 0x40000000) === 0 ? 1 : 0);
    this.#set32(L.CF, (nzcv >>> 29) & 1);
    this.#set32(L.VF, nzcv << 3);
    this.#set32(L.FPCR, view.getUint32(FPCR_AT, true));
    this.#set32(L.FPSR, view.getUint32(FPSR_AT, true));
    this.#call("fpUpdateFast", at);
    this.#set64(L.EXCL_ADDR, -1);
    this.#set32(L.BTYPE, 0);
    this.#set64(L.FETCH_VA, PAGE_OF_SLOT);
    this.#set32(L.FETCH_BASE, this.engine.decodedPage(CODE));
    this.#set64(L.PC, PAGE_OF_SLOT + offset);
    this.engine.run(at, budget);
    return {
      exit: this.#get32(L.EXIT),
      exceptionClass: this.#get32(L.EXC_EC),
      pc: this.#get32(L.PC) - PAGE_OF_SLOT - offset,
    };
  }

  /** The state after a run, in the form of inputs.ts. FPCR is the last run's. */
  state(into: Uint8Array): void {
    const view = new DataView(into.buffer, into.byteOffset, into.byteLength);
    const at = CPU_BASE;
    into.set(this.#bytes.subarray(at + L.X, at + L.X + X_BYTES), 0);
    into.set(this.#bytes.subarray(at + L.SP, at + L.SP + 8), SP_AT);
    into.set(this.#bytes.subarray(at + L.V, at + L.V + 512), V_AT);
    const z = this.#get32(L.ZF) === 0 ? 0x40000000 : 0;
    const c = (this.#get32(L.CF) & 1) << 29;
    const nzcv = (this.#get32(L.NF) & 0x80000000) | z | c | ((this.#get32(L.VF) >>> 31) << 28);
    view.setUint32(NZCV_AT, nzcv >>> 0, true);
    view.setUint32(FPCR_AT, this.#get32(L.FPCR), true);
    view.setUint32(FPSR_AT, this.#get32(L.FPSR), true);
  }

  fillMemory(seed: number): void {
    fillMemory(this.page, seed);
  }

  #get32(offset: number): number {
    return this.#words[(CPU_BASE + offset) >> 2] as number;
  }
  #set32(offset: number, value: number): void {
    this.#words[(CPU_BASE + offset) >> 2] = value;
  }
  /** `value`: a signed 32-bit number, or an address. */
  #set64(offset: number, value: number): void {
    this.#set32(offset, value);
    this.#set32(offset + 4, value < 0 ? -1 : 0);
  }
}
