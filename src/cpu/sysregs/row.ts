import type { Halves } from "../../arch/cpu-models.ts";
import type { Feature } from "../../arch/features.ts";
import type { Access } from "./access.ts";

/** Where a trap sends an access: 0 it does not trap; 1..3 exception level, with EC 0x18; -1 the access is UNDEFINED. */
export interface Trap {
  (a: Access): number;
  /** The control that decides, by its name in the Arm ARM: "HCR_EL2.TVM"; several with commas; "": none can change it. */
  readonly control: string;
}
export const UNDEFINED = -1;

/** A trap with the name of its control. */
export function trap(control: string, target: (a: Access) => number): Trap {
  return Object.assign(target, { control });
}

/** Bits of a register, as a list of "7" and "15:8". */
export type Bits = string;

/** A system register. Its encoding is that of its name in arch/sysreg-names.ts. */
export interface SysregRow {
  readonly name: string;
  /** The lowest exception level that may read it; absent: none (write-only). */
  readonly read?: 0 | 1 | 2 | 3;
  /** The lowest exception level that may write it; absent: none (read-only). */
  readonly write?: 0 | 1 | 2 | 3;
  /** Without it the encoding is unallocated. */
  readonly feature?: Feature;
  /** Only this model has it. */
  readonly model?: string;
  /** Where its value is. A register with neither slot nor `get` reads as zero; with neither slot nor `set` it ignores writes. */
  readonly slot?: number;
  readonly reset?: Halves | ((a: Access) => Halves);
  /** Bits that a write changes; the others are RES0, but for `res1`. Absent: all. */
  readonly bits?: Bits;
  /** More of them, with a feature. */
  readonly bitsWith?: Readonly<Partial<Record<Feature, Bits>>>;
  /** More of them, without a feature. */
  readonly bitsWithout?: Readonly<Partial<Record<Feature, Bits>>>;
  /** Bits that always read as one. */
  readonly res1?: Bits;
  /** More of them, without a feature. */
  readonly res1Without?: Readonly<Partial<Record<Feature, Bits>>>;
  /** Tried in order; the first that traps decides. */
  readonly traps?: readonly Trap[];
  /** Gives the value (`a.give`). */
  readonly get?: (a: Access) => void;
  /** Takes the place of storing to the slot. RES0 bits are 0, RES1 bits are 1. */
  readonly set?: (a: Access, low: number, high: number) => void;
  /** After a write to the slot; with what it held before. */
  readonly changed?: (a: Access, oldLow: number, oldHigh: number) => void;
}

type Extra = Omit<SysregRow, "name" | "read" | "write">;

/** A register that exception level `el` and above may read and write. */
export function rw(name: string, el: 0 | 1 | 2 | 3, extra: Extra = {}): SysregRow {
  return { name, read: el, write: el, ...extra };
}

/** A read-only register. */
export function ro(name: string, el: 0 | 1 | 2 | 3, extra: Extra = {}): SysregRow {
  return { name, read: el, ...extra };
}

/** A write-only register. */
export function wo(name: string, el: 0 | 1 | 2 | 3, extra: Extra = {}): SysregRow {
  return { name, write: el, ...extra };
}

/** The mask of some bits, in signed halves. */
export function mask(bits: Bits): Halves {
  let low = 0;
  let high = 0;
  for (const range of bits.split(" ").filter(Boolean)) {
    const [from = 0, to = from] = range.split(":").map(Number);
    for (let n = to; n <= from; n++) {
      if (n < 32) low |= 1 << n;
      else high |= 1 << (n - 32);
    }
  }
  return [low, high];
}
