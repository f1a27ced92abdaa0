import assert from "node:assert/strict";
import { test } from "node:test";
import { createDecoder } from "../a64/decoder.ts";
import { ALL_ROWS } from "../a64/index.ts";
import { CPU_MODELS, modelFeatures } from "../arch/cpu-models.ts";
import type { Inst } from "../ir/builder.ts";
import { InsnReader } from "./insn-reader.ts";
import { structureOf } from "./structure.ts";
import { withoutClearing, zeroAfter, zeroBefore } from "./upper-halves.ts";

const reader = new InsnReader(
  createDecoder(ALL_ROWS, modelFeatures(CPU_MODELS.max, { el2: false, el3: false, gicv3: true })),
);
const ir = (word: number): readonly Inst[] => reader.read(0, word)?.ir ?? assert.fail("unallocated");

const ADD_2S = ir(0x0ea1_8400); // add v0.2s, v0.2s, v1.2s
const ADD_4S = ir(0x4ea1_8400); // add v0.4s, v0.4s, v1.4s
const NOT_8B = ir(0x2e20_5800); // mvn v0.8b, v0.8b
const LDR_D1 = ir(0xfd40_0001); // ldr d1, [x0]
const LDR_Q1 = ir(0x3dc0_0001); // ldr q1, [x0]
const REV32_8B = ir(0x2e20_0800); // rev32 v0.8b, v0.8b
const EXT_8B = ir(0x2e01_2000); // ext v0.8b, v0.8b, v1.8b, #4

/** Is nothing left to clear? */
const isCleared = (code: readonly Inst[], zero: number): boolean => withoutClearing(code, zero) !== code;

test("a sum of two vectors that are zero above needs no clearing, of others it does", () => {
  assert.ok(isCleared(ADD_2S, 0b11));
  assert.ok(!isCleared(ADD_2S, 0b01));
  assert.ok(!isCleared(ADD_2S, 0b10));
  assert.ok(!isCleared(ADD_4S, 0b11));
});

test("what has ones above of zeros is cleared", () => {
  assert.ok(!isCleared(NOT_8B, 0b11));
});

test("a permutation within the lower half keeps the zeros above; one across the halves is cleared", () => {
  assert.ok(isCleared(REV32_8B, 0b1));
  assert.ok(!isCleared(REV32_8B, 0));
  assert.ok(!isCleared(EXT_8B, 0));
});

test("a register is zero above after an instruction of 64 bits, and no longer after one of 128", () => {
  assert.equal(zeroAfter(ADD_2S, 0), 0b01);
  assert.equal(zeroAfter(LDR_D1, 0), 0b10);
  assert.equal(zeroAfter(ADD_4S, 0b01), 0);
  assert.equal(zeroAfter(ADD_4S, 0b11), 0b11);
  assert.equal(zeroAfter(LDR_Q1, 0b11), 0b01);
});

test("a register is zero above at the start of a block if it is on every way there", () => {
  const block = (start: number, code: readonly Inst[], successors: readonly number[]) => ({
    start,
    insns: [{ index: start, word: 0, ir: code, fp: true, ending: undefined }],
    ending: { kind: "leaves" } as const,
    successors,
  });
  const before = (left: readonly Inst[], right: readonly Inst[]): readonly number[] => {
    const blocks = [block(0, ADD_2S, [1, 2]), block(1, left, [3]), block(2, right, [3]), block(3, ADD_2S, [])];
    return zeroBefore(blocks, structureOf(blocks.map((b) => b.successors)));
  };
  assert.deepEqual(before(LDR_D1, LDR_D1), [0, 0b01, 0b01, 0b11]);
  assert.deepEqual(before(LDR_D1, LDR_Q1), [0, 0b01, 0b01, 0b01]);
  assert.deepEqual(before(ADD_4S, LDR_D1), [0, 0b01, 0b01, 0]);
});
