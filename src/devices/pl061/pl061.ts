import type { AccessSize, Device, Line } from "../../bus/device.ts";
import type { Fields, Saved } from "../../snapshot/fields.ts";
import { PRIMECELL_SIZE, primeCellId } from "../primecell.ts";
import * as R from "./registers.ts";

const PERIPH_ID = [0x61, 0x10, 0x04, 0x00] as const;

/** PrimeCell GPIO (PL061), DDI 0190B: eight lines, whose interrupts are combined to one. */
export class Pl061 implements Device {
  readonly size = PRIMECELL_SIZE;
  readonly #line: Line;
  readonly #onOutput: (pin: number, level: boolean) => void;

  // One bit a line in each.
  /** What the outside drives. It is no state of the device, and outlives resets. */
  #input = 0;
  #output = 0;
  #dir = 0;
  #is = 0;
  #ibe = 0;
  #iev = 0;
  #ie = 0;
  #afsel = 0;
  /** Edges that have been seen. */
  #edges = 0;

  /** @param onOutput is told when a line that the guest drives changes its level. */
  constructor(line: Line, onOutput: (pin: number, level: boolean) => void = () => {}) {
    this.#line = line;
    this.#onOutput = onOutput;
  }

  reset(): void {
    this.#output = this.#dir = this.#is = this.#ibe = this.#iev = this.#ie = this.#afsel = this.#edges = 0;
    this.#updateLine();
  }

  save(): Saved {
    return {
      ...{ input: this.#input, output: this.#output, dir: this.#dir, is: this.#is, ibe: this.#ibe, iev: this.#iev },
      ...{ ie: this.#ie, afsel: this.#afsel, edges: this.#edges },
    };
  }

  restore(state: Fields): void {
    const bits = (name: string): number => state.whole(name, 0xff);
    this.#input = bits("input");
    this.#output = bits("output");
    this.#dir = bits("dir");
    this.#is = bits("is");
    this.#ibe = bits("ibe");
    this.#iev = bits("iev");
    this.#ie = bits("ie");
    this.#afsel = bits("afsel");
    this.#edges = bits("edges");
  }

  /** Drives a line, 0..7, from outside. */
  setInput(pin: number, level: boolean): void {
    this.#change(() => {
      this.#input = level ? this.#input | (1 << pin) : this.#input & ~(1 << pin);
    });
  }

  /** The level of a line, 0..7, that the guest drives; undefined when the line is an input. */
  output(pin: number): boolean | undefined {
    return (this.#dir >> pin) & 1 ? ((this.#output >> pin) & 1) === 1 : undefined;
  }

  read(offset: number, _bytes: AccessSize): number {
    if (offset < R.DATA_END) return this.#levels() & (offset >> 2);
    switch (offset) {
      case R.DIR:
        return this.#dir;
      case R.IS:
        return this.#is;
      case R.IBE:
        return this.#ibe;
      case R.IEV:
        return this.#iev;
      case R.IE:
        return this.#ie;
      case R.RIS:
        return this.#ris();
      case R.MIS:
        return this.#ris() & this.#ie;
      case R.AFSEL:
        return this.#afsel;
      default:
        return primeCellId(PERIPH_ID, offset);
    }
  }

  write(offset: number, _bytes: AccessSize, value: number): void {
    const bits = value & 0xff;
    if (offset < R.DATA_END) {
      const mask = offset >> 2;
      this.#change(() => {
        this.#output = (this.#output & ~mask) | (bits & mask);
      });
      return;
    }
    switch (offset) {
      case R.DIR:
        this.#change(() => {
          this.#dir = bits;
        });
        return;
      case R.IS:
        this.#is = bits;
        // A line that is sensed by level has no edges to remember.
        this.#edges &= ~bits;
        break;
      case R.IBE:
        this.#ibe = bits;
        break;
      case R.IEV:
        this.#iev = bits;
        break;
      case R.IE:
        this.#ie = bits;
        break;
      case R.IC:
        this.#edges &= ~bits;
        break;
      case R.AFSEL:
        this.#afsel = bits;
        break;
    }
    this.#updateLine();
  }

  #levels(): number {
    return (this.#input & ~this.#dir) | (this.#output & this.#dir);
  }

  /** Does something that may change levels, and notes the edges that this makes (3.3.3 to 3.3.5). */
  #change(action: () => void): void {
    const before = this.#levels();
    action();
    const after = this.#levels();
    const expected = this.#ibe | ~(after ^ this.#iev);
    this.#edges |= (before ^ after) & expected & ~this.#is & 0xff;
    this.#updateLine();
    const driven = (before ^ after) & this.#dir;
    for (let pin = 0; pin < 8; pin++) {
      if ((driven >> pin) & 1) this.#onOutput(pin, ((after >> pin) & 1) === 1);
    }
  }

  #ris(): number {
    return this.#edges | (this.#is & ~(this.#levels() ^ this.#iev) & 0xff);
  }

  #updateLine(): void {
    this.#line.set((this.#ris() & this.#ie) !== 0);
  }
}
