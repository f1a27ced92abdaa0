import type { Feature } from "../../arch/features.ts";
import type { Builder, I32, I64, Reg, V128, Value } from "../../ir/builder.ts";
import type { Row } from "../row.ts";
import { type Arrangement, build, type Esize, elements, extract, range, signBits } from "./lanes.ts";

// Floating-point elements as bit patterns: an i32 for half and single precision, an i64 for double.

/** Floating-point sizes. */
export type Fsize = 16 | 32 | 64;

/** Calls a helper of ir/helpers.ts that exists for every floating-point size. */
export function fp(b: Builder, name: string, e: Esize, ...args: Value[]): Value {
  return b.call(`${name}${e}`, ...args);
}

export function getFp(b: Builder, e: Esize, r: Reg): Value {
  return e === 64 ? b.getD(r) : e === 32 ? b.getS(r) : b.getH(r);
}

/** Writes a scalar; the rest of the register becomes zero. */
export function setFp(b: Builder, e: Esize, r: Reg, v: Value): void {
  if (e === 64) b.setD(r, v as I64);
  else if (e === 32) b.setS(r, v as I32);
  else b.setH(r, v as I32);
}

/** FPNeg(): also of a NaN. */
export function fpNeg(b: Builder, e: Esize, v: Value): Value {
  if (e === 64) return b.i64.xor(v as I64, b.const64(0, 0x80000000));
  return b.i32.xor(v as I32, b.const32(2 ** (e - 1)));
}

/** FPAbs(): also of a NaN. */
export function fpAbs(b: Builder, e: Esize, v: Value): Value {
  if (e === 64) return b.i64.and(v as I64, b.const64(-1, 0x7fffffff));
  return b.i32.and(v as I32, b.const32(2 ** (e - 1) - 1));
}

export function fpZero(b: Builder, e: Esize): Value {
  return e === 64 ? b.const64(0) : b.const32(0);
}

/** All ones for 1, zero for 0, in the type of an element. */
export function maskOf(b: Builder, e: Esize, condition: Value): Value {
  const mask = b.i32.sub(b.const32(0), condition as I32);
  return e === 64 ? b.i64.extend_i32_s(mask) : mask;
}

/** Does ir/helpers.ts have helpers of whole vectors of this arrangement? Half precision and scalars go by elements. */
function isWhole(a: Arrangement): boolean {
  return a.esize >= 32 && elements(a) > 1;
}

/** Calls a helper for all elements: of the whole vectors where there is one. What is above datasize is any. */
export function fpVector(b: Builder, name: string, a: Arrangement, vectors: readonly V128[], ...rest: Value[]): V128 {
  if (isWhole(a)) return b.call<"v128">(`${name}${a.esize}x${elements(a)}`, ...vectors, ...rest);
  return fpLanes(b, a, vectors, (...v) => fp(b, name, a.esize, ...v, ...rest));
}

/** The masks of a comparison. */
export function fpMasks(b: Builder, name: string, a: Arrangement, x: V128, y: V128): V128 {
  if (isWhole(a)) return fpVector(b, name, a, [x, y]);
  return fpLanes(b, a, [x, y], (v, w) => maskOf(b, a.esize, fp(b, name, a.esize, v as Value, w as Value)));
}

/** FPToFixed() of all elements, to integers of the same size. */
export function fpToFixed(b: Builder, a: Arrangement, x: V128, fbits: I32, unsigned: I32, rounding: I32): V128 {
  if (isWhole(a) && a.esize === 32) return fpVector(b, "fpToFixed", a, [x], fbits, unsigned, rounding);
  const name = `fpToFixed${a.esize}to${a.esize}`;
  return fpLanes(b, a, [x], (v) => b.call(name, v as Value, fbits, unsigned, rounding));
}

/** FixedToFP() of all elements, from integers of the same size. */
export function fixedToFp(b: Builder, a: Arrangement, x: V128, fbits: I32, unsigned: I32): V128 {
  if (isWhole(a) && a.esize === 32) return fpVector(b, "fixedToFp", a, [x], fbits, unsigned);
  return fpLanes(b, a, [x], (v) => b.call(`fixed${a.esize}toFp${a.esize}`, v as Value, fbits, unsigned));
}

/** FPNeg() of all elements. */
export function fpNegs(b: Builder, e: Esize, v: V128): V128 {
  return b.v128.xor(v, signBits(b, e));
}

/** FPAbs() of all elements. */
export function fpAbsolutes(b: Builder, e: Esize, v: V128): V128 {
  return b.v128.andnot(v, signBits(b, e));
}

/** Applies `f` to the elements with the same number of each operand; what is above datasize becomes zero. */
export function fpLanes(
  b: Builder,
  a: Arrangement,
  operands: readonly V128[],
  f: (...elements: Value[]) => Value,
): V128 {
  return build(b, a, (i) => f(...operands.map((v) => extract(b, a.esize, v, i))));
}

/** FPReduce(): neighbours first. */
export function fpReduce(b: Builder, a: Arrangement, v: V128, f: (low: Value, high: Value) => Value): Value {
  let list = range(elements(a)).map((i) => extract(b, a.esize, v, i));
  while (list.length > 1) {
    list = range(list.length / 2).map((i) => f(list[2 * i] as Value, list[2 * i + 1] as Value));
  }
  return list[0] as Value;
}

/** Values of the `rounding` argument of helpers: FPRounding, then FPCR's own. */
export const ROUNDING = { N: 0, P: 1, M: 2, Z: 3, A: 4, FPCR: -1 } as const;

/** The precisions of scalar instructions: ftype 0P is single or double, 11 is half, which FEAT_FP16 has. */
export interface Precision {
  /** The row's identifier and its feature. */
  named(id: string): { readonly id: string; readonly feat: Feature };
  /** The pattern with its "0P" made "11" for half precision. */
  bits<const P extends string>(pattern: P): P;
  esize(s: { readonly P: number }): Fsize;
}

const SINGLE_DOUBLE: Precision = {
  named: (id) => ({ id, feat: "base" }),
  bits: (pattern) => pattern,
  esize: (s) => (s.P ? 64 : 32),
};

const HALF: Precision = {
  named: (id) => ({ id: `${id}_h`, feat: "FP16" }),
  bits: (pattern) => pattern.replace("0P", "11") as typeof pattern,
  esize: () => 16,
};

/** One row for single and double precision, one for half. */
export function precisions(make: (p: Precision) => Row): Row[] {
  return [make(SINGLE_DOUBLE), make(HALF)];
}
