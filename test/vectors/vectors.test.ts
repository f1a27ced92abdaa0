import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { check, describe } from "./check.ts";
import { unpack } from "./format.ts";

const data = join(import.meta.dirname, "data");

for (const tier of ["interpreter", "translator"] as const) {
  for (const file of readdirSync(data).filter((f) => f.endsWith(".br"))) {
    test(`${file}: the ${tier} does what the oracle did`, () => {
      const mismatches = check(unpack(readFileSync(join(data, file))), tier);
      assert.equal(mismatches.length, 0, `\n${describe(mismatches)}`);
    });
  }
}
