import type { AccessSize } from "../../bus/device.ts";
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
const ICFGR_END = 0xd00;

/**
 * The registers that distributors and redistributors share: IGROUPR to IPRIORITYR and ICFGR, at the same offsets in all of them
 * (IHI0069 12.9, 12.11; IHI0048B 4.3). Offsets outside of those, and INTIDs outside of the bank's, read as zero and ignore writes.
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

  read(offset: number, bytes: AccessSize, cpu: number): number {
    if (offset >= IPRIORITYR && offset < ITARGETSR) {
      let value = 0;
      for (let i = bytes - 1; i >= 0; i--) value = (value << 8) | this.#priority(offset - IPRIORITYR + i, cpu);
      return value >>> 0;
    }
    if (bytes !== 4) return 0;
    if (offset >= ICFGR && offset < ICFGR_END) {
      const half = (offset - ICFGR) >>> 2;
      if (!this.#has(half >>> 1)) return 0;
      return (spread((this.#state.bits(L.EDGE, half >>> 1, cpu) >>> ((half & 1) * 16)) & 0xffff) << 1) >>> 0;
    }
    const row = BITMAPS[offset >>> 7];
    const word = (offset & 0x7f) >>> 2;
    if (row === undefined || !this.#has(word)) return 0;
    return (row.field === L.LATCH ? this.#state.pending(word, cpu) : this.#state.bits(row.field, word, cpu)) >>> 0;
  }

  write(offset: number, bytes: AccessSize, value: number, cpu: number): void {
    if (offset >= IPRIORITYR && offset < ITARGETSR) {
      const first = offset - IPRIORITYR;
      if (!this.#has(first >>> 5)) return;
      for (let i = 0; i < bytes; i++) this.#state.setPriority(first + i, cpu, value >>> (i * 8));
      this.#state.changed(first >>> 5, ((1 << bytes) - 1) << (first & 31), cpu);
      return;
    }
    if (bytes !== 4) return;
    if (offset >= ICFGR && offset < ICFGR_END) {
      this.#configure((offset - ICFGR) >>> 2, value, cpu);
      return;
    }
    const row = BITMAPS[offset >>> 7];
    const word = (offset & 0x7f) >>> 2;
    if (row === undefined || !this.#has(word)) return;
    const old = this.#state.bits(row.field, word, cpu);
    const ones = row.field === L.LATCH && word === 0 ? value & this.#pendingWritable : value;
    const now = row.write === ASSIGN ? ones : row.write === SET ? old | ones : old & ~ones;
    if ((now | 0) === old) return;
    this.#state.setBits(row.field, word, cpu, now);
    this.#state.changed(word, old ^ now, cpu);
  }

  #has(word: number): boolean {
    return word >= this.#firstWord && word < this.#endWord;
  }

  #priority(intid: number, cpu: number): number {
    return this.#has(intid >>> 5) ? this.#state.priority(intid, cpu) : 0;
  }

  // Half 0 is the SGIs', which are always edge-triggered.
  #configure(half: number, value: number, cpu: number): void {
    const word = half >>> 1;
    if (half === 0 || !this.#has(word)) return;
    const shift = (half & 1) * 16;
    const others = this.#state.bits(L.EDGE, word, cpu) & ~(0xffff << shift);
    this.#state.setBits(L.EDGE, word, cpu, others | (gather(value >>> 1) << shift));
    this.#state.changed(word, 0xffff << shift, cpu);
  }
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
