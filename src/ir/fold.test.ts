import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Builder, type I32, type I64, type Value } from "./builder.ts";

const halves = (v: bigint): [number, number] => [Number(BigInt.asIntN(32, v)), Number(BigInt.asIntN(32, v >> 32n))];
const i64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const i32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });

function constant(v: Value): bigint {
  assert.equal(v.inst.op, "const");
  const { lo = 0, hi = 0 } = v.inst.attrs;
  return v.type === "i64" ? (BigInt(hi) << 32n) | BigInt(lo >>> 0) : BigInt(lo);
}

const WIDE: Readonly<Record<string, (b: Builder, x: I64, y: I64) => I64>> = {
  add: (b, x, y) => b.i64.add(x, y),
  sub: (b, x, y) => b.i64.sub(x, y),
  and: (b, x, y) => b.i64.and(x, y),
  or: (b, x, y) => b.i64.or(x, y),
  shl: (b, x, y) => b.i64.shl(x, y),
};
const EXPECTED: Readonly<Record<string, (x: bigint, y: bigint, bits: bigint) => bigint>> = {
  add: (x, y) => x + y,
  sub: (x, y) => x - y,
  and: (x, y) => x & y,
  or: (x, y) => x | y,
  shl: (x, y, bits) => x << (y & (bits - 1n)),
};
const NARROW: Readonly<Record<string, (b: Builder, x: I32, y: I32) => I32>> = {
  add: (b, x, y) => b.i32.add(x, y),
  sub: (b, x, y) => b.i32.sub(x, y),
  and: (b, x, y) => b.i32.and(x, y),
  or: (b, x, y) => b.i32.or(x, y),
  shl: (b, x, y) => b.i32.shl(x, y),
};

for (const name of Object.keys(WIDE)) {
  test(`${name} of constants is a constant`, () => {
    fc.assert(
      fc.property(i64, i64, (x, y) => {
        const b = new Builder();
        const v = WIDE[name]?.(b, b.const64(...halves(x)), b.const64(...halves(y))) as Value;
        assert.equal(constant(v), BigInt.asIntN(64, EXPECTED[name]?.(x, y, 64n) as bigint));
      }),
    );
    fc.assert(
      fc.property(i32, i32, (x, y) => {
        const b = new Builder();
        const v = NARROW[name]?.(b, b.const32(x), b.const32(y)) as Value;
        assert.equal(constant(v), BigInt.asIntN(32, EXPECTED[name]?.(BigInt(x), BigInt(y), 32n) as bigint));
      }),
    );
  });
}

test("constants are extended and wrapped", () => {
  const b = new Builder();
  assert.equal(constant(b.i64.extend_i32_s(b.const32(-32))), -32n);
  assert.equal(constant(b.i64.extend_i32_u(b.const32(-1))), 0xffff_ffffn);
  assert.equal(constant(b.i32.wrap_i64(b.const64(-5, 7))), -5n);
  assert.equal(constant(b.i32.shr_u(b.const32(-1), b.const32(28))), 15n);
});

test("adding nothing gives the value itself; what is not constant is computed", () => {
  const b = new Builder();
  const x = b.getX(b.xreg(1));
  assert.equal(b.i64.add(x, b.const64(0)), x);
  assert.equal(b.i64.shl(x, b.const64(0)), x);
  assert.equal(b.i64.add(x, b.const64(1)).inst.op, "i64.add");
  assert.equal(b.i64.and(x, b.const64(0)).inst.op, "i64.and");
});
