// Hostile drivers of each virtio device: node test/fuzz/virtio.ts, with the options of fuzz-run.ts.
// A device lives on from input to input, so one that failed may do nothing alone; then run from the first seed on.

import { FuzzRun } from "./fuzz-run.ts";
import { VirtioFuzzer } from "./virtio-fuzzer.ts";
import { accessesBeyondTheDisk, SUBJECTS } from "./virtio-subjects.ts";

const run = new FuzzRun();
for (const name of Object.keys(SUBJECTS)) {
  if (!run.wants(name)) continue;
  let fuzzer = new VirtioFuzzer(name);
  const { effects } = fuzzer;
  await run.inputs(name, {
    one: (random) => {
      fuzzer.input(random);
      const [beyond] = accessesBeyondTheDisk();
      if (beyond !== undefined) throw new Error(`beyond the disk: ${beyond}`);
    },
    failed: () => {
      fuzzer = new VirtioFuzzer(name);
    },
    effects: () => effects,
  });
}
run.end();
