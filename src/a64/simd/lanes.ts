import type { Builder, I32, I64, Reg, V128, Value } from "../../ir/builder.ts";

// Vectors as lanes of 8, 16, 32 or 64 bits: WebAssembly's vector instructions where there are any, made of others where not.

/** Bits of an element. */
export type Esize = 8 | 16 | 32 | 64;

/** The elements that an instruction works on: those in the low `datasize` bits (of a scalar, one). */
export interface Arrangement {
  readonly esize: Esize;
  readonly datasize: number;
  readonly scalar: boolean;
}

const NAMESPACE = { 8: "i8x16", 16: "i16x8", 32: "i32x4", 64: "i64x2" } as const;

/** The vector instructions that WebAssembly has for all four sizes. */
export function int(b: Builder, e: Esize) {
  return b[NAMESPACE[e]];
}

export function wide(e: Esize): Esize {
  return (e * 2) as Esize;
}

export function elements(a: Arrangement): number {
  return a.datasize / a.esize;
}

/** The lane numbers 0 .. n-1. */
export function range(n: number): number[] {
  return [...Array(n).keys()];
}

/** A vector whose every element is the 64-bit constant hi:lo, cut to the size. */
export function splatConst(b: Builder, e: Esize, lo: number, hi = lo < 0 ? -1 : 0): V128 {
  const byte = (i: number) => ((i < 4 ? lo >> (i * 8) : hi >> ((i - 4) * 8)) & 0xff) >>> 0;
  return b.constV(range(16).map((i) => byte(i % (e / 8))));
}

/** Every element has only its sign bit set. */
export function signBits(b: Builder, e: Esize): V128 {
  return b.constV(range(16).map((i) => (i % (e / 8) === e / 8 - 1 ? 0x80 : 0)));
}

/** Ones in the low `bits` bits of the vector. */
export function lowOnes(b: Builder, bits: number): V128 {
  return b.constV(range(16).map((i) => (i * 8 < bits ? 0xff : 0)));
}

export function splat(b: Builder, e: Esize, v: Value): V128 {
  switch (e) {
    case 8:
      return b.i8x16.splat(v as I32);
    case 16:
      return b.i16x8.splat(v as I32);
    case 32:
      return b.i32x4.splat(v as I32);
    default:
      return b.i64x2.splat(v as I64);
  }
}

/** Element i as an i32 (zero-extended) or, of 64 bits, an i64. */
export function extract(b: Builder, e: Esize, v: V128, i: number): Value {
  const sign = e < 32 ? "_u" : "";
  return b.lane(`${NAMESPACE[e]}.extract_lane${sign}` as "i8x16.extract_lane_u", v, i);
}

/** Element i, sign- or zero-extended to 64 bits. */
export function extract64(b: Builder, e: Esize, v: V128, i: number, signed: boolean): I64 {
  if (e === 64) return extract(b, e, v, i) as I64;
  const sign = e === 32 ? "" : signed ? "_s" : "_u";
  const lane = b.lane(`${NAMESPACE[e]}.extract_lane${sign}` as "i8x16.extract_lane_s", v, i) as I32;
  return signed ? b.i64.extend_i32_s(lane) : b.i64.extend_i32_u(lane);
}

/** Element i of 8 to 32 bits, sign-extended to an i32. */
export function extractSigned(b: Builder, e: 8 | 16 | 32, v: V128, i: number): I32 {
  return b.lane(`${NAMESPACE[e]}.extract_lane${e < 32 ? "_s" : ""}` as "i8x16.extract_lane_s", v, i) as I32;
}

export function replace(b: Builder, e: Esize, v: V128, i: number, value: Value): V128 {
  return b.lane(`${NAMESPACE[e]}.replace_lane` as "i8x16.replace_lane", v, i, value) as V128;
}

/** An i64 in the type that holds an element: cut to an i32 unless it has 64 bits. */
export function fromI64(b: Builder, e: Esize, v: I64): Value {
  return e === 64 ? v : b.i32.wrap_i64(v);
}

/** The vector of the values that `f` gives for each element number; the rest is zero. */
export function build(b: Builder, a: Arrangement, f: (i: number) => Value): V128 {
  let r = b.zeroV();
  for (let i = 0; i < elements(a); i++) r = replace(b, a.esize, r, i, f(i));
  return r;
}

/** Writes the low `datasize` bits of a SIMD and FP register; the rest becomes zero. */
export function write(b: Builder, d: Reg, v: V128, datasize: number): void {
  if (datasize === 128) b.setV(d, v);
  else if (datasize === 64) b.setV(d, b.shuffle(v, b.zeroV(), LOWER_HALF));
  else b.setV(d, b.v128.and(v, lowOnes(b, datasize)));
}
/** Of v, and zeros: x64 has an instruction for these very lanes, and none that clears. */
const LOWER_HALF = [...range(8), ...range(8).map((i) => 16 + i)];

/** Vpart<>[d, part] = the low 64 bits of v: part 1 keeps the lower half of the register. */
export function writePart(b: Builder, d: Reg, v: V128, part: number): void {
  if (part) b.setV(d, b.shuffle(b.getV(d), v, LOWER_HALF));
  else write(b, d, v, 64);
}

/** A permutation by elements: `order[i]` is the number of the element of x:y (y above) that becomes element i, -1 for any. */
export function permute(b: Builder, e: Esize, x: V128, y: V128, order: readonly number[]): V128 {
  const bytes = e / 8;
  const lanes = range(16).map((i) => {
    const from = order[Math.floor(i / bytes)] ?? -1;
    return from < 0 ? i : from * bytes + (i % bytes);
  });
  return b.shuffle(x, y, lanes);
}

