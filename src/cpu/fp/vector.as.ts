// Floating-point helpers of whole vectors: the scalar ones on every element, the lowest first. 32x2 takes and gives the low two words;
// the others are zero in the result.

import {
  fpAdd32, fpAdd64, fpDiv32, fpDiv64, fpMul32, fpMul64, fpMulX32, fpMulX64, fpSqrt32, fpSqrt64, fpSub32, fpSub64,
} from "./arithmetic.as";
import {
  fpCmpEQ32, fpCmpEQ64, fpCmpGE32, fpCmpGE64, fpCmpGT32, fpCmpGT64, fpMax32, fpMax64, fpMaxNum32, fpMaxNum64, fpMin32, fpMin64,
  fpMinNum32, fpMinNum64,
} from "./compare.as";
import { fpConvert32to64, fpConvert64to32 } from "./convert.as";
import { fixed32toFp32, fpToFixed32to32 } from "./fixed.as";
import { fpMulAdd32, fpMulAdd64, fpRSqrtStep32, fpRSqrtStep64, fpRecipStep32, fpRecipStep64 } from "./fma.as";
import { fpRoundInt32, fpRoundInt64 } from "./round-int.as";

type Op32 = (cpu: usize, a: u32, b: u32) => u32;
type Op64 = (cpu: usize, a: u64, b: u64) => u64;
type Test32 = (cpu: usize, a: u32, b: u32) => i32;
type Test64 = (cpu: usize, a: u64, b: u64) => i32;

// Lanes by name: a lane's number is part of the instruction.

function word(v: v128, i: i32): u32 {
  if (i == 0) return v128.extract_lane<u32>(v, 0);
  if (i == 1) return v128.extract_lane<u32>(v, 1);
  if (i == 2) return v128.extract_lane<u32>(v, 2);
  return v128.extract_lane<u32>(v, 3);
}

function withWord(v: v128, i: i32, x: u32): v128 {
  if (i == 0) return v128.replace_lane<u32>(v, 0, x);
  if (i == 1) return v128.replace_lane<u32>(v, 1, x);
  if (i == 2) return v128.replace_lane<u32>(v, 2, x);
  return v128.replace_lane<u32>(v, 3, x);
}

const ZERO: v128 = i64x2(0, 0);

function words(cpu: usize, n: i32, f: Op32, a: v128, b: v128): v128 {
  let r = ZERO;
  for (let i = 0; i < n; i++) r = withWord(r, i, f(cpu, word(a, i), word(b, i)));
  return r;
}

function testWords(cpu: usize, n: i32, f: Test32, a: v128, b: v128): v128 {
  let r = ZERO;
  for (let i = 0; i < n; i++) r = withWord(r, i, <u32>-f(cpu, word(a, i), word(b, i)));
  return r;
}

function doublewords(cpu: usize, f: Op64, a: v128, b: v128): v128 {
  const low = f(cpu, v128.extract_lane<u64>(a, 0), v128.extract_lane<u64>(b, 0));
  const high = f(cpu, v128.extract_lane<u64>(a, 1), v128.extract_lane<u64>(b, 1));
  return pair(low, high);
}

function testDoublewords(cpu: usize, f: Test64, a: v128, b: v128): v128 {
  const low = f(cpu, v128.extract_lane<u64>(a, 0), v128.extract_lane<u64>(b, 0));
  const high = f(cpu, v128.extract_lane<u64>(a, 1), v128.extract_lane<u64>(b, 1));
  return pair(<u64>-(<i64>low), <u64>-(<i64>high));
}

function pair(low: u64, high: u64): v128 {
  return v128.replace_lane<u64>(v128.splat<u64>(low), 1, high);
}

export function fpAdd32x2(cpu: usize, a: v128, b: v128): v128 {
  return words(cpu, 2, fpAdd32, a, b);
}

export function fpAdd32x4(cpu: usize, a: v128, b: v128): v128 {
  return words(cpu, 4, fpAdd32, a, b);
}

export function fpAdd64x2(cpu: usize, a: v128, b: v128): v128 {
  return doublewords(cpu, fpAdd64, a, b);
}

export function fpSub32x2(cpu: usize, a: v128, b: v128): v128 {
  return words(cpu, 2, fpSub32, a, b);
}

export function fpSub32x4(cpu: usize, a: v128, b: v128): v128 {
  return words(cpu, 4, fpSub32, a, b);
}

export function fpSub64x2(cpu: usize, a: v128, b: v128): v128 {
  return doublewords(cpu, fpSub64, a, b);
}

export function fpMul32x2(cpu: usize, a: v128, b: v128): v128 {
  return words(cpu, 2, fpMul32, a, b);
}

export function fpMul32x4(cpu: usize, a: v128, b: v128): v128 {
  return words(cpu, 4, fpMul32, a, b);
}

export function fpMul64x2(cpu: usize, a: v128, b: v128): v128 {
  return doublewords(cpu, fpMul64, a, b);
}

export function fpDiv32x2(cpu: usize, a: v128, b: v128): v128 {
  return words(cpu, 2, fpDiv32, a, b);
}

