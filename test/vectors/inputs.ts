// What an instruction vector starts from, as a function of its word and seed: the same for the oracle and for the test.

/** Where the oracle and the test keep the instruction and the memory page that it may touch. */
export const SLOT_ADDRESS = 0x10000800;
export const MEMORY_ADDRESS = 0x20001000;
export const MEMORY_BYTES = 4096;

// Offsets in a state: x0-x30, sp, v0-v31, nzcv, fpcr, fpsr (oracle/oracle.c, struct state).
export const STATE_BYTES = 792;
export const SP_AT = 248;
export const V_AT = 256;
export const NZCV_AT = 768;
export const FPCR_AT = 776;
export const FPSR_AT = 784;

/** The word after a placed instruction: MOVZ X27, #0x5a5. Branches jump over it or do not. */
export const NEXT_WORD = 0xd280b4bb;
export const NOP = 0xd503201f;

/** Where in the slot's page the literals are that LDR (literal) loads: the same at both places. */
export const LITERALS_AT = [0x400, 0xe00] as const;
export const LITERAL_BYTES = 512;

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
  /** True so often, of once. */
  chance(probability: number): boolean {
    return this.u32() < probability * 2 ** 32;
  }
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }
}

/** The literals. */
export function literals(): Uint32Array {
  const words = new Uint32Array(LITERAL_BYTES / 4);
  fillMemory(words, 7);
  return words;
}

