// Whatever a guest reads and writes, and wherever: no device throws or reaches memory that is not the guest's.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Random } from "../vectors/inputs.ts";
import { makeBoardFuzzer } from "./board-fuzzer.ts";

for (const gicVersion of [2, 3] as const) {
  test(`random accesses to every device, with a GICv${gicVersion}`, { timeout: 120_000 }, () => {
    const fuzzer = makeBoardFuzzer(gicVersion);
    for (let seed = 0; seed < 20_000; seed++) {
      const started = performance.now();
      assert.doesNotThrow(() => fuzzer.burst(new Random(seed)), `seed ${seed}`);
      assert.ok(performance.now() - started < 2000, `seed ${seed} came to an end soon`);
    }
    assert.equal(fuzzer.damage(), undefined);
  });
}
