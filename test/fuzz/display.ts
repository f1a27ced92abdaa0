// Requests to the GPU and input devices, and messages of VNC clients, as many as one likes:
// node test/fuzz/display.ts [--count N] [--seed N] [--only gpu|rfb]
// Each burst or conversation has a seed of its own, which is shown when it fails: `--seed SEED --count 40` repeats it.

import { parseArgs } from "node:util";
import { Random } from "../vectors/inputs.ts";
import { GpuFuzzer, REQUESTS } from "./gpu-fuzzer.ts";
import { MESSAGES, RfbFuzzer } from "./rfb-fuzzer.ts";

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "1000000" },
    seed: { type: "string", default: "1" },
    only: { type: "string" },
  },
});
/** Of processor time: others may need the computer, too. */
const SECONDS = 5;
const milliseconds = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};
const first = Number(values.seed);
let failures = 0;

async function run(what: string, each: number, one: (random: Random) => Promise<void> | void): Promise<void> {
  if (values.only !== undefined && values.only !== what) return;
  const times = Math.ceil(Number(values.count) / each);
  const start = performance.now();
  let slowest = 0;
  for (let n = 0; n < times; n++) {
    const before = milliseconds();
    try {
      await one(new Random(first + n));
    } catch (error) {
      failures++;
      console.log(`${what}, seed ${first + n}:`, error);
    }
    const taken = milliseconds() - before;
    slowest = Math.max(slowest, taken);
    if (taken < SECONDS * 1000) continue;
    failures++;
    console.log(`${what}, seed ${first + n}: took ${(taken / 1000).toFixed(1)} s`);
  }
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${what}: ${times * each} inputs in ${seconds} s, the slowest ${each} in ${slowest.toFixed(0)} ms`);
}

const gpu = new GpuFuzzer();
await run("gpu", REQUESTS, (random) => gpu.burst(random));
const rfb = new RfbFuzzer();
await run("rfb", MESSAGES, (random) => rfb.conversation(random));
console.log(`${failures} failures`);
process.exit(failures > 0 ? 1 : 0);
