import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { disassemble } from "../../src/a64/disassembler.ts";
import { EXIT_EXCEPTION } from "../../src/cpu/state-layout.ts";
import { Bench } from "./bench.ts";
import { MEMORY_BYTES, STATE_BYTES } from "./inputs.ts";
import { digestOf, type Sequence, sequenceInput, unpackSequences } from "./sequences.ts";

const sequences = unpackSequences(readFileSync(join(import.meta.dirname, "data", "sequences", "max.br")));

/** Instructions of a slot with its end. */
const SLOT_WORDS = 33;
const PER_PAGE = Math.floor(1024 / SLOT_WORDS);

/** Runs all; returns those that left something else. */
function wrongOnes(tier: "interpreter" | "translator"): Sequence[] {
  const bench = new Bench(tier);
  const state = new Uint8Array(STATE_BYTES);
  const page = new Uint8Array(bench.page.buffer, bench.page.byteOffset, MEMORY_BYTES);
  const wrong: Sequence[] = [];
  for (let i = 0; i < sequences.length; i += PER_PAGE) {
    const slots = new Map(sequences.slice(i, i + PER_PAGE).map((s, k) => [k * SLOT_WORDS * 4, s]));
    bench.load(new Map([...slots].map(([at, { words }]) => [at, words])));
    if (tier === "translator") bench.translate(slots.keys());
    for (const [offset, sequence] of slots) {
      const { words, seed, digest } = sequence;
      if (tier === "translator") assert.ok(bench.isTranslated(offset), "not translated");
      bench.fillMemory(seed);
      const { exit, exceptionClass, pc } = bench.run(offset, sequenceInput(seed));
      bench.state(state);
      const ended = exit === EXIT_EXCEPTION && exceptionClass === 0 && pc === words.length * 4;
      if (!ended || digestOf(state, Uint8Array.from(page)) !== digest) wrong.push(sequence);
    }
  }
  return wrong;
}

for (const tier of ["interpreter", "translator"] as const) {
  test(`the ${tier} does what the oracle did, for sequences with branches and loops`, () => {
    const wrong = wrongOnes(tier);
    const first = wrong.sort((a, b) => a.words.length - b.words.length)[0];
    const text = first?.words.map((w, i) => `${w.toString(16).padStart(8, "0")}  ${disassemble(w, i * 4)}`).join("\n");
    assert.equal(wrong.length, 0, `${wrong.length} of ${sequences.length}, e.g. with seed ${first?.seed}\n${text}`);
  });
}
