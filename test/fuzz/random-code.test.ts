// Whatever a guest executes, the machine does not throw, hang, or write to memory that is not the guest's.
// Longer runs: node test/fuzz/soak.ts.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Random } from "../vectors/inputs.ts";
import { codeFuzzer } from "./code-fuzzer.ts";

const GUESTS = 100;

for (const cpu of ["max", "cortex-a72"] as const) {
  for (const tier of ["interpreter", "translator"] as const) {
    for (const cpus of [1, 2] as const) {
      test(`random code on ${cpus} PE of ${cpu}, ${tier}`, { timeout: 120_000 }, async () => {
        const fuzzer = await codeFuzzer({ cpu, tier, cpus });
        for (let seed = 1; seed <= GUESTS; seed++) {
          try {
            fuzzer.guest(new Random(seed));
          } catch (error) {
            throw new Error(`seed ${seed}`, { cause: error });
          }
        }
        assert.ok(fuzzer.instructions() > 10 * GUESTS, `${fuzzer.instructions()} instructions were executed`);
      });
    }
  }
}
