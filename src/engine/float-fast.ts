import { FP_FAST_ARITHMETIC, FP_FAST_NO_FLUSH } from "../cpu/state-layout.ts";
import type { Inst, Value } from "../ir/builder.ts";
import type { ValueType } from "../wasm/types.ts";
import { constant, emit, FUSED, INFINITY, type InLine, type InLineOf, SMALLEST } from "./in-line.ts";
import { Lowering } from "./lowering.ts";
import { vectorFloat } from "./vector-fast.ts";

// Floating point in line: WebAssembly's own operation, whose result stands if the PE's FPCR and FPSR allow it (FP_FAST) and the result
// itself shows that no NaN, no overflow and no underflow was about. All else is the helper's.

type Width = 32 | 64;
/** Leaves FP_FAST's bits on the stack: zero iff none of them is set. */
function pushFast(l: Lowering, needs: number): void {
  l.pushFast();
  l.code.i32(needs);
  emit(l, "i32.and");
}

/** Calls the helper, after which arithmetic may be fast. */
function callHelper(l: Lowering, name: string, args: readonly Value[]): void {
  l.code.get(Lowering.CPU);
  for (const a of args) l.push(a);
  l.code.call(l.functions.helper(name));
  l.refreshFast();
}

/** Does the instruction look at FP_FAST when it is done in line? */
export function asksFast({ op, attrs }: Inst): boolean {
  return op === "flagsFloat" || (op === "call" && /^(fp|fixed)/.test(attrs.name as string));
}

/** What `lowerFloat` has left: the local of the result, and its type. */
export interface FloatResult {
  readonly local: number;
  readonly type: ValueType;
}

/** `call` of a floating-point helper, in line; undefined: nothing was emitted. */
export function lowerFloat(l: Lowering, inst: Inst): FloatResult | undefined {
  const { code } = l;
  const name = inst.attrs.name as string;
  const form = (SCALAR[name] ?? vectorFloat(name))?.(l, inst.args);
  if (!form) return undefined;
  const local = l.temp(form.type);
  const { needs, stands } = form;
  if (needs === 0 && !stands) {
    form.compute(l);
    code.set(local);
    return { local, type: form.type };
  }
  code.block();
  code.block();
  if (needs) {
    pushFast(l, needs);
    emit(l, "i32.eqz");
    code.unlikely();
    code.brIf(0);
  }
  form.compute(l);
  code.set(local);
  if (stands) {
    stands(l, local);
    code.likely();
    code.brIf(1);
  } else code.br(1);
  code.end();
  callHelper(l, name, inst.args);
  if (form.type === "f64") emit(l, "f64.reinterpret_i64");
  if (form.type === "f32") emit(l, "f32.reinterpret_i32");
  code.set(local);
  code.end();
  return { local, type: form.type };
}

/** `flagsFloat`: leaves in two locals floats whose order is that of the operands. */
export function lowerCompare(l: Lowering, inst: Inst): { readonly a: number; readonly b: number } {
  const { code } = l;
  const w = inst.attrs.bits as Width;
  const [x, y, signalAllNaNs] = inst.args as [Value, Value, Value];
  const [a, b] = [l.temp(`f${w}`), l.temp(`f${w}`)];
  code.block();
  code.block();
  l.pushFloat(x);
  code.set(a);
  l.pushFloat(y);
  code.set(b);
  pushFast(l, FP_FAST_NO_FLUSH);
  emit(l, "i32.eqz");
  code.unlikely();
  code.brIf(0);
  ordered(
    l,
    w,
    () => code.get(a),
    () => code.get(b),
  );
  code.likely();
  code.brIf(1);
  code.end();
  callHelper(l, `fpOrder${w}`, [x, y, signalAllNaNs]);
  code.set(a);
  zero(l, w);
  code.set(b);
  code.end();
  return { a, b };
}

function zero(l: Lowering, w: Width): void {
  if (w === 64) l.code.i64(0, 0);
  else l.code.i32(0);
  emit(l, w === 64 ? "f64.reinterpret_i64" : "f32.reinterpret_i32");
}

