// Asks the oracle (see generate.ts) which words of every encoding class are allocated. Writes data/allocation/*.br.
//
//   node test/vectors/generate-allocation.ts

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { farState, MODELS, packBits, wordsOf } from "./allocation.ts";
import { ENCODING_CLASSES } from "./encoding-classes.ts";
import { ask } from "./oracle/oracle.ts";

const SIGILL = 4;
const folder = join(import.meta.dirname, "data", "allocation");
mkdirSync(folder, { recursive: true });
const state = farState();
for (const model of MODELS) {
  const undefinedWords: boolean[] = [];
  const unanswered: boolean[] = [];
  for (const encodingClass of ENCODING_CLASSES) {
    const answers = await ask(
      model,
      wordsOf(encodingClass).map((word) => ({ words: [word], seed: 1, state })),
    );
    undefinedWords.push(...answers.map((a) => a?.signal === SIGILL && a.own));
    unanswered.push(...answers.map((a) => !a));
  }
  writeFileSync(join(folder, `${model}.br`), packBits([...undefinedWords, ...unanswered]));
  const count = (bits: readonly boolean[]): number => bits.filter((b) => b).length;
  console.log(`${model}: ${count(undefinedWords)} undefined, ${count(unanswered)} not answered`);
}
