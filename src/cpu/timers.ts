import { el2Enabled, haveEL, hostApplications, SCR_ECVEN } from "./levels.ts";
import type { PeState } from "./pe-state.ts";
import type { CounterClock, PpiPort } from "./ports.ts";
import {
  CNTFRQ_EL0,
  CNTHCTL_EL2,
  CNTHP_CTL_EL2,
  CNTHP_CVAL_EL2,
  CNTHPS_CTL_EL2,
  CNTHPS_CVAL_EL2,
  CNTHV_CTL_EL2,
  CNTHV_CVAL_EL2,
  CNTHVS_CTL_EL2,
  CNTHVS_CVAL_EL2,
  CNTKCTL_EL1,
  CNTP_CTL_EL0,
  CNTP_CVAL_EL0,
  CNTPOFF_EL2,
  CNTPS_CTL_EL1,
  CNTPS_CVAL_EL1,
  CNTV_CTL_EL0,
  CNTV_CVAL_EL0,
  CNTVOFF_EL2,
  SCR_EL3,
} from "./sysreg-layout.ts";

// Generic timers (Arm ARM D11.2). The counter runs at CNTFRQ_EL0's reset value from power-on.

export const COUNTER_HZ = 62_500_000;
const NANOSECONDS_PER_TICK = 1e9 / COUNTER_HZ;

/** CNTx_CTL bits. */
const ENABLE = 1;
const IMASK = 2;
const ISTATUS = 4;

/** CNTKCTL_EL1 and CNTHCTL_EL2: event stream. */
const EVNTEN = 1 << 2;
const EVNTDIR = 1 << 3;
/** FEAT_ECV: EVNTI counts from bit 8 of the counter. */
const EVNTIS = 1 << 17;

const CNTHCTL_ECV = 1 << 12;

/** What a counter is behind the physical counter by: nothing, CNTVOFF_EL2, or CNTPOFF_EL2 where FEAT_ECV makes that count. */
type Offset = "none" | "virtual" | "physical";

export interface TimerRegisters {
  readonly control: number;
  readonly compare: number;
  readonly offset: Offset;
  /** INTID of its private interrupt. */
  readonly ppi: number;
}

/** The timers, with the interrupts that the Base System Architecture recommends. */
export const TIMERS = {
  physical: { control: CNTP_CTL_EL0, compare: CNTP_CVAL_EL0, offset: "physical", ppi: 30 },
  virtual: { control: CNTV_CTL_EL0, compare: CNTV_CVAL_EL0, offset: "virtual", ppi: 27 },
  hypervisor: { control: CNTHP_CTL_EL2, compare: CNTHP_CVAL_EL2, offset: "none", ppi: 26 },
  hypervisorVirtual: { control: CNTHV_CTL_EL2, compare: CNTHV_CVAL_EL2, offset: "none", ppi: 28 },
  secure: { control: CNTPS_CTL_EL1, compare: CNTPS_CVAL_EL1, offset: "none", ppi: 29 },
  secureHypervisor: { control: CNTHPS_CTL_EL2, compare: CNTHPS_CVAL_EL2, offset: "none", ppi: 20 },
  secureHypervisorVirtual: { control: CNTHVS_CTL_EL2, compare: CNTHVS_CVAL_EL2, offset: "none", ppi: 19 },
} as const satisfies Readonly<Record<string, TimerRegisters>>;

/** Those that a PE may have. Without FEAT_VHE or FEAT_SEL2 nothing reaches the registers of some, so that they stay disabled. */
function timersOf(el2: boolean, el3: boolean): TimerRegisters[] {
  return [
    TIMERS.physical,
    TIMERS.virtual,
    ...(el2 ? [TIMERS.hypervisor, TIMERS.hypervisorVirtual] : []),
    ...(el3 ? [TIMERS.secure] : []),
    ...(el2 && el3 ? [TIMERS.secureHypervisor, TIMERS.secureHypervisorVirtual] : []),
  ];
}

/** Whether CNTPOFF_EL2 counts: for EL1's physical timer, and for the physical counter as EL1 and EL0 read it (FEAT_ECV). */
export function physicalOffsetApplies(s: PeState): boolean {
  if (!(s.word(CNTHCTL_EL2) & CNTHCTL_ECV) || !el2Enabled(s) || hostApplications(s)) return false;
  return !haveEL(s, 3) || (s.word(SCR_EL3) & SCR_ECVEN) !== 0;
}

/** The timers of one PE. All their state is in the PE's slots. */
export class Timers {
  readonly #state: PeState;
  readonly #index: number;
  readonly #clock: CounterClock;
  readonly #ppis: PpiPort;
  readonly #timers: readonly TimerRegisters[];
  // Result of #count, in signed halves.
  #low = 0;
  #high = 0;

  constructor(
    state: PeState,
    index: number,
    clock: CounterClock,
    ppis: PpiPort,
    options: { readonly el2: boolean; readonly el3: boolean },
  ) {
    this.#state = state;
    this.#index = index;
    this.#clock = clock;
    this.#ppis = ppis;
    this.#timers = timersOf(options.el2, options.el3);
  }

  /** To the state after reset: all timers disabled. */
  reset(): void {
    this.#state.setNumber(CNTFRQ_EL0, COUNTER_HZ);
    for (const { control, compare } of Object.values(TIMERS)) {
      this.#state.set64(control, 0, 0);
      this.#state.set64(compare, 0, 0);
    }
    this.update();
  }