/** A constant of a float type, by the bits of its word (of a double, the upper one). */
function float(l: Lowering, w: Width, word: number, low = 0): void {
  if (w === 64) l.code.i64(low, word);
  else l.code.i32(word);
  emit(l, w === 64 ? "f64.reinterpret_i64" : "f32.reinterpret_i32");
}

/** Is neither operand a NaN? The answer may be no for infinities. */
function ordered(l: Lowering, w: Width, pushA: () => void, pushB: () => void): void {
  const t = l.temp(`f${w}`);
  pushA();
  pushB();
  emit(l, `f${w}.sub`);
  l.code.tee(t);
  l.code.get(t);
  emit(l, `f${w}.eq`);
}

/** Is the value no NaN? */
function isNumber(l: Lowering, w: Width, v: Value): void {
  l.pushFloat(v);
  l.pushFloat(v);
  emit(l, `f${w}.eq`);
}

/** The upper word without the sign. */
function pushMagnitude(l: Lowering, w: Width, local: number): void {
  const { code } = l;
  code.get(local);
  if (w === 64) {
    emit(l, "i64.reinterpret_f64");
    code.i64(32, 0);
    emit(l, "i64.shr_u");
    emit(l, "i32.wrap_i64");
  } else emit(l, "i32.reinterpret_f32");
  code.i32(0x7fffffff);
  emit(l, "i32.and");
}

/** A sum: cannot have underflowed, because tiny sums are exact. */
const finite =
  (w: Width) =>
  (l: Lowering, r: number): void => {
    pushMagnitude(l, w, r);
    l.code.i32(INFINITY[w]);
    emit(l, "i32.lt_u");
  };

/** Neither overflowed nor possibly tiny before rounding. */
const ordinary =
  (w: Width) =>
  (l: Lowering, r: number): void => {
    pushMagnitude(l, w, r);
    l.code.i32(SMALLEST[w] + 1);
    emit(l, "i32.sub");
    l.code.i32(INFINITY[w] - SMALLEST[w] - 1);
    emit(l, "i32.lt_u");
  };

function binary(w: Width, op: string, stands: (l: Lowering, r: number) => void): InLineOf {
  return (_, [a, b]) => ({
    needs: FP_FAST_ARITHMETIC,
    type: `f${w}`,
    compute(l) {
      l.pushFloat(a as Value);
      l.pushFloat(b as Value);
      emit(l, `f${w}.${op}`);
    },
    stands,
  });
}

function squareRoot(w: Width): InLineOf {
  return (_, [a]) => ({
    needs: FP_FAST_ARITHMETIC,
    type: `f${w}`,
    compute(l) {
      l.pushFloat(a as Value);
      emit(l, `f${w}.sqrt`);
    },
    stands: finite(w),
  });
}

/** WebAssembly's order of zeros is Arm's. */
function extremum(w: Width, op: "min" | "max"): InLineOf {
  return (_, [a, b]) => ({
    needs: FP_FAST_NO_FLUSH,
    type: `f${w}`,
    compute(l) {
      l.pushFloat(a as Value);
      l.pushFloat(b as Value);
      emit(l, `f${w}.${op}`);
    },
    stands(l, r) {
      l.code.get(r);
      l.code.get(r);
      emit(l, `f${w}.eq`);
    },
  });
}

function comparison(w: Width, op: "eq" | "ge" | "gt"): InLineOf {
  return (_, [a, b]) => ({
    needs: FP_FAST_NO_FLUSH,
    type: "i32",
    compute(l) {
      l.pushFloat(a as Value);
      l.pushFloat(b as Value);
      emit(l, `f${w}.${op}`);
    },
    stands: (l) =>
      ordered(
        l,
        w,
        () => l.pushFloat(a as Value),
        () => l.pushFloat(b as Value),
      ),
  });
}

/**
 * With the host's fused multiply-add, which comes as a vector operation only. Without it, single precision can do it in double: the product is
 * exact there, and rounding the sum twice is harmless unless the first rounding ends on a tie of the second.
 */
