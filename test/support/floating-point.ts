// A PE block for floating-point functions, and operands that find mistakes.

import fc from "fast-check";
import { FP_FAST, FP_FAST_ARITHMETIC, FPCR, FPSR } from "../../src/cpu/state-layout.ts";
import { loadNative } from "./native.ts";
import type { Format } from "./rational.ts";

export const FPCR_FZ16 = 1 << 19;
export const FPCR_RMODE_SHIFT = 22;
export const FPCR_FZ = 1 << 24;
export const FPCR_DN = 1 << 25;
export const FPCR_AHP = 1 << 26;

const CPU = 0x8000;
const native = loadNative();

export interface Outcome {
  readonly bits: bigint;
  readonly flags: number;
}

/**
 * Calls a native function, arguments of 64-bit parameters as bigint. It runs twice, with FPSR clear and with Inexact set, as when fast
 * paths are open, and both must agree.
 */
export function run(name: string, fpcr: number, ...args: (number | bigint)[]): Outcome {
  const f = native.get(name);
  const [clear, fast] = [0, 16].map((before) => {
    native.view.setUint32(CPU + FPCR, fpcr, true);
    native.view.setUint32(CPU + FPSR, before, true);
    native.get("fpUpdateFast")(CPU);
    const result = f(CPU, ...args);
    const bits = typeof result === "bigint" ? BigInt.asUintN(64, result) : BigInt(result >>> 0);
    const flags = native.view.getUint32(CPU + FPSR, true);
    const isFast = native.view.getInt32(CPU + FP_FAST, true) & FP_FAST_ARITHMETIC;
    const shouldBeFast = (fpcr & (FPCR_FZ | (3 << FPCR_RMODE_SHIFT))) === 0 && (flags & 16) !== 0;
    if (isFast !== Number(shouldBeFast)) throw new Error(`${name}: FP_FAST is ${isFast} with FPSR ${flags}`);
    return { bits, flags };
  }) as [Outcome, Outcome];
  if (clear.bits !== fast.bits || (clear.flags | 16) !== fast.flags) {
    throw new Error(
      `${name}(${args}): ${clear.bits}, ${clear.flags}, but ${fast.bits}, ${fast.flags} with Inexact set`,
    );
  }
  return clear;
}

/** An operand as the function for this format takes it. */
export function operand(f: Format, a: bigint): number | bigint {
  return f.bits === 64 ? a : Number(a);
}

/** Bit patterns of a format: any bits, limits, neighbours of powers of two, few ones or few zeros. */
export function patterns(f: Format): fc.Arbitrary<bigint> {
  const F = BigInt(f.fraction);
  const top = (1n << F) - 1n;
  const special = 2 * f.bias + 1;
  const exponent = fc.oneof(
    fc.integer({ min: 0, max: special }),
    fc.constantFrom(0, 1, 2, special - 1, special),
    fc
      .integer({ min: f.bias - f.fraction - 2, max: f.bias + f.fraction + 2 })
      .map((e) => Math.max(0, Math.min(special, e))),
  );
  const fraction = fc.oneof(
    fc.bigInt(0n, top),
    fc.constantFrom(0n, 1n, 2n, top, top - 1n, (top + 1n) / 2n, top / 2n),
    fc.nat({ max: f.fraction - 1 }).map((n) => top >> BigInt(n)),
    fc.nat({ max: f.fraction - 1 }).map((n) => 1n << BigInt(n)),
  );
  return fc
    .tuple(fc.boolean(), exponent, fraction)
    .map(([negative, e, m]) => ((negative ? 1n : 0n) << BigInt(f.bits - 1)) | (BigInt(e) << F) | m);
}

export const bitsOf64 = (x: number): bigint => {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, x);
  return view.getBigUint64(0);
};

export const bitsOf32 = (x: number): bigint => {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, x);
  return BigInt(view.getUint32(0));
};

export const valueOf64 = (a: bigint): number => {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, a);
  return view.getFloat64(0);
};

export const valueOf32 = (a: bigint): number => {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, Number(a));
  return view.getFloat32(0);
};