export function fpDiv32x4(cpu: usize, a: v128, b: v128): v128 {
  return words(cpu, 4, fpDiv32, a, b);
}

export function fpDiv64x2(cpu: usize, a: v128, b: v128): v128 {
  return doublewords(cpu, fpDiv64, a, b);
}

export function fpMulX32x2(cpu: usize, a: v128, b: v128): v128 {
  return words(cpu, 2, fpMulX32, a, b);
}

export function fpMulX32x4(cpu: usize, a: v128, b: v128): v128 {
  return words(cpu, 4, fpMulX32, a, b);
}

export function fpMulX64x2(cpu: usize, a: v128, b: v128): v128 {
  return doublewords(cpu, fpMulX64, a, b);
}

export function fpMax32x2(cpu: usize, a: v128, b: v128): v128 {
  return words(cpu, 2, fpMax32, a, b);
}

export function fpMax32x4(cpu: usize, a: v128, b: v128): v128 {
  return words(cpu, 4, fpMax32, a, b);
}

export function fpMax64x2(cpu: usize, a: v128, b: v128): v128 {
  return doublewords(cpu, fpMax64, a, b);
}

export function fpMin32x2(cpu: usize, a: v128, b: v128): v128 {
  return words(cpu, 2, fpMin32, a, b);
}

export function fpMin32x4(cpu: usize, a: v128, b: v128): v128 {
  return words(cpu, 4, fpMin32, a, b);
}

export function fpMin64x2(cpu: usize, a: v128, b: v128): v128 {
  return doublewords(cpu, fpMin64, a, b);
}

export function fpMaxNum32x2(cpu: usize, a: v128, b: v128): v128 {
  return words(cpu, 2, fpMaxNum32, a, b);
}

export function fpMaxNum32x4(cpu: usize, a: v128, b: v128): v128 {
  return words(cpu, 4, fpMaxNum32, a, b);
}

export function fpMaxNum64x2(cpu: usize, a: v128, b: v128): v128 {
  return doublewords(cpu, fpMaxNum64, a, b);
}

export function fpMinNum32x2(cpu: usize, a: v128, b: v128): v128 {
  return words(cpu, 2, fpMinNum32, a, b);
}

export function fpMinNum32x4(cpu: usize, a: v128, b: v128): v128 {
  return words(cpu, 4, fpMinNum32, a, b);
}

export function fpMinNum64x2(cpu: usize, a: v128, b: v128): v128 {
  return doublewords(cpu, fpMinNum64, a, b);
}

export function fpRecipStep32x2(cpu: usize, a: v128, b: v128): v128 {
  return words(cpu, 2, fpRecipStep32, a, b);
}

export function fpRecipStep32x4(cpu: usize, a: v128, b: v128): v128 {
  return words(cpu, 4, fpRecipStep32, a, b);
}

export function fpRecipStep64x2(cpu: usize, a: v128, b: v128): v128 {
  return doublewords(cpu, fpRecipStep64, a, b);
}

export function fpRSqrtStep32x2(cpu: usize, a: v128, b: v128): v128 {
  return words(cpu, 2, fpRSqrtStep32, a, b);
}

export function fpRSqrtStep32x4(cpu: usize, a: v128, b: v128): v128 {
  return words(cpu, 4, fpRSqrtStep32, a, b);
}

export function fpRSqrtStep64x2(cpu: usize, a: v128, b: v128): v128 {
  return doublewords(cpu, fpRSqrtStep64, a, b);
}

export function fpCmpEQ32x2(cpu: usize, a: v128, b: v128): v128 {
  return testWords(cpu, 2, fpCmpEQ32, a, b);
}

export function fpCmpEQ32x4(cpu: usize, a: v128, b: v128): v128 {
  return testWords(cpu, 4, fpCmpEQ32, a, b);
}

export function fpCmpEQ64x2(cpu: usize, a: v128, b: v128): v128 {
  return testDoublewords(cpu, fpCmpEQ64, a, b);
}

export function fpCmpGE32x2(cpu: usize, a: v128, b: v128): v128 {
  return testWords(cpu, 2, fpCmpGE32, a, b);
}

export function fpCmpGE32x4(cpu: usize, a: v128, b: v128): v128 {
  return testWords(cpu, 4, fpCmpGE32, a, b);
}

export function fpCmpGE64x2(cpu: usize, a: v128, b: v128): v128 {
  return testDoublewords(cpu, fpCmpGE64, a, b);
}

export function fpCmpGT32x2(cpu: usize, a: v128, b: v128): v128 {
  return testWords(cpu, 2, fpCmpGT32, a, b);
}

export function fpCmpGT32x4(cpu: usize, a: v128, b: v128): v128 {
  return testWords(cpu, 4, fpCmpGT32, a, b);
}

export function fpCmpGT64x2(cpu: usize, a: v128, b: v128): v128 {
  return testDoublewords(cpu, fpCmpGT64, a, b);
}

