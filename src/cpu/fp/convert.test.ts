import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  bitsOf64,
  FPCR_AHP,
  FPCR_DN,
  FPCR_FZ,
  FPCR_FZ16,
  FPCR_RMODE_SHIFT,
  operand,
  patterns,
  run,
  valueOf64,
} from "../../../test/support/floating-point.ts";
import {
  DOUBLE,
  decode,
  FORMATS,
  IDC,
  IOC,
  IXC,
  integer,
  isFiniteBits,
  isNegative,
  MODES,
  roundToFormat,
  roundToInteger,
  SINGLE,
  scale,
} from "../../../test/support/rational.ts";

const modes = fc.nat({ max: 3 });

for (const from of FORMATS) {
  for (const to of FORMATS.filter((f) => f !== from)) {
    test(`conversion from ${from.bits} to ${to.bits} bits is exact or rounded once`, () => {
      fc.assert(
        fc.property(patterns(from), modes, (a, mode) => {
          fc.pre(isFiniteBits(from, a));
          const value = decode(from, a);
          const zero = isNegative(from, a) ? 1n << BigInt(to.bits - 1) : 0n;
          const expected = value.n === 0n ? { bits: zero, flags: 0 } : roundToFormat(to, value, MODES[mode]!);
          const name = `fpConvert${from.bits}to${to.bits}`;
          assert.deepEqual(run(name, mode << FPCR_RMODE_SHIFT, operand(from, a)), expected);
        }),
        { numRuns: 2000 },
      );
    });
  }
}

test("every half-precision number survives a trip through single and double, in both half formats", () => {
  for (let a = 0; a < 0x10000; a++) {
    const nan = (a & 0x7fff) > 0x7c00;
    for (const fpcr of [0, FPCR_AHP]) {
      const quieted = nan && fpcr === 0 ? a | 0x200 : a;
      const single = Number(run("fpConvert16to32", fpcr, a).bits);
      assert.equal(Number(run("fpConvert32to16", fpcr, single).bits), quieted);
      const double = run("fpConvert16to64", fpcr, a).bits;
      assert.equal(Number(run("fpConvert64to16", fpcr, double).bits), quieted);
      assert.equal(run("fpConvert32to64", fpcr, single).bits, double);
    }
  }
});

test("the alternative half format has neither infinities nor NaNs", () => {
  assert.deepEqual(run("fpConvert16to32", FPCR_AHP, 0x7c00), { bits: 0x47800000n, flags: 0 }); // 65536
  assert.deepEqual(run("fpConvert32to16", FPCR_AHP, 0xff800000 | 0), { bits: 0xffffn, flags: IOC });
  assert.deepEqual(run("fpConvert32to16", FPCR_AHP, 0xffc00001 | 0), { bits: 0x8000n, flags: IOC });
  assert.deepEqual(run("fpConvert32to16", FPCR_AHP, 0x48000000), { bits: 0x7fffn, flags: IOC }); // 131072
  assert.deepEqual(run("fpConvert32to16", FPCR_AHP, 0x47ffe000), { bits: 0x7fffn, flags: 0 }); // 131008
  // Arithmetic does not know it: infinity stays infinity.
  assert.deepEqual(run("fpAdd16", FPCR_AHP, 0x7c00, 0x3c00), { bits: 0x7c00n, flags: 0 });
});

test("conversion keeps a NaN's sign and upper bits and makes it quiet", () => {
  assert.deepEqual(run("fpConvert64to32", 0, 0xfff4000020000001n), { bits: 0xffe00001n, flags: IOC });
  assert.deepEqual(run("fpConvert32to64", 0, 0x7fc00001), { bits: 0x7ff8000020000000n, flags: 0 });
  assert.deepEqual(run("fpConvert32to64", FPCR_DN, 0xffc00001 | 0), { bits: 0x7ff8000000000000n, flags: 0 });
  assert.deepEqual(run("fpConvert16to32", 0, 0xfd01), { bits: 0xffe02000n, flags: IOC });
});

test("FZ flushes denormals of single precision when they are converted, FZ16 does not flush those of half precision", () => {
  assert.deepEqual(run("fpConvert32to64", FPCR_FZ, 0x80000001 | 0), { bits: 1n << 63n, flags: IDC });
  assert.deepEqual(run("fpConvert16to32", FPCR_FZ | FPCR_FZ16, 0x0001), { bits: 0x33800000n, flags: 0 });
  assert.deepEqual(run("fpConvert32to16", FPCR_FZ | FPCR_FZ16, 0x33800000), { bits: 1n, flags: 0 });
});

test("FCVTXN rounds to odd", () => {
  fc.assert(
    fc.property(patterns(DOUBLE), modes, (a, mode) => {
      fc.pre(isFiniteBits(DOUBLE, a) && decode(DOUBLE, a).n !== 0n);
      const expected = roundToFormat(SINGLE, decode(DOUBLE, a), "RO");
      assert.deepEqual(run("fpConvert64to32Odd", mode << FPCR_RMODE_SHIFT, a), expected);
    }),
  );
});

