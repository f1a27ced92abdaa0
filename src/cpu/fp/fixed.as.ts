// Between floating point and integers or fixed point: FPToFixed(), FixedToFP(), FPToFixedJS().

import {
  IOC, IXC, ZERO, fpFast, fpPlain, fpRaise, fpRoundingMode, fpZero, isInfinity, isNaN, isZero, roundingOf, signOf,
} from "./format.as";
import { fpRound, roundsUp } from "./round.as";
import { exponentOf, fpUnpack, significandOf } from "./unpack.as";
import { shiftRightJam } from "./wide.as";

/** RoundDown() of the magnitude significand * 2^(exponent - 63), for exponents below 64. */
export function integerPart(significand: u64, exponent: i32): u64 {
  return exponent < 0 ? 0 : significand >> (63 - exponent);
}

/** What integerPart() leaves, in 2^-64ths, jammed. */
export function fractionPart(significand: u64, exponent: i32): u64 {
  if (exponent < 0) return shiftRightJam(significand, -1 - exponent);
  return exponent == 63 ? 0 : significand << (exponent + 1);
}

/** FPToFixed() to M = `bits` bits; rounding -1 is FPCR's. */
function fpToFixed<T>(cpu: usize, op: u64, fbits: i32, unsigned: i32, rounding: i32, bits: i32): u64 {
  const a = fpUnpack<T>(cpu, op);
  if (isNaN<T>(a)) {
    fpRaise(cpu, IOC);
    return 0;
  }
  if (isZero<T>(a)) return 0;
  const sign = signOf<T>(a);
  const exponent = isInfinity<T>(a) ? 64 : exponentOf<T>(a) + fbits;
  const ones = <u64>-1 >> (64 - bits);
  // The largest magnitude that the integer type has on this side of zero.
  const limit = unsigned ? (sign ? 0 : ones) : (ones >> 1) + sign;
  let integer: u64 = 0;
  let error: u64 = 0;
  let overflow = exponent > 63;
  if (!overflow) {
    const significand = significandOf<T>(a);
    integer = integerPart(significand, exponent);
    error = fractionPart(significand, exponent);
    if (roundsUp(roundingOf(cpu, rounding), sign, integer & 1, error)) integer++;
    overflow = integer > limit;
  }
  if (overflow) {
    integer = limit;
    fpRaise(cpu, IOC);
  } else if (error) fpRaise(cpu, IXC);
  return (sign ? 0 - integer : integer) & ones;
}

/** FixedToFP() of an integer that is already extended to 64 bits. */
function fixedToFP<T>(cpu: usize, value: u64, fbits: i32, unsigned: i32): u64 {
  if (value == 0) return fpZero<T>(0);
  const sign = unsigned ? 0 : value >> 63;
  const m = sign ? 0 - value : value;
  const z = clz<u64>(m);
  return fpRound<T>(cpu, sign, 63 - <i32>z - fbits, m << z, fpRoundingMode(cpu));
}

/** FPToFixedJS(): the result in bits 31:0, the Z flag in bit 32. */
export function fpToJS(cpu: usize, op: u64): u64 {
  const a = fpUnpack<u64>(cpu, op);
  if (isNaN<u64>(a)) {
    fpRaise(cpu, IOC);
    return 0;
  }
  if (isZero<u64>(a)) return <u64>(op == 0) << 32;
  const sign = signOf<u64>(a);
  const exponent = isInfinity<u64>(a) ? 1024 : exponentOf<u64>(a);
  const significand = significandOf<u64>(a);
  // Beyond 2^63 what counts are the low 32 bits of an integer that ends in zeros.
  let integer: u64 = 0;
  if (exponent < 64) integer = integerPart(significand, exponent);
  else if (exponent < 127) integer = significand << (exponent - 63);
  const result = <u64><u32>(sign ? 0 - integer : integer);
  if (exponent > 31 || integer > <u64>0x7fffffff + sign) fpRaise(cpu, IOC);
  else if (fractionPart(significand, exponent)) fpRaise(cpu, IXC);
  else return result | ((<u64>1) << 32);
  return result;
}

export function fpToFixed16to16(cpu: usize, a: u32, fbits: i32, unsigned: i32, rounding: i32): u32 {
  return <u32>fpToFixed<u16>(cpu, a, fbits, unsigned, rounding, 16);
}

export function fpToFixed16to32(cpu: usize, a: u32, fbits: i32, unsigned: i32, rounding: i32): u32 {
  return <u32>fpToFixed<u16>(cpu, a, fbits, unsigned, rounding, 32);
}

export function fpToFixed16to64(cpu: usize, a: u32, fbits: i32, unsigned: i32, rounding: i32): u64 {
  return fpToFixed<u16>(cpu, a, fbits, unsigned, rounding, 64);
}

export function fpToFixed32to16(cpu: usize, a: u32, fbits: i32, unsigned: i32, rounding: i32): u32 {
  return <u32>fpToFixed<u32>(cpu, a, fbits, unsigned, rounding, 16);
}

