import assert from "node:assert/strict";
import { test } from "node:test";
import { entropy } from "./entropy.ts";

test("memory of any length and kind is filled with bytes that differ each time", () => {
  for (const length of [0, 1, 32, 200_000]) {
    const [one, two] = [new Uint8Array(new SharedArrayBuffer(length)), new Uint8Array(length)];
    entropy.fill(one);
    entropy.fill(two);
    if (length < 32) continue;
    assert.notDeepEqual([...one], [...two]);
    // Of so many bytes all 256 are expected, each about as often.
    if (length > 100_000) assert.equal(new Set(one).size, 256);
  }
});