function multiplyAdd(w: Width): InLineOf {
  return (l, [c, a, b]) => {
    if (l.functions.fused) {
      return {
        needs: FP_FAST_ARITHMETIC,
        type: `f${w}`,
        compute(l) {
          for (const v of [a, b, c]) l.pushInVector(v as Value);
          l.code.op(FUSED[w]);
          l.code.lane(EXTRACT[w], 0);
        },
        stands: ordinary(w),
      };
    }
    return w === 32 ? multiplyAddInDouble(l, c as Value, a as Value, b as Value) : undefined;
  };
}

const EXTRACT = { 32: 0xfd001f, 64: 0xfd0021 } as const;

function multiplyAddInDouble(l: Lowering, c: Value, a: Value, b: Value): InLine {
  const { code } = l;
  const sum = l.temp("f64");
  const isOrdinary = ordinary(32);
  return {
    needs: FP_FAST_ARITHMETIC,
    type: "f32",
    compute() {
      for (const v of [a, b, c]) {
        l.pushFloat(v);
        emit(l, "f64.promote_f32");
        if (v === b) emit(l, "f64.mul");
      }
      emit(l, "f64.add");
      code.tee(sum);
      emit(l, "f32.demote_f64");
    },
    stands(_, r) {
      isOrdinary(l, r);
      code.get(sum);
      emit(l, "i64.reinterpret_f64");
      emit(l, "i32.wrap_i64");
      code.i32(0x1fffffff);
      emit(l, "i32.and");
      code.i32(0x10000000);
      emit(l, "i32.ne");
      emit(l, "i32.and");
    },
  };
}

/** 2 - a * b, or (3 - a * b) / 2; halving is exact where the result is ordinary. */
function newtonStep(w: Width, addend: number, half: boolean): InLineOf {
  return (l, [a, b]) => {
    if (!l.functions.fused) return undefined;
    return {
      needs: FP_FAST_ARITHMETIC,
      type: `f${w}`,
      compute(l) {
        l.pushInVector(a as Value);
        emit(l, w === 64 ? "f64x2.neg" : "f32x4.neg");
        l.pushInVector(b as Value);
        float(l, w, addend);
        emit(l, w === 64 ? "f64x2.splat" : "f32x4.splat");
        l.code.op(FUSED[w]);
        l.code.lane(EXTRACT[w], 0);
        if (!half) return;
        float(l, w, w === 64 ? 0x3fe00000 : 0x3f000000);
        emit(l, `f${w}.mul`);
      },
      stands: ordinary(w),
    };
  };
}

const NARROWED: InLineOf = (_, [a]) => ({
  needs: FP_FAST_ARITHMETIC,
  type: "f32",
  compute(l) {
    l.pushFloat(a as Value);
    emit(l, "f32.demote_f64");
  },
  stands: ordinary(32),
});

const WIDENED: InLineOf = (_, [a]) => ({
  needs: FP_FAST_NO_FLUSH,
  type: "f64",
  compute(l) {
    l.pushFloat(a as Value);
    emit(l, "f64.promote_f32");
  },
  stands: (l) => isNumber(l, 32, a as Value),
});

// The helpers' rounding argument: ir/helpers.ts.
const ROUND = { 0: "nearest", 1: "ceil", 2: "floor", 3: "trunc" } as const;
const TIES_AWAY = 4;

/** Leaves a rounded to an integral value. */
function pushRounded(l: Lowering, w: Width, a: Value, rounding: number): void {
  l.pushFloat(a);
  if (rounding === TIES_AWAY) {
    // The number before one half, with the sign: what is less than a half away from zero stays there, and a half reaches one.
    if (w === 64) float(l, 64, 0x3fdfffff, -1);
    else float(l, 32, 0x3effffff);
    l.pushFloat(a);
    emit(l, `f${w}.copysign`);
    emit(l, `f${w}.add`);
    emit(l, `f${w}.trunc`);
  } else emit(l, `f${w}.${ROUND[rounding as keyof typeof ROUND]}`);
}

