import type { Builder, I32, I64, V128, Value } from "../../ir/builder.ts";
import type { Arrangement, Esize } from "./lanes.ts";
import { build, extract, extract64, fromI64, int, known, shr, signBits, splatConst } from "./lanes.ts";
import { saturateWhere, setQCIf, signedLimit } from "./saturate.ts";

// Shifts by a register (SSHL and its kin, lane by lane) and by an immediate.

export interface ShiftKind {
  readonly signed: boolean;
  readonly rounding: boolean;
  readonly saturating: boolean;
}

/** [value << n or value >> -n of one element, whether it saturated]; n is signed. */
function shiftElement(b: Builder, e: Esize, kind: ShiftKind, value: I64, n: I64): readonly [I64, I32 | undefined] {
  const { i64 } = b;
  const c = (v: number) => b.const64(v);
  const right = i64.sub(c(0), n);
  const isRight = i64.gt_s(right, c(0));

  // A shift by 64 or more is one by 63 and one by 1.
  const tooFar = i64.gt_s(right, c(63));
  const clipped = b.select(tooFar, c(63), right);
  let shifted: I64;
  if (kind.signed) shifted = i64.shr_s(value, clipped);
  else shifted = b.select(tooFar, c(0), i64.shr_u(value, clipped));
  if (kind.rounding) {
    // The bit below: beyond bit 64 it is the sign.
    const below = i64.sub(right, c(1));
    const belowTooFar = i64.gt_s(below, c(63));
    const last = kind.signed
      ? i64.shr_s(value, b.select(belowTooFar, c(63), below))
      : b.select(belowTooFar, c(0), i64.shr_u(value, below));
    shifted = i64.add(shifted, i64.and(last, c(1)));
  }

  // To the left, 32 places are enough to shift any element of up to 32 bits out of its place, and into nothing lost.
  const limit = e === 64 ? 64 : 32;
  const beyond = i64.ge_s(n, c(limit));
  let left: I64;
  if (e === 64) left = b.select(beyond, c(0), i64.shl(value, n));
  else left = i64.shl(value, b.select(beyond, c(limit), n));
  if (!kind.saturating) return [b.select(isRight, shifted, left), undefined];

  let overflow: I32;
  let most: I64;
  if (e === 64) {
    const back = kind.signed ? i64.shr_s(left, n) : i64.shr_u(left, n);
    overflow = b.i32.or(i64.ne(back, value), b.i32.and(beyond, i64.ne(value, c(0))));
    most = kind.signed ? i64.xor(i64.shr_s(value, c(63)), b.const64(-1, 0x7fffffff)) : c(-1);
  } else if (kind.signed) {
    most = i64.xor(i64.shr_s(value, c(63)), b.const64(2 ** (e - 1) - 1, 0));
    const extended = e === 8 ? i64.extend8_s(left) : e === 16 ? i64.extend16_s(left) : i64.extend32_s(left);
    overflow = i64.ne(extended, left);
  } else {
    most = b.const64(e === 32 ? -1 : 2 ** e - 1, 0);
    overflow = i64.gt_u(left, most);
  }
  overflow = b.i32.and(overflow, b.i32.eqz(isRight));
  return [b.select(isRight, shifted, b.select(overflow, most, left)), overflow];
}

/** SSHL and its kin: each element of x shifted by the signed low byte of the element of y. */
export function shiftByRegister(b: Builder, a: Arrangement, kind: ShiftKind, x: V128, y: V128): V128 {
  let saturated: I32 | undefined;
  const r = build(b, a, (i): Value => {
    const n = b.i64.extend8_s(extract64(b, a.esize, y, i, false));
    const [value, s] = shiftElement(b, a.esize, kind, extract64(b, a.esize, x, i, kind.signed), n);
    if (s) saturated = saturated ? b.i32.or(saturated, s) : s;
    return fromI64(b, a.esize, value);
  });
  if (saturated) setQCIf(b, saturated);
  return r;
}

/** x >> (n + 1), rounded: `n` is one less than the shift amount, which may be the element's size. */
export function shiftRightRounding(b: Builder, e: Esize, x: V128, n: I32, signed: boolean): V128 {
  const t = shr(b, e, x, n, signed);
  const one = b.const32(1);
  return int(b, e).add(shr(b, e, t, one, signed), b.v128.and(t, splatConst(b, e, 1)));
}

/** x >> (n + 1). */
export function shiftRight(b: Builder, e: Esize, x: V128, n: I32, signed: boolean): V128 {
  const k = known(n);
  if (k !== undefined && k + 1 < e) return shr(b, e, x, b.const32(k + 1), signed);
  return shr(b, e, shr(b, e, x, n, signed), b.const32(1), signed);
}

/** SatQ(x << n) and QC, n below the element's size. */
export function shiftLeftSat(b: Builder, a: Arrangement, x: V128, n: I32, signed: boolean): V128 {
  const e = a.esize;
  const r = int(b, e).shl(x, n);
  const lost = int(b, e).ne(shr(b, e, r, n, signed), x);
  const limit = signed ? signedLimit(b, e, x) : b.v128.not(b.zeroV());
  return saturateWhere(b, a, lost, limit, r);
}

/** SQSHLU: of a signed x, saturated to an unsigned number. */
export function shiftLeftUnsignedSat(b: Builder, a: Arrangement, x: V128, n: I32): V128 {
  const e = a.esize;
  const r = int(b, e).shl(x, n);
  const negative = int(b, e).shr_s(x, b.const32(e - 1));
  const lost = b.v128.or(negative, int(b, e).ne(shr(b, e, r, n, false), x));
  return saturateWhere(b, a, lost, b.v128.not(negative), r);
}

/** All-ones elements shifted: the mask of bits that SLI and SRI write. */
export function insertMask(b: Builder, e: Esize, n: I32, left: boolean): V128 {
  const ones = b.v128.not(b.zeroV());
  return left ? int(b, e).shl(ones, n) : shiftRight(b, e, ones, n, false);
}

/** ABS or NEG with saturation: only the least number overflows, and its complement is the greatest. */
export function saturateLeast(b: Builder, a: Arrangement, x: V128, r: V128): V128 {
  const least = int(b, a.esize).eq(x, signBits(b, a.esize));
  return saturateWhere(b, a, least, b.v128.not(x), r);
}

/** Number of leading zeros of each element of 8 to 32 bits. */
export function countLeadingZeros(b: Builder, a: Arrangement, x: V128): V128 {
  return build(b, a, (i) => b.i32.sub(b.i32.clz(extract(b, a.esize, x, i) as I32), b.const32(32 - a.esize)));
}
