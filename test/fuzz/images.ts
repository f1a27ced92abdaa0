// Damaged disk images, as many as one likes: node test/fuzz/images.ts [--count N] [--seed N] [--only TEXT]
// Each input has a seed of its own, which is shown when it fails. An input that takes seconds fails, too.

import { parseArgs } from "node:util";
import { Random } from "../vectors/inputs.ts";
import { fuzzOne, hasQemuImg, seeds } from "./image-fuzzer.ts";
import { cpuMilliseconds, SLOW_MILLISECONDS } from "./slow.ts";

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "1000000" },
    seed: { type: "string", default: "1" },
    only: { type: "string", default: "" },
  },
});
const first = Number(values.seed);
const count = Number(values.count);
const corpus = seeds().filter(({ name }) => name.includes(values.only));
if (!hasQemuImg) console.log("without qemu-img there are qcow2 images only");
console.log(`${count} inputs each of ${corpus.length} images, from seed ${first}`);
let failures = 0;
for (const seed of corpus) {
  const start = cpuMilliseconds();
  let slowest = 0;
  for (let n = first; n < first + count; n++) {
    const before = cpuMilliseconds();
    try {
      fuzzOne(seed, new Random(n));
    } catch (error) {
      failures++;
      console.log(`${seed.name}, seed ${n}:`, error);
    }
    const taken = cpuMilliseconds() - before;
    slowest = Math.max(slowest, taken);
    if (taken < SLOW_MILLISECONDS) continue;
    failures++;
    console.log(`${seed.name}, seed ${n}: took ${(taken / 1000).toFixed(1)} s`);
  }
  const seconds = ((cpuMilliseconds() - start) / 1000).toFixed(1);
  console.log(`${seed.name}: ${count} inputs in ${seconds} s, the slowest ${slowest.toFixed(0)} ms`);
}
console.log(`${failures} failures`);
process.exit(failures > 0 ? 1 : 0);
