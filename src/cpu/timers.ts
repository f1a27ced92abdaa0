import type { PeState } from "./pe-state.ts";
import type { CounterClock, PpiPort } from "./ports.ts";
import {
  CNTFRQ_EL0,
  CNTHCTL_EL2,
  CNTHP_CTL_EL2,
  CNTHP_CVAL_EL2,
  CNTKCTL_EL1,
  CNTP_CTL_EL0,
  CNTP_CVAL_EL0,
  CNTPS_CTL_EL1,
  CNTPS_CVAL_EL1,
  CNTV_CTL_EL0,
  CNTV_CVAL_EL0,
  CNTVOFF_EL2,
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

export interface TimerRegisters {
  readonly control: number;
  readonly compare: number;
  /** Its counter is CNTVCT: CNTPCT less CNTVOFF_EL2. */
  readonly virtual: boolean;
  /** INTID of its private interrupt. */
  readonly ppi: number;
}

/** The timers, with the interrupts that the Server Base System Architecture recommends. */
export const TIMERS = {
  physical: { control: CNTP_CTL_EL0, compare: CNTP_CVAL_EL0, virtual: false, ppi: 30 },
  virtual: { control: CNTV_CTL_EL0, compare: CNTV_CVAL_EL0, virtual: true, ppi: 27 },
  hypervisor: { control: CNTHP_CTL_EL2, compare: CNTHP_CVAL_EL2, virtual: false, ppi: 26 },
  secure: { control: CNTPS_CTL_EL1, compare: CNTPS_CVAL_EL1, virtual: false, ppi: 29 },
} as const satisfies Readonly<Record<string, TimerRegisters>>;

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
    this.#timers = [
      TIMERS.physical,
      TIMERS.virtual,
      ...(options.el2 ? [TIMERS.hypervisor] : []),
      ...(options.el3 ? [TIMERS.secure] : []),
    ];
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
    this.#count(timer.virtual);
    return (this.#state.word(timer.compare) - this.#low) | 0;
  }

  /** A write of CNTx_TVAL: the compare value becomes the counter plus `value`, a signed 32-bit number. */
  setValue(timer: TimerRegisters, value: number): void {
    this.#count(timer.virtual);
    const low = (this.#low >>> 0) + (value >>> 0);
    const carry = low >= 2 ** 32 ? 1 : 0;
    this.setCompare(timer, low | 0, (this.#high + (value >> 31) + carry) | 0);
  }

  /** Drives the interrupt lines as the counter and the registers now say. */
  update(): void {
    for (const timer of this.#timers) this.#drive(timer);
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
    const virtual = this.#streamTicks(this.#state.word(CNTKCTL_EL1), true);
    const physical = this.#streamTicks(this.#state.word(CNTHCTL_EL2), false);
    return (this.ticks + Math.min(virtual, physical)) * NANOSECONDS_PER_TICK;
  }

  #streamTicks(control: number, virtual: boolean): number {
    if (!(control & EVNTEN)) return Number.POSITIVE_INFINITY;
    this.#count(virtual);
    // The event is a change of one of the counter's bits 15..0, from 0 to 1 or, with EVNTDIR, from 1 to 0.
    const half = 2 ** ((control >>> 4) & 15);
    const position = (this.#low & 0x1ffff) % (2 * half);
    const edge = control & EVNTDIR ? 2 * half : half;
    return position < edge ? edge - position : edge + 2 * half - position;
  }

  #drive(timer: TimerRegisters): void {
    const enabled = (this.#state.word(timer.control) & (ENABLE | IMASK)) === ENABLE;
    this.#ppis.set(this.#index, timer.ppi, enabled && this.#remaining(timer) === 0);
  }

  /** The counter, modulo 2^64, to #low and #high. */
  #count(virtual: boolean): void {
    const ticks = this.ticks;
    const low = ticks % 2 ** 32;
    const high = Math.floor(ticks / 2 ** 32);
    const offset = virtual ? this.#state.word(CNTVOFF_EL2) >>> 0 : 0;
    const offsetHigh = virtual ? this.#state.high(CNTVOFF_EL2) : 0;
    this.#low = (low - offset) | 0;
    this.#high = (high - offsetHigh - (low < offset ? 1 : 0)) | 0;
  }

  /** Ticks until the counter reaches the compare value, 0 when it has. Both are unsigned. */
  #remaining(timer: TimerRegisters): number {
    this.#count(timer.virtual);
    const low = (this.#state.word(timer.compare) >>> 0) - (this.#low >>> 0);
    const high = (this.#state.high(timer.compare) >>> 0) - (this.#high >>> 0);
    return Math.max(0, high * 2 ** 32 + low);
  }
}
