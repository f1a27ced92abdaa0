// Requests to the GPU and input devices ("gpu"), and messages of VNC clients ("rfb"): node test/fuzz/display.ts, with the options of fuzz-run.ts.
// Each burst or conversation has a seed of its own: `--seed SEED --count 40` repeats it.

import { FuzzRun } from "./fuzz-run.ts";
import { GpuFuzzer, REQUESTS } from "./gpu-fuzzer.ts";
import { MESSAGES, RfbFuzzer } from "./rfb-fuzzer.ts";

const run = new FuzzRun();
if (run.wants("gpu")) {
  const gpu = new GpuFuzzer();
  await run.inputs("gpu", { each: REQUESTS, one: (random) => gpu.burst(random) });
}
if (run.wants("rfb")) {
  const rfb = new RfbFuzzer();
  await run.inputs("rfb", { each: MESSAGES, one: (random) => rfb.conversation(random) });
}
run.end();
