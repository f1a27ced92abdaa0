import type { AccessSize } from "../../bus/device.ts";
import { GROUP1 } from "./groups.ts";
import * as L from "./layout.ts";
import type { GicState } from "./state.ts";

// What a write does with the ones in it; reads give the bitmap (or what is pending) for all.
const ASSIGN = 0;
const SET = 1;
const CLEAR = 2;

/** The registers with one bit an INTID, 0x80 bytes each: offset / 0x80 is the row's number. */
const BITMAPS = [
  undefined,
  { name: "IGROUPR", field: L.GROUP, write: ASSIGN },
  { name: "ISENABLER", field: L.ENABLE, write: SET },
  { name: "ICENABLER", field: L.ENABLE, write: CLEAR },
  { name: "ISPENDR", field: L.LATCH, write: SET },
  { name: "ICPENDR", field: L.LATCH, write: CLEAR },
  { name: "ISACTIVER", field: L.ACTIVE, write: SET },
  { name: "ICACTIVER", field: L.ACTIVE, write: CLEAR },
] as const;

const IPRIORITYR = 0x400;
const ITARGETSR = 0x800;
const ICFGR = 0xc00;
const IGRPMODR = 0xd00;
const NSACR = 0xe00;
/** The end of what a bank answers. */
export const BANK_END = 0xf00;
/** Whether a GICv2's distributor has the register in its bank: it has no IGRPMODR. */
export const isBanked = (offset: number): boolean =>
  offset >= 0x80 && offset < BANK_END && (offset < IGRPMODR || offset >= NSACR);

// What Non-secure software may do with a Secure interrupt, by its two bits of NSACR (IHI0069 12.9.25).
/** Set it pending. */
const NS_SET_PENDING = 1;
/** Clear it, and see whether it is active. */
const NS_CLEAR_PENDING = 2;
/** Never. */
const NS_NEVER = 4;

/**
 * The registers that distributors and redistributors share: IGROUPR to IPRIORITYR, ICFGR, IGRPMODR and NSACR, at the same offsets in
 * all of them (IHI0069 12.9, 12.11; IHI0048B 4.3). Offsets outside of those, and INTIDs outside of the bank's, read as zero and ignore
 * writes; so do Secure interrupts for Non-secure accesses. `full`: the access sees everything (Secure, or a single Security state).
 */
export class RegisterBank {
  readonly #state: GicState;
  readonly #firstWord: number;
  readonly #endWord: number;
  readonly #pendingWritable: number;

  /**
   * @param firstWord First group of 32 INTIDs that the bank has; 0 is the PE's own.
   * @param endWord The group after the last.
   * @param sgiPendingWritable Whether ISPENDR and ICPENDR change SGIs (GICv3) or not (GICv2).
   */
  constructor(state: GicState, firstWord: number, endWord: number, sgiPendingWritable: boolean) {
    this.#state = state;
    this.#firstWord = firstWord;
    this.#endWord = endWord;
    this.#pendingWritable = sgiPendingWritable ? -1 : ~0xffff;
  }