/** The even and the odd elements of operand2:operand1 (x below y), as many as a vector of arrangement `a` has. */
export function pairs(b: Builder, a: Arrangement, x: V128, y: V128): readonly [V128, V128] {
  const n = elements(a);
  const from = (k: number) => (k < n ? k : 128 / a.esize + k - n);
  const pick = (odd: number) =>
    permute(
      b,
      a.esize,
      x,
      y,
      range(n).map((i) => from(2 * i + odd)),
    );
  return [pick(0), pick(1)];
}

/** The lower half (part 0) or upper half of v, every element widened. */
export function widen(b: Builder, e: Esize, v: V128, part: number, signed: boolean): V128 {
  const half = part ? "high" : "low";
  const sign = signed ? "s" : "u";
  if (e === 8) return b.i16x8[`extend_${half}_i8x16_${sign}`](v);
  if (e === 16) return b.i32x4[`extend_${half}_i16x8_${sign}`](v);
  return b.i64x2[`extend_${half}_i32x4_${sign}`](v);
}

/** Products, twice as wide, of the lower or upper halves. */
export function mulWiden(b: Builder, e: Esize, x: V128, y: V128, part: number, signed: boolean): V128 {
  const half = part ? "high" : "low";
  const sign = signed ? "s" : "u";
  if (e === 8) return b.i16x8[`extmul_${half}_i8x16_${sign}`](x, y);
  if (e === 16) return b.i32x4[`extmul_${half}_i16x8_${sign}`](x, y);
  return b.i64x2[`extmul_${half}_i32x4_${sign}`](x, y);
}

/** The low halves (size e) of the elements of x, then of y, whose elements have size 2e. */
export function lowHalves(b: Builder, e: Esize, x: V128, y = x): V128 {
  return permute(
    b,
    e,
    x,
    y,
    range(128 / e).map((i) => 2 * i),
  );
}

/** The high halves (size e) of the elements of x, then of y, whose elements have size 2e. */
export function highHalves(b: Builder, e: Esize, x: V128, y = x): V128 {
  return permute(
    b,
    e,
    x,
    y,
    range(128 / e).map((i) => 2 * i + 1),
  );
}

export function mul(b: Builder, e: Esize, x: V128, y: V128): V128 {
  if (e !== 8) return (int(b, e) as Builder["i16x8"]).mul(x, y);
  return lowHalves(b, 8, mulWiden(b, 8, x, y, 0, false), mulWiden(b, 8, x, y, 1, false));
}

/** All ones where x > y (or, `orEqual`, x >= y). */
export function greater(b: Builder, e: Esize, x: V128, y: V128, signed: boolean, orEqual = false): V128 {
  const op = orEqual ? "ge" : "gt";
  if (signed) return int(b, e)[`${op}_s`](x, y);
  if (e !== 64) return (int(b, e) as Builder["i32x4"])[`${op}_u`](x, y);
  const sign = signBits(b, e);
  return b.i64x2[`${op}_s`](b.v128.xor(x, sign), b.v128.xor(y, sign));
}

export function max(b: Builder, e: Esize, x: V128, y: V128, signed: boolean): V128 {
  if (e === 64) return b.v128.bitselect(x, y, greater(b, e, x, y, signed));
  return (int(b, e) as Builder["i32x4"])[signed ? "max_s" : "max_u"](x, y);
}

export function min(b: Builder, e: Esize, x: V128, y: V128, signed: boolean): V128 {
  if (e === 64) return b.v128.bitselect(y, x, greater(b, e, x, y, signed));
  return (int(b, e) as Builder["i32x4"])[signed ? "min_s" : "min_u"](x, y);
}

export function shr(b: Builder, e: Esize, v: V128, amount: I32, signed: boolean): V128 {
  return int(b, e)[signed ? "shr_s" : "shr_u"](v, amount);
}

/** Combines all elements by an operation that is associative and commutative; the result is element 0. */
export function reduce(b: Builder, a: Arrangement, v: V128, op: (x: V128, y: V128) => V128): V128 {
  let r = v;
  for (let n = elements(a) / 2; n >= 1; n /= 2) {
    r = op(
      r,
      permute(
        b,
        a.esize,
        r,
        r,
        range(n).map((i) => n + i),
      ),
    );
  }
  return r;
}

// A lane whose number is an operand. The translator knows the number, and then it is a lane instruction's immediate.

export function known(v: I32): number | undefined {
  return v.inst.op === "const" ? v.inst.attrs.lo : undefined;
}

function byteIndices(b: Builder, e: Esize, at: I32): V128 {
  return b.i8x16.add(b.i8x16.splat(at), b.constV(range(16).map((i) => i % (e / 8))));
}

/** Every element: the one of v that begins at byte `at`. */
export function broadcast(b: Builder, e: Esize, v: V128, at: I32): V128 {
  const k = known(at);
  if (k === undefined) return b.i8x16.swizzle(v, byteIndices(b, e, at));
  return b.shuffle(
    v,
    v,
    range(16).map((i) => k + (i % (e / 8))),
  );
}

/** The element of v that begins at byte `at`, as `extract` gives it. */
export function extractAt(b: Builder, e: Esize, v: V128, at: I32): Value {
  const k = known(at);
  if (k !== undefined) return extract(b, e, v, (k * 8) / e);
  return extract(b, e, broadcast(b, e, v, at), 0);
}

/** v with the element that begins at byte `at` replaced. */
export function replaceAt(b: Builder, e: Esize, v: V128, at: I32, value: Value): V128 {
  const k = known(at);
  if (k !== undefined) return replace(b, e, v, (k * 8) / e, value);
  const firstBytes = b.constV(range(16).map((i) => i - (i % (e / 8))));
  return b.v128.bitselect(splat(b, e, value), v, b.i8x16.eq(b.i8x16.splat(at), firstBytes));
}
