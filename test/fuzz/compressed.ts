// Damaged compressed disks: node test/fuzz/compressed.ts, with the options of fuzz-run.ts.

import { CompressedFuzzer, compressedSeeds } from "./compressed-fuzzer.ts";
import { FuzzRun } from "./fuzz-run.ts";

const run = new FuzzRun();
for (const seed of compressedSeeds()) {
  if (!run.wants(seed.name)) continue;
  const fuzzer = new CompressedFuzzer();
  await run.inputs(seed.name, { one: (random) => fuzzer.input(seed, random), effects: () => fuzzer.effects });
  fuzzer.close();
}
run.end();
