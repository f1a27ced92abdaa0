import { FPSR } from "../../cpu/state-layout.ts";
import type { Builder, I32, V128 } from "../../ir/builder.ts";
import type { Arrangement, Esize } from "./lanes.ts";
import { greater, int, lowHalves, lowOnes, max, min, mulWiden, shr, signBits, splatConst, widen } from "./lanes.ts";

// Saturating arithmetic: SatQ() and what it does to FPSR.QC.

const QC = 27;

/** FPSR.QC becomes 1 if the condition (0 or 1) holds. */
export function setQCIf(b: Builder, saturated: I32): void {
  b.setWord(FPSR, b.i32.or(b.getWord(FPSR), b.i32.shl(saturated, b.const32(QC))));
}

/** FPSR.QC becomes 1 if any bit among the low `datasize` is set. */
export function setQCIfAny(b: Builder, saturated: V128, datasize: number): void {
  const bits = datasize === 128 ? saturated : b.v128.and(saturated, lowOnes(b, datasize));
  setQCIf(b, b.v128.any_true(bits));
}

/** The greatest (for x >= 0) and the least (for x < 0) signed number. */
export function signedLimit(b: Builder, e: Esize, x: V128): V128 {
  return b.v128.xor(int(b, e).shr_s(x, b.const32(e - 1)), b.v128.not(signBits(b, e)));
}

/** SatQ(x + y) and QC. */
export function addSat(b: Builder, a: Arrangement, x: V128, y: V128, signed: boolean): V128 {
  const e = a.esize;
  const sum = int(b, e).add(x, y);
  if (e < 32) {
    const r = (int(b, e) as Builder["i8x16"])[signed ? "add_sat_s" : "add_sat_u"](x, y);
    setQCIfAny(b, b.v128.xor(r, sum), a.datasize);
    return r;
  }
  if (!signed) return saturateWhere(b, a, greater(b, e, x, sum, false), b.v128.not(b.zeroV()), sum);
  const signs = b.v128.and(b.v128.xor(x, sum), b.v128.xor(y, sum));
  return saturateWhere(b, a, int(b, e).shr_s(signs, b.const32(e - 1)), signedLimit(b, e, x), sum);
}

/** SatQ(x - y) and QC. */
export function subSat(b: Builder, a: Arrangement, x: V128, y: V128, signed: boolean): V128 {
  const e = a.esize;
  const difference = int(b, e).sub(x, y);
  if (e < 32) {
    const r = (int(b, e) as Builder["i8x16"])[signed ? "sub_sat_s" : "sub_sat_u"](x, y);
    setQCIfAny(b, b.v128.xor(r, difference), a.datasize);
    return r;
  }
  if (!signed) return saturateWhere(b, a, greater(b, e, y, x, false), b.zeroV(), difference);
  const signs = b.v128.and(b.v128.xor(x, y), b.v128.xor(x, difference));
  return saturateWhere(b, a, int(b, e).shr_s(signs, b.const32(e - 1)), signedLimit(b, e, x), difference);
}

/** The limit, and QC, where the mask is all ones; the value elsewhere. */
export function saturateWhere(b: Builder, a: Arrangement, mask: V128, limit: V128, value: V128): V128 {
  setQCIfAny(b, mask, a.datasize);
  return b.v128.bitselect(limit, value, mask);
}

export type Narrowing = "signed" | "unsigned" | "signedToUnsigned";

/** SatQ() of elements of size 2e to size e, still in elements of size 2e. `bits`: how much of the vector counts for QC. */
export function clamp(b: Builder, e: Esize, v: V128, how: Narrowing, bits: number): V128 {
  const w = (e * 2) as Esize;
  const ones = (n: number) => (n <= 32 ? splatConst(b, w, n === 32 ? -1 : 2 ** n - 1, 0) : splatConst(b, w, -1, 0));
  let r: V128;
  if (how === "unsigned") r = min(b, w, v, ones(e), false);
  else if (how === "signedToUnsigned") r = min(b, w, max(b, w, v, b.zeroV(), true), ones(e), true);
  else r = min(b, w, max(b, w, v, b.v128.not(ones(e - 1)), true), ones(e - 1), true);
  setQCIfAny(b, b.v128.xor(r, v), bits);
  return r;
}

/**
 * SQDMULH and SQRDMULH (and with `accumulator` SQRDMLAH and SQRDMLSH): the high half of the doubled product, saturated.
 * All is halved so that it fits an element of twice the size: ((acc << (e - 1)) +- x * y + round) >> (e - 1).
 */
export function doublingHigh(
  b: Builder,
  a: Arrangement,
  x: V128,
  y: V128,
  rounding: boolean,
  accumulate?: { readonly d: V128; readonly subtract: boolean },
): V128 {
  const e = a.esize;
  const w = (e * 2) as Esize;
  const half = (part: number) => {
    let r = mulWiden(b, e, x, y, part, true);
    if (accumulate) {
      const acc = int(b, w).shl(widen(b, e, accumulate.d, part, true), b.const32(e - 1));
      r = accumulate.subtract ? int(b, w).sub(acc, r) : int(b, w).add(acc, r);
    }
    if (rounding) r = int(b, w).add(r, splatConst(b, w, 2 ** (e - 2), 0));
    return clamp(b, e, shr(b, w, r, b.const32(e - 1), true), "signed", Math.min(128, 2 * (a.datasize - 64 * part)));
  };
  const low = half(0);
  return lowHalves(b, e, low, a.datasize === 128 ? half(1) : low);
}
