import { branchTargetCompatible } from "../a64/bti.ts";
import type { Native } from "../vmsa/native.ts";
import { breakpointInPage, breakpointMatches, MDSCR_MDE, MDSCR_SS, stepActive } from "./debug.ts";
import { sctlrOf } from "./levels.ts";
import type { PeOptions, SteppingEngine } from "./pe-options.ts";
import type { PeState } from "./pe-state.ts";
import type { OutsideBreakpoints } from "./ports.ts";
import {
  BTYPE,
  EL,
  EXC_EC,
  EXC_FAR,
  EXC_ISS,
  EXC_STAGE2,
  FETCH_BASE,
  FETCH_VA,
  ITLB,
  ITLB_ENTRIES,
  ITLB_ENTRY_SHIFT,
  ITLB_FLAGS,
  PC,
  PSTATE_IL,
  PSTATE_SS,
  RESULT,
} from "./state-layout.ts";
import {
  EC_BRANCH_TARGET,
  EC_BREAKPOINT,
  EC_ILLEGAL_STATE,
  EC_PC_ALIGNMENT,
  EC_SOFTWARE_STEP,
  FSC_DEBUG,
  instructionSyndrome,
  raise,
} from "./syndrome.ts";
import { MDSCR_EL1 } from "./sysreg-layout.ts";

// What comes before an instruction is executed: the exceptions that it may not get past, and the page that it is in.

// How to go on at PC.
export const EXCEPTION = 0;
export const RUN = 1;
/** One instruction, because of breakpoints in its page. */
export const SINGLE = 2;
/** One instruction, by software step. */
export const STEP = 3;
export type Preparation = typeof EXCEPTION | typeof RUN | typeof SINGLE | typeof STEP;

/** EXC_EC to EXC_STAGE2. */
const EXCEPTION_WORDS = (EXC_STAGE2 + 4 - EXC_EC) >> 2;

const SCTLR_HIGH_BT0 = 1 << (35 - 32);
/** BT1 of SCTLR_EL1, BT of the others. */
const SCTLR_HIGH_BT = 1 << (36 - 32);

/** Gets at the instruction at a PE's PC. */
export class Fetch {
  readonly #state: PeState;
  readonly #native: Native;
  readonly #engine: SteppingEngine;
  readonly #memory: Int32Array;
  /** The pending exception, while PC is translated again. */
  readonly #saved = new Int32Array(EXCEPTION_WORDS);

  constructor({ state, native, engine, memory }: Pick<PeOptions, "state" | "native" | "engine" | "memory">) {
    this.#state = state;
    this.#native = native;
    this.#engine = engine;
    this.#memory = new Int32Array(memory.buffer);
  }

  /**
   * What comes before the instruction at PC, in the order of its exceptions' priorities (Arm ARM D1.3.5.5), and the page that it is in.
   * Says how to go on. `alone`: that instruction and no other; `breakpoints`: a debugger's; `putOff`: an observer has put off an exception.
   */
  prepare(alone: boolean, breakpoints: OutsideBreakpoints | undefined, putOff: boolean): Preparation {
    const s = this.#state;
    const debug = s.word(MDSCR_EL1) & (MDSCR_SS | MDSCR_MDE);
    const stepping = (debug & MDSCR_SS) !== 0 && stepActive(s);
    if (stepping && !s.word(PSTATE_SS)) {
      raise(s, EC_SOFTWARE_STEP, FSC_DEBUG);
      return EXCEPTION;
    }
    if (s.word(PC) & 3) {
      s.copy64(EXC_FAR, PC);
      raise(s, EC_PC_ALIGNMENT, 0);
      return EXCEPTION;
    }
    const single =
      alone ||
      stepping ||
      ((debug & MDSCR_MDE) !== 0 && breakpointInPage(s)) ||
      breakpoints?.inPage(s.word(PC), s.high(PC)) === true;
    // Pages with breakpoints stay out of the instruction TLB, so that code that runs at full speed stops at their borders.
    if (single ? !this.#enterUnlisted() : !this.#enter()) return EXCEPTION;
    if (debug & MDSCR_MDE && breakpointMatches(s)) {
      raise(s, EC_BREAKPOINT, FSC_DEBUG);
      return EXCEPTION;
    }
    if (s.word(PSTATE_IL)) {
      raise(s, EC_ILLEGAL_STATE, 0);
      return EXCEPTION;
    }
    if (s.word(BTYPE) && !this.#landed()) return EXCEPTION;
    return stepping ? STEP : single || putOff ? SINGLE : RUN;
  }

  /** Enters PC's page by way of the instruction TLB. False: an exception is pending. */
  #enter(): boolean {
    const { cpu } = this.#state;
    if (this.#native.enterPage(cpu)) return true;
    const page = this.#native.translateFetch(cpu);
    if (page === 0) return false;
    const guarded = this.#state.word(RESULT) & 1;
    this.#native.fillFetch(cpu, this.#engine.decodedPage(page), guarded);
    return true;
  }

  #enterUnlisted(): boolean {
    const s = this.#state;
    const page = this.#native.translateFetch(s.cpu);
    if (page === 0) return false;
    s.set64(FETCH_VA, s.word(PC) & ~0xfff, s.high(PC));
    s.setWord(FETCH_BASE, this.#engine.decodedPage(page));
    return true;
  }

  /** Whether the instruction at PC may be the target of the indirect branch that left PSTATE.BTYPE (Arm ARM D8.4.4). */
  #landed(): boolean {
    const s = this.#state;
    const type = s.word(BTYPE);
    const page = this.#native.translateFetch(s.cpu);
    if (page === 0) return false;
    if (s.word(RESULT) & 1) {
      const el = s.word(EL);
      const strict = (s.high(sctlrOf(s, el)) & (el === 0 ? SCTLR_HIGH_BT0 : SCTLR_HIGH_BT)) !== 0;
      if (!branchTargetCompatible(this.#instructionIn(page), type, strict)) {
        raise(s, EC_BRANCH_TARGET, type);
        return false;
      }
    }
    s.setWord(BTYPE, 0);
    return true;
  }

  /** The word at PC, given where its page is in linear memory. */
  #instructionIn(page: number): number {
    return this.#memory[(page + (this.#state.word(PC) & 0xffc)) >>> 2] as number;
  }

  /** The word at PC, which is mapped. */
  instruction(): number {
    return this.#instructionIn(this.#native.translateFetch(this.#state.cpu));
  }

  /** A branch out of the page may have been made from one that is not guarded, which makes it like one through X16 (D8.4.4). */
  leftPage(): void {
    const s = this.#state;
    if (s.word(BTYPE) !== 3) return;
    const entry = ITLB + (((s.word(FETCH_VA) >>> 12) & (ITLB_ENTRIES - 1)) << ITLB_ENTRY_SHIFT);
    if (!(s.word(entry + ITLB_FLAGS) & 1)) s.setWord(BTYPE, 1);
  }

  /** Completes the ISS of a data abort at stage 2 from the instruction. */
  addSyndrome(): void {
    const s = this.#state;
    for (let i = 0; i < EXCEPTION_WORDS; i++) this.#saved[i] = s.word(EXC_EC + 4 * i);
    const page = this.#native.translateFetch(s.cpu);
    for (let i = 0; i < EXCEPTION_WORDS; i++) s.setWord(EXC_EC + 4 * i, this.#saved[i] as number);
    if (page !== 0) s.setWord(EXC_ISS, s.word(EXC_ISS) | instructionSyndrome(this.#instructionIn(page)));
  }
}
