import type { AccessSize, Clock, Device, Line } from "../../bus/device.ts";
import type { Fields, Saved } from "../../snapshot/fields.ts";

// Generic watchdog, revision 1: Arm Base System Architecture (DEN0094), "Generic Watchdog". Frames of 4 KiB.

export const FRAME_BYTES = 0x1000;

// Refresh frame.
const WRR = 0x000;
// Control frame.
const WCS = 0x000;
const WOR_LOW = 0x008;
const WOR_HIGH = 0x00c;
const WCV_LOW = 0x010;
const WCV_HIGH = 0x014;
/** In both. */
const W_IIDR = 0xfcc;

const EN = 1 << 0;
const WS0 = 1 << 1;
const WS1 = 1 << 2;
/** Architecture version 1, whose WOR has 48 bits. */
const IIDR = 1 << 16;
/** Bits 63:32 of WCV and 47:32 of WOR. */
const HIGH = 2 ** 32;
const WOR_HIGH_MASK = 0xffff;

export interface WatchdogOptions {
  readonly clock: Clock;
  /** Ticks of the system counter in a nanosecond. */
  readonly ticks: number;
  /** WS0, the first signal: the guest did not refresh it in time, and has as long again. */
  readonly line: Line;
  /** WS1, the second signal. */
  readonly expired: () => void;
}

/** Two frames: the system's software controls the watchdog by one, and who is watched refreshes it by the other. */
export class Watchdog {
  readonly #o: WatchdogOptions;
  #enabled = false;
  #ws0 = false;
  #ws1 = false;
  /** Ticks. Exact up to 2^53 of them. */
  #offset = 0;
  #compare = 0;
  #cancel = (): void => {};

  constructor(options: WatchdogOptions) {
    this.#o = options;
  }

  readonly control: Device = {
    size: FRAME_BYTES,
    reset: () => this.#reset(),
    read: (offset, bytes) => (bytes === 4 ? this.#read(offset) : 0),
    write: (offset, bytes, value) => this.#write(offset, bytes, value),
    save: (): Saved => ({
      ...{ enabled: this.#enabled, ws0: this.#ws0, ws1: this.#ws1 },
      ...{ offset: this.#offset, compare: this.#compare },
    }),
    restore: (state) => this.#restore(state),
  };

  readonly refresh: Device = {
    size: FRAME_BYTES,
    reset: () => {},
    read: (offset) => (offset === W_IIDR ? IIDR : 0),
    write: (offset, bytes) => {
      if (offset === WRR && bytes === 4) this.#refresh();
    },
  };

  #reset(): void {
    this.#cancel();
    this.#enabled = this.#ws0 = this.#ws1 = false;
    this.#offset = this.#compare = 0;
    this.#o.line.set(false);
  }

  #restore(state: Fields): void {
    this.#cancel();
    this.#enabled = state.flag("enabled");
    this.#ws0 = state.flag("ws0");
    this.#ws1 = state.flag("ws1");
    this.#offset = state.number("offset", 2 ** 48);
    this.#compare = state.number("compare", 2 ** 64);
    this.#arm();
  }

  #read(offset: number): number {
    switch (offset) {
      case WCS:
        return (this.#enabled ? EN : 0) | (this.#ws0 ? WS0 : 0) | (this.#ws1 ? WS1 : 0);
      case WOR_LOW:
        return this.#offset % HIGH;
      case WOR_HIGH:
        return Math.floor(this.#offset / HIGH);
      case WCV_LOW:
        return this.#compare % HIGH;
      case WCV_HIGH:
        return Math.floor(this.#compare / HIGH);
      case W_IIDR:
        return IIDR;
      default:
        return 0;
    }
  }

  #write(offset: number, bytes: AccessSize, value: number): void {
    if (bytes !== 4) return;
    switch (offset) {
      case WCS:
        this.#enabled = (value & EN) !== 0;
        this.#refresh();
        break;
      case WOR_LOW:
        this.#offset = Math.floor(this.#offset / HIGH) * HIGH + value;
        this.#refresh();
        break;
      case WOR_HIGH:
        this.#offset = (value & WOR_HIGH_MASK) * HIGH + (this.#offset % HIGH);
        this.#refresh();
        break;
      case WCV_LOW:
        this.#compare = Math.floor(this.#compare / HIGH) * HIGH + value;
        this.#arm();
        break;
      case WCV_HIGH:
        this.#compare = value * HIGH + (this.#compare % HIGH);
        this.#arm();
        break;
    }
  }

  /** An explicit refresh: by WRR, or by any write to WCS or WOR. */
  #refresh(): void {
    this.#ws0 = this.#ws1 = false;
    this.#o.line.set(false);
    this.#compare = this.#now() + this.#offset;
    this.#arm();
  }

  #now(): number {
    return Math.floor(this.#o.clock.now() * this.#o.ticks);
  }

  #arm(): void {
    this.#cancel();
    this.#cancel = (): void => {};
    if (!this.#enabled || this.#ws1) return;
    // It signals when the counter is beyond the compare value.
    this.#cancel = this.#o.clock.at((this.#compare + 1) / this.#o.ticks, () => this.#passed());
  }

  #passed(): void {
    const now = this.#now();
    if (!this.#enabled || this.#ws1) return;
    if (now <= this.#compare) {
      this.#arm();
      return;
    }
    if (this.#ws0) {
      this.#ws1 = true;
      this.#o.expired();
      return;
    }
    this.#ws0 = true;
    this.#compare = now + this.#offset;
    this.#o.line.set(true);
    this.#arm();
  }
}
