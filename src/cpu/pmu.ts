import type { PeState } from "./pe-state.ts";
import type { CounterClock, PpiPort } from "./ports.ts";
import { EL, INSTRUCTIONS, SECURE } from "./state-layout.ts";
import {
  FEATURE_EL2,
  MDCR_EL2,
  MDCR_EL3,
  PE_FEATURES,
  PMCCFILTR_EL0,
  PMCCNTR_EL0,
  PMCNTENSET_EL0,
  PMCR_EL0,
  PMEVCNTR0_EL0,
  PMEVTYPER0_EL0,
  PMINTENSET_EL1,
  PMOVSSET_EL0,
} from "./sysreg-layout.ts";

// PMUv3 (Arm ARM D13). Counters are slots that are right as of the last `sync`; what happened since is added when somebody looks,
// and before the exception level changes, since filters are by level.

/** Event counters of every model, PMCR_EL0.N. */
export const PMU_COUNTERS = 6;
/** The cycle counter's place in PMCNTENSET_EL0 and its relatives. */
export const CYCLE_COUNTER = 31;
/** All counters, as in PMCNTENSET_EL0. */
export const ALL_COUNTERS = (1 << CYCLE_COUNTER) | ((1 << PMU_COUNTERS) - 1);
/** INTID of the overflow interrupt. */
const PPI = 23;
/** Cycles are counted as nanoseconds: the clock of the PE is taken to be 1 GHz. */
const CYCLES_PER_NANOSECOND = 1;

export const PMCR_E = 1;
export const PMCR_P = 2;
export const PMCR_C = 4;

/** MDCR_EL2.HPMN: the counters from this one on are EL2's; HPME enables those. */
const HPMN = 0x1f;
const MDCR_EL2_HPME = 1 << 7;
/** MDCR_EL3.SPME: events are counted in Secure state, too. */
const MDCR_EL3_SPME = 1 << 17;

// Events (D13.12).
const SW_INCR = 0x00;
const INST_RETIRED = 0x08;
const CPU_CYCLES = 0x11;
const CHAIN = 0x1e;
/** PMCEID0_EL0: the events that are implemented. */
export const PMCEID0 = (1 << SW_INCR) | (1 << INST_RETIRED) | (1 << CPU_CYCLES) | (1 << CHAIN);

// PMEVTYPER<n>_EL0 and PMCCFILTR_EL0.
const FILTER_P = 1 << 31;
const FILTER_U = 1 << 30;
const FILTER_NSK = 1 << 29;
const FILTER_NSU = 1 << 28;
const FILTER_NSH = 1 << 27;
const FILTER_M = 1 << 26;
const EVENT = 0x3ff;

/** The performance monitors of one PE. */
export class Pmu {
  readonly #state: PeState;
  readonly #index: number;
  readonly #clock: CounterClock;
  readonly #ppis: PpiPort;
  readonly #el3: boolean;
  // Up to where the counters have been brought.
  #cycles = 0;
  #instructions = 0;

  constructor(state: PeState, index: number, clock: CounterClock, ppis: PpiPort, options: { readonly el3: boolean }) {
    this.#state = state;
    this.#index = index;
    this.#clock = clock;
    this.#ppis = ppis;
    this.#el3 = options.el3;
  }

  /** After reset (the slots are reset by their rows) or a restored state: counting goes on from now. */
  restart(): void {
    this.#cycles = this.#now();
    this.#instructions = this.#state.number(INSTRUCTIONS);
    this.#interrupt();
  }

