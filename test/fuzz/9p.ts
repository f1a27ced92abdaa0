// 9P conversations, as many messages as one likes: node test/fuzz/9p.ts [--count N] [--seed N]
// Each conversation has a seed of its own, which is shown when it fails: alone, `--seed SEED --count 40` repeats it in a fresh folder.

import { parseArgs } from "node:util";
import { Random } from "../vectors/inputs.ts";
import { MESSAGES, NinepFuzzer } from "./9p-fuzzer.ts";
import { cpuMilliseconds, SLOW_MILLISECONDS } from "./slow.ts";

const { values } = parseArgs({
  options: { count: { type: "string", default: "1000000" }, seed: { type: "string", default: "1" } },
});
/** Conversations after which the folder is made anew. */
const ROUND = 20;
const first = Number(values.seed);
const conversations = Math.ceil(Number(values.count) / MESSAGES);
const fuzzer = new NinepFuzzer();
const start = cpuMilliseconds();
let failures = 0;
let slowest = 0;
for (let n = 0; n < conversations; n++) {
  if (n % ROUND === 0) fuzzer.restore();
  const before = cpuMilliseconds();
  try {
    fuzzer.conversation(new Random(first + n));
  } catch (error) {
    failures++;
    console.log(`seed ${first + n} (in the folder since seed ${first + n - (n % ROUND)}):`, error);
  }
  const taken = cpuMilliseconds() - before;
  slowest = Math.max(slowest, taken);
  if (taken < SLOW_MILLISECONDS) continue;
  failures++;
  console.log(`seed ${first + n}: took ${(taken / 1000).toFixed(1)} s`);
}
fuzzer.close();
const seconds = ((cpuMilliseconds() - start) / 1000).toFixed(1);
console.log(`${conversations * MESSAGES} messages in ${seconds} s, the slowest conversation ${slowest.toFixed(0)} ms`);
console.log(`${failures} failures`);
process.exit(failures > 0 ? 1 : 0);