export function fillMemory(words: Uint32Array | Int32Array, seed: number): void {
  let s = seed | 1;
  for (let i = 0; i < words.length; i++) {
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

type Lanes = "bytes" | "half" | "single" | "double" | "random";
const LANES: readonly Lanes[] = ["bytes", "half", "single", "double", "random"];

/** What the vector registers should mostly hold: of a scalar floating-point instruction, its type; else anything. */
function lanesFor(r: Random, word: number): Lanes {
  const other = r.pick(LANES);
  if ((word & 0x5e000000) >>> 0 !== 0x1e000000 || r.below(8) === 0) return other;
  return (["single", "double", other, "half"] as const)[(word >>> 22) & 3] as Lanes;
}

function fillV(r: Random, view: DataView, at: number, usual: Lanes): void {
  const lanes = r.below(4) ? usual : r.pick(LANES);
  // Ordinary numbers of about the same size cancel and round in interesting places.
  const spread = r.below(6);
  const near = (bias: number): number => bias + r.below(8 << spread) - (4 << spread);
  for (let i = at; i < at + 16; i += 8) {
    if (lanes === "random") {
      view.setUint32(i, r.u32(), true);
      view.setUint32(i + 4, r.u32(), true);
    } else if (lanes === "bytes") {
      for (let k = 0; k < 8; k++) view.setUint8(i + k, r.pick([0, 1, 0x7f, 0x80, 0xff, r.u32() & 0xff]));
    } else if (lanes === "half") {
      for (let k = 0; k < 8; k += 2) {
        const ordinary = ((near(15) & 31) << 10) | (r.u32() & 0x83ff);
        view.setUint16(i + k, r.below(3) ? ordinary : r.pick(F16), true);
      }
    } else if (lanes === "single") {
      for (let k = 0; k < 8; k += 4) {
        const ordinary = ((near(127) << 23) | (r.u32() & 0x807fffff)) >>> 0;
        view.setUint32(i + k, r.below(3) ? ordinary : r.pick(F32), true);
      }
    } else {
      const special = r.below(3) === 0;
      const [lo, hi] = special ? r.pick(F64) : [r.u32(), ((near(1023) << 20) | (r.u32() & 0x800fffff)) >>> 0];
      view.setUint32(i, lo, true);
      view.setUint32(i + 4, hi, true);
    }
  }
}

/** Register offset: LDR, STR, PRFM (register) and load/store structures with a register post-index. */
function hasRegisterOffset(word: number): boolean {
  return (word & 0x3b200c00) === 0x38200800 || (word & 0xbe800000) >>> 0 === 0x0c800000;
}

/** CAS finds what it compares with, half of the time. */
function fillCompared(r: Random, view: DataView, word: number, seed: number): void {
  const single = (word & 0x3fa07c00) === 0x08a07c00;
  const pair = (word & 0xbfa07c00) >>> 0 === 0x08207c00;
  if ((!single && !pair) || r.below(2)) return;
  const memory = new DataView(new ArrayBuffer(MEMORY_BYTES));
  fillMemory(new Uint32Array(memory.buffer), seed);
  const [n, s] = [(word >>> 5) & 31, (word >>> 16) & 31];
  if (n === s || (pair && n === s + 1)) return;
  const at = Number(view.getBigUint64(n * 8, true)) - MEMORY_ADDRESS;
  const width = pair ? 4 << ((word >>> 30) & 1) : 1 << (word >>> 30);
  for (let i = 0; i < width && s < 31; i++) view.setUint8(s * 8 + i, memory.getUint8(at + i));
  for (let i = 0; i < width && pair && s < 30; i++) view.setUint8(s * 8 + 8 + i, memory.getUint8(at + width + i));
}

/** What MSR FPCR and MSR FPSR write has no bits that only AArch32 knows (Len, Stride, its condition flags): there are two right answers. */
function fillStatusRegister(view: DataView, word: number): void {
  const name = word & 0xffffffe0;
  const mask = name === (0xd51b4400 | 0) ? 0x07c80000 : name === (0xd51b4420 | 0) ? 0x0800009f : undefined;
  const at = (word & 31) * 8;
  if (mask !== undefined) view.setUint32(at, view.getUint32(at, true) & mask, true);
}

/** Fills a state for the instruction. `touchesMemory`: its base register must point into the memory page. */
function fillState(view: DataView, word: number, seed: number, touchesMemory: boolean): void {
  const r = new Random(seed);
  for (let i = 0; i < 31; i++) fillX(r, view, i * 8);
  view.setBigUint64(SP_AT, BigInt(MEMORY_ADDRESS + 2048 + 16 * r.below(16)), true);
  const lanes = lanesFor(r, word);
  for (let i = 0; i < 32; i++) fillV(r, view, V_AT + i * 16, lanes);
  // A third of the vectors have equal or nearly equal sources.
  if (r.below(3) === 0) {
    const [n, m] = [(word >>> 5) & 31, (word >>> 16) & 31];
    for (let k = 0; k < 16; k++) view.setUint8(V_AT + m * 16 + k, view.getUint8(V_AT + n * 16 + k));
    if (n < 31 && m < 31) view.setBigUint64(m * 8, view.getBigUint64(n * 8, true), true);
    if (r.below(2)) view.setUint8(V_AT + m * 16 + r.below(16), r.u32() & 0xff);
  }
  view.setBigUint64(NZCV_AT, BigInt((r.below(16) << 28) >>> 0), true);
  // RMode 23:22, FZ 24, DN 25, AHP 26, FZ16 19; half of the vectors have the default of all.
  const one = (bit: number, of: number): number => (r.below(of) === 0 ? 1 << bit : 0);
  const fpcr = r.below(2) ? 0 : (r.below(4) << 22) | one(24, 3) | one(25, 3) | one(26, 3) | one(19, 3);
  view.setBigUint64(FPCR_AT, BigInt(fpcr >>> 0), true);
  const fpsr = r.below(2) ? 0 : r.below(2) ? 0x10 : r.u32() & 0x0800009f;
  view.setBigUint64(FPSR_AT, BigInt(fpsr >>> 0), true);
  fillStatusRegister(view, word);
  if (!touchesMemory) return;
  const m = (word >>> 16) & 31;
  if (m < 31 && hasRegisterOffset(word)) {
    view.setBigInt64(m * 8, BigInt(r.below(48) - (r.below(4) === 0 ? 24 : 0)), true);
  }
  const isZva = (word & 0xffffffe0) >>> 0 === 0xd50b7420;
  const n = isZva ? word & 31 : (word >>> 5) & 31;
  const aligned = r.below(10) < 8 ? 16 : 1;
  if (n < 31) view.setBigUint64(n * 8, BigInt(MEMORY_ADDRESS + 1536 + aligned * r.below(1024 / aligned)), true);
  fillCompared(r, view, word, seed);
}

/** The input of a vector. */
export function inputOf(word: number, seed: number, kind: "plain" | "memory" | "placed"): Uint8Array {
  const state = new Uint8Array(STATE_BYTES);
  const view = new DataView(state.buffer);
  fillState(view, word, seed, kind === "memory");
  // Indirect branches go past the next instruction.
  const n = (word >>> 5) & 31;
  if (kind === "placed" && n < 31) view.setBigUint64(n * 8, BigInt(SLOT_ADDRESS + 8), true);
  return state;
}
