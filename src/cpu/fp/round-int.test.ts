import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  bitsOf64,
  FPCR_DN,
  FPCR_FZ,
  FPCR_RMODE_SHIFT,
  operand,
  patterns,
  run,
} from "../../../test/support/floating-point.ts";
import {
  DOUBLE,
  decode,
  exponentField,
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
} from "../../../test/support/rational.ts";

const near = (f: (typeof FORMATS)[number]) =>
  patterns(f).filter((a) => isFiniteBits(f, a) && exponentField(f, a) < f.bias + 70);

for (const f of FORMATS) {
  test(`FPRoundInt of ${f.bits} bits rounds to an integral value, keeps the sign of zero, and is inexact only when asked`, () => {
    fc.assert(
      fc.property(
        near(f),
        fc.integer({ min: -1, max: 4 }),
        fc.boolean(),
        fc.nat({ max: 3 }),
        (a, rounding, exact, rmode) => {
          const mode = MODES[rounding < 0 ? rmode : rounding]!;
          const { value, inexact } = roundToInteger(decode(f, a), mode);
          const zero = isNegative(f, a) ? 1n << BigInt(f.bits - 1) : 0n;
          const name = `fpRoundInt${f.bits}`;
          assert.deepEqual(run(name, rmode << FPCR_RMODE_SHIFT, operand(f, a), rounding, Number(exact)), {
            bits: value === 0n ? zero : roundToFormat(f, integer(value), "RN").bits,
            flags: exact && inexact ? IXC : 0,
          });
        },
      ),
      { numRuns: 3000 },
    );
  });
}

for (const f of [SINGLE, DOUBLE]) {
  test(`FPRoundIntN of ${f.bits} bits gives the most negative integer for what does not fit`, () => {
    fc.assert(
      fc.property(patterns(f), fc.constantFrom(32, 64), fc.constantFrom(0, 1, 2, 3), (a, intsize, rounding) => {
        const limit = roundToFormat(f, integer(-(1n << BigInt(intsize - 1))), "RN").bits;
        const zero = isNegative(f, a) ? 1n << BigInt(f.bits - 1) : 0n;
        let expected = { bits: limit, flags: IOC };
        if (isFiniteBits(f, a)) {
          const { value, inexact } = roundToInteger(decode(f, a), MODES[rounding]!);
          if (BigInt.asIntN(intsize, value) === value) {
            const bits = value === 0n ? zero : roundToFormat(f, integer(value), "RN").bits;
            expected = { bits, flags: inexact ? IXC : 0 };
          }
        }
        assert.deepEqual(run(`fpRoundIntN${f.bits}`, 0, operand(f, a), rounding, intsize), expected);
      }),
      { numRuns: 3000 },
    );
  });
}

test("NaNs are processed, infinities stay, FZ flushes denormals", () => {
  assert.deepEqual(run("fpRoundInt64", 0, 0x7ff0000000000001n, 0, 0), { bits: 0x7ff8000000000001n, flags: IOC });
  assert.deepEqual(run("fpRoundInt64", FPCR_DN, 0xfff8000000000001n, 0, 0), { bits: 0x7ff8000000000000n, flags: 0 });
  assert.deepEqual(run("fpRoundInt64", 0, bitsOf64(-Infinity), 3, 1), { bits: bitsOf64(-Infinity), flags: 0 });
  assert.deepEqual(run("fpRoundInt64", FPCR_FZ, 1n, 1, 1), { bits: 0n, flags: IDC });
});
