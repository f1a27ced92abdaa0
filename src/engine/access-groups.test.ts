import assert from "node:assert/strict";
import { test } from "node:test";
import { createDecoder } from "../a64/decoder.ts";
import { ALL_ROWS } from "../a64/index.ts";
import { CPU_MODELS, modelFeatures } from "../arch/cpu-models.ts";
import { groupAccesses } from "./access-groups.ts";
import { InsnReader } from "./insn-reader.ts";
import type { Block, RegionInsn } from "./region.ts";

const reader = new InsnReader(
  createDecoder(ALL_ROWS, modelFeatures(CPU_MODELS.max, { el2: false, el3: false, gicv3: true })),
);

/** What a block of these instructions groups: for each access in order, the group's number and the offset in it; -1 without a group. */
function groupsOf(...words: number[]): [group: number, offset: number, isFirst: boolean][] {
  const insns = words.map((word, i): RegionInsn => reader.read(i, word) ?? assert.fail("unallocated"));
  const block: Block = { start: 0, insns, ending: { kind: "leaves" }, successors: [] };
  const groups = groupAccesses(block);
  const seen: unknown[] = [];
  return insns.flatMap((insn) =>
    insn.ir
      .filter(({ op }) => op === "load" || op === "store")
      .map((inst): [number, number, boolean] => {
        const found = groups.get(insn)?.get(inst);
        if (!found) return [-1, 0, false];
        if (!seen.includes(found.group)) seen.push(found.group);
        return [seen.indexOf(found.group), found.offset, found.isFirst];
      }),
  );
}

const LDR_X0_X1_8 = 0xf940_0420;
const LDR_X2_X1_24 = 0xf940_0c22;
const STR_X0_X1_8 = 0xf900_0420;
const ADD_X1_X1_16 = 0x9100_4021;
const LDR_X1_X1_8 = 0xf940_0421;

test("fields of one structure share a check, whatever their order", () => {
  assert.deepEqual(groupsOf(LDR_X2_X1_24, LDR_X0_X1_8), [
    [0, 16, true],
    [0, 0, false],
  ]);
});

test("a base that moves by a constant is the same base", () => {
  assert.deepEqual(groupsOf(LDR_X0_X1_8, ADD_X1_X1_16, LDR_X0_X1_8), [
    [0, 0, true],
    [0, 16, false],
  ]);
});

test("two of the same instruction word are two accesses", () => {
  assert.deepEqual(groupsOf(STR_X0_X1_8, LDR_X2_X1_24, STR_X0_X1_8), [
    [0, 0, true],
    [0, 16, false],
    [0, 0, false],
  ]);
});

test("a base that is loaded anew is another", () => {
  assert.deepEqual(groupsOf(LDR_X1_X1_8, LDR_X0_X1_8), [
    [-1, 0, false],
    [-1, 0, false],
  ]);
});
