import type { Imm64 } from "./row.ts";

/** The low `width` bits of `v` (1..32) as a signed number. */
export function signed(v: number, width: number): number {
  return (v << (32 - width)) >> (32 - width);
}

/** `n` ones (0..64) from bit 0 up. */
export function ones64(n: number): Imm64 {
  return { lo: onesWord(n), hi: onesWord(n - 32) };
}

function onesWord(n: number): number {
  if (n <= 0) return 0;
  return n >= 32 ? -1 : 2 ** n - 1;
}

/** Rotates right by 0..63. */
export function rotateRight64({ lo, hi }: Imm64, amount: number): Imm64 {
  const [a, b] = amount & 32 ? [hi, lo] : [lo, hi];
  const n = amount & 31;
  if (n === 0) return { lo: a | 0, hi: b | 0 };
  return { lo: (a >>> n) | (b << (32 - n)), hi: (b >>> n) | (a << (32 - n)) };
}

/** Shifts left by 0..63. */
export function shiftLeft64({ lo, hi }: Imm64, amount: number): Imm64 {
  if (amount >= 32) return { lo: 0, hi: lo << (amount - 32) };
  if (amount === 0) return { lo: lo | 0, hi: hi | 0 };
  return { lo: lo << amount, hi: (hi << amount) | (lo >>> (32 - amount)) };
}

/**
 * wmask of the Arm ARM's DecodeBitMasks() for a logical immediate: a run of ones within an element of 2 to 64 bits, rotated and
 * replicated. For 32-bit operations the upper half is 0. Undefined for reserved values.
 */
export function decodeBitMasks(sf: number, n: number, imms: number, immr: number): Imm64 | undefined {
  if (sf === 0 && n === 1) return undefined;
  const len = 31 - Math.clz32((n << 6) | (~imms & 0x3f));
  if (len < 1) return undefined;
  const levels = (1 << len) - 1;
  if ((imms & levels) === levels) return undefined;
  const esize = 1 << len;
  const s = imms & levels;
  const r = immr & levels;
  const run = ones64(s + 1);
  if (esize === 64) return rotateRight64(run, r);
  // An element of up to 32 bits: rotate within it, then replicate it over both halves.
  let element = run.lo >>> 0;
  if (r !== 0) element = ((element >>> r) | (element << (esize - r))) & onesWord(esize);
  for (let width = esize; width < 32; width *= 2) element |= element << width;
  element |= 0;
  return { lo: element, hi: sf ? element : 0 };
}

/** A 64-bit number as the disassembler prints it: 0x and hexadecimal digits. */
export function hex64({ lo, hi }: Imm64): string {
  const low = (lo >>> 0).toString(16);
  return hi === 0 ? `0x${low}` : `0x${(hi >>> 0).toString(16)}${low.padStart(8, "0")}`;
}

/** Hexadecimal with 0x; a negative number with its sign in front. */
export function hex(v: number): string {
  return v < 0 ? `-0x${(-v).toString(16)}` : `0x${v.toString(16)}`;
}
