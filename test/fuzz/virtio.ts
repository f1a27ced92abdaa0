// Hostile drivers of each virtio device, as many as one likes: node test/fuzz/virtio.ts [--count N] [--seed N] [--only NAME]
// Each input has a seed of its own, which is shown when it fails. A device lives on from input to input, so the one alone may do nothing;
// then run from the first seed on.

import { parseArgs } from "node:util";
import { Random } from "../vectors/inputs.ts";
import { cpuMilliseconds, SLOW_MILLISECONDS } from "./slow.ts";
import { VirtioFuzzer } from "./virtio-fuzzer.ts";
import { accessesBeyondTheDisk, SUBJECTS } from "./virtio-subjects.ts";

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
for (const name of Object.keys(SUBJECTS).filter((name) => name.includes(values.only))) {
  let fuzzer = new VirtioFuzzer(name);
  const { effects } = fuzzer;
  const start = cpuMilliseconds();
  let slowest = 0;
  for (let n = first; n < first + count; n++) {
    const before = cpuMilliseconds();
    try {
      fuzzer.input(new Random(n));
      const [beyond] = accessesBeyondTheDisk();
      if (beyond !== undefined) throw new Error(`beyond the disk: ${beyond}`);
    } catch (error) {
      failures++;
      console.log(`${name}, seed ${n}:`, error);
      fuzzer = new VirtioFuzzer(name);
    }
    const taken = cpuMilliseconds() - before;
    slowest = Math.max(slowest, taken);
    if (taken < SLOW_MILLISECONDS) continue;
    failures++;
    console.log(`${name}, seed ${n}: took ${(taken / 1000).toFixed(1)} s`);
  }
  const seconds = ((cpuMilliseconds() - start) / 1000).toFixed(0);
  console.log(
    `${name}: ${count} inputs in ${seconds} s, the slowest ${slowest.toFixed(0)} ms, ${JSON.stringify(effects)}`,
  );
}
console.log(`${failures} failures`);
process.exit(failures > 0 ? 1 : 0);
