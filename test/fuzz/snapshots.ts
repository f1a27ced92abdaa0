// Snapshots that somebody hostile has made: node test/fuzz/snapshots.ts [--count N] [--seed N].

import { parseArgs } from "node:util";
import { SnapshotFuzzer, type Tally } from "./snapshot-fuzzer.ts";

const { values } = parseArgs({
  options: { count: { type: "string", default: "1000000" }, seed: { type: "string", default: "1" } },
});
const count = Number(values.count);
const fuzzer = await SnapshotFuzzer.create(Number(values.seed));
const tally = {
  container: { inputs: 0, refused: 0 },
  devices: { inputs: 0, refused: 0 },
  machine: { inputs: 0, refused: 0 },
};
const all = (): number => Object.values(tally).reduce((sum: number, { inputs }: Tally) => sum + inputs, 0);
for (let i = 0; all() < count; i++) {
  await fuzzer.container(tally.container);
  if (i % 30 === 0) await fuzzer.devices(tally.devices);
  if (i % 1000 === 0) await fuzzer.machine(tally.machine);
  if (i % 50_000 === 0)
    console.log(all(), JSON.stringify(tally), `${Math.round(process.memoryUsage().rss / 2 ** 20)} MiB`);
}
console.log("done", JSON.stringify(tally), `${Math.round(process.memoryUsage().rss / 2 ** 20)} MiB`);
