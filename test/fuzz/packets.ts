// As packets.test.ts, for as many frames as wanted: `node test/fuzz/packets.ts [--count N] [--seed S]`. A failure prints its seed and frame.

import { parseArgs } from "node:util";
import { PacketFuzzer } from "./packet-fuzzer.ts";

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "1000000" },
    seed: { type: "string", default: `${Date.now() % 2 ** 31}` },
  },
});
const [count, seed] = [Number(values.count), Number(values.seed)];
const fuzzer = new PacketFuzzer(seed);
const started = performance.now();
for (let i = 0; i < count; i++) {
  try {
    fuzzer.step();
  } catch (error) {
    console.error(`failed at frame ${i} of --seed ${seed}`);
    throw error;
  }
}
const seconds = ((performance.now() - started) / 1000).toFixed(0);
const memory = Math.round(process.memoryUsage().rss / 2 ** 20);
console.log(`${count} frames in ${seconds} s, seed ${seed}, ${memory} MiB resident: ${JSON.stringify(fuzzer.effects)}`);