export function fpToFixed32to32(cpu: usize, a: u32, fbits: i32, unsigned: i32, rounding: i32): u32 {
  if (fpPlain(cpu) && rounding == ZERO && fbits == 0 && !unsigned) {
    const r = reinterpret<f32>(a);
    if (abs(r) < 2147483648.0) {
      if (trunc(r) != r) fpRaise(cpu, IXC);
      return <u32>(<i32>r);
    }
  }
  return <u32>fpToFixed<u32>(cpu, a, fbits, unsigned, rounding, 32);
}

export function fpToFixed32to64(cpu: usize, a: u32, fbits: i32, unsigned: i32, rounding: i32): u64 {
  if (fpPlain(cpu) && rounding == ZERO && fbits == 0 && !unsigned) {
    const r = reinterpret<f32>(a);
    if (abs(r) < 9223372036854775808.0) {
      if (trunc(r) != r) fpRaise(cpu, IXC);
      return <u64>(<i64>r);
    }
  }
  return fpToFixed<u32>(cpu, a, fbits, unsigned, rounding, 64);
}

export function fpToFixed64to16(cpu: usize, a: u64, fbits: i32, unsigned: i32, rounding: i32): u32 {
  return <u32>fpToFixed<u64>(cpu, a, fbits, unsigned, rounding, 16);
}

export function fpToFixed64to32(cpu: usize, a: u64, fbits: i32, unsigned: i32, rounding: i32): u32 {
  if (fpPlain(cpu) && rounding == ZERO && fbits == 0 && !unsigned) {
    const r = reinterpret<f64>(a);
    if (abs(r) < 2147483648.0) {
      if (trunc(r) != r) fpRaise(cpu, IXC);
      return <u32>(<i32>r);
    }
  }
  return <u32>fpToFixed<u64>(cpu, a, fbits, unsigned, rounding, 32);
}

export function fpToFixed64to64(cpu: usize, a: u64, fbits: i32, unsigned: i32, rounding: i32): u64 {
  if (fpPlain(cpu) && rounding == ZERO && fbits == 0 && !unsigned) {
    const r = reinterpret<f64>(a);
    if (abs(r) < 9223372036854775808.0) {
      if (trunc(r) != r) fpRaise(cpu, IXC);
      return <u64>(<i64>r);
    }
  }
  return fpToFixed<u64>(cpu, a, fbits, unsigned, rounding, 64);
}

export function fixed16toFp16(cpu: usize, value: u32, fbits: i32, unsigned: i32): u32 {
  return <u32>fixedToFP<u16>(cpu, unsigned ? <u64><u16>value : <u64><i64><i16>value, fbits, unsigned);
}

export function fixed16toFp32(cpu: usize, value: u32, fbits: i32, unsigned: i32): u32 {
  return <u32>fixedToFP<u32>(cpu, unsigned ? <u64><u16>value : <u64><i64><i16>value, fbits, unsigned);
}

export function fixed16toFp64(cpu: usize, value: u32, fbits: i32, unsigned: i32): u64 {
  return fixedToFP<u64>(cpu, unsigned ? <u64><u16>value : <u64><i64><i16>value, fbits, unsigned);
}

export function fixed32toFp16(cpu: usize, value: u32, fbits: i32, unsigned: i32): u32 {
  return <u32>fixedToFP<u16>(cpu, unsigned ? <u64><u32>value : <u64><i64><i32>value, fbits, unsigned);
}

export function fixed32toFp32(cpu: usize, value: u32, fbits: i32, unsigned: i32): u32 {
  if (fpPlain(cpu) && fbits == 0 && !unsigned) {
    const r = <f32>(<i32>value);
    if (!fpFast(cpu) && !(r < 2147483648.0 && <i32>r == <i32>value)) fpRaise(cpu, IXC);
    return reinterpret<u32>(r);
  }
  return <u32>fixedToFP<u32>(cpu, unsigned ? <u64><u32>value : <u64><i64><i32>value, fbits, unsigned);
}

export function fixed32toFp64(cpu: usize, value: u32, fbits: i32, unsigned: i32): u64 {
  if (fbits == 0 && !unsigned) return reinterpret<u64>(<f64>(<i32>value));
  return fixedToFP<u64>(cpu, unsigned ? <u64><u32>value : <u64><i64><i32>value, fbits, unsigned);
}

export function fixed64toFp16(cpu: usize, value: u64, fbits: i32, unsigned: i32): u32 {
  return <u32>fixedToFP<u16>(cpu, value, fbits, unsigned);
}

export function fixed64toFp32(cpu: usize, value: u64, fbits: i32, unsigned: i32): u32 {
  if (fpPlain(cpu) && fbits == 0 && !unsigned) {
    const r = <f32>(<i64>value);
    if (!fpFast(cpu) && !(r < 9223372036854775808.0 && <i64>r == <i64>value)) fpRaise(cpu, IXC);
    return reinterpret<u32>(r);
  }
  return <u32>fixedToFP<u32>(cpu, value, fbits, unsigned);
}

export function fixed64toFp64(cpu: usize, value: u64, fbits: i32, unsigned: i32): u64 {
  if (fpPlain(cpu) && fbits == 0 && !unsigned) {
    const r = <f64>(<i64>value);
    if (!fpFast(cpu) && !(r < 9223372036854775808.0 && <i64>r == <i64>value)) fpRaise(cpu, IXC);
    return reinterpret<u64>(r);
  }
  return fixedToFP<u64>(cpu, value, fbits, unsigned);
}
