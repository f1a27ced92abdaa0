import assert from "node:assert/strict";
import { test } from "node:test";
import { TestDriver } from "../../../../test/support/virtio-driver.ts";
import { VirtioEntropy } from "./entropy.ts";

test("requests are filled from the source, readable buffers are not touched", () => {
  const driver = new TestDriver((memory) => new VirtioEntropy(memory, { fill: (into) => into.fill(0x77) }));
  driver.start(0);
  const [a = 0, b = 0, c = 0] = driver.offer(0, [Uint8Array.of(1), 3, 5]);
  driver.notify(0);
  assert.deepEqual(driver.used(0), [{ head: 0, length: 8 }]);
  assert.equal(driver.memory.bytes[a], 1);
  assert.deepEqual([...driver.memory.bytes.subarray(b, b + 4)], [0x77, 0x77, 0x77, 0]);
  assert.deepEqual([...driver.memory.bytes.subarray(c, c + 6)], [0x77, 0x77, 0x77, 0x77, 0x77, 0]);
});
