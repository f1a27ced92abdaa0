// FPAdd(), FPSub(), FPMul(), FPMulX(), FPDiv(), FPSqrt(), with exact integer arithmetic.
// The exported functions for single and double precision first try the host's own arithmetic, which is exact to the bit when it rounds as
// FPCR asks and its result shows that no other flag than Inexact can be due. While Inexact is not set yet, the rounding error tells.

import {
  DZC, IXC, fpExactZero, fpFast, fpInfinity, fpInvalid, fpNeg, fpPlain, fpRaise, fpRoundingMode, fpTwo, fpZero, fractionBits, isInfinity, isNaN, isZero,
  magnitude, signOf,
} from "./format.as";
import { fpRound } from "./round.as";
import { exponentOf, fpProcessNaN, fpProcessNaNs, fpUnpack, significandOf } from "./unpack.as";
import { divideJam, multiplyHigh, shiftRightJam, squareRootJam } from "./wide.as";

function fpAdd<T>(cpu: usize, op1: u64, op2: u64): u64 {
  let a = fpUnpack<T>(cpu, op1);
  let b = fpUnpack<T>(cpu, op2);
  if (isNaN<T>(a) || isNaN<T>(b)) return fpProcessNaNs<T>(cpu, a, b);
  if (isInfinity<T>(a)) return isInfinity<T>(b) && a != b ? fpInvalid<T>(cpu) : a;
  if (isInfinity<T>(b)) return b;
  const rounding = fpRoundingMode(cpu);
  if (a == fpNeg<T>(b)) return fpExactZero<T>(rounding);
  if (isZero<T>(a)) return b;
  if (isZero<T>(b)) return a;

  if (magnitude<T>(a) < magnitude<T>(b)) {
    const t = a;
    a = b;
    b = t;
  }
  const exponent = exponentOf<T>(a);
  const ma = significandOf<T>(a) >> 1;
  const mb = shiftRightJam(significandOf<T>(b), exponent - exponentOf<T>(b) + 1);
  const sum = signOf<T>(a) == signOf<T>(b) ? ma + mb : ma - mb;
  const z = clz<u64>(sum);
  return fpRound<T>(cpu, signOf<T>(a), exponent + 1 - <i32>z, sum << z, rounding);
}

function fpSub<T>(cpu: usize, a: u64, b: u64): u64 {
  return fpAdd<T>(cpu, a, isNaN<T>(b) ? b : fpNeg<T>(b));
}

export function fpMul<T>(cpu: usize, op1: u64, op2: u64, extended: bool): u64 {
  const a = fpUnpack<T>(cpu, op1);
  const b = fpUnpack<T>(cpu, op2);
  if (isNaN<T>(a) || isNaN<T>(b)) return fpProcessNaNs<T>(cpu, a, b);
  const sign = signOf<T>(a) ^ signOf<T>(b);
  const infinite = isInfinity<T>(a) || isInfinity<T>(b);
  const zero = isZero<T>(a) || isZero<T>(b);
  if (infinite && zero) return extended ? fpTwo<T>(sign) : fpInvalid<T>(cpu);
  if (infinite) return fpInfinity<T>(sign);
  if (zero) return fpZero<T>(sign);

  const ma = significandOf<T>(a);
  const mb = significandOf<T>(b);
  const product = multiplyHigh(ma, mb) | <u64>(ma * mb != 0);
  const z = clz<u64>(product);
  return fpRound<T>(cpu, sign, exponentOf<T>(a) + exponentOf<T>(b) + 1 - <i32>z, product << z, fpRoundingMode(cpu));
}

function fpDiv<T>(cpu: usize, op1: u64, op2: u64): u64 {
  const a = fpUnpack<T>(cpu, op1);
  const b = fpUnpack<T>(cpu, op2);
  if (isNaN<T>(a) || isNaN<T>(b)) return fpProcessNaNs<T>(cpu, a, b);
  const sign = signOf<T>(a) ^ signOf<T>(b);
  if ((isInfinity<T>(a) && isInfinity<T>(b)) || (isZero<T>(a) && isZero<T>(b))) return fpInvalid<T>(cpu);
  if (isInfinity<T>(a)) return fpInfinity<T>(sign);
  if (isZero<T>(b)) {
    fpRaise(cpu, DZC);
    return fpInfinity<T>(sign);
  }
  if (isZero<T>(a) || isInfinity<T>(b)) return fpZero<T>(sign);

  const quotient = divideJam(significandOf<T>(a) >> 1, significandOf<T>(b));
  const z = clz<u64>(quotient);
  return fpRound<T>(cpu, sign, exponentOf<T>(a) - exponentOf<T>(b) - <i32>z, quotient << z, fpRoundingMode(cpu));
}

