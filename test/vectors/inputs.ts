// What an instruction vector starts from, as a function of its word and seed: the same for the oracle and for the test.

/** Where the oracle and the test keep the instruction and the memory page that it may touch. */
export const SLOT_ADDRESS = 0x10000800;
export const MEMORY_ADDRESS = 0x20000000;
export const MEMORY_BYTES = 4096;

// Offsets in a state: x0-x30, sp, v0-v31, nzcv, fpcr, fpsr (oracle/oracle.c, struct state).
export const STATE_BYTES = 792;
export const SP_AT = 248;
export const V_AT = 256;
export const NZCV_AT = 768;
export const FPCR_AT = 776;
export const FPSR_AT = 784;

/** The word after the instruction: MOVZ X27, #0x5a5. Branch vectors jump over it or do not. */
export const NEXT_WORD = 0xd280b4bb;
export const NOP = 0xd503201f;

/** A small generator of pseudo-random numbers (xorshift32). */
export class Random {
  #s: number;
  constructor(seed: number) {
    this.#s = (Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995) | 1;
    for (let i = 0; i < 4; i++) this.u32();
  }
  u32(): number {
    let s = this.#s;
    s ^= s << 13;
    s ^= s >>> 17;
    s ^= s << 5;
    this.#s = s;
    return s >>> 0;
  }
  below(n: number): number {
    return this.u32() % n;
  }
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }
}

export function fillMemory(words: Uint32Array, seed: number): void {
  let s = seed | 1;
  for (let i = 0; i < MEMORY_BYTES / 4; i++) {
    s ^= s << 13;
    s ^= s >>> 17;
    s ^= s << 5;
    words[i] = s;
  }
}

const SPECIAL_64: readonly (readonly [number, number])[] = [
  [0, 0],
  [1, 0],
  [-1, -1],
  [0, 0x80000000],
  [-1, 0x7fffffff],
  [0x80000000, 0],
  [0x7fffffff, 0],
  [-1, 0],
  [0x80000000, -1],
  [63, 0],
  [64, 0],
  [31, 0],
  [0xff, 0],
  [0x8000, 0],
];

const F16 = [
  0, 0x8000, 0x3c00, 0xbc00, 0x7c00, 0xfc00, 0x7e00, 0x7d01, 0xfe01, 0x0001, 0x83ff, 0x0400, 0x7bff, 0x3555, 0x4248,
  0x5800, 0x7800,
];
const F32 = [
  0, 0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000, 0x7fc00000, 0x7fa00001, 0xffc12345, 1, 0x807fffff,
  0x00800000, 0x7f7fffff, 0x3eaaaaab, 0x40490fdb, 0x4f000000, 0xcf000000, 0x5f000000, 0x4effffff, 0x3f000000,
  0x3fc00000, 0x33800000, 0x00000002,
];
const F64: readonly (readonly [number, number])[] = [
  [0, 0],
  [0, 0x80000000],
  [0, 0x3ff00000],
  [0, 0xbff00000],
  [0, 0x7ff00000],
  [0, 0xfff00000],
  [0, 0x7ff80000],
  [1, 0x7ff00000],
  [0x1234, 0xfff80000],
  [1, 0],
  [-1, 0x800fffff],
  [0, 0x00100000],
  [-1, 0x7fefffff],
  [0x55555555, 0x3fd55555],
  [0x54442d18, 0x400921fb],
  [0, 0x43e00000],
  [0, 0xc3e00000],
  [0, 0x41e00000],
  [0xffc00000, 0x41dfffff],
  [0, 0x3fe00000],
  [0, 0x3ff80000],
  [0, 0x36a00000],
  [0, 0x38100000],
  [0xe0000000, 0x47efffff],
];

function fillX(r: Random, view: DataView, at: number): void {
  const kind = r.below(8);
  let [lo, hi] = kind < 3 ? r.pick(SPECIAL_64) : [r.u32(), r.u32()];
  if (kind === 3) hi = 0;
  if (kind === 4) {
    lo = lo & 0xff;
    hi = 0;
  }
  view.setUint32(at, lo, true);
  view.setUint32(at + 4, hi, true);
}

