// Whatever a driver puts into the queues of a virtio device: nothing is thrown, and nothing outside of the guest's memory is touched.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Random } from "../vectors/inputs.ts";
import { VirtioFuzzer } from "./virtio-fuzzer.ts";
import { accessesBeyondTheDisk, SUBJECTS } from "./virtio-subjects.ts";

for (const name of Object.keys(SUBJECTS)) {
  test(`hostile drivers: ${name}`, { timeout: 120_000 }, () => {
    const fuzzer = new VirtioFuzzer(name);
    for (let seed = 1; seed <= 4000; seed++) {
      assert.doesNotThrow(() => fuzzer.input(new Random(seed)), `seed ${seed}`);
    }
    assert.deepEqual(accessesBeyondTheDisk(), []);
    // Both sides of the door have been seen.
    assert.ok(fuzzer.effects.used > 1000, `${fuzzer.effects.used} requests were used`);
    assert.ok(fuzzer.effects.broken > 100, `${fuzzer.effects.broken} drivers were refused`);
  });
}