function fpSqrt<T>(cpu: usize, op: u64): u64 {
  const a = fpUnpack<T>(cpu, op);
  if (isNaN<T>(a)) return fpProcessNaN<T>(cpu, a);
  if (isZero<T>(a)) return a;
  if (signOf<T>(a)) return fpInvalid<T>(cpu);
  if (isInfinity<T>(a)) return a;

  // An even exponent e makes sqrt(m * 2^e) = sqrt(m) * 2^(e/2), with m in [1, 4).
  const exponent = exponentOf<T>(a);
  const m = significandOf<T>(a) >> (1 - (exponent & 1));
  return fpRound<T>(cpu, 0, exponent >> 1, squareRootJam(m, fractionBits<T>() + 3), fpRoundingMode(cpu));
}

const MIN_NORMAL_32: f32 = reinterpret<f32>(0x00800000);
const MIN_NORMAL_64: f64 = reinterpret<f64>(0x0010000000000000);

/** Finite: a sum cannot have underflowed, because tiny sums are exact. */
function finite32(r: f32): bool {
  return abs(r) < Infinity;
}

function finite64(r: f64): bool {
  return abs(r) < Infinity;
}

/** Neither overflowed nor possibly tiny before rounding. */
export function ordinary32(r: f32): bool {
  return abs(r) > MIN_NORMAL_32 && abs(r) < Infinity;
}

export function ordinary64(r: f64): bool {
  return abs(r) > MIN_NORMAL_64 && abs(r) < Infinity;
}

/** Sets Inexact unless the error of rounding is zero; false if the error is not known. */
export function settleError(cpu: usize, error: f64): bool {
  if (error == 0) return true;
  if (!(abs(error) < Infinity)) return false;
  fpRaise(cpu, IXC);
  return true;
}

// Errors without error: D. E. Knuth's TwoSum, T. J. Dekker's product. Single precision has double for its products.

function sumError32(a: f32, b: f32, r: f32): f32 {
  const bb = r - a;
  return (a - (r - bb)) + (b - bb);
}

export function sumError64(a: f64, b: f64, r: f64): f64 {
  const bb = r - a;
  return (a - (r - bb)) + (b - bb);
}

/** 2^27 + 1: splits a double into two halves whose products are exact. */
const SPLITTER: f64 = 134217729.0;

/** a * b - p for the rounded product p; NaN or infinite if a factor is too large. p must be above SAFE_PRODUCT. */
export function productError64(a: f64, b: f64, p: f64): f64 {
  const ta = a * SPLITTER;
  const ah = ta - (ta - a);
  const al = a - ah;
  const tb = b * SPLITTER;
  const bh = tb - (tb - b);
  const bl = b - bh;
  return ((ah * bh - p) + ah * bl + al * bh) + al * bl;
}

/** Of products above this, no part underflows. */
export const SAFE_PRODUCT: f64 = 1e-270;

/** Is b * q, for a rounded quotient (or root) q, other than a? NaN: not known. */
function quotientError64(a: f64, b: f64, q: f64): f64 {
  const p = b * q;
  return abs(p) > SAFE_PRODUCT ? (p - a) + productError64(b, q, p) : NaN;
}

function takeSum32(cpu: usize, a: f32, b: f32, r: f32): bool {
  return fpPlain(cpu) && finite32(r) && (fpFast(cpu) != 0 || settleError(cpu, sumError32(a, b, r)));
}

function takeSum64(cpu: usize, a: f64, b: f64, r: f64): bool {
  return fpPlain(cpu) && finite64(r) && (fpFast(cpu) != 0 || settleError(cpu, sumError64(a, b, r)));
}

function takeProduct32(cpu: usize, a: f32, b: f32, r: f32): bool {
  if (!fpPlain(cpu)) return false;
  if (!ordinary32(r)) return r == 0 && (a == 0 || b == 0);
  return fpFast(cpu) != 0 || settleError(cpu, <f64>a * <f64>b - <f64>r);
}

function takeProduct64(cpu: usize, a: f64, b: f64, r: f64): bool {
  if (!fpPlain(cpu)) return false;
  if (!ordinary64(r)) return r == 0 && (a == 0 || b == 0);
  return fpFast(cpu) != 0 || (abs(r) > SAFE_PRODUCT && settleError(cpu, productError64(a, b, r)));
}

function takeQuotient32(cpu: usize, a: f32, b: f32, r: f32): bool {
  if (!fpPlain(cpu)) return false;
  if (!ordinary32(r)) return r == 0 && a == 0;
  return fpFast(cpu) != 0 || settleError(cpu, <f64>b * <f64>r - <f64>a);
}

function takeQuotient64(cpu: usize, a: f64, b: f64, r: f64): bool {
  if (!fpPlain(cpu)) return false;
  if (!ordinary64(r)) return r == 0 && a == 0;
  return fpFast(cpu) != 0 || settleError(cpu, quotientError64(a, b, r));
}

export function fpAdd16(cpu: usize, a: u32, b: u32): u32 {
  return <u32>fpAdd<u16>(cpu, a, b);
}