  read(offset: number, bytes: AccessSize, cpu: number, full: boolean): number {
    if (offset >= IPRIORITYR && offset < ITARGETSR) {
      let value = 0;
      for (let i = bytes - 1; i >= 0; i--) value = (value << 8) | this.#priority(offset - IPRIORITYR + i, cpu, full);
      return value >>> 0;
    }
    if (bytes !== 4) return 0;
    if (offset >= ICFGR && offset < IGRPMODR) {
      const half = (offset - ICFGR) >>> 2;
      if (!this.#has(half >>> 1)) return 0;
      const edges = this.#state.bits(L.EDGE, half >>> 1, cpu) & this.#visible(half >>> 1, cpu, full, NS_NEVER);
      return (spread((edges >>> ((half & 1) * 16)) & 0xffff) << 1) >>> 0;
    }
    if (offset >= IGRPMODR) return full && !this.#state.single ? this.#readSecure(offset, cpu) : 0;
    const row = BITMAPS[offset >>> 7];
    const word = (offset & 0x7f) >>> 2;
    if (row === undefined || !this.#has(word)) return 0;
    if (row.field === L.GROUP && !full) return 0;
    const bits = row.field === L.LATCH ? this.#state.pending(word, cpu) : this.#state.bits(row.field, word, cpu);
    return (bits & this.#visible(word, cpu, full, readAccess(row))) >>> 0;
  }

  write(offset: number, bytes: AccessSize, value: number, cpu: number, full: boolean): void {
    if (offset >= IPRIORITYR && offset < ITARGETSR) {
      const first = offset - IPRIORITYR;
      if (!this.#has(first >>> 5)) return;
      for (let i = 0; i < bytes; i++) this.#setPriority(first + i, cpu, (value >>> (i * 8)) & 0xff, full);
      this.#state.changed(first >>> 5, ((1 << bytes) - 1) << (first & 31), cpu);
      return;
    }
    if (bytes !== 4) return;
    if (offset >= ICFGR && offset < IGRPMODR) {
      this.#configure((offset - ICFGR) >>> 2, value, cpu, full);
      return;
    }
    if (offset >= IGRPMODR) {
      if (full && !this.#state.single) this.#writeSecure(offset, value, cpu);
      return;
    }
    const row = BITMAPS[offset >>> 7];
    const word = (offset & 0x7f) >>> 2;
    if (row === undefined || !this.#has(word)) return;
    if (row.field === L.GROUP && !full) return;
    const old = this.#state.bits(row.field, word, cpu);
    const writable = row.field === L.LATCH && word === 0 ? this.#pendingWritable : -1;
    const ones = value & writable & this.#visible(word, cpu, full, writeAccess(row));
    const now = row.write === ASSIGN ? ones : row.write === SET ? old | ones : old & ~ones;
    if ((now | 0) === old) return;
    this.#state.setBits(row.field, word, cpu, now);
    this.#state.changed(word, old ^ now, cpu);
  }

  #has(word: number): boolean {
    return word >= this.#firstWord && word < this.#endWord;
  }

  /** The interrupts of a word that the access may see or change: for Non-secure ones, Group 1's and what NSACR allows from `access` on. */
  #visible(word: number, cpu: number, full: boolean, access: number): number {
    if (full) return -1;
    let bits = this.#state.bits(L.GROUP, word, cpu);
    if (access === NS_NEVER) return bits;
    for (let bit = 0; bit < 32; bit++) if (this.#state.nsAccess(word * 32 + bit, cpu) >= access) bits |= 1 << bit;
    return bits;
  }

  #priority(intid: number, cpu: number, full: boolean): number {
    if (!this.#has(intid >>> 5)) return 0;
    const priority = this.#state.priority(intid, cpu);
    if (full) return priority;
    return this.#state.group(intid, cpu) === GROUP1 ? (priority << 1) & 0xff : 0;
  }

  // Non-secure software has the lower half of the priorities (IHI0069 4.8.1).
  #setPriority(intid: number, cpu: number, value: number, full: boolean): void {
    if (full) this.#state.setPriority(intid, cpu, value);
    else if (this.#state.group(intid, cpu) === GROUP1) this.#state.setPriority(intid, cpu, 0x80 | (value >>> 1));
  }

  #readSecure(offset: number, cpu: number): number {
    if (offset >= NSACR) {
      const half = (offset - NSACR) >>> 2;
      return this.#has(half >>> 1) ? this.#state.nsAccessWord(half, cpu) >>> 0 : 0;
    }
    const word = (offset - IGRPMODR) >>> 2;
    return this.#has(word) ? this.#state.bits(L.MODIFIER, word, cpu) >>> 0 : 0;
  }

  #writeSecure(offset: number, value: number, cpu: number): void {
    if (offset >= NSACR) {
      const half = (offset - NSACR) >>> 2;
      if (this.#has(half >>> 1)) this.#state.setNsAccessWord(half, cpu, value);
      return;
    }
    const word = (offset - IGRPMODR) >>> 2;
    if (!this.#has(word)) return;
    this.#state.setBits(L.MODIFIER, word, cpu, value);
    this.#state.changed(word, -1, cpu);
  }

  // Half 0 is the SGIs', which are always edge-triggered.
  #configure(half: number, value: number, cpu: number, full: boolean): void {
    const word = half >>> 1;
    if (half === 0 || !this.#has(word)) return;
    const shift = (half & 1) * 16;
    const writable = (0xffff << shift) & this.#visible(word, cpu, full, NS_NEVER);
    const others = this.#state.bits(L.EDGE, word, cpu) & ~writable;
    this.#state.setBits(L.EDGE, word, cpu, others | ((gather(value >>> 1) << shift) & writable));
    this.#state.changed(word, 0xffff << shift, cpu);
  }
}

type Row = NonNullable<(typeof BITMAPS)[number]>;

/** The least bits of NSACR that let Non-secure software read a Secure interrupt's bit. */
function readAccess(row: Row): number {
  if (row.field === L.LATCH) return row.write === SET ? NS_SET_PENDING : NS_CLEAR_PENDING;
  return row.field === L.ACTIVE ? NS_CLEAR_PENDING : NS_NEVER;
}

/** ... or write it. */
function writeAccess(row: Row): number {
  return row.field === L.LATCH ? readAccess(row) : NS_NEVER;
}

/** Bit n of 16 to bit 2n. */
function spread(bits: number): number {
  let x = (bits | (bits << 8)) & 0x00ff00ff;
  x = (x | (x << 4)) & 0x0f0f0f0f;
  x = (x | (x << 2)) & 0x33333333;
  return (x | (x << 1)) & 0x55555555;
}

/** Bit 2n to bit n of 16. */
function gather(bits: number): number {
  let x = bits & 0x55555555;
  x = (x | (x >>> 1)) & 0x33333333;
  x = (x | (x >>> 2)) & 0x0f0f0f0f;
  x = (x | (x >>> 4)) & 0x00ff00ff;
  return (x | (x >>> 8)) & 0xffff;
}
