// The interpreter and translated code give every program the same end. Longer runs: node test/fuzz/soak.ts.

import assert from "node:assert/strict";
import { test } from "node:test";
import { comparison } from "./comparison.ts";

/** Where the seeds of a test start: others are for the soak. */
const SEEDS = { max: 1, "cortex-a72": 100_001, loops: 200_001, long: 300_001 };

for (const cpu of ["max", "cortex-a72"] as const) {
  test(`random programs end alike when all is translated: ${cpu}`, { timeout: 300_000 }, async () => {
    const compare = await comparison("translator", { cpu, repeats: 1, length: 30 });
    for (let seed = SEEDS[cpu]; seed < SEEDS[cpu] + 1000; seed++) compare.program(seed);
    assert.ok(compare.totals.exceptions > 1000, "programs fault");
    assert.equal(compare.totals.unfinished, 0);
    assert.ok(compare.regions() > 4000, `${compare.regions()} regions were translated`);
  });
}

test("programs that span a page and more", { timeout: 300_000 }, async () => {
  const compare = await comparison("translator", { cpu: "max", repeats: 1, length: 1500 });
  for (let seed = SEEDS.long; seed < SEEDS.long + 10; seed++) compare.program(seed);
  assert.ok(compare.regions() > 200);
});

test("random loops end alike when they become hot and their regions chain", { timeout: 300_000 }, async () => {
  const compare = await comparison("auto", { cpu: "max", repeats: 5000, length: 30 });
  for (let seed = SEEDS.loops; seed < SEEDS.loops + 30; seed++) compare.program(seed);
  assert.ok(compare.totals.instructions > 5e6);
  assert.equal(compare.totals.unfinished, 0);
  assert.ok(compare.regions() > 50, `${compare.regions()} regions were translated`);
});
