// Whatever drivers ask of the GPU and the input devices: nothing throws, takes long, or reaches memory that is not the guest's.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Random } from "../vectors/inputs.ts";
import { GpuFuzzer, REQUESTS } from "./gpu-fuzzer.ts";

test("random requests to the GPU and the input devices", { timeout: 120_000 }, () => {
  const fuzzer = new GpuFuzzer();
  const bursts = 500;
  for (let seed = 0; seed < bursts; seed++) {
    const started = performance.now();
    assert.doesNotThrow(() => fuzzer.burst(new Random(seed)), `seed ${seed}`);
    assert.ok(performance.now() - started < 5000, `seed ${seed} came to an end soon`);
  }
  assert.ok(fuzzer.answered > (bursts * REQUESTS) / 2, `${fuzzer.answered} requests were answered`);
  assert.ok(fuzzer.shown > 50, `${fuzzer.shown} pictures were shown`);
});
