import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FPCR_DN, FPCR_FZ, operand, patterns, run } from "../../../test/support/floating-point.ts";
import { decode, FORMATS, IDC, IOC, isFiniteBits, isNegative } from "../../../test/support/rational.ts";

const LESS = 0b1000n;
const EQUAL = 0b0110n;
const GREATER = 0b0010n;
const UNORDERED = 0b0011n;

for (const f of FORMATS) {
  const n = f.bits;
  const call = (name: string, a: bigint, b: bigint, ...more: number[]): bigint => {
    const { bits, flags } = run(`${name}${n}`, 0, operand(f, a), operand(f, b), ...more);
    assert.equal(flags, 0);
    return bits;
  };
  const finite = patterns(f).filter((a) => isFiniteBits(f, a));

  test(`comparisons, maxima and minima of ${n} bits order as the values do`, () => {
    fc.assert(
      fc.property(finite, fc.option(finite, { nil: undefined }), (a, other) => {
        const b = other ?? a ^ (1n << BigInt(n - 1));
        const [x, y] = [decode(f, a), decode(f, b)];
        const difference = x.n * y.d - y.n * x.d;
        const order = difference < 0n ? LESS : difference > 0n ? GREATER : EQUAL;
        assert.equal(call("fpCompare", a, b, 0), order);
        assert.equal(call("fpCompare", a, b, 1), order);
        assert.equal(call("fpCmpEQ", a, b), order === EQUAL ? 1n : 0n);
        assert.equal(call("fpCmpGE", a, b), order === LESS ? 0n : 1n);
        assert.equal(call("fpCmpGT", a, b), order === GREATER ? 1n : 0n);
        // Equal values differ at most in the sign of zero: the maximum is the positive one.
        const larger = order === GREATER || (order === EQUAL && !isNegative(f, a)) ? a : b;
        const smaller = larger === a ? b : a;
        for (const name of ["fpMax", "fpMaxNum"]) assert.equal(call(name, a, b), larger);
        for (const name of ["fpMin", "fpMinNum"]) assert.equal(call(name, a, b), smaller);
      }),
      { numRuns: 2000 },
    );
  });

  const one = operand(f, BigInt(f.bias) << BigInt(f.fraction));
  const infinity = BigInt(2 * f.bias + 1) << BigInt(f.fraction);
  const quiet = operand(f, infinity | (1n << BigInt(f.fraction - 1)) | 5n);
  const signalling = operand(f, infinity | 5n);

  test(`NaNs of ${n} bits are unordered; quiet ones are invalid where the instruction signals`, () => {
    for (const [name, quietFlags, ...more] of [
      ["fpCompare", 0, 0],
      ["fpCompare", IOC, 1],
    ] as const) {
      assert.deepEqual(run(name + n, 0, one, quiet, ...more), { bits: UNORDERED, flags: quietFlags });
      assert.deepEqual(run(name + n, 0, signalling, one, ...more), { bits: UNORDERED, flags: IOC });
    }
    assert.deepEqual(run(`fpCmpEQ${n}`, 0, quiet, quiet), { bits: 0n, flags: 0 });
    assert.deepEqual(run(`fpCmpEQ${n}`, 0, quiet, signalling), { bits: 0n, flags: IOC });
    assert.deepEqual(run(`fpCmpGE${n}`, 0, one, quiet), { bits: 0n, flags: IOC });
    assert.deepEqual(run(`fpCmpGT${n}`, 0, quiet, one), { bits: 0n, flags: IOC });
  });

  test(`FMAXNM and FMINNM of ${n} bits prefer a number to a quiet NaN, FMAX and FMIN do not`, () => {
    for (const which of ["Max", "Min"]) {
      assert.deepEqual(run(`fp${which}Num${n}`, 0, one, quiet), { bits: BigInt(one), flags: 0 });
      assert.deepEqual(run(`fp${which}Num${n}`, 0, quiet, one), { bits: BigInt(one), flags: 0 });
      assert.deepEqual(run(`fp${which}Num${n}`, 0, quiet, quiet), { bits: BigInt(quiet), flags: 0 });
      assert.deepEqual(run(`fp${which}Num${n}`, 0, quiet, signalling), { bits: BigInt(quiet), flags: IOC });
      assert.deepEqual(run(`fp${which}${n}`, 0, one, quiet), { bits: BigInt(quiet), flags: 0 });
      assert.equal(run(`fp${which}${n}`, FPCR_DN, one, signalling).bits & 7n, 0n);
    }
  });
}

test("FZ makes denormals of single and double precision equal to zero, and says so", () => {
  assert.deepEqual(run("fpCompare32", FPCR_FZ, 1, 0x80000001 | 0, 0), { bits: EQUAL, flags: IDC });
  assert.deepEqual(run("fpCmpGT64", FPCR_FZ, 1n, 0n), { bits: 0n, flags: IDC });
  assert.deepEqual(run("fpCmpGT16", FPCR_FZ, 1, 0), { bits: 1n, flags: 0 });
});
