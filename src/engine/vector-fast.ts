import { FP_FAST_ARITHMETIC, FP_FAST_NO_FLUSH } from "../cpu/state-layout.ts";
import type { Value } from "../ir/builder.ts";
import { constant, emit, FUSED, INFINITY, type InLineOf, SMALLEST } from "./in-line.ts";
import type { Lowering } from "./lowering.ts";

// The same for whole vectors: one operation, one check of all elements.

type Width = 32 | 64;
interface Shape {
  readonly w: Width;
  /** WebAssembly's name. */
  readonly name: "f32x4" | "f64x2";
  readonly elements: 2 | 4;
}

/** Leaves whether the condition, a mask in every element, holds of all elements that count. */
function all(l: Lowering, { w, elements }: Shape): void {
  emit(l, w === 64 ? "i64x2.bitmask" : "i32x4.bitmask");
  if (w === 32 && elements === 2) {
    l.code.i32(3);
    emit(l, "i32.and");
  }
  l.code.i32((1 << elements) - 1);
  emit(l, "i32.eq");
}

/** A vector whose every word is the same. */
function words(l: Lowering, word: number): void {
  l.pushWords(word);
}

type Check = (l: Lowering, s: Shape, r: number) => void;

const noNaN: Check = (l, s, r) => {
  l.code.get(r);
  l.code.get(r);
  emit(l, `${s.name}.eq`);
  all(l, s);
};

/** The difference of an infinity, or of a NaN, and itself is a NaN. */
const finite: Check = (l, s, r) => {
  const t = l.temp("v128");
  l.code.get(r);
  l.code.get(r);
  emit(l, `${s.name}.sub`);
  l.code.set(t);
  noNaN(l, s, t);
};

/** Bounds of words (of doubles, the upper ones) without their signs, doubled: between them are ordinary numbers. */
const BOUNDS = {
  32: { low: 2 * SMALLEST[32] + 2, high: 2 * INFINITY[32] - 2 },
  64: { low: 2 * SMALLEST[64] + 2, high: 2 * INFINITY[64] - 2 },
} as const;

const ordinary: Check = (l, s, r) => {
  const t = l.temp("v128");
  l.code.get(r);
  l.code.i32(1);
  emit(l, s.w === 64 ? "i64x2.shl" : "i32x4.shl");
  l.code.tee(t);
  words(l, BOUNDS[s.w].low);
  emit(l, "i32x4.max_u");
  words(l, BOUNDS[s.w].high);
  emit(l, "i32x4.min_u");
  l.code.get(t);
  emit(l, "i32x4.eq");
  all(l, s);
};

/** Words that a helper's in-line form compares with. */
export function wordsOf(name: string): readonly number[] {
  if (!VECTOR.has(name)) return [];
  const { low, high } = BOUNDS[name.endsWith("64x2") ? 64 : 32];
  return [low, high];
}

const binary =
  (op: string, needs: number, check: Check) =>
  (s: Shape): InLineOf =>
  (_, [a, b]) => ({
    needs,
    type: "v128",
    compute(l) {
      l.push(a as Value);
      l.push(b as Value);
      emit(l, `${s.name}.${op}`);
    },
    stands: (l, r) => check(l, s, r),
  });

const squareRoot =
  (s: Shape): InLineOf =>
  (_, [a]) => ({
    needs: FP_FAST_ARITHMETIC,
    type: "v128",
    compute(l) {
      l.push(a as Value);
      emit(l, `${s.name}.sqrt`);
    },
    stands: (l, r) => finite(l, s, r),
  });

const comparison =
  (op: "eq" | "ge" | "gt") =>
  (s: Shape): InLineOf =>
  (_, [a, b]) => ({
    needs: FP_FAST_NO_FLUSH,
    type: "v128",
    compute(l) {
      l.push(a as Value);
      l.push(b as Value);
      emit(l, `${s.name}.${op}`);
    },
    stands(l) {
      // No NaN in either, and no infinities of one sign.
      const t = l.temp("v128");
      l.push(a as Value);
      l.push(b as Value);
      emit(l, `${s.name}.sub`);
      l.code.set(t);
      noNaN(l, s, t);
    },
  });

const multiplyAdd =
  (s: Shape): InLineOf =>
  (l, [c, a, b]) => {
    if (!l.functions.fused) return undefined;
    return {
      needs: FP_FAST_ARITHMETIC,
      type: "v128",
      compute(l) {
        for (const v of [a, b, c]) l.push(v as Value);
        l.code.op(FUSED[s.w]);
      },
      stands: (l, r) => ordinary(l, s, r),
    };
  };

/** 2 - a * b, or (3 - a * b) / 2; halving is exact where the result is ordinary. */
const newtonStep =
  (half: boolean) =>
  (s: Shape): InLineOf =>
  (l, [a, b]) => {
    if (!l.functions.fused) return undefined;
    const splat = (l: Lowering, single: number, double: number): void => {
      if (s.w === 32) words(l, single);
      else l.code.v128(Array.from({ length: 16 }, (_, i) => (i & 4 ? (double >> (8 * (i & 3))) & 0xff : 0)));
    };
    return {
      needs: FP_FAST_ARITHMETIC,
      type: "v128",
      compute(l) {
        l.push(a as Value);
        emit(l, `${s.name}.neg`);
        l.push(b as Value);
        if (half) splat(l, 0x40400000, 0x40080000);
        else splat(l, 0x40000000, 0x40000000);
        l.code.op(FUSED[s.w]);
        if (!half) return;
        splat(l, 0x3f000000, 0x3fe00000);
        emit(l, `${s.name}.mul`);
      },
      stands: (l, r) => ordinary(l, s, r),
    };
  };

