// FPMulAdd() and the Newton-Raphson steps built on it: one rounding of an exact product plus an addend.

import {
  fpExactZero, fpFast, fpInfinity, fpInvalid, fpNeg, fpOnePointFive, fpPlain, fpRoundingMode, fpThree, fpTwo, isInfinity, isNaN, isSignalling,
  isZero, signOf,
} from "./format.as";
import { SAFE_PRODUCT, fpMul, ordinary32, ordinary64, productError64, settleError, sumError64 } from "./arithmetic.as";
import { fpRound } from "./round.as";
import { exponentOf, fpProcessNaNs, fpProcessNaNs3, fpUnpack, significandOf } from "./unpack.as";
import { multiplyHigh, shiftRightJam } from "./wide.as";

/** FPRound((addend + op1 * op2) * 2^scale) for finite nonzero operands. */
function fpRoundMulAdd<T>(cpu: usize, addend: u64, op1: u64, op2: u64, scale: i32): u64 {
  const rounding = fpRoundingMode(cpu);
  const m1 = significandOf<T>(op1);
  const m2 = significandOf<T>(op2);

  // Both terms as 128-bit integers (h:l) with the leading one in bit 126: value = (h:l) * 2^(exponent - 126).
  let signP = signOf<T>(op1) ^ signOf<T>(op2);
  let expP = exponentOf<T>(op1) + exponentOf<T>(op2);
  let hP = multiplyHigh(m1, m2);
  let lP = m1 * m2;
  if (hP >> 63) {
    // The low bits of a product of significands are zero, so nothing is lost.
    lP = (lP >> 1) | (hP << 63);
    hP >>= 1;
    expP++;
  }
  let signA = signOf<T>(addend);
  let expA = exponentOf<T>(addend);
  let hA = significandOf<T>(addend) >> 1;
  let lA: u64 = 0;

  // P is to be the larger in magnitude.
  if (expA > expP || (expA == expP && hA > hP)) {
    const s = signP;
    const e = expP;
    const h = hP;
    const l = lP;
    signP = signA;
    expP = expA;
    hP = hA;
    lP = lA;
    signA = s;
    expA = e;
    hA = h;
    lA = l;
  }
  const d = expP - expA;
  if (d >= 64) {
    lA = shiftRightJam(hA, d - 64) | <u64>(lA != 0);
    hA = 0;
  } else if (d > 0) {
    lA = (hA << (64 - d)) | shiftRightJam(lA, d);
    hA >>= d;
  }

  let h: u64;
  let l: u64;
  if (signP == signA) {
    l = lP + lA;
    h = hP + hA + <u64>(l < lP);
  } else {
    l = lP - lA;
    h = hP - hA - <u64>(lP < lA);
    if ((h | l) == 0) return fpExactZero<T>(rounding);
  }
  let exponent = expP + 1 + scale;
  if (h == 0) {
    h = l;
    l = 0;
    exponent -= 64;
  }
  const z = <i32>clz<u64>(h);
  if (z) h = (h << z) | (l >> (64 - z));
  return fpRound<T>(cpu, signP, exponent - z, h | <u64>(l << z != 0), rounding);
}

function fpMulAdd<T>(cpu: usize, addend: u64, op1: u64, op2: u64): u64 {
  const c = fpUnpack<T>(cpu, addend);
  const a = fpUnpack<T>(cpu, op1);
  const b = fpUnpack<T>(cpu, op2);
  const invalidProduct = (isInfinity<T>(a) && isZero<T>(b)) || (isZero<T>(a) && isInfinity<T>(b));
  if (invalidProduct && !isSignalling<T>(c)) return fpInvalid<T>(cpu);
  if (isNaN<T>(a) || isNaN<T>(b) || isNaN<T>(c)) return fpProcessNaNs3<T>(cpu, c, a, b);
  const sign = signOf<T>(a) ^ signOf<T>(b);
  const infinite = isInfinity<T>(a) || isInfinity<T>(b);
  if (isInfinity<T>(c)) return infinite && sign != signOf<T>(c) ? fpInvalid<T>(cpu) : c;
  if (infinite) return fpInfinity<T>(sign);
  if (isZero<T>(a) || isZero<T>(b)) {
    if (isZero<T>(c) && sign != signOf<T>(c)) return fpExactZero<T>(fpRoundingMode(cpu));
    return c;
  }
  return isZero<T>(c) ? fpMul<T>(cpu, a, b, false) : fpRoundMulAdd<T>(cpu, c, a, b, 0);
}

