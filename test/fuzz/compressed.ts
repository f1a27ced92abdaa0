// Damaged compressed disks, as many as one likes: node test/fuzz/compressed.ts [--count N] [--seed N] [--only TEXT]

import { parseArgs } from "node:util";
import { Random } from "../vectors/inputs.ts";
import { CompressedFuzzer, compressedSeeds } from "./compressed-fuzzer.ts";
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
let failures = 0;
for (const seed of compressedSeeds().filter(({ name }) => name.includes(values.only))) {
  const fuzzer = new CompressedFuzzer();
  const start = cpuMilliseconds();
  let slowest = 0;
  for (let n = first; n < first + count; n++) {
    const before = cpuMilliseconds();
    try {
      await fuzzer.input(seed, new Random(n));
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
  fuzzer.close();
  const seconds = ((cpuMilliseconds() - start) / 1000).toFixed(0);
  console.log(
    `${seed.name}: ${count} inputs in ${seconds} s, the slowest ${slowest.toFixed(0)} ms, ${JSON.stringify(fuzzer.effects)}`,
  );
}
console.log(`${failures} failures`);
process.exit(failures > 0 ? 1 : 0);
