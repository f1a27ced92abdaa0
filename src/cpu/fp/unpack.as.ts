// FPUnpack() and the NaN rules. A finite nonzero value is its sign, the exponent of its leading one, and a 64-bit significand
// with that leading one in bit 63: value = significand * 2^(exponent - 63).

import {
  FPCR_DN, FPCR_FZ, FPCR_FZ16, IDC, IOC, biasedExponent, exponentBias, fpDefaultNaN, fpRaise, fpcr, fraction, fractionBits, isDenormal, isNaN,
  isSignalling, minimumExponent, quietBit, signMask,
} from "./format.as";

/** FPUnpack(): the operand with a denormal flushed to zero where FPCR says so. Half precision sets no Input Denormal flag. */
export function fpUnpack<T>(cpu: usize, a: u64): u64 {
  if (!isDenormal<T>(a)) return a;
  if (sizeof<T>() == 2) return fpcr(cpu) & FPCR_FZ16 ? a & signMask<T>() : a;
  return fpUnpackCV<T>(cpu, a);
}

/** FPUnpackCV(): as FPUnpack(), for conversions between formats, which FZ16 does not affect. */
export function fpUnpackCV<T>(cpu: usize, a: u64): u64 {
  if (sizeof<T>() == 2 || !isDenormal<T>(a) || !(fpcr(cpu) & FPCR_FZ)) return a;
  fpRaise(cpu, IDC);
  return a & signMask<T>();
}

/** The exponent of the leading one of a finite nonzero value. */
export function exponentOf<T>(a: u64): i32 {
  const biased = biasedExponent<T>(a);
  if (biased) return biased - exponentBias<T>();
  return minimumExponent<T>() - (<i32>clz<u64>(fraction<T>(a)) - (63 - fractionBits<T>()));
}

/** The significand of a finite nonzero value. */
export function significandOf<T>(a: u64): u64 {
  const f = fraction<T>(a);
  if (biasedExponent<T>(a)) return ((<u64>1) << 63) | (f << (63 - fractionBits<T>()));
  return f << clz<u64>(f);
}

/** FPProcessNaN(). */
export function fpProcessNaN<T>(cpu: usize, a: u64): u64 {
  if (isSignalling<T>(a)) fpRaise(cpu, IOC);
  return fpcr(cpu) & FPCR_DN ? fpDefaultNaN<T>() : a | quietBit<T>();
}

/** FPProcessNaNs() where at least one operand is a NaN: signalling ones go first, then the first operand. */
export function fpProcessNaNs<T>(cpu: usize, a: u64, b: u64): u64 {
  if (isSignalling<T>(a)) return fpProcessNaN<T>(cpu, a);
  if (isSignalling<T>(b)) return fpProcessNaN<T>(cpu, b);
  return fpProcessNaN<T>(cpu, isNaN<T>(a) ? a : b);
}

/** FPProcessNaNs3() where at least one operand is a NaN. */
export function fpProcessNaNs3<T>(cpu: usize, a: u64, b: u64, c: u64): u64 {
  if (isSignalling<T>(a)) return fpProcessNaN<T>(cpu, a);
  if (isSignalling<T>(b)) return fpProcessNaN<T>(cpu, b);
  if (isSignalling<T>(c)) return fpProcessNaN<T>(cpu, c);
  return fpProcessNaN<T>(cpu, isNaN<T>(a) ? a : isNaN<T>(b) ? b : c);
}
