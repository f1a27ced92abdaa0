// Whatever a guest says in 9P: nothing throws, takes long, or reaches what is beside the folder.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Random } from "../vectors/inputs.ts";
import { NinepFuzzer } from "./9p-fuzzer.ts";

test("random 9P conversations", { timeout: 120_000 }, () => {
  const fuzzer = new NinepFuzzer();
  try {
    for (let seed = 0; seed < 100; seed++) {
      if (seed % 20 === 0) fuzzer.restore();
      const started = performance.now();
      assert.doesNotThrow(() => fuzzer.conversation(new Random(seed)), `seed ${seed}`);
      assert.ok(performance.now() - started < 5000, `seed ${seed} came to an end soon`);
    }
  } finally {
    fuzzer.close();
  }
});
