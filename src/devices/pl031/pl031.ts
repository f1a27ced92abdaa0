import type { AccessSize, Clock, Device, Line, WallClock } from "../../bus/device.ts";
import type { Fields, Saved } from "../../snapshot/fields.ts";
import { PRIMECELL_SIZE, primeCellId } from "../primecell.ts";
import * as R from "./registers.ts";

const PERIPH_ID = [0x31, 0x10, 0x04, 0x00] as const;
const SECOND = 1e9;

/**
 * PrimeCell real time clock (PL031), DDI 0224C: a 32-bit counter of seconds, which a guest sets relative to the wall clock, and a match
 * register. It always counts.
 */
export class Pl031 implements Device {
  readonly size = PRIMECELL_SIZE;
  readonly #wall: WallClock;
  readonly #clock: Clock;
  readonly #line: Line;

  /** What the guest has set the counter ahead of the wall clock by, modulo 2^32. */
  #offset = 0;
  #mr = 0;
  #lr = 0;
  #imsc = 0;
  #ris = 0;
  /** Whether an alarm for the match is set. */
  #armed = false;
  #cancel = (): void => {};

  constructor(wall: WallClock, clock: Clock, line: Line) {
    this.#wall = wall;
    this.#clock = clock;
    this.#line = line;
  }

  reset(): void {
    this.#disarm();
    this.#offset = this.#mr = this.#lr = this.#imsc = this.#ris = 0;
    this.#line.set(false);
  }

  save(): Saved {
    const { mr, lr, imsc, ris, offset } = {
      mr: this.#mr,
      lr: this.#lr,
      imsc: this.#imsc,
      ris: this.#ris,
      offset: this.#offset,
    };
    return { mr, lr, imsc, ris, offset, armed: this.#armed };
  }

  /** The counter goes with the wall clock, while the machine is a snapshot, too: what it has passed meanwhile matches at once. */
  restore(state: Fields): void {
    this.#disarm();
    this.#mr = state.whole("mr");
    this.#lr = state.whole("lr");
    this.#imsc = state.whole("imsc", 1);
    this.#ris = state.whole("ris", 1);
    this.#offset = state.whole("offset");
    if (state.flag("armed")) this.#alarm(Math.max(0, (this.#mr - this.#counter()) | 0));
  }

  read(offset: number, _bytes: AccessSize): number {
    switch (offset) {
      case R.DR:
        return this.#counter();
      case R.MR:
        return this.#mr;
      case R.LR:
        return this.#lr;
      case R.CR:
        return 1;
      case R.IMSC:
        return this.#imsc;
      case R.RIS:
        return this.#ris;
      case R.MIS:
        return this.#ris & this.#imsc;
      default:
        return primeCellId(PERIPH_ID, offset);
    }
  }

  write(offset: number, _bytes: AccessSize, value: number): void {
    switch (offset) {
      case R.MR:
        this.#mr = value;
        this.#check();
        break;
      case R.LR:
        this.#lr = value;
        this.#offset = (value - this.#seconds()) >>> 0;
        this.#check();
        break;
      case R.IMSC:
        this.#imsc = value & 1;
        break;
      case R.ICR:
        this.#ris &= ~value;
        break;
    }
    this.#line.set((this.#ris & this.#imsc) !== 0);
  }

  #seconds(): number {
    return Math.floor(this.#wall.now() / 1000);
  }

  #counter(): number {
    return (this.#seconds() + this.#offset) >>> 0;
  }

  /** The match interrupt when the counter is at the match register, and an alarm for when it will be. */
  #check(): void {
    this.#disarm();
    const left = (this.#mr - this.#counter()) >>> 0;
    if (left === 0) {
      this.#ris = 1;
      this.#line.set((this.#ris & this.#imsc) !== 0);
      return;
    }
    this.#alarm(left - (this.#wall.now() % 1000) / 1000);
  }

  #disarm(): void {
    this.#armed = false;
    this.#cancel();
  }

  #alarm(seconds: number): void {
    this.#armed = true;
    this.#cancel = this.#clock.at(this.#clock.now() + seconds * SECOND, () => {
      // The wall clock need not go as the machine's does: it may have been set, or not quite be there.
      const left = (this.#mr - this.#counter()) | 0;
      if (left > 0) this.#alarm(left);
      else {
        this.#armed = false;
        this.#ris = 1;
        this.#line.set((this.#ris & this.#imsc) !== 0);
      }
    });
  }
}
