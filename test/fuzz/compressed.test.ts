import assert from "node:assert/strict";
import { test } from "node:test";
import { Random } from "../vectors/inputs.ts";
import { CompressedFuzzer, compressedSeeds } from "./compressed-fuzzer.ts";

for (const seed of compressedSeeds()) {
  test(`a damaged compressed disk gives an error or a disk, and nothing else: ${seed.name}`, {
    timeout: 120_000,
  }, async () => {
    const fuzzer = new CompressedFuzzer();
    try {
      for (let n = 1; n <= 400; n++) await assert.doesNotReject(fuzzer.input(seed, new Random(n)), `seed ${n}`);
      assert.ok(fuzzer.effects.refused > 100, `${fuzzer.effects.refused} were refused`);
    } finally {
      fuzzer.close();
    }
  });
}