function roundInt(w: Width): InLineOf {
  return (_, [a, r, e]) => {
    const [rounding, exact] = [constant(r), constant(e)];
    if (rounding === undefined || exact === undefined) return undefined;
    return {
      // FPCR's rounding mode (-1) is to nearest where arithmetic is fast; Inexact is set already there.
      needs: exact || rounding < 0 ? FP_FAST_ARITHMETIC : FP_FAST_NO_FLUSH,
      type: `f${w}`,
      compute: (l) => pushRounded(l, w, a as Value, Math.max(rounding, 0)),
      stands: (l) => isNumber(l, w, a as Value),
    };
  };
}

/** Powers of two as upper words of single and double precision. */
const power = (w: Width, exponent: number): number =>
  w === 64 ? (1023 + exponent) << 20 : ((127 + exponent) << 23) | 0;

function toInteger(from: Width, to: Width): InLineOf {
  return (_, [a, f, u, r]) => {
    const [fbits, unsigned, rounding] = [constant(f), constant(u), constant(r)];
    if (fbits !== 0 || unsigned === undefined || rounding === undefined || rounding < 0) return undefined;
    let rounded = 0;
    return {
      needs: FP_FAST_ARITHMETIC,
      type: `i${to}`,
      compute(l) {
        rounded = l.temp(`f${from}`);
        pushRounded(l, from, a as Value, rounding);
        l.code.tee(rounded);
        emit(l, `i${to}.trunc_sat_f${from}_${unsigned ? "u" : "s"}`);
      },
      stands(l) {
        const { code } = l;
        code.get(rounded);
        if (!unsigned) emit(l, `f${from}.abs`);
        float(l, from, power(from, unsigned ? to : to - 1));
        emit(l, `f${from}.lt`);
        if (!unsigned) return;
        code.get(rounded);
        zero(l, from);
        emit(l, `f${from}.ge`);
        emit(l, "i32.and");
      },
    };
  };
}

function fromInteger(from: Width, to: Width): InLineOf {
  return (_, [a, f, u]) => {
    const [fbits, unsigned] = [constant(f), constant(u)];
    if (fbits !== 0 || unsigned === undefined) return undefined;
    return {
      needs: from === 32 && to === 64 ? 0 : FP_FAST_ARITHMETIC,
      type: `f${to}`,
      compute(l) {
        l.push(a as Value);
        emit(l, `f${to}.convert_i${from}_${unsigned ? "u" : "s"}`);
      },
    };
  };
}

const both = (name: string, of: (w: Width) => InLineOf): Record<string, InLineOf> => ({
  [`${name}32`]: of(32),
  [`${name}64`]: of(64),
});

const SCALAR: Readonly<Record<string, InLineOf>> = {
  ...both("fpAdd", (w) => binary(w, "add", finite(w))),
  ...both("fpSub", (w) => binary(w, "sub", finite(w))),
  ...both("fpMul", (w) => binary(w, "mul", ordinary(w))),
  ...both("fpMulX", (w) => binary(w, "mul", ordinary(w))),
  ...both("fpDiv", (w) => binary(w, "div", ordinary(w))),
  ...both("fpSqrt", squareRoot),
  ...both("fpMulAdd", multiplyAdd),
  ...both("fpRecipStep", (w) => newtonStep(w, power(w, 1), false)),
  ...both("fpRSqrtStep", (w) => newtonStep(w, w === 64 ? 0x40080000 : 0x40400000, true)),
  ...both("fpMax", (w) => extremum(w, "max")),
  ...both("fpMin", (w) => extremum(w, "min")),
  ...both("fpMaxNum", (w) => extremum(w, "max")),
  ...both("fpMinNum", (w) => extremum(w, "min")),
  ...both("fpCmpEQ", (w) => comparison(w, "eq")),
  ...both("fpCmpGE", (w) => comparison(w, "ge")),
  ...both("fpCmpGT", (w) => comparison(w, "gt")),
  ...both("fpRoundInt", roundInt),
  fpConvert64to32: NARROWED,
  fpConvert32to64: WIDENED,
  ...both("fpToFixed32to", (to) => toInteger(32, to)),
  ...both("fpToFixed64to", (to) => toInteger(64, to)),
  ...both("fixed32toFp", (to) => fromInteger(32, to)),
  ...both("fixed64toFp", (to) => fromInteger(64, to)),
};
