import type { Clock } from "../bus/device.ts";
import type { PeState } from "../cpu/pe-state.ts";
import { CNTP_CTL_EL0, CNTP_CVAL_EL0 } from "../cpu/sysreg-layout.ts";
import { NANOSECONDS_PER_TICK } from "./physical-pe.ts";

const ENABLE = 1;
const IMASK = 2;
const ISTATUS = 4;

/**
 * EL1's physical timer of a vCPU. Its registers trap, so that the domain's physical counter can be its own time; what they hold is in the
 * vCPU's block, and the domain's clock says when it is due.
 */
export class PhysicalTimer {
  readonly #saved: PeState;
  readonly #clock: Clock;
  readonly #signal: (level: boolean) => void;
  readonly #due = (): void => {
    this.#cancel = undefined;
    this.#drive();
  };
  #cancel: (() => void) | undefined;

  constructor(saved: PeState, clock: Clock, signal: (level: boolean) => void) {
    this.#saved = saved;
    this.#clock = clock;
    this.#signal = signal;
  }

  reset(): void {
    this.#saved.set64(CNTP_CTL_EL0, 0, 0);
    this.#saved.set64(CNTP_CVAL_EL0, 0, 0);
    this.#drive();
  }

  /** After its registers in the vCPU's block and the clock were replaced. */
  restored(): void {
    this.#drive();
  }

  /** The domain's counter. */
  get count(): number {
    return Math.floor(this.#clock.now() / NANOSECONDS_PER_TICK);
  }

  /** CNTP_CTL_EL0 as it reads. */
  get control(): number {
    const control = this.#saved.word(CNTP_CTL_EL0);
    return control & ENABLE && this.#remaining() <= 0 ? control | ISTATUS : control;
  }

  setControl(value: number): void {
    this.#saved.set64(CNTP_CTL_EL0, value & (ENABLE | IMASK), 0);
    this.#drive();
  }

  get compareLow(): number {
    return this.#saved.word(CNTP_CVAL_EL0);
  }

  get compareHigh(): number {
    return this.#saved.high(CNTP_CVAL_EL0);
  }

  setCompare(low: number, high: number): void {
    this.#saved.set64(CNTP_CVAL_EL0, low, high);
    this.#drive();
  }

  /** CNTP_TVAL_EL0 as it reads. */
  get value(): number {
    return (this.#saved.word(CNTP_CVAL_EL0) - (this.count % 2 ** 32)) | 0;
  }

  setValue(value: number): void {
    const compare = this.count + value;
    this.setCompare((compare % 2 ** 32) | 0, Math.floor(compare / 2 ** 32) | 0);
  }

  #remaining(): number {
    const { low, high } = { low: this.compareLow >>> 0, high: this.compareHigh >>> 0 };
    return high * 2 ** 32 + low - this.count;
  }

  #drive(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    const enabled = (this.#saved.word(CNTP_CTL_EL0) & (ENABLE | IMASK)) === ENABLE;
    const remaining = enabled ? this.#remaining() : Number.POSITIVE_INFINITY;
    if (remaining > 0 && remaining < 2 ** 50) {
      this.#cancel = this.#clock.at((this.count + remaining) * NANOSECONDS_PER_TICK, this.#due);
    }
    this.#signal(remaining <= 0);
  }
}
