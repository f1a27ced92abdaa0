// FPRoundInt() and FPRoundIntN(): to an integral value in the same format.

import {
  IOC, IXC, NEGINF, POSINF, TIEEVEN, ZERO, fpPowerOfTwo, fpRaise, fpZero, isInfinity, isNaN, isZero, roundingOf, signOf,
} from "./format.as";
import { fractionPart, integerPart } from "./fixed.as";
import { fpRound, roundsUp } from "./round.as";
import { exponentOf, fpProcessNaN, fpUnpack, significandOf } from "./unpack.as";

/** FPRoundInt(); rounding -1 is FPCR's; only with `exact` does a change of value set Inexact. */
function fpRoundInt<T>(cpu: usize, op: u64, rounding: i32, exact: i32): u64 {
  const a = fpUnpack<T>(cpu, op);
  if (isNaN<T>(a)) return fpProcessNaN<T>(cpu, a);
  if (isInfinity<T>(a) || isZero<T>(a)) return a;
  const exponent = exponentOf<T>(a);
  if (exponent > 62) return a;
  const sign = signOf<T>(a);
  const significand = significandOf<T>(a);
  let integer = integerPart(significand, exponent);
  const error = fractionPart(significand, exponent);
  if (error == 0) return a;
  if (exact) fpRaise(cpu, IXC);
  if (roundsUp(roundingOf(cpu, rounding), sign, integer & 1, error)) integer++;
  return integral<T>(cpu, sign, integer);
}

/** FPRoundIntN(): FRINT32X and its kin; what does not fit a signed integer of `intsize` bits becomes -2^(intsize-1). */
function fpRoundIntN<T>(cpu: usize, op: u64, rounding: i32, intsize: i32): u64 {
  const a = fpUnpack<T>(cpu, op);
  if (isZero<T>(a)) return a;
  const sign = signOf<T>(a);
  if (!isNaN<T>(a) && !isInfinity<T>(a) && exponentOf<T>(a) < 64) {
    const exponent = exponentOf<T>(a);
    const significand = significandOf<T>(a);
    let integer = integerPart(significand, exponent);
    const error = fractionPart(significand, exponent);
    if (roundsUp(roundingOf(cpu, rounding), sign, integer & 1, error)) integer++;
    if (integer < ((<u64>1) << (intsize - 1)) + sign) {
      if (error) fpRaise(cpu, IXC);
      return integral<T>(cpu, sign, integer);
    }
  }
  fpRaise(cpu, IOC);
  return fpPowerOfTwo<T>(1, intsize - 1);
}

/** An integer that the format is known to hold. */
function integral<T>(cpu: usize, sign: u64, integer: u64): u64 {
  if (integer == 0) return fpZero<T>(sign);
  const z = clz<u64>(integer);
  return fpRound<T>(cpu, sign, 63 - <i32>z, integer << z, ZERO);
}

export function fpRoundInt16(cpu: usize, a: u32, rounding: i32, exact: i32): u32 {
  return <u32>fpRoundInt<u16>(cpu, a, rounding, exact);
}

export function fpRoundInt32(cpu: usize, a: u32, rounding: i32, exact: i32): u32 {
  const r = reinterpret<f32>(a);
  if (!exact && abs(r) >= 1.0 && abs(r) < Infinity) {
    if (rounding == TIEEVEN) return reinterpret<u32>(nearest(r));
    if (rounding == POSINF) return reinterpret<u32>(ceil(r));
    if (rounding == NEGINF) return reinterpret<u32>(floor(r));
    if (rounding == ZERO) return reinterpret<u32>(trunc(r));
  }
  return <u32>fpRoundInt<u32>(cpu, a, rounding, exact);
}

export function fpRoundInt64(cpu: usize, a: u64, rounding: i32, exact: i32): u64 {
  const r = reinterpret<f64>(a);
  if (!exact && abs(r) >= 1.0 && abs(r) < Infinity) {
    if (rounding == TIEEVEN) return reinterpret<u64>(nearest(r));
    if (rounding == POSINF) return reinterpret<u64>(ceil(r));
    if (rounding == NEGINF) return reinterpret<u64>(floor(r));
    if (rounding == ZERO) return reinterpret<u64>(trunc(r));
  }
  return fpRoundInt<u64>(cpu, a, rounding, exact);
}

export function fpRoundIntN32(cpu: usize, a: u32, rounding: i32, intsize: i32): u32 {
  return <u32>fpRoundIntN<u32>(cpu, a, rounding, intsize);
}

export function fpRoundIntN64(cpu: usize, a: u64, rounding: i32, intsize: i32): u64 {
  return fpRoundIntN<u64>(cpu, a, rounding, intsize);
}
