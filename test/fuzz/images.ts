// Damaged disk images: node test/fuzz/images.ts, with the options of fuzz-run.ts.

import { FuzzRun } from "./fuzz-run.ts";
import { fuzzOne, hasQemuImg, seeds } from "./image-fuzzer.ts";

const run = new FuzzRun();
if (!hasQemuImg) console.log("without qemu-img there are qcow2 images only");
for (const seed of seeds()) {
  if (run.wants(seed.name)) await run.inputs(seed.name, { one: (random) => fuzzOne(seed, random) });
}
run.end();