function fillV(r: Random, view: DataView, at: number): void {
  const kind = r.below(10);
  const spread = r.below(6);
  for (let i = 0; i < 16; i += 8) {
    const j = at + i;
    if (kind < 3) {
      view.setUint32(j, r.u32(), true);
      view.setUint32(j + 4, r.u32(), true);
    } else if (kind === 3) {
      for (let k = 0; k < 8; k++) view.setUint8(j + k, r.pick([0, 1, 0x7f, 0x80, 0xff, r.u32() & 0xff]));
    } else if (kind === 4) {
      for (let k = 0; k < 8; k += 2) view.setUint16(j + k, r.below(3) ? r.pick(F16) : r.u32(), true);
    } else if (kind === 5 || kind === 6) {
      for (let k = 0; k < 8; k += 4) {
        // Ordinary numbers of about the same size cancel and round in interesting places.
        const near = (((127 + r.below(8 << spread) - (4 << spread)) << 23) | (r.u32() & 0x807fffff)) >>> 0;
        view.setUint32(j + k, r.below(3) ? near : r.pick(F32), true);
      }
    } else {
      const hi = (((1023 + r.below(8 << spread) - (4 << spread)) << 20) | (r.u32() & 0x800fffff)) >>> 0;
      const [slo, shi] = r.pick(F64);
      const special = r.below(3) === 0;
      view.setUint32(j, special ? slo : r.u32(), true);
      view.setUint32(j + 4, special ? shi : hi, true);
    }
  }
}

/** Fills a state for the instruction. `touchesMemory`: its base register must point into the memory page. */
export function fillState(view: DataView, word: number, seed: number, touchesMemory: boolean): void {
  const r = new Random(seed);
  for (let i = 0; i < 31; i++) fillX(r, view, i * 8);
  view.setBigUint64(SP_AT, BigInt(MEMORY_ADDRESS + 2048 + 16 * r.below(16)), true);
  for (let i = 0; i < 32; i++) fillV(r, view, V_AT + i * 16);
  // A third of the vectors have equal or nearly equal sources.
  if (r.below(3) === 0) {
    const [n, m] = [(word >>> 5) & 31, (word >>> 16) & 31];
    for (let k = 0; k < 16; k++) view.setUint8(V_AT + m * 16 + k, view.getUint8(V_AT + n * 16 + k));
    if (n < 31 && m < 31) view.setBigUint64(m * 8, view.getBigUint64(n * 8, true), true);
    if (r.below(2)) view.setUint8(V_AT + m * 16 + r.below(16), r.u32() & 0xff);
  }
  view.setBigUint64(NZCV_AT, BigInt((r.below(16) << 28) >>> 0), true);
  const modes = r.below(2) === 0 ? 0 : r.below(256);
  // RMode 23:22, FZ 24, DN 25, AHP 26, FZ16 19
  const fpcr =
    ((modes & 3) << 22) |
    ((modes & 0x1c) === 4 ? 1 << 24 : 0) |
    (((modes >> 5) & 1) << 25) |
    (((modes >> 6) & 1) << 26) |
    ((modes & 0x90) === 0x90 ? 1 << 19 : 0);
  view.setBigUint64(FPCR_AT, BigInt(fpcr >>> 0), true);
  const fpsr = r.below(2) ? 0 : r.below(2) ? 0x10 : r.u32() & 0x0800009f;
  view.setBigUint64(FPSR_AT, BigInt(fpsr >>> 0), true);
  if (!touchesMemory) return;
  const m = (word >>> 16) & 31;
  if (m < 31) view.setBigInt64(m * 8, BigInt(r.below(48) - (r.below(4) === 0 ? 24 : 0)), true);
  const n = (word >>> 5) & 31;
  const aligned = r.below(10) < 8 ? 16 : 1;
  if (n < 31) view.setBigUint64(n * 8, BigInt(MEMORY_ADDRESS + 1536 + aligned * r.below(1024 / aligned)), true);
}