/** FPRecipStepFused(), 2 - op1 * op2, and FPRSqrtStepFused(), (3 - op1 * op2) / 2: (addend - op1 * op2) * 2^scale. */
function fpStep<T>(cpu: usize, addend: u64, scale: i32, op1: u64, op2: u64): u64 {
  const a = fpUnpack<T>(cpu, fpNeg<T>(op1));
  const b = fpUnpack<T>(cpu, op2);
  if (isNaN<T>(a) || isNaN<T>(b)) return fpProcessNaNs<T>(cpu, a, b);
  const infinite = isInfinity<T>(a) || isInfinity<T>(b);
  if (isZero<T>(a) || isZero<T>(b)) return scale ? fpOnePointFive<T>(0) : fpTwo<T>(0);
  if (infinite) return fpInfinity<T>(signOf<T>(a) ^ signOf<T>(b));
  return fpRoundMulAdd<T>(cpu, addend, a, b, scale);
}

export function fpMulAdd16(cpu: usize, addend: u32, a: u32, b: u32): u32 {
  return <u32>fpMulAdd<u16>(cpu, addend, a, b);
}

export function fpMulAdd32(cpu: usize, addend: u32, a: u32, b: u32): u32 {
  // The product is exact in double precision. Rounding the sum twice is harmless unless the first rounding ends on a tie of the second.
  const c = <f64>reinterpret<f32>(addend);
  const product = <f64>reinterpret<f32>(a) * <f64>reinterpret<f32>(b);
  const sum = c + product;
  const r = <f32>sum;
  if (fpPlain(cpu)) {
    if (ordinary32(r) && (reinterpret<u64>(sum) & 0x1fffffff) != 0x10000000) {
      if (fpFast(cpu)) return reinterpret<u32>(r);
      const isExact = <f64>r == sum && sumError64(c, product, sum) == 0;
      if (settleError(cpu, isExact ? 0 : 1)) return reinterpret<u32>(r);
    }
    // Zero plus or minus zero, or an exact difference, is positive unless all is negative.
    if (product == 0 && abs(c) < Infinity) return reinterpret<u32>(r);
  }
  return <u32>fpMulAdd<u32>(cpu, addend, a, b);
}

export function fpMulAdd64(cpu: usize, addend: u64, a: u64, b: u64): u64 {
  if (fpPlain(cpu)) {
    const x = reinterpret<f64>(a);
    const y = reinterpret<f64>(b);
    const c = reinterpret<f64>(addend);
    const r = nativeMulAdd(cpu, c, x, y);
    if (ordinary64(r)) return reinterpret<u64>(r);
    // A product of zero: the sum is exact.
    if ((x == 0 || y == 0) && abs(x * y) == 0 && abs(c) < Infinity) return reinterpret<u64>(c + x * y);
  }
  return fpMulAdd<u64>(cpu, addend, a, b);
}

/**
 * c + a * b rounded once to nearest, or NaN when that is not certain. Product and sum are taken apart without error, and only the two
 * errors' own sum is rounded; that matters only next to a tie, which the last test excludes.
 */
function nativeMulAdd(cpu: usize, c: f64, a: f64, b: f64): f64 {
  const p = a * b;
  const productError = productError64(a, b, p);
  const s = p + c;
  const sumError = sumError64(p, c, s);
  const error = sumError + productError;
  const r = s + error;
  const rest = error - (r - s);
  // Overflow anywhere makes r infinite or NaN.
  if (!(abs(p) > SAFE_PRODUCT && ordinary64(r) && r + rest * 1.00000001 == r)) return NaN;
  if (fpFast(cpu)) return r;
  // Without a second error, what is left over is known.
  return (sumError == 0 || productError == 0) && settleError(cpu, rest) ? r : NaN;
}

export function fpRecipStep16(cpu: usize, a: u32, b: u32): u32 {
  return <u32>fpStep<u16>(cpu, fpTwo<u16>(0), 0, a, b);
}

export function fpRecipStep32(cpu: usize, a: u32, b: u32): u32 {
  return <u32>fpStep<u32>(cpu, fpTwo<u32>(0), 0, a, b);
}

export function fpRecipStep64(cpu: usize, a: u64, b: u64): u64 {
  return fpStep<u64>(cpu, fpTwo<u64>(0), 0, a, b);
}

export function fpRSqrtStep16(cpu: usize, a: u32, b: u32): u32 {
  return <u32>fpStep<u16>(cpu, fpThree<u16>(0), -1, a, b);
}

export function fpRSqrtStep32(cpu: usize, a: u32, b: u32): u32 {
  return <u32>fpStep<u32>(cpu, fpThree<u32>(0), -1, a, b);
}

export function fpRSqrtStep64(cpu: usize, a: u64, b: u64): u64 {
  return fpStep<u64>(cpu, fpThree<u64>(0), -1, a, b);
}
