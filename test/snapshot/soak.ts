// Machines that are saved at random moments of their boot and of their work, and restored: node test/snapshot/soak.ts [--rounds N] [--seed N].

import { parseArgs } from "node:util";
import { randomOf } from "../fuzz/snapshot-fuzzer.ts";
import { busyRound } from "../support/busy-guest.ts";

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "100" }, seed: { type: "string", default: `${Date.now() % 1e6}` } },
});
const random = randomOf(Number(values.seed));
const OPTIONS = [
  [],
  ["--cpus", "2"],
  ["--machine", "virt,gic-version=2"],
  ["--machine", "virt,virtualization=on"],
] as const;
let restores = 0;
let failed = 0;
console.log(`seed ${values.seed}`);
for (let round = 1; round <= Number(values.rounds); round++) {
  const saves = Array.from({ length: 1 + Math.floor(random() * 3) }, () => 300 + Math.floor(random() * 6000));
  const format = random() < 0.5 ? "raw" : "qcow2";
  const options = OPTIONS[Math.floor(random() * OPTIONS.length)] as readonly string[];
  const result = await busyRound({ format, saves, options });
  restores += result.restores;
  failed += result.failed;
  console.log(
    `${round}: ${format} ${options.join(" ")}, saved after ${saves.join(", ")} ms; fetches reset: ${result.failed}`,
  );
}
console.log(`done: ${values.rounds} rounds, ${restores} restores, ${failed} connections reset`);
