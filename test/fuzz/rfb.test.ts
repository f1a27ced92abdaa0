// Whatever a VNC client says: nothing throws, takes long, or grows without bound, and no key stays pressed.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Random } from "../vectors/inputs.ts";
import { RfbFuzzer } from "./rfb-fuzzer.ts";

test("random clients of the VNC server", { timeout: 120_000 }, async () => {
  const fuzzer = new RfbFuzzer();
  for (let seed = 0; seed < 1000; seed++) {
    const started = performance.now();
    await assert.doesNotReject(fuzzer.conversation(new Random(seed)), `seed ${seed}`);
    assert.ok(performance.now() - started < 5000, `seed ${seed} came to an end soon`);
  }
  assert.ok(fuzzer.served > 500, `${fuzzer.served} clients have seen something`);
});
