// 9P conversations: node test/fuzz/9p.ts, with the options of fuzz-run.ts; what it counts are messages.
// Each conversation has a seed of its own: alone, `--seed SEED --count 40` repeats it in a fresh folder.

import { MESSAGES, NinepFuzzer } from "./9p-fuzzer.ts";
import { FuzzRun } from "./fuzz-run.ts";

/** Conversations after which the folder is made anew. */
const ROUND = 20;
const run = new FuzzRun();
const fuzzer = new NinepFuzzer();
let since = run.first;
await run.inputs("9p", {
  each: MESSAGES,
  one: (random, seed) => {
    if ((seed - run.first) % ROUND === 0) {
      since = seed;
      fuzzer.restore();
    }
    fuzzer.conversation(random);
  },
  failed: () => console.log(`in the folder since seed ${since}`),
});
fuzzer.close();
run.end();
