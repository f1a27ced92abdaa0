import assert from "node:assert/strict";
import { test } from "node:test";
import { fuzzHypervisor } from "./hypervisor.ts";

test("random hypercalls, registers and device accesses harm nobody else", { timeout: 120_000 }, async () => {
  const result = await fuzzHypervisor(20_000, 1);
  assert.deepEqual(result.problems, []);
  assert.ok(result.exits >= 20_000);
});