const ROUND = ["nearest", "ceil", "floor", "trunc"];

const roundInt =
  (s: Shape): InLineOf =>
  (_, [a, r, e]) => {
    const [rounding, exact] = [constant(r), constant(e)];
    const op = rounding === undefined ? undefined : ROUND[Math.max(rounding, 0)];
    if (op === undefined || exact === undefined) return undefined;
    return {
      needs: exact || (rounding as number) < 0 ? FP_FAST_ARITHMETIC : FP_FAST_NO_FLUSH,
      type: "v128",
      compute(l) {
        l.push(a as Value);
        emit(l, `${s.name}.${op}`);
      },
      stands: (l, r) => noNaN(l, s, r),
    };
  };

const toInteger =
  (s: Shape): InLineOf =>
  (_, [a, f, u, r]) => {
    const [fbits, unsigned, rounding] = [constant(f), constant(u), constant(r)];
    const op = rounding === undefined ? undefined : ROUND[rounding];
    if (fbits !== 0 || unsigned === undefined || op === undefined) return undefined;
    let rounded = 0;
    return {
      needs: FP_FAST_ARITHMETIC,
      type: "v128",
      compute(l) {
        rounded = l.temp("v128");
        l.push(a as Value);
        emit(l, `f32x4.${op}`);
        l.code.tee(rounded);
        emit(l, `i32x4.trunc_sat_f32x4_${unsigned ? "u" : "s"}`);
      },
      stands(l) {
        // |a| < 2^31, or 0 <= a < 2^32.
        l.code.get(rounded);
        if (!unsigned) emit(l, "f32x4.abs");
        words(l, unsigned ? 0x4f800000 : 0x4f000000);
        emit(l, "f32x4.lt");
        if (unsigned) {
          l.code.get(rounded);
          words(l, 0);
          emit(l, "f32x4.ge");
          emit(l, "v128.and");
        }
        all(l, s);
      },
    };
  };

const fromInteger =
  (s: Shape): InLineOf =>
  (_, [a, f, u]) => {
    const [fbits, unsigned] = [constant(f), constant(u)];
    if (fbits !== 0 || unsigned === undefined) return undefined;
    return {
      needs: FP_FAST_ARITHMETIC,
      type: "v128",
      compute(l) {
        l.push(a as Value);
        emit(l, `${s.name}.convert_i32x4_${unsigned ? "u" : "s"}`);
      },
    };
  };

const WIDENED: InLineOf = (_, [a]) => ({
  needs: FP_FAST_NO_FLUSH,
  type: "v128",
  compute(l) {
    l.push(a as Value);
    emit(l, "f64x2.promote_low_f32x4");
  },
  stands: (l, r) => noNaN(l, DOUBLE, r),
});

const NARROWED: InLineOf = (_, [a]) => ({
  needs: FP_FAST_ARITHMETIC,
  type: "v128",
  compute(l) {
    l.push(a as Value);
    emit(l, "f32x4.demote_f64x2_zero");
  },
  stands: (l, r) => ordinary(l, HALF_SINGLE, r),
});

const HALF_SINGLE: Shape = { w: 32, name: "f32x4", elements: 2 };
const DOUBLE: Shape = { w: 64, name: "f64x2", elements: 2 };
const SHAPES = { "32x2": HALF_SINGLE, "32x4": { ...HALF_SINGLE, elements: 4 }, "64x2": DOUBLE } as const;

const OPS: Readonly<Record<string, (s: Shape) => InLineOf>> = {
  fpAdd: binary("add", FP_FAST_ARITHMETIC, finite),
  fpSub: binary("sub", FP_FAST_ARITHMETIC, finite),
  fpMul: binary("mul", FP_FAST_ARITHMETIC, ordinary),
  fpMulX: binary("mul", FP_FAST_ARITHMETIC, ordinary),
  fpDiv: binary("div", FP_FAST_ARITHMETIC, ordinary),
  fpMax: binary("max", FP_FAST_NO_FLUSH, noNaN),
  fpMin: binary("min", FP_FAST_NO_FLUSH, noNaN),
  fpMaxNum: binary("max", FP_FAST_NO_FLUSH, noNaN),
  fpMinNum: binary("min", FP_FAST_NO_FLUSH, noNaN),
  fpSqrt: squareRoot,
  fpMulAdd: multiplyAdd,
  fpRecipStep: newtonStep(false),
  fpRSqrtStep: newtonStep(true),
  fpCmpEQ: comparison("eq"),
  fpCmpGE: comparison("ge"),
  fpCmpGT: comparison("gt"),
  fpRoundInt: roundInt,
  fpToFixed: toInteger,
  fixedToFp: fromInteger,
};

const VECTOR = new Map<string, InLineOf>([
  ["fpConvert32to64x2", WIDENED],
  ["fpConvert64to32x2", NARROWED],
  ...Object.entries(OPS).flatMap(([name, of]) =>
    Object.entries(SHAPES).map(([shape, s]): [string, InLineOf] => [`${name}${shape}`, of(s)]),
  ),
]);

/** The in-line form of a helper of whole vectors. */
export function vectorFloat(name: string): InLineOf | undefined {
  return VECTOR.get(name);
}
