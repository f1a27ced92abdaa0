// The three IEEE 754 binary formats. A format is named by the unsigned integer type of its width: u16, u32 or u64, the N of the
// Arm ARM's shared floating-point pseudocode. Values are bit patterns, zero-extended to u64; sizeof<T>() is known when a generic
// function is instantiated, so each format gets its own code.

import { FPCR, FPSR, FP_FAST, FP_FAST_ARITHMETIC, FP_FAST_NO_FLUSH } from "../state-layout";

// FPCR fields (Arm ARM C5.2.8).
export const FPCR_FZ16: u32 = 1 << 19;
export const FPCR_RMODE_SHIFT: u32 = 22;
export const FPCR_FZ: u32 = 1 << 24;
export const FPCR_DN: u32 = 1 << 25;
export const FPCR_AHP: u32 = 1 << 26;

// FPSR cumulative flags (Arm ARM C5.2.9).
export const IOC: u32 = 1 << 0;
export const DZC: u32 = 1 << 1;
export const OFC: u32 = 1 << 2;
export const UFC: u32 = 1 << 3;
export const IXC: u32 = 1 << 4;
export const IDC: u32 = 1 << 7;

// Rounding modes. The first four have the encodings of FPCR.RMode.
export const TIEEVEN: i32 = 0;
export const POSINF: i32 = 1;
export const NEGINF: i32 = 2;
export const ZERO: i32 = 3;
export const TIEAWAY: i32 = 4;
export const ODD: i32 = 5;

export function fpcr(cpu: usize): u32 {
  return load<u32>(cpu, FPCR);
}

/** FPRoundingMode(): the mode in FPCR. */
export function fpRoundingMode(cpu: usize): i32 {
  return <i32>((fpcr(cpu) >> FPCR_RMODE_SHIFT) & 3);
}

/** The mode that a rounding argument means: -1 stands for FPCR's. */
export function roundingOf(cpu: usize, rounding: i32): i32 {
  return rounding < 0 ? fpRoundingMode(cpu) : rounding;
}

/** FPProcessException() for untrapped exceptions: sets cumulative flags. */
export function fpRaise(cpu: usize, flags: u32): void {
  store<u32>(cpu, load<u32>(cpu, FPSR) | flags, FPSR);
  if (flags & IXC) fpUpdateFast(cpu);
}

/** Recomputes FP_FAST; whoever writes FPCR or FPSR calls it. */
export function fpUpdateFast(cpu: usize): void {
  const plain = fpPlain(cpu);
  const inexact = (load<u32>(cpu, FPSR) & IXC) != 0;
  const noFlush = (fpcr(cpu) & FPCR_FZ) == 0;
  store<i32>(cpu, (plain && inexact ? FP_FAST_ARITHMETIC : 0) | (noFlush ? FP_FAST_NO_FLUSH : 0), FP_FAST);
}

/**
 * May the host's arithmetic stand in, if its result raises nothing but Inexact, which must be found out unless fpFast()? That it rounds to
 * nearest and flushes nothing is what FPCR says by default.
 */
export function fpPlain(cpu: usize): bool {
  return (fpcr(cpu) & ((3 << FPCR_RMODE_SHIFT) | FPCR_FZ)) == 0;
}

/** Nonzero when native round-to-nearest arithmetic may stand in, as long as its result raises nothing but Inexact. */
export function fpFast(cpu: usize): i32 {
  return load<i32>(cpu, FP_FAST) & FP_FAST_ARITHMETIC;
}

/** F: bits of the fraction field. */
export function fractionBits<T>(): i32 {
  return sizeof<T>() == 2 ? 10 : sizeof<T>() == 4 ? 23 : 52;
}

/** 2^E - 1: the biased exponent of infinities and NaNs. */
export function specialExponent<T>(): i32 {
  return sizeof<T>() == 2 ? 0x1f : sizeof<T>() == 4 ? 0xff : 0x7ff;
}

export function exponentBias<T>(): i32 {
  return specialExponent<T>() >> 1;
}

/** The exponent of the smallest normal number. */
export function minimumExponent<T>(): i32 {
  return 1 - exponentBias<T>();
}

export function signMask<T>(): u64 {
  return (<u64>1) << (8 * sizeof<T>() - 1);
}

export function fractionMask<T>(): u64 {
  return ((<u64>1) << fractionBits<T>()) - 1;
}

/** +infinity; also the mask of the exponent field. */
export function infinityBits<T>(): u64 {
  return (<u64>specialExponent<T>()) << fractionBits<T>();
}

/** The bit that makes a NaN a quiet one. */
export function quietBit<T>(): u64 {
  return (<u64>1) << (fractionBits<T>() - 1);
}

export function biasedExponent<T>(a: u64): i32 {
  return <i32>(a >> fractionBits<T>()) & specialExponent<T>();
}

export function fraction<T>(a: u64): u64 {
  return a & fractionMask<T>();
}

/** The sign as 0 or 1. */
export function signOf<T>(a: u64): u64 {
  return (a >> (8 * sizeof<T>() - 1)) & 1;
}

export function magnitude<T>(a: u64): u64 {
  return a & (signMask<T>() - 1);
}

export function fpNeg<T>(a: u64): u64 {
  return a ^ signMask<T>();
}

export function isNaN<T>(a: u64): bool {
  return magnitude<T>(a) > infinityBits<T>();
}

export function isSignalling<T>(a: u64): bool {
  return isNaN<T>(a) && (a & quietBit<T>()) == 0;
}

export function isInfinity<T>(a: u64): bool {
  return magnitude<T>(a) == infinityBits<T>();
}

export function isZero<T>(a: u64): bool {
  return magnitude<T>(a) == 0;
}

export function isDenormal<T>(a: u64): bool {
  return biasedExponent<T>(a) == 0 && fraction<T>(a) != 0;
}

export function fpZero<T>(sign: u64): u64 {
  return sign << (8 * sizeof<T>() - 1);
}

export function fpInfinity<T>(sign: u64): u64 {
  return fpZero<T>(sign) | infinityBits<T>();
}

export function fpMaxNormal<T>(sign: u64): u64 {
  return fpInfinity<T>(sign) - 1;
}

/** 2^exponent, for exponents of normal numbers. */
export function fpPowerOfTwo<T>(sign: u64, exponent: i32): u64 {
  return fpZero<T>(sign) | ((<u64>(exponent + exponentBias<T>())) << fractionBits<T>());
}

export function fpTwo<T>(sign: u64): u64 {
  return fpPowerOfTwo<T>(sign, 1);
}

export function fpThree<T>(sign: u64): u64 {
  return fpPowerOfTwo<T>(sign, 1) | quietBit<T>();
}

export function fpOnePointFive<T>(sign: u64): u64 {
  return fpPowerOfTwo<T>(sign, 0) | quietBit<T>();
}

export function fpDefaultNaN<T>(): u64 {
  return infinityBits<T>() | quietBit<T>();
}

/** The default NaN of an operation that has no answer. */
export function fpInvalid<T>(cpu: usize): u64 {
  fpRaise(cpu, IOC);
  return fpDefaultNaN<T>();
}

/** The zero that an exact sum of opposite numbers gives. */
export function fpExactZero<T>(rounding: i32): u64 {
  return fpZero<T>(<u64>(rounding == NEGINF));
}
