import assert from "node:assert/strict";
import { test } from "node:test";
import { createDecoder } from "../a64/decoder.ts";
import { ALL_ROWS } from "../a64/index.ts";
import { CPU_MODELS, modelFeatures } from "../arch/cpu-models.ts";
import type { Inst } from "../ir/builder.ts";
import { InsnReader } from "./insn-reader.ts";
import { checkedAfter, checkedBefore, withoutCheck } from "./sp-alignment.ts";
import { structureOf } from "./structure.ts";

const reader = new InsnReader(
  createDecoder(ALL_ROWS, modelFeatures(CPU_MODELS.max, { el2: false, el3: false, gicv3: true })),
);
const ir = (word: number): readonly Inst[] => reader.read(0, word)?.ir ?? assert.fail("unallocated");

const STP_PRE = ir(0xa9be_7bfd); // stp x29, x30, [sp, #-32]!
const LDR_SP = ir(0xf940_07e0); // ldr x0, [sp, #8]
const LDR_X1 = ir(0xf940_0420); // ldr x0, [x1, #8]
const SUB_SP_32 = ir(0xd100_83ff); // sub sp, sp, #32
const SUB_SP_8 = ir(0xd100_23ff); // sub sp, sp, #8
const MOV_SP_X1 = ir(0x9100_003f); // mov sp, x1

test("an access off SP leaves SP checked, and needs no check where it is", () => {
  assert.equal(checkedAfter(LDR_SP, false), true);
  assert.ok(LDR_SP.some(({ op }) => op === "trapIf"));
  assert.ok(!withoutCheck(LDR_SP).some(({ op }) => op === "trapIf"));
  assert.equal(checkedAfter(STP_PRE, false), true);
});

test("other accesses say nothing of SP", () => {
  assert.equal(checkedAfter(LDR_X1, false), false);
  assert.equal(checkedAfter(LDR_X1, true), true);
  assert.equal(withoutCheck(LDR_X1), LDR_X1);
});

test("SP stays checked while it moves by multiples of 16, and no longer", () => {
  assert.equal(checkedAfter(SUB_SP_32, true), true);
  assert.equal(checkedAfter(SUB_SP_32, false), false);
  assert.equal(checkedAfter(SUB_SP_8, true), false);
  assert.equal(checkedAfter(MOV_SP_X1, true), false);
});

test("SP is checked at the start of a block if it is on every way there", () => {
  const block = (start: number, code: readonly Inst[], successors: readonly number[]) => ({
    start,
    insns: [{ index: start, word: 0, ir: code, fp: false, ending: undefined }],
    ending: { kind: "leaves" } as const,
    successors,
  });
  const before = (left: readonly Inst[], right: readonly Inst[]): readonly boolean[] => {
    const blocks = [block(0, LDR_X1, [1, 2]), block(1, left, [3]), block(2, right, [3]), block(3, LDR_SP, [])];
    return checkedBefore(blocks, structureOf(blocks.map((b) => b.successors)));
  };
  assert.deepEqual(before(LDR_SP, LDR_SP), [false, false, false, true]);
  assert.deepEqual(before(LDR_SP, LDR_X1), [false, false, false, false]);
  assert.deepEqual(before(LDR_SP, SUB_SP_8), [false, false, false, false]);
});
