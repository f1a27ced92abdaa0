// FPCompare() and its kin; FPMax(), FPMin(), FPMaxNum(), FPMinNum().

import { IOC, fpInfinity, fpRaise, isNaN, isSignalling, isZero, magnitude, signOf } from "./format.as";
import { fpProcessNaNs, fpUnpack } from "./unpack.as";

/** An integer that orders as the value does; both zeros give 0. */
function ordinal<T>(a: u64): i64 {
  const m = <i64>magnitude<T>(a);
  return signOf<T>(a) ? -m : m;
}

/** FPCompare(): NZCV in bits 3:0. */
function fpCompare<T>(cpu: usize, op1: u64, op2: u64, signalNaNs: i32): i32 {
  const a = fpUnpack<T>(cpu, op1);
  const b = fpUnpack<T>(cpu, op2);
  if (isNaN<T>(a) || isNaN<T>(b)) {
    if (signalNaNs || isSignalling<T>(a) || isSignalling<T>(b)) fpRaise(cpu, IOC);
    return 0b0011;
  }
  const x = ordinal<T>(a);
  const y = ordinal<T>(b);
  return x == y ? 0b0110 : x < y ? 0b1000 : 0b0010;
}

/** FPCompareEQ(): only signalling NaNs are invalid. */
function fpCompareEQ<T>(cpu: usize, a: u64, b: u64): i32 {
  return <i32>(fpCompare<T>(cpu, a, b, 0) == 0b0110);
}

/** FPCompareGE(): any NaN is invalid. */
function fpCompareGE<T>(cpu: usize, a: u64, b: u64): i32 {
  const nzcv = fpCompare<T>(cpu, a, b, 1);
  return <i32>(nzcv == 0b0110 || nzcv == 0b0010);
}

/** FPCompareGT(): any NaN is invalid. */
function fpCompareGT<T>(cpu: usize, a: u64, b: u64): i32 {
  return <i32>(fpCompare<T>(cpu, a, b, 1) == 0b0010);
}

function fpMax<T>(cpu: usize, op1: u64, op2: u64): u64 {
  const a = fpUnpack<T>(cpu, op1);
  const b = fpUnpack<T>(cpu, op2);
  if (isNaN<T>(a) || isNaN<T>(b)) return fpProcessNaNs<T>(cpu, a, b);
  if (isZero<T>(a) && isZero<T>(b)) return a & b;
  return ordinal<T>(a) > ordinal<T>(b) ? a : b;
}

function fpMin<T>(cpu: usize, op1: u64, op2: u64): u64 {
  const a = fpUnpack<T>(cpu, op1);
  const b = fpUnpack<T>(cpu, op2);
  if (isNaN<T>(a) || isNaN<T>(b)) return fpProcessNaNs<T>(cpu, a, b);
  if (isZero<T>(a) && isZero<T>(b)) return a | b;
  return ordinal<T>(a) < ordinal<T>(b) ? a : b;
}

function isQuiet<T>(a: u64): bool {
  return isNaN<T>(a) && !isSignalling<T>(a);
}

/** FPMaxNum(): a single quiet NaN counts as -infinity. */
function fpMaxNum<T>(cpu: usize, a: u64, b: u64): u64 {
  if (isQuiet<T>(a) && !isNaN<T>(b)) return fpMax<T>(cpu, fpInfinity<T>(1), b);
  if (isQuiet<T>(b) && !isNaN<T>(a)) return fpMax<T>(cpu, a, fpInfinity<T>(1));
  return fpMax<T>(cpu, a, b);
}

/** FPMinNum(): a single quiet NaN counts as +infinity. */
function fpMinNum<T>(cpu: usize, a: u64, b: u64): u64 {
  if (isQuiet<T>(a) && !isNaN<T>(b)) return fpMin<T>(cpu, fpInfinity<T>(0), b);
  if (isQuiet<T>(b) && !isNaN<T>(a)) return fpMin<T>(cpu, a, fpInfinity<T>(0));
  return fpMin<T>(cpu, a, b);
}

export function fpCompare16(cpu: usize, a: u32, b: u32, signalNaNs: i32): i32 {
  return fpCompare<u16>(cpu, a, b, signalNaNs);
}

