// Machines that are saved at random moments of their boot and of their work, and restored, round after round until there were so many
// restores: node test/snapshot/soak.ts [--restores N] [--seed N]

import { parseArgs } from "node:util";
import { busyRound } from "../support/busy-guest.ts";
import { Random } from "../vectors/inputs.ts";

/** Milliseconds of a machine's run after which it is saved: what a guest does between two saves takes a second or two. */
const FIRST = 100;
const LAST = 1600;
const MOST_SAVES = 4;
const OPTIONS = [
  [],
  ["--cpus", "2"],
  ["--machine", "virt,gic-version=2"],
  ["--machine", "virt,virtualization=on"],
] as const;

const { values } = parseArgs({
  options: { restores: { type: "string", default: "100" }, seed: { type: "string", default: `${Date.now() % 1e6}` } },
});
const wanted = Number(values.restores);
const random = new Random(Number(values.seed));
let restores = 0;
let failed = 0;
let rounds = 0;
console.log(`${wanted} restores, seed ${values.seed}`);
while (restores < wanted) {
  const saves = Array.from({ length: 1 + random.below(MOST_SAVES) }, () => FIRST + random.below(LAST - FIRST));
  const format = random.pick(["raw", "qcow2"] as const);
  const options = random.pick(OPTIONS);
  const result = await busyRound({ format, saves, options });
  rounds++;
  restores += result.restores;
  failed += result.failed;
  const machine = [format, ...options].join(" ");
  const times = saves.slice(0, result.restores).join(", ");
  console.log(`${rounds}: ${machine}, saved after ${times} ms, fetches reset: ${result.failed}; ${restores} restores`);
}
console.log(`done: ${restores} restores in ${rounds} rounds, ${failed} connections reset, all file systems whole`);
