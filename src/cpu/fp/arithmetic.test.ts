import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  bitsOf32,
  bitsOf64,
  FPCR_DN,
  FPCR_FZ,
  FPCR_FZ16,
  FPCR_RMODE_SHIFT,
  operand,
  patterns,
  run,
  valueOf32,
  valueOf64,
} from "../../../test/support/floating-point.ts";
import {
  add,
  DOUBLE,
  DZC,
  decode,
  div,
  FORMATS,
  type Format,
  IDC,
  IOC,
  IXC,
  isFiniteBits,
  isNegative,
  MODES,
  mul,
  OFC,
  type Rational,
  roundToFormat,
  SINGLE,
  scale,
  UFC,
} from "../../../test/support/rational.ts";

const modes = fc.nat({ max: 3 });
const negate = (x: Rational): Rational => ({ n: -x.n, d: x.d });

/** Checks results and flags of an operation on finite operands against exact arithmetic in every rounding mode of FPCR. */
function checkExact(
  f: Format,
  name: string,
  count: number,
  exact: (...operands: Rational[]) => Rational | undefined,
  order: (operands: bigint[]) => bigint[] = (o) => o,
): void {
  const operands = fc.array(patterns(f), { minLength: count, maxLength: count });
  fc.assert(
    fc.property(operands, modes, (given, mode) => {
      const ops = order(given);
      fc.pre(ops.every((a) => isFiniteBits(f, a)));
      const value = exact(...ops.map((a) => decode(f, a)));
      fc.pre(value !== undefined && value.n !== 0n);
      const expected = roundToFormat(f, value, MODES[mode]!);
      assert.deepEqual(run(name, mode << FPCR_RMODE_SHIFT, ...ops.map((a) => operand(f, a))), expected);
    }),
    { numRuns: 3000 },
  );
}

for (const f of FORMATS) {
  test(`sums, products, quotients of ${f.bits} bits are rounded once, in every mode, with the right flags`, () => {
    checkExact(f, `fpAdd${f.bits}`, 2, add);
    checkExact(f, `fpSub${f.bits}`, 2, (x, y) => add(x, negate(y)));
    checkExact(f, `fpMul${f.bits}`, 2, mul);
    checkExact(f, `fpMulX${f.bits}`, 2, mul);
    checkExact(f, `fpDiv${f.bits}`, 2, (x, y) => (y.n === 0n ? undefined : div(x, y)));
  });

  test(`multiply-add and the Newton steps of ${f.bits} bits are rounded once`, () => {
    checkExact(f, `fpMulAdd${f.bits}`, 3, (c, x, y) => add(c, mul(x, y)));
    // An addend that cancels most of the product.
    checkExact(
      f,
      `fpMulAdd${f.bits}`,
      3,
      (c, x, y) => add(c, mul(x, y)),
      ([c = 0n, x = 0n, y = 0n]) => {
        if (!isFiniteBits(f, x) || !isFiniteBits(f, y)) return [c, x, y];
        const product = negate(mul(decode(f, x), decode(f, y)));
        return product.n === 0n ? [c, x, y] : [roundToFormat(f, product, "RZ").bits, x, y];
      },
    );
    checkExact(f, `fpRecipStep${f.bits}`, 2, (x, y) => add({ n: 2n, d: 1n }, negate(mul(x, y))));
    checkExact(f, `fpRSqrtStep${f.bits}`, 2, (x, y) => scale(add({ n: 3n, d: 1n }, negate(mul(x, y))), -1));
  });

  test(`square roots of ${f.bits} bits lie between their neighbours' squares, and round as asked`, () => {
    fc.assert(
      fc.property(patterns(f), modes, (a, mode) => {
        fc.pre(isFiniteBits(f, a) && !isNegative(f, a) && a !== 0n);
        const { bits, flags } = run(`fpSqrt${f.bits}`, mode << FPCR_RMODE_SHIFT, operand(f, a));
        const square = (r: Rational): Rational => mul(r, r);
        const sign = (x: Rational): number => Number(x.n > 0n) - Number(x.n < 0n);
        /** Of r compared with the root. */
        const compare = (r: Rational): number => sign(add(square(r), negate(decode(f, a))));
        const root = decode(f, bits);
        const midpoint = (other: bigint): Rational => scale(add(root, decode(f, other)), -1);
        assert.equal(flags, compare(root) === 0 ? 0 : IXC);
        if (mode === 0) assert.ok(compare(midpoint(bits + 1n)) > 0 && compare(midpoint(bits - 1n)) < 0);
        else if (mode === 1) assert.ok(compare(root) >= 0 && compare(decode(f, bits - 1n)) < 0);
        else assert.ok(compare(root) <= 0 && compare(decode(f, bits + 1n)) > 0);
      }),
      { numRuns: 2000 },
    );
  });
}