export function fpCompare32(cpu: usize, a: u32, b: u32, signalNaNs: i32): i32 {
  return fpCompare<u32>(cpu, a, b, signalNaNs);
}

export function fpCompare64(cpu: usize, a: u64, b: u64, signalNaNs: i32): i32 {
  return fpCompare<u64>(cpu, a, b, signalNaNs);
}

/** What compares with zero as a does with b: -1, 0, 1, or a NaN. */
export function fpOrder32(cpu: usize, a: u32, b: u32, signalNaNs: i32): f32 {
  return <f32>orderOf(fpCompare<u32>(cpu, a, b, signalNaNs));
}

export function fpOrder64(cpu: usize, a: u64, b: u64, signalNaNs: i32): f64 {
  return orderOf(fpCompare<u64>(cpu, a, b, signalNaNs));
}

function orderOf(nzcv: i32): f64 {
  return nzcv == 0b0011 ? NaN : nzcv == 0b0110 ? 0.0 : nzcv == 0b1000 ? -1.0 : 1.0;
}

export function fpCmpEQ16(cpu: usize, a: u32, b: u32): i32 {
  return fpCompareEQ<u16>(cpu, a, b);
}

export function fpCmpEQ32(cpu: usize, a: u32, b: u32): i32 {
  return fpCompareEQ<u32>(cpu, a, b);
}

export function fpCmpEQ64(cpu: usize, a: u64, b: u64): i32 {
  return fpCompareEQ<u64>(cpu, a, b);
}

export function fpCmpGE16(cpu: usize, a: u32, b: u32): i32 {
  return fpCompareGE<u16>(cpu, a, b);
}

export function fpCmpGE32(cpu: usize, a: u32, b: u32): i32 {
  return fpCompareGE<u32>(cpu, a, b);
}

export function fpCmpGE64(cpu: usize, a: u64, b: u64): i32 {
  return fpCompareGE<u64>(cpu, a, b);
}

export function fpCmpGT16(cpu: usize, a: u32, b: u32): i32 {
  return fpCompareGT<u16>(cpu, a, b);
}

export function fpCmpGT32(cpu: usize, a: u32, b: u32): i32 {
  return fpCompareGT<u32>(cpu, a, b);
}

export function fpCmpGT64(cpu: usize, a: u64, b: u64): i32 {
  return fpCompareGT<u64>(cpu, a, b);
}

export function fpMax16(cpu: usize, a: u32, b: u32): u32 {
  return <u32>fpMax<u16>(cpu, a, b);
}

export function fpMax32(cpu: usize, a: u32, b: u32): u32 {
  return <u32>fpMax<u32>(cpu, a, b);
}

export function fpMax64(cpu: usize, a: u64, b: u64): u64 {
  return fpMax<u64>(cpu, a, b);
}

export function fpMin16(cpu: usize, a: u32, b: u32): u32 {
  return <u32>fpMin<u16>(cpu, a, b);
}

export function fpMin32(cpu: usize, a: u32, b: u32): u32 {
  return <u32>fpMin<u32>(cpu, a, b);
}

export function fpMin64(cpu: usize, a: u64, b: u64): u64 {
  return fpMin<u64>(cpu, a, b);
}

export function fpMaxNum16(cpu: usize, a: u32, b: u32): u32 {
  return <u32>fpMaxNum<u16>(cpu, a, b);
}

export function fpMaxNum32(cpu: usize, a: u32, b: u32): u32 {
  return <u32>fpMaxNum<u32>(cpu, a, b);
}

export function fpMaxNum64(cpu: usize, a: u64, b: u64): u64 {
  return fpMaxNum<u64>(cpu, a, b);
}

export function fpMinNum16(cpu: usize, a: u32, b: u32): u32 {
  return <u32>fpMinNum<u16>(cpu, a, b);
}

export function fpMinNum32(cpu: usize, a: u32, b: u32): u32 {
  return <u32>fpMinNum<u32>(cpu, a, b);
}

export function fpMinNum64(cpu: usize, a: u64, b: u64): u64 {
  return fpMinNum<u64>(cpu, a, b);
}