export function fpAdd32(cpu: usize, a: u32, b: u32): u32 {
  const x = reinterpret<f32>(a);
  const y = reinterpret<f32>(b);
  const r = x + y;
  return takeSum32(cpu, x, y, r) ? reinterpret<u32>(r) : <u32>fpAdd<u32>(cpu, a, b);
}

export function fpAdd64(cpu: usize, a: u64, b: u64): u64 {
  const x = reinterpret<f64>(a);
  const y = reinterpret<f64>(b);
  const r = x + y;
  return takeSum64(cpu, x, y, r) ? reinterpret<u64>(r) : fpAdd<u64>(cpu, a, b);
}

export function fpSub16(cpu: usize, a: u32, b: u32): u32 {
  return <u32>fpSub<u16>(cpu, a, b);
}

export function fpSub32(cpu: usize, a: u32, b: u32): u32 {
  const x = reinterpret<f32>(a);
  const y = reinterpret<f32>(b);
  const r = x - y;
  return takeSum32(cpu, x, -y, r) ? reinterpret<u32>(r) : <u32>fpSub<u32>(cpu, a, b);
}

export function fpSub64(cpu: usize, a: u64, b: u64): u64 {
  const x = reinterpret<f64>(a);
  const y = reinterpret<f64>(b);
  const r = x - y;
  return takeSum64(cpu, x, -y, r) ? reinterpret<u64>(r) : fpSub<u64>(cpu, a, b);
}

export function fpMul16(cpu: usize, a: u32, b: u32): u32 {
  return <u32>fpMul<u16>(cpu, a, b, false);
}

export function fpMul32(cpu: usize, a: u32, b: u32): u32 {
  const x = reinterpret<f32>(a);
  const y = reinterpret<f32>(b);
  const r = x * y;
  return takeProduct32(cpu, x, y, r) ? reinterpret<u32>(r) : <u32>fpMul<u32>(cpu, a, b, false);
}

export function fpMul64(cpu: usize, a: u64, b: u64): u64 {
  const x = reinterpret<f64>(a);
  const y = reinterpret<f64>(b);
  const r = x * y;
  return takeProduct64(cpu, x, y, r) ? reinterpret<u64>(r) : fpMul<u64>(cpu, a, b, false);
}

export function fpMulX16(cpu: usize, a: u32, b: u32): u32 {
  return <u32>fpMul<u16>(cpu, a, b, true);
}

export function fpMulX32(cpu: usize, a: u32, b: u32): u32 {
  const x = reinterpret<f32>(a);
  const y = reinterpret<f32>(b);
  const r = x * y;
  return takeProduct32(cpu, x, y, r) ? reinterpret<u32>(r) : <u32>fpMul<u32>(cpu, a, b, true);
}

export function fpMulX64(cpu: usize, a: u64, b: u64): u64 {
  const x = reinterpret<f64>(a);
  const y = reinterpret<f64>(b);
  const r = x * y;
  return takeProduct64(cpu, x, y, r) ? reinterpret<u64>(r) : fpMul<u64>(cpu, a, b, true);
}

export function fpDiv16(cpu: usize, a: u32, b: u32): u32 {
  return <u32>fpDiv<u16>(cpu, a, b);
}

export function fpDiv32(cpu: usize, a: u32, b: u32): u32 {
  const x = reinterpret<f32>(a);
  const y = reinterpret<f32>(b);
  const r = x / y;
  return takeQuotient32(cpu, x, y, r) ? reinterpret<u32>(r) : <u32>fpDiv<u32>(cpu, a, b);
}

export function fpDiv64(cpu: usize, a: u64, b: u64): u64 {
  const x = reinterpret<f64>(a);
  const y = reinterpret<f64>(b);
  const r = x / y;
  return takeQuotient64(cpu, x, y, r) ? reinterpret<u64>(r) : fpDiv<u64>(cpu, a, b);
}

export function fpSqrt16(cpu: usize, a: u32): u32 {
  return <u32>fpSqrt<u16>(cpu, a);
}

export function fpSqrt32(cpu: usize, a: u32): u32 {
  const x = reinterpret<f32>(a);
  const r = sqrt<f32>(x);
  const take = fpPlain(cpu) && finite32(r) && (fpFast(cpu) != 0 || settleError(cpu, <f64>r * <f64>r - <f64>x));
  return take ? reinterpret<u32>(r) : <u32>fpSqrt<u32>(cpu, a);
}

export function fpSqrt64(cpu: usize, a: u64): u64 {
  const x = reinterpret<f64>(a);
  const r = sqrt<f64>(x);
  const take = fpPlain(cpu) && finite64(r) && (fpFast(cpu) != 0 || settleError(cpu, quotientError64(x, r, r)));
  return take ? reinterpret<u64>(r) : fpSqrt<u64>(cpu, a);
}