test("in round to nearest the results are the host's", () => {
  const { sqrt, fround } = Math;
  const binary: [string, (x: number, y: number) => number][] = [
    ["fpAdd", (x, y) => x + y],
    ["fpSub", (x, y) => x - y],
    ["fpMul", (x, y) => x * y],
    ["fpDiv", (x, y) => x / y],
    ["fpSqrt", (x) => sqrt(x)],
  ];
  fc.assert(
    fc.property(patterns(DOUBLE), patterns(DOUBLE), fc.constantFrom(...binary), (a, b, [name, op]) => {
      const expected = op(valueOf64(a), valueOf64(b));
      const { bits } = run(`${name}64`, 0, ...(name === "fpSqrt" ? [a] : [a, b]));
      if (Number.isNaN(expected)) assert.ok(Number.isNaN(valueOf64(bits)));
      else assert.equal(bits, bitsOf64(expected));
    }),
    { numRuns: 5000 },
  );
  fc.assert(
    fc.property(patterns(SINGLE), patterns(SINGLE), fc.constantFrom(...binary), (a, b, [name, op]) => {
      const expected = fround(op(valueOf32(a), valueOf32(b)));
      const { bits } = run(`${name}32`, 0, ...(name === "fpSqrt" ? [Number(a)] : [Number(a), Number(b)]));
      if (Number.isNaN(expected)) assert.ok(Number.isNaN(valueOf32(bits)));
      else assert.equal(bits, bitsOf32(expected));
    }),
    { numRuns: 5000 },
  );
});

const INF = 0x7ff0000000000000n;
const MINUS = 1n << 63n;
const ONE = 0x3ff0000000000000n;
const DEFAULT_NAN = 0x7ff8000000000000n;
const SNAN = 0x7ff0000000000123n;
const SNAN_QUIETED = 0x7ff8000000000123n;
const QNAN = 0xfff8000000000456n;
const QNAN2 = 0x7ffc000000000789n;
const RM = 2 << FPCR_RMODE_SHIFT;

test("operations without an answer give the default NaN and set Invalid Operation", () => {
  const invalid = { bits: DEFAULT_NAN, flags: IOC };
  assert.deepEqual(run("fpAdd64", 0, INF, INF | MINUS), invalid);
  assert.deepEqual(run("fpSub64", 0, INF, INF), invalid);
  assert.deepEqual(run("fpMul64", 0, INF, 0n), invalid);
  assert.deepEqual(run("fpDiv64", 0, 0n, MINUS), invalid);
  assert.deepEqual(run("fpDiv64", 0, INF, INF), invalid);
  assert.deepEqual(run("fpSqrt64", 0, ONE | MINUS), invalid);
  assert.deepEqual(run("fpMulAdd64", 0, INF, INF | MINUS, ONE), invalid);
  assert.deepEqual(run("fpMulAdd64", 0, ONE, 0n, INF), invalid);
  assert.deepEqual(run("fpMulAdd64", 0, QNAN, 0n, INF), invalid);
});

test("FMULX, FRECPS and FRSQRTS have answers for zero times infinity", () => {
  assert.deepEqual(run("fpMulX64", 0, INF, MINUS), { bits: 0xc000000000000000n, flags: 0 });
  assert.deepEqual(run("fpRecipStep64", 0, INF, 0n), { bits: 0x4000000000000000n, flags: 0 });
  assert.deepEqual(run("fpRSqrtStep64", 0, 0n, INF), { bits: 0x3ff8000000000000n, flags: 0 });
});