function fpSqrt32Words(cpu: usize, n: i32, a: v128): v128 {
  let r = ZERO;
  for (let i = 0; i < n; i++) r = withWord(r, i, fpSqrt32(cpu, word(a, i)));
  return r;
}

export function fpSqrt32x2(cpu: usize, a: v128): v128 {
  return fpSqrt32Words(cpu, 2, a);
}

export function fpSqrt32x4(cpu: usize, a: v128): v128 {
  return fpSqrt32Words(cpu, 4, a);
}

export function fpSqrt64x2(cpu: usize, a: v128): v128 {
  const low = fpSqrt64(cpu, v128.extract_lane<u64>(a, 0));
  return pair(low, fpSqrt64(cpu, v128.extract_lane<u64>(a, 1)));
}

function fpRoundInt32Words(cpu: usize, n: i32, a: v128, rounding: i32, exact: i32): v128 {
  let r = ZERO;
  for (let i = 0; i < n; i++) r = withWord(r, i, fpRoundInt32(cpu, word(a, i), rounding, exact));
  return r;
}

export function fpRoundInt32x2(cpu: usize, a: v128, rounding: i32, exact: i32): v128 {
  return fpRoundInt32Words(cpu, 2, a, rounding, exact);
}

export function fpRoundInt32x4(cpu: usize, a: v128, rounding: i32, exact: i32): v128 {
  return fpRoundInt32Words(cpu, 4, a, rounding, exact);
}

export function fpRoundInt64x2(cpu: usize, a: v128, rounding: i32, exact: i32): v128 {
  const low = fpRoundInt64(cpu, v128.extract_lane<u64>(a, 0), rounding, exact);
  return pair(low, fpRoundInt64(cpu, v128.extract_lane<u64>(a, 1), rounding, exact));
}

function fpToFixed32to32Words(cpu: usize, n: i32, a: v128, fbits: i32, unsigned: i32, rounding: i32): v128 {
  let r = ZERO;
  for (let i = 0; i < n; i++) r = withWord(r, i, fpToFixed32to32(cpu, word(a, i), fbits, unsigned, rounding));
  return r;
}

export function fpToFixed32x2(cpu: usize, a: v128, fbits: i32, unsigned: i32, rounding: i32): v128 {
  return fpToFixed32to32Words(cpu, 2, a, fbits, unsigned, rounding);
}

export function fpToFixed32x4(cpu: usize, a: v128, fbits: i32, unsigned: i32, rounding: i32): v128 {
  return fpToFixed32to32Words(cpu, 4, a, fbits, unsigned, rounding);
}

function fixed32toFp32Words(cpu: usize, n: i32, a: v128, fbits: i32, unsigned: i32): v128 {
  let r = ZERO;
  for (let i = 0; i < n; i++) r = withWord(r, i, fixed32toFp32(cpu, word(a, i), fbits, unsigned));
  return r;
}

export function fixedToFp32x2(cpu: usize, a: v128, fbits: i32, unsigned: i32): v128 {
  return fixed32toFp32Words(cpu, 2, a, fbits, unsigned);
}

export function fixedToFp32x4(cpu: usize, a: v128, fbits: i32, unsigned: i32): v128 {
  return fixed32toFp32Words(cpu, 4, a, fbits, unsigned);
}

function mulAddWords(cpu: usize, n: i32, addend: v128, a: v128, b: v128): v128 {
  let r = ZERO;
  for (let i = 0; i < n; i++) r = withWord(r, i, fpMulAdd32(cpu, word(addend, i), word(a, i), word(b, i)));
  return r;
}

export function fpMulAdd32x2(cpu: usize, addend: v128, a: v128, b: v128): v128 {
  return mulAddWords(cpu, 2, addend, a, b);
}

export function fpMulAdd32x4(cpu: usize, addend: v128, a: v128, b: v128): v128 {
  return mulAddWords(cpu, 4, addend, a, b);
}

export function fpMulAdd64x2(cpu: usize, addend: v128, a: v128, b: v128): v128 {
  const c0 = v128.extract_lane<u64>(addend, 0);
  const c1 = v128.extract_lane<u64>(addend, 1);
  const low = fpMulAdd64(cpu, c0, v128.extract_lane<u64>(a, 0), v128.extract_lane<u64>(b, 0));
  return pair(low, fpMulAdd64(cpu, c1, v128.extract_lane<u64>(a, 1), v128.extract_lane<u64>(b, 1)));
}

export function fpConvert32to64x2(cpu: usize, a: v128): v128 {
  const low = fpConvert32to64(cpu, v128.extract_lane<u32>(a, 0));
  return pair(low, fpConvert32to64(cpu, v128.extract_lane<u32>(a, 1)));
}

export function fpConvert64to32x2(cpu: usize, a: v128): v128 {
  const low = fpConvert64to32(cpu, v128.extract_lane<u64>(a, 0));
  const high = fpConvert64to32(cpu, v128.extract_lane<u64>(a, 1));
  return v128.replace_lane<u32>(v128.replace_lane<u32>(ZERO, 0, low), 1, high);
}
