import assert from "node:assert/strict";
import { test } from "node:test";
import { busyRound } from "../support/busy-guest.ts";

for (const format of ["raw", "qcow2"] as const) {
  test(`a guest that is saved while it boots and works goes on, and its ${format} disk is whole`, {
    timeout: 280_000,
  }, async () => {
    const { restores } = await busyRound({
      format,
      saves: [900, 2500],
      options: format === "raw" ? ["--cpus", "2"] : [],
    });
    assert.ok(restores > 0);
  });
}