test("signalling NaNs go first, then operand order; the addend of a multiply-add is the first operand", () => {
  assert.deepEqual(run("fpAdd64", 0, QNAN, QNAN2), { bits: QNAN, flags: 0 });
  assert.deepEqual(run("fpSub64", 0, ONE, QNAN2), { bits: QNAN2, flags: 0 });
  assert.deepEqual(run("fpMul64", 0, QNAN, SNAN), { bits: SNAN_QUIETED, flags: IOC });
  assert.deepEqual(run("fpMulAdd64", 0, QNAN2, QNAN, ONE), { bits: QNAN2, flags: 0 });
  assert.deepEqual(run("fpMulAdd64", 0, QNAN2, ONE, SNAN), { bits: SNAN_QUIETED, flags: IOC });
  assert.deepEqual(run("fpRecipStep64", 0, QNAN, ONE), { bits: QNAN ^ MINUS, flags: 0 });
  assert.deepEqual(run("fpMul64", FPCR_DN, QNAN, SNAN), { bits: DEFAULT_NAN, flags: IOC });
  assert.deepEqual(run("fpMul64", FPCR_DN, QNAN, ONE), { bits: DEFAULT_NAN, flags: 0 });
});

test("division by zero sets its flag; zeros have the sign of the rule", () => {
  assert.deepEqual(run("fpDiv64", 0, ONE, MINUS), { bits: INF | MINUS, flags: DZC });
  assert.deepEqual(run("fpDiv64", 0, INF, 0n), { bits: INF, flags: 0 });
  assert.deepEqual(run("fpAdd64", 0, ONE, ONE | MINUS), { bits: 0n, flags: 0 });
  assert.deepEqual(run("fpAdd64", RM, ONE, ONE | MINUS), { bits: MINUS, flags: 0 });
  assert.deepEqual(run("fpAdd64", 0, MINUS, MINUS), { bits: MINUS, flags: 0 });
  assert.deepEqual(run("fpMulAdd64", RM, 0n, MINUS, ONE), { bits: MINUS, flags: 0 });
  assert.deepEqual(run("fpSqrt64", 0, MINUS), { bits: MINUS, flags: 0 });
});

test("FZ flushes denormal operands and results of single and double, FZ16 those of half precision", () => {
  const tiny = 1n;
  const smallest = 0x0010000000000000n;
  const half = 0x3fe0000000000000n;
  assert.deepEqual(run("fpAdd64", FPCR_FZ, tiny, ONE), { bits: ONE, flags: IDC });
  assert.deepEqual(run("fpMul64", FPCR_FZ, smallest | MINUS, half), { bits: MINUS, flags: UFC });
  assert.deepEqual(run("fpMul64", FPCR_FZ16, smallest, half), { bits: smallest >> 1n, flags: 0 });
  assert.deepEqual(run("fpAdd16", FPCR_FZ16, 1, 0x3c00), { bits: 0x3c00n, flags: 0 });
  assert.deepEqual(run("fpMul16", FPCR_FZ16, 0x0400, 0x3800), { bits: 0n, flags: UFC });
  assert.deepEqual(run("fpMul16", FPCR_FZ, 0x0400, 0x3800), { bits: 0x0200n, flags: 0 });
  assert.deepEqual(run("fpMax64", FPCR_FZ, tiny | MINUS, tiny | MINUS), { bits: MINUS, flags: IDC });
});

test("overflow goes where the rounding mode points; tininess is detected before rounding", () => {
  const max = INF - 1n;
  const results = [INF, INF, max, max];
  for (const [mode, bits] of results.entries()) {
    assert.deepEqual(run("fpAdd64", mode << FPCR_RMODE_SHIFT, max, max), { bits, flags: OFC | IXC });
  }
  // (1 - 2^-53) times the smallest normal number rounds up to it, and has underflowed all the same.
  const belowOne = ONE - 1n;
  assert.deepEqual(run("fpMul64", 0, 0x0010000000000000n, belowOne), { bits: 0x0010000000000000n, flags: UFC | IXC });
});