  /** True while any counter counts: `sync` must then be called before the exception level or security state changes. */
  get active(): boolean {
    return (this.#state.word(PMCNTENSET_EL0) & this.#enabled()) !== 0;
  }

  /** The counters, as in PMCNTENSET_EL0, that EL1 has where EL2 keeps the others to itself: all of them without EL2. */
  get ofEL1(): number {
    if (!(this.#state.word(PE_FEATURES) & FEATURE_EL2)) return ALL_COUNTERS;
    const mine = Math.min(this.#state.word(MDCR_EL2) & HPMN, PMU_COUNTERS);
    return (1 << CYCLE_COUNTER) | ((1 << mine) - 1);
  }

  /** The counters that PMCR_EL0.E and MDCR_EL2.HPME let count. */
  #enabled(): number {
    const first = this.ofEL1;
    const control = this.#state.word(PMCR_EL0) & PMCR_E ? first : 0;
    return this.#state.word(MDCR_EL2) & MDCR_EL2_HPME ? control | (ALL_COUNTERS & ~first) : control;
  }

  /** Brings the counters up to date, with the exception level that the PE has had since the last call. */
  sync(): void {
    const cycles = this.#now();
    const instructions = this.#state.number(INSTRUCTIONS);
    const cycleDelta = cycles - this.#cycles;
    const instructionDelta = instructions - this.#instructions;
    this.#cycles = cycles;
    this.#instructions = instructions;
    if (!this.active) return;
    const enabled = this.#state.word(PMCNTENSET_EL0) & this.#enabled();
    if (enabled < 0 && this.#counts(this.#state.word(PMCCFILTR_EL0))) this.#addCycles(cycleDelta);
    for (let n = 0; n < PMU_COUNTERS; n++) {
      if (!((enabled >>> n) & 1)) continue;
      const type = this.#state.word(PMEVTYPER0_EL0 + 8 * n);
      const event = type & EVENT;
      const delta = event === INST_RETIRED ? instructionDelta : event === CPU_CYCLES ? cycleDelta : 0;
      if (delta > 0 && this.#counts(type)) this.#add(n, delta);
    }
    this.#interrupt();
  }

  /** As `sync`; to be called when the clock may have passed `nextEvent`. */
  update(): void {
    if (this.active) this.sync();
  }

  /** When, in nanoseconds of the clock, a counter of cycles next overflows with its interrupt enabled; Infinity: never. */
  nextEvent(): number {
    if (!this.active) return Number.POSITIVE_INFINITY;
    const watched = this.#watched();
    let cycles = Number.POSITIVE_INFINITY;
    if (watched < 0 && this.#counts(this.#state.word(PMCCFILTR_EL0))) {
      cycles = 2 ** 64 - (this.#state.high(PMCCNTR_EL0) >>> 0) * 2 ** 32 - (this.#state.word(PMCCNTR_EL0) >>> 0);
    }
    cycles = Math.min(cycles, this.#untilOverflow(watched, CPU_CYCLES));
    return (this.#cycles + cycles) / CYCLES_PER_NANOSECOND;
  }

  /** How many instructions may retire until a counter of them overflows with its interrupt enabled; Infinity: any number. */
  instructionsToOverflow(): number {
    return this.active ? this.#untilOverflow(this.#watched(), INST_RETIRED) : Number.POSITIVE_INFINITY;
  }

  /** PMSWINC_EL0: one more for the counters in `mask` that count SW_INCR. */
  softwareIncrement(mask: number): void {
    this.sync();
    const chosen = mask & this.#state.word(PMCNTENSET_EL0) & this.#enabled();
    for (let n = 0; n < PMU_COUNTERS; n++) {
      const type = this.#state.word(PMEVTYPER0_EL0 + 8 * n);
      if ((chosen >>> n) & 1 && (type & EVENT) === SW_INCR && this.#counts(type)) this.#add(n, 1);
    }
    this.#interrupt();
  }

  /** PMCR_EL0.P and C written as ones: clears counters, of the events those in `mask`; overflow flags stay. Call `sync` first. */
  clear(control: number, mask: number): void {
    for (let n = 0; n < PMU_COUNTERS; n++) {
      if (control & PMCR_P && (mask >>> n) & 1) this.#state.set64(PMEVCNTR0_EL0 + 8 * n, 0, 0);
    }
    if (control & PMCR_C) this.#state.set64(PMCCNTR_EL0, 0, 0);
  }

  /** To be called after a change of PMCR_EL0.E, PMINTEN or PMOVS. */
  interruptChanged(): void {
    this.#interrupt();
  }

  #now(): number {
    return Math.floor(this.#clock.now() * CYCLES_PER_NANOSECOND);
  }

  /** Counters that count, and whose overflow is an interrupt that is not pending yet. */
  #watched(): number {
    const s = this.#state;
    return s.word(PMCNTENSET_EL0) & this.#enabled() & s.word(PMINTENSET_EL1) & ~s.word(PMOVSSET_EL0);
  }

  #untilOverflow(watched: number, event: number): number {
    let least = Number.POSITIVE_INFINITY;
    for (let n = 0; n < PMU_COUNTERS; n++) {
      const type = this.#state.word(PMEVTYPER0_EL0 + 8 * n);
      if (!((watched >>> n) & 1) || (type & EVENT) !== event || !this.#counts(type)) continue;
      least = Math.min(least, 2 ** 32 - (this.#state.word(PMEVCNTR0_EL0 + 8 * n) >>> 0));
    }
    return least;
  }

  /** Whether a filter lets events of the present exception level be counted (PMCCFILTR_EL0; NSK and NSU exist with EL3). */
  #counts(filter: number): boolean {
    const secure = this.#state.word(SECURE) !== 0;
    if (secure && this.#el3 && !(this.#state.word(MDCR_EL3) & MDCR_EL3_SPME)) return false;
    const nonSecure = this.#el3 && !secure;
    switch (this.#state.word(EL)) {
      case 0:
        return nonSecure ? !(filter & FILTER_U) === !(filter & FILTER_NSU) : !(filter & FILTER_U);
      case 1:
        return nonSecure ? !(filter & FILTER_P) === !(filter & FILTER_NSK) : !(filter & FILTER_P);
      case 2:
        return (filter & FILTER_NSH) !== 0;
      default:
        return !(filter & FILTER_P) === !(filter & FILTER_M);
    }
  }

  #addCycles(delta: number): void {
    const low = (this.#state.word(PMCCNTR_EL0) >>> 0) + delta;
    const high = (this.#state.high(PMCCNTR_EL0) >>> 0) + Math.floor(low / 2 ** 32);
    this.#state.set64(PMCCNTR_EL0, (low % 2 ** 32) | 0, high | 0);
    if (high >= 2 ** 32) this.#overflow(CYCLE_COUNTER);
  }

  #add(n: number, delta: number): void {
    const slot = PMEVCNTR0_EL0 + 8 * n;
    const sum = (this.#state.word(slot) >>> 0) + delta;
    this.#state.set64(slot, (sum % 2 ** 32) | 0, 0);
    const overflows = Math.floor(sum / 2 ** 32);
    if (overflows === 0) return;
    this.#overflow(n);
    const next = n + 1;
    if (n & 1 || next >= PMU_COUNTERS || !((this.#state.word(PMCNTENSET_EL0) >>> next) & 1)) return;
    if ((this.#state.word(PMEVTYPER0_EL0 + 8 * next) & EVENT) === CHAIN) this.#add(next, overflows);
  }

  #overflow(n: number): void {
    this.#state.set64(PMOVSSET_EL0, this.#state.word(PMOVSSET_EL0) | (1 << n), 0);
  }

  #interrupt(): void {
    const s = this.#state;
    const pending = s.word(PMOVSSET_EL0) & s.word(PMINTENSET_EL1) & this.#enabled();
    this.#ppis.set(this.#index, PPI, pending !== 0);
  }
}
