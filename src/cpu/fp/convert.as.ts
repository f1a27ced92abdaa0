// FPConvert(): between half, single and double precision. FPCR.AHP makes half precision the alternative format without infinities and NaNs.

import {
  FPCR_AHP, FPCR_DN, IOC, ODD, fpDefaultNaN, fpFast, fpInfinity, fpPlain, fpRaise, fpRoundingMode, fpZero, fpcr, fraction, fractionBits,
  isDenormal, isInfinity, isNaN, isSignalling, isZero, quietBit, signOf,
} from "./format.as";
import { ordinary32, settleError } from "./arithmetic.as";
import { fpRoundCV } from "./round.as";
import { exponentOf, fpUnpackCV, significandOf } from "./unpack.as";

/** FPConvertNaN(): keeps the sign and the upper bits of the fraction, and makes it quiet. */
function fpConvertNaN<From, To>(a: u64): u64 {
  const topAligned = fraction<From>(a) << (64 - fractionBits<From>());
  return fpInfinity<To>(signOf<From>(a)) | quietBit<To>() | (topAligned >> (64 - fractionBits<To>()));
}

function fpConvert<From, To>(cpu: usize, op: u64, rounding: i32): u64 {
  const a = fpUnpackCV<From>(cpu, op);
  const sign = signOf<From>(a);
  const alternative = (fpcr(cpu) & FPCR_AHP) != 0;
  const fromAlternative = sizeof<From>() == 2 && alternative;
  const toAlternative = sizeof<To>() == 2 && alternative;
  if (!fromAlternative && isNaN<From>(a)) {
    if (toAlternative || isSignalling<From>(a)) fpRaise(cpu, IOC);
    if (toAlternative) return fpZero<To>(sign);
    return fpcr(cpu) & FPCR_DN ? fpDefaultNaN<To>() : fpConvertNaN<From, To>(a);
  }
  if (!fromAlternative && isInfinity<From>(a)) {
    if (!toAlternative) return fpInfinity<To>(sign);
    fpRaise(cpu, IOC);
    return fpZero<To>(sign) | (fpZero<To>(1) - 1);
  }
  if (isZero<From>(a)) return fpZero<To>(sign);
  return fpRoundCV<To>(cpu, sign, exponentOf<From>(a), significandOf<From>(a), rounding);
}

export function fpConvert16to32(cpu: usize, a: u32): u32 {
  return <u32>fpConvert<u16, u32>(cpu, a, fpRoundingMode(cpu));
}

export function fpConvert16to64(cpu: usize, a: u32): u64 {
  return fpConvert<u16, u64>(cpu, a, fpRoundingMode(cpu));
}

export function fpConvert32to16(cpu: usize, a: u32): u32 {
  return <u32>fpConvert<u32, u16>(cpu, a, fpRoundingMode(cpu));
}

export function fpConvert32to64(cpu: usize, a: u32): u64 {
  if (!isNaN<u32>(a) && !isDenormal<u32>(a)) return reinterpret<u64>(<f64>reinterpret<f32>(a));
  return fpConvert<u32, u64>(cpu, a, fpRoundingMode(cpu));
}

export function fpConvert64to16(cpu: usize, a: u64): u32 {
  return <u32>fpConvert<u64, u16>(cpu, a, fpRoundingMode(cpu));
}

export function fpConvert64to32(cpu: usize, a: u64): u32 {
  const r = <f32>reinterpret<f64>(a);
  if (fpPlain(cpu)) {
    if (ordinary32(r) && (fpFast(cpu) != 0 || settleError(cpu, <f64>r - reinterpret<f64>(a)))) return reinterpret<u32>(r);
    if (reinterpret<f64>(a) == 0) return reinterpret<u32>(r);
  }
  return <u32>fpConvert<u64, u32>(cpu, a, fpRoundingMode(cpu));
}

/** FCVTXN: rounds to odd, so that a further rounding to half precision is right. */
export function fpConvert64to32Odd(cpu: usize, a: u64): u32 {
  return <u32>fpConvert<u64, u32>(cpu, a, ODD);
}