for (const f of FORMATS) {
  test(`conversion of ${f.bits} bits to fixed point rounds as told and saturates`, () => {
    const widths = fc.constantFrom(16, 32, 64);
    fc.assert(
      fc.property(
        patterns(f),
        widths,
        fc.nat({ max: 64 }),
        fc.boolean(),
        fc.nat({ max: 4 }),
        (a, bits, fraction, unsigned, mode) => {
          fc.pre(isFiniteBits(f, a));
          const fbits = fraction % (bits + 1);
          const { value, inexact } = roundToInteger(scale(decode(f, a), fbits), MODES[mode]!);
          const saturate = unsigned ? BigInt.asUintN : BigInt.asIntN;
          const overflow = saturate(bits, value) !== value;
          const limit = unsigned
            ? [0n, (1n << BigInt(bits)) - 1n]
            : [1n << BigInt(bits - 1), (1n << BigInt(bits - 1)) - 1n];
          assert.deepEqual(run(`fpToFixed${f.bits}to${bits}`, 0, operand(f, a), fbits, Number(unsigned), mode), {
            bits: overflow ? limit[value < 0n ? 0 : 1] : BigInt.asUintN(bits, value),
            flags: overflow ? IOC : inexact ? IXC : 0,
          });
        },
      ),
      { numRuns: 3000 },
    );
  });

  test(`conversion of fixed point to ${f.bits} bits is rounded once`, () => {
    const widths = fc.constantFrom(16, 32, 64);
    const values = fc.tuple(fc.bigInt(0n, (1n << 64n) - 1n), fc.nat({ max: 63 })).map(([v, s]) => v >> BigInt(s));
    fc.assert(
      fc.property(values, widths, fc.nat({ max: 64 }), fc.boolean(), modes, (raw, bits, fraction, unsigned, mode) => {
        const fbits = fraction % (bits + 1);
        const value = (unsigned ? BigInt.asUintN : BigInt.asIntN)(bits, raw);
        const expected =
          value === 0n ? { bits: 0n, flags: 0 } : roundToFormat(f, scale(integer(value), -fbits), MODES[mode]!);
        const argument = bits === 64 ? raw : Number(BigInt.asUintN(32, raw));
        const name = `fixed${bits}toFp${f.bits}`;
        assert.deepEqual(run(name, mode << FPCR_RMODE_SHIFT, argument, fbits, Number(unsigned)), expected);
      }),
      { numRuns: 3000 },
    );
  });
}

test("conversion of a NaN or an infinity to an integer is invalid and gives zero or a limit", () => {
  assert.deepEqual(run("fpToFixed64to32", 0, 0x7ff8000000000000n, 0, 0, 3), { bits: 0n, flags: IOC });
  assert.deepEqual(run("fpToFixed64to32", 0, 0xfff0000000000000n, 0, 0, 3), { bits: 0x80000000n, flags: IOC });
  assert.deepEqual(run("fpToFixed16to16", 0, 0x7c00, 0, 1, 3), { bits: 0xffffn, flags: IOC });
});

test("rounding -1 means FPCR's", () => {
  const half = bitsOf64(2.5);
  const results = [2n, 3n, 2n, 2n];
  for (const [mode, bits] of results.entries()) {
    assert.equal(run("fpToFixed64to64", mode << FPCR_RMODE_SHIFT, half, 0, 0, -1).bits, bits);
  }
});

test("FJCVTZS is JavaScript's x | 0, and Z says that nothing was lost", () => {
  const values = fc.oneof(
    patterns(DOUBLE),
    fc.integer().map(bitsOf64),
    fc.double({ min: -(2 ** 54), max: 2 ** 54, noNaN: true }).map(bitsOf64),
    fc.double({ min: 2 ** 53, max: 2 ** 90, noNaN: true }).map(bitsOf64),
  );
  fc.assert(
    fc.property(values, (a) => {
      const x = valueOf64(a);
      const z = Object.is(x | 0, x) ? 1n << 32n : 0n;
      assert.equal(run("fpToJS", 0, a).bits, z | BigInt((x | 0) >>> 0));
    }),
    { numRuns: 5000 },
  );
  assert.deepEqual(run("fpToJS", 0, bitsOf64(-0)), { bits: 0n, flags: 0 });
  assert.deepEqual(run("fpToJS", 0, bitsOf64(2 ** 31)), { bits: 0x80000000n, flags: IOC });
  assert.deepEqual(run("fpToJS", 0, bitsOf64(0.5)), { bits: 0n, flags: IXC });
  assert.deepEqual(run("fpToJS", FPCR_FZ, 1n), { bits: 0n, flags: IDC });
});
