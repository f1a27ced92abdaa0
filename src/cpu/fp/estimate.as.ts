// Reciprocal and reciprocal square root estimates: FPRecipEstimate(), FPRSqrtEstimate(), FPRecpX(), and the unsigned integer ones.

import {
  DZC, FPCR_FZ, FPCR_FZ16, IXC, OFC, UFC, biasedExponent, exponentBias, fpInfinity, fpInvalid, fpMaxNormal, fpRaise, fpRoundingMode, fpZero,
  fpcr, fractionBits, infinityBits, isInfinity, isNaN, isZero, signMask, signOf, specialExponent,
} from "./format.as";
import { overflowsToInfinity } from "./round.as";
import { exponentOf, fpProcessNaN, fpUnpack, significandOf } from "./unpack.as";

/** RecipEstimate(): 256..511, meaning [0.5, 1), to 256..511, meaning [1, 2). */
function recipEstimate(a: u32): u32 {
  return ((1 << 19) / (a * 2 + 1) + 1) / 2;
}

/** RecipSqrtEstimate(): 128..511, meaning [0.25, 1), to 256..511, meaning [1, 2). */
function recipSqrtEstimate(a: u32): u32 {
  const scaled: f64 = a < 256 ? a * 2 + 1 : ((a & ~1) + 1) * 2;
  // The pseudocode counts b up from 512 while scaled * (b + 1)^2 < 2^28: that is the square root, rounded down, of (2^28 - 1) / scaled.
  const b = <u32>sqrt<f64>(268435455.0 / scaled);
  return (b + 1) / 2;
}

/** FPRecipEstimate(). */
function fpRecipEstimate<T>(cpu: usize, op: u64): u64 {
  const a = fpUnpack<T>(cpu, op);
  if (isNaN<T>(a)) return fpProcessNaN<T>(cpu, a);
  const sign = signOf<T>(a);
  if (isInfinity<T>(a)) return fpZero<T>(sign);
  if (isZero<T>(a)) {
    fpRaise(cpu, DZC);
    return fpInfinity<T>(sign);
  }
  const exponent = exponentOf<T>(a);
  if (exponent < -exponentBias<T>() - 1) {
    fpRaise(cpu, OFC | IXC);
    return overflowsToInfinity(fpRoundingMode(cpu), sign) ? fpInfinity<T>(sign) : fpMaxNormal<T>(sign);
  }
  const flush = (fpcr(cpu) & (sizeof<T>() == 2 ? FPCR_FZ16 : FPCR_FZ)) != 0;
  if (flush && exponent >= exponentBias<T>() - 1) {
    fpRaise(cpu, UFC);
    return fpZero<T>(sign);
  }
  const estimate = <u64>recipEstimate(<u32>(significandOf<T>(a) >> 55));
  const F = fractionBits<T>();
  // 1/x for x in [2^e, 2^(e+1)) is in (2^(-e-1), 2^-e].
  const biased = exponentBias<T>() - 1 - exponent;
  const significand = estimate << (F - 8);
  if (biased > 0) return fpZero<T>(sign) | ((<u64>(biased - 1) << F) + significand);
  return fpZero<T>(sign) | (significand >> (1 - biased));
}

/** FPRSqrtEstimate(). */
function fpRSqrtEstimate<T>(cpu: usize, op: u64): u64 {
  const a = fpUnpack<T>(cpu, op);
  if (isNaN<T>(a)) return fpProcessNaN<T>(cpu, a);
  const sign = signOf<T>(a);
  if (isZero<T>(a)) {
    fpRaise(cpu, DZC);
    return fpInfinity<T>(sign);
  }
  if (sign) return fpInvalid<T>(cpu);
  if (isInfinity<T>(a)) return fpZero<T>(0);
  // An odd exponent e puts x * 2^(-e-1) in [0.5, 1), an even one x * 2^(-e-2) in [0.25, 0.5).
  const exponent = exponentOf<T>(a);
  const scaled = <u32>(significandOf<T>(a) >> (exponent & 1 ? 55 : 56));
  const estimate = <u64>recipSqrtEstimate(scaled);
  const biased = exponentBias<T>() - 1 - (exponent >> 1);
  return ((<u64>(biased - 1)) << fractionBits<T>()) + (estimate << (fractionBits<T>() - 8));
}

/** FPRecpX(): the exponent inverted, for scaling. */
function fpRecpX<T>(cpu: usize, op: u64): u64 {
  const a = fpUnpack<T>(cpu, op);
  if (isNaN<T>(a)) return fpProcessNaN<T>(cpu, a);
  if (biasedExponent<T>(op) == 0) return fpZero<T>(signOf<T>(op)) | (<u64>(specialExponent<T>() - 1) << fractionBits<T>());
  return (op & (signMask<T>() | infinityBits<T>())) ^ infinityBits<T>();
}

/** UnsignedRecipEstimate(): URECPE. */
export function recipEstimateU32(cpu: usize, a: u32): u32 {
  return a >> 31 ? recipEstimate(a >> 23) << 23 : 0xffffffff;
}

/** UnsignedRSqrtEstimate(): URSQRTE. */
export function rsqrtEstimateU32(cpu: usize, a: u32): u32 {
  return a >> 30 ? recipSqrtEstimate(a >> 23) << 23 : 0xffffffff;
}

export function fpRecipEstimate16(cpu: usize, a: u32): u32 {
  return <u32>fpRecipEstimate<u16>(cpu, a);
}

export function fpRecipEstimate32(cpu: usize, a: u32): u32 {
  return <u32>fpRecipEstimate<u32>(cpu, a);
}

export function fpRecipEstimate64(cpu: usize, a: u64): u64 {
  return fpRecipEstimate<u64>(cpu, a);
}

export function fpRSqrtEstimate16(cpu: usize, a: u32): u32 {
  return <u32>fpRSqrtEstimate<u16>(cpu, a);
}

export function fpRSqrtEstimate32(cpu: usize, a: u32): u32 {
  return <u32>fpRSqrtEstimate<u32>(cpu, a);
}

export function fpRSqrtEstimate64(cpu: usize, a: u64): u64 {
  return fpRSqrtEstimate<u64>(cpu, a);
}

export function fpRecpX16(cpu: usize, a: u32): u32 {
  return <u32>fpRecpX<u16>(cpu, a);
}

export function fpRecpX32(cpu: usize, a: u32): u32 {
  return <u32>fpRecpX<u32>(cpu, a);
}

export function fpRecpX64(cpu: usize, a: u64): u64 {
  return fpRecpX<u64>(cpu, a);
}
