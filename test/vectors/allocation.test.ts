import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createDecoder, type Decoder } from "../../src/a64/decoder.ts";
import { ALL_ROWS } from "../../src/a64/index.ts";
import { CPU_MODELS } from "../../src/arch/cpu-models.ts";
import { MODELS, unpackBits, wordsOf } from "./allocation.ts";
import {
  ALLOCATED_BY_MISTAKE,
  FEATURES_NOT_HERE,
  mistake,
  notHere,
  reasonNotCompared,
} from "./allocation-differences.ts";
import { ENCODING_CLASSES } from "./encoding-classes.ts";

const CLASSES = ENCODING_CLASSES.map((c) => ({ name: c.name, words: wordsOf(c) }));
const TOTAL = CLASSES.reduce((n, { words }) => n + words.length, 0);

/** UDF is an instruction, but what it does is to be undefined. */
function isUndefined(decoder: Decoder, word: number): boolean {
  const insn = decoder.decode(word);
  return insn === undefined || insn.row.id === "UDF";
}

for (const model of MODELS) {
  test(`${model}: what is allocated is what the oracle says, features aside that it has and we have not`, () => {
    const decoder = createDecoder(ALL_ROWS, CPU_MODELS[model].features);
    const bit = unpackBits(readFileSync(join(import.meta.dirname, "data", "allocation", `${model}.br`)), 2 * TOTAL);
    const wrong: string[] = [];
    const used = new Set<string>();
    let compared = 0;
    let i = 0;
    for (const { name, words } of CLASSES) {
      for (const word of words) {
        const oracle = bit(i);
        const unanswered = bit(TOTAL + i);
        i++;
        if (unanswered || reasonNotCompared(word, decoder.rowOf(word))) continue;
        compared++;
        const ours = isUndefined(decoder, word);
        if (ours === oracle) continue;
        const why = ours ? (notHere(word) ?? mistake(word)) : undefined;
        if (why !== undefined && model === "max") used.add(why);
        else wrong.push(`${word.toString(16)} (${name}) is ${ours ? "undefined" : "allocated"} here`);
      }
    }
    assert.deepEqual(wrong, []);
    assert.ok(compared > TOTAL * 0.9, `${compared} of ${TOTAL} compared`);
    // No exception that nothing needs.
    const exceptions = [...Object.keys(FEATURES_NOT_HERE), ...Object.keys(ALLOCATED_BY_MISTAKE)];
    if (model === "max") assert.deepEqual(new Set(exceptions).difference(used), new Set());
  });

  test(`${model}: features that we have not are unallocated`, () => {
    const decoder = createDecoder(ALL_ROWS, CPU_MODELS[model].features);
    for (const { words } of CLASSES) {
      for (const word of words) {
        const feature = notHere(word);
        if (feature) assert.ok(isUndefined(decoder, word), `${word.toString(16)} of ${feature} is allocated`);
      }
    }
  });
}
