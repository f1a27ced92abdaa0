// The examples of the library's docstrings do what they say.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { AtollError, Machine } from "../../src/hosts/node/index.ts";
import { apiDocument, apiMembers } from "../../tools/api-docs.ts";

type Example = (machine: typeof Machine, error: typeof AtollError, check: typeof assert) => Promise<void>;

const AsyncFunction = (async () => {}).constructor as new (...parameters: string[]) => Example;
/** Types, and what only carries others. */
const WITHOUT_EXAMPLE = ["ConsoleStreams", "readable", "writable", "code"];

test("docs/api.md is what the docstrings say", () => {
  assert.equal(readFileSync(join(import.meta.dirname, "..", "..", "docs", "api.md"), "utf8"), apiDocument());
});

for (const { name, part, example, isCallable } of apiMembers()) {
  if (!isCallable || WITHOUT_EXAMPLE.includes(name)) continue;
  test(`the example of ${part}: ${name}`, async () => {
    assert.ok(example, "there is none");
    await new AsyncFunction("Machine", "AtollError", "assert", example)(Machine, AtollError, assert);
  });
}
