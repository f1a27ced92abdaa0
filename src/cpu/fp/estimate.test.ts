import assert from "node:assert/strict";
import { test } from "node:test";
import { FPCR_FZ, FPCR_FZ16, FPCR_RMODE_SHIFT, operand, run, valueOf64 } from "../../../test/support/floating-point.ts";
import { DZC, FORMATS, IDC, IOC, IXC, OFC, UFC } from "../../../test/support/rational.ts";

/** RecipEstimate() of the Arm ARM. */
function recipEstimate(input: number): number {
  const a = input * 2 + 1;
  const b = Math.floor(2 ** 19 / a);
  return (b + 1) >> 1;
}

/** RecipSqrtEstimate() of the Arm ARM, with its loop. */
function recipSqrtEstimate(input: number): number {
  const a = input < 256 ? input * 2 + 1 : ((input >> 1) * 2 + 1) * 2;
  let b = 512;
  while (a * (b + 1) * (b + 1) < 2 ** 28) b++;
  return (b + 1) >> 1;
}

test("URECPE and URSQRTE give the table of the pseudocode for every input", () => {
  for (let top = 0; top < 512; top++) {
    for (const low of [0, 0x7fffff]) {
      const input = (top << 23) | low | 0;
      const reciprocal = top < 256 ? 0xffffffff : (recipEstimate(top) << 23) >>> 0;
      assert.equal(Number(run("recipEstimateU32", 0, input).bits), reciprocal);
      const root = top < 128 ? 0xffffffff : (recipSqrtEstimate(top) << 23) >>> 0;
      assert.equal(Number(run("rsqrtEstimateU32", 0, input).bits), root);
    }
  }
});

for (const f of FORMATS) {
  const F = BigInt(f.fraction);
  const number = (e: number, top8: number): bigint => (BigInt(e + f.bias) << F) | (BigInt(top8) << (F - 8n));
  const estimate = (name: string, a: bigint, fpcr = 0) => run(`${name}${f.bits}`, fpcr, operand(f, a));
  const infinity = BigInt(2 * f.bias + 1) << F;
  const minus = 1n << BigInt(f.bits - 1);
  const flush = f.bits === 16 ? FPCR_FZ16 : FPCR_FZ;

  test(`FRECPE and FRSQRTE of ${f.bits} bits take their fraction from the table and the exponent from the operand`, () => {
    for (const e of [-3, -2, -1, 0, 1, 2, f.bias - 3]) {
      for (let top8 = 0; top8 < 256; top8++) {
        const a = number(e, top8);
        assert.deepEqual(estimate("fpRecipEstimate", a), {
          bits: number(-e - 1, recipEstimate(256 + top8) - 256),
          flags: 0,
        });
        const scaled = e % 2 === 0 ? (256 + top8) >> 1 : 256 + top8;
        const exponent = -Math.floor(e / 2) - 1;
        assert.deepEqual(estimate("fpRSqrtEstimate", a), {
          bits: number(exponent, recipSqrtEstimate(scaled) - 256),
          flags: 0,
        });
      }
    }
  });

  test(`FRECPE and FRSQRTE of ${f.bits} bits at the ends of the range`, () => {
    assert.deepEqual(estimate("fpRecipEstimate", minus), { bits: infinity | minus, flags: DZC });
    assert.deepEqual(estimate("fpRecipEstimate", infinity | minus), { bits: minus, flags: 0 });
    // The smallest denormal's reciprocal overflows, to where the rounding mode says.
    assert.deepEqual(estimate("fpRecipEstimate", 1n), { bits: infinity, flags: OFC | IXC });
    assert.deepEqual(estimate("fpRecipEstimate", 1n, 2 << FPCR_RMODE_SHIFT), { bits: infinity - 1n, flags: OFC | IXC });
    const inputDenormal = f.bits === 16 ? DZC : DZC | IDC;
    assert.deepEqual(estimate("fpRecipEstimate", 1n, flush), { bits: infinity, flags: inputDenormal });
    // That of the largest numbers is denormal.
    const large = number(f.bias, 0);
    assert.deepEqual(estimate("fpRecipEstimate", large), { bits: (511n << (F - 8n)) >> 2n, flags: 0 });
    assert.deepEqual(estimate("fpRecipEstimate", large | minus, flush), { bits: minus, flags: UFC });

    assert.deepEqual(estimate("fpRSqrtEstimate", minus), { bits: infinity | minus, flags: DZC });
    assert.deepEqual(estimate("fpRSqrtEstimate", infinity), { bits: 0n, flags: 0 });
    assert.equal(estimate("fpRSqrtEstimate", infinity | minus).flags, IOC);
  });

  test(`FRECPX of ${f.bits} bits inverts the exponent`, () => {
    assert.deepEqual(estimate("fpRecpX", number(5, 77) | minus), { bits: (infinity ^ number(5, 0)) | minus, flags: 0 });
    assert.deepEqual(estimate("fpRecpX", 1n), { bits: infinity - (1n << F), flags: 0 });
    assert.deepEqual(estimate("fpRecpX", infinity), { bits: 0n, flags: 0 });
    assert.equal(estimate("fpRecpX", infinity | 1n).flags, IOC);
  });
}

test("estimates of denormals are as good as those of normal numbers", () => {
  for (let shift = 0n; shift < 52n; shift++) {
    const a = (0x000ffffffffffffdn >> shift) | (shift % 2n);
    const root = valueOf64(run("fpRSqrtEstimate64", 0, a).bits);
    assert.ok(Math.abs(root * Math.sqrt(valueOf64(a)) - 1) < 2 ** -8, `1/sqrt of ${a}`);
  }
});