  /** Ticks of the physical counter since power-on. */
  get ticks(): number {
    return Math.floor(this.#clock.now() / NANOSECONDS_PER_TICK);
  }

  /** CNTx_CTL as it reads: ISTATUS is computed, and 0 while the timer is disabled. */
  control(timer: TimerRegisters): number {
    const control = this.#state.word(timer.control) & (ENABLE | IMASK);
    return control & ENABLE && this.#remaining(timer) === 0 ? control | ISTATUS : control;
  }

  setControl(timer: TimerRegisters, value: number): void {
    this.#state.set64(timer.control, value & (ENABLE | IMASK), 0);
    this.#drive(timer);
  }

  setCompare(timer: TimerRegisters, low: number, high: number): void {
    this.#state.set64(timer.compare, low, high);
    this.#drive(timer);
  }

  /** CNTx_TVAL as it reads: the low 32 bits of the compare value less the counter. */
  value(timer: TimerRegisters): number {
    this.#count(timer.offset);
    return (this.#state.word(timer.compare) - this.#low) | 0;
  }

  /** A write of CNTx_TVAL: the compare value becomes the counter plus `value`, a signed 32-bit number. */
  setValue(timer: TimerRegisters, value: number): void {
    this.#count(timer.offset);
    const low = (this.#low >>> 0) + (value >>> 0);
    const carry = low >= 2 ** 32 ? 1 : 0;
    this.setCompare(timer, low | 0, (this.#high + (value >> 31) + carry) | 0);
  }

  /** Drives the interrupt lines as the counter and the registers now say. */
  update(): void {
    for (const timer of this.#timers) this.#drive(timer);
  }

  /** To be called when HCR_EL2 or SCR_EL3 has changed: CNTPOFF_EL2 may count now, or no longer. */
  controlsChanged(): void {
    if (this.#state.word(CNTHCTL_EL2) & CNTHCTL_ECV) this.#drive(TIMERS.physical);
  }

  /** When, in nanoseconds of the clock, a timer next signals an interrupt that it does not signal yet; Infinity: never. */
  nextEvent(): number {
    let ticks = Number.POSITIVE_INFINITY;
    for (const timer of this.#timers) {
      if ((this.#state.word(timer.control) & (ENABLE | IMASK)) !== ENABLE) continue;
      const remaining = this.#remaining(timer);
      if (remaining > 0) ticks = Math.min(ticks, remaining);
    }
    return (this.ticks + ticks) * NANOSECONDS_PER_TICK;
  }

  /** When, in nanoseconds of the clock, the event streams (CNTKCTL_EL1, CNTHCTL_EL2) next make an event; Infinity: never. */
  nextStreamEvent(): number {
    const virtual = this.#streamTicks(this.#state.word(CNTKCTL_EL1), "virtual");
    const physical = this.#streamTicks(this.#state.word(CNTHCTL_EL2), "none");
    return (this.ticks + Math.min(virtual, physical)) * NANOSECONDS_PER_TICK;
  }

  #streamTicks(control: number, offset: Offset): number {
    if (!(control & EVNTEN)) return Number.POSITIVE_INFINITY;
    this.#count(offset);
    // The event is a change of one of the counter's bits 15..0 (23..8 by EVNTIS), from 0 to 1 or, with EVNTDIR, from 1 to 0.
    const half = 2 ** (((control >>> 4) & 15) + (control & EVNTIS ? 8 : 0));
    const position = (this.#low & 0x1ffffff) % (2 * half);
    const edge = control & EVNTDIR ? 2 * half : half;
    return position < edge ? edge - position : edge + 2 * half - position;
  }

  #drive(timer: TimerRegisters): void {
    const enabled = (this.#state.word(timer.control) & (ENABLE | IMASK)) === ENABLE;
    this.#ppis.set(this.#index, timer.ppi, enabled && this.#remaining(timer) === 0);
  }

  /** The counter, modulo 2^64, to #low and #high. */
  #count(offset: Offset): void {
    const ticks = this.ticks;
    const slot = this.#offsetSlot(offset);
    const low = ticks % 2 ** 32;
    const high = Math.floor(ticks / 2 ** 32);
    const offsetLow = slot === 0 ? 0 : this.#state.word(slot) >>> 0;
    const offsetHigh = slot === 0 ? 0 : this.#state.high(slot);
    this.#low = (low - offsetLow) | 0;
    this.#high = (high - offsetHigh - (low < offsetLow ? 1 : 0)) | 0;
  }

  /** The register that has an offset; 0: it counts as zero. */
  #offsetSlot(offset: Offset): number {
    if (offset === "virtual") return CNTVOFF_EL2;
    return offset === "physical" && physicalOffsetApplies(this.#state) ? CNTPOFF_EL2 : 0;
  }

  /** Ticks until the counter reaches the compare value, 0 when it has. Both are unsigned. */
  #remaining(timer: TimerRegisters): number {
    this.#count(timer.offset);
    const low = (this.#state.word(timer.compare) >>> 0) - (this.#low >>> 0);
    const high = (this.#state.high(timer.compare) >>> 0) - (this.#high >>> 0);
    return Math.max(0, high * 2 ** 32 + low);
  }
}
