import assert from "node:assert/strict";
import { test } from "node:test";
import { instructionSyndrome, isLoadExclusive, systemIss } from "./syndrome.ts";

const ISV = 1 << 24;
const sas = (size: number): number => size << 22;
const SSE = 1 << 21;
const srt = (t: number): number => t << 16;
const SF = 1 << 15;
const AR = 1 << 14;

test("loads and stores of one register have a syndrome", () => {
  const cases: readonly (readonly [string, number, number])[] = [
    ["ldr x3, [x0, #8]", 0xf9400403, ISV | sas(3) | srt(3) | SF],
    ["str w4, [x0]", 0xb9000004, ISV | sas(2) | srt(4)],
    ["ldrb w1, [x0]", 0x39400001, ISV | sas(0) | srt(1)],
    ["ldrsb x1, [x0]", 0x39800001, ISV | sas(0) | SSE | srt(1) | SF],
    ["ldrsh w1, [x0]", 0x79c00001, ISV | sas(1) | SSE | srt(1)],
    ["ldrsw x1, [x0]", 0xb9800001, ISV | sas(2) | SSE | srt(1) | SF],
    ["str xzr, [x0]", 0xf900001f, ISV | sas(3) | srt(31) | SF],
    ["ldur w1, [x0, #-4]", 0xb85fc001, ISV | sas(2) | srt(1)],
    ["ldtr x1, [x0]", 0xf8400801, ISV | sas(3) | srt(1) | SF],
    ["ldr x1, [x0, x2]", 0xf8626801, ISV | sas(3) | srt(1) | SF],
    ["ldr w1, literal", 0x18000041, ISV | sas(2) | srt(1)],
    ["ldrsw x1, literal", 0x98000041, ISV | sas(2) | SSE | srt(1) | SF],
    ["ldar w1, [x0]", 0x88dffc01, ISV | sas(2) | srt(1) | AR],
    ["stlr x1, [x0]", 0xc89ffc01, ISV | sas(3) | srt(1) | SF | AR],
    ["ldapr w1, [x0]", 0xb8bfc001, ISV | sas(2) | srt(1) | AR],
  ];
  for (const [text, word, iss] of cases) assert.equal(instructionSyndrome(word | 0), iss, text);
});

test("writeback, pairs, exclusives, atomics, SIMD and prefetch have none", () => {
  const words: readonly (readonly [string, number])[] = [
    ["ldr x1, [x0], #8", 0xf8408401],
    ["str x1, [x0, #8]!", 0xf8008c01],
    ["ldp x1, x2, [x0]", 0xa9400801],
    ["ldxr x1, [x0]", 0xc85f7c01],
    ["stlxr w2, x1, [x0]", 0xc802fc01],
    ["ldadd x1, x2, [x0]", 0xf8210002],
    ["cas x1, x2, [x0]", 0xc8a17c02],
    ["ldr d1, [x0]", 0xfd400001],
    ["prfm pldl1keep, [x0]", 0xf9800000],
    ["dc civac, x0", 0xd50b7e20],
  ];
  for (const [text, word] of words) assert.equal(instructionSyndrome(word | 0), 0, text);
});

test("load-exclusives are told from stores, ordered loads and CASP", () => {
  assert.equal(isLoadExclusive(0xc85f7c01 | 0), true, "ldxr");
  assert.equal(isLoadExclusive(0x085ffc01), true, "ldaxrb");
  assert.equal(isLoadExclusive(0xc87f0801 | 0), true, "ldxp");
  assert.equal(isLoadExclusive(0x48607c82), false, "caspa");
  assert.equal(isLoadExclusive(0xc8027c01 | 0), false, "stxr");
  assert.equal(isLoadExclusive(0x88dffc01 | 0), false, "ldar");
});

test("the ISS of a trapped MRS: CTR_EL0 into X3", () => {
  const CTR_EL0 = (3 << 14) | (3 << 11) | 1;
  assert.equal(systemIss(CTR_EL0, 3, true), 0x32c061);
});
