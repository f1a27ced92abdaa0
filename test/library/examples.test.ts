// The examples of the library's docstrings do what they say.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { AtollError, Machine } from "../../src/hosts/node/index.ts";
import { apiReference } from "../../tools/api-docs.ts";

type Example = (machine: typeof Machine, error: typeof AtollError, check: typeof assert) => Promise<void>;

const AsyncFunction = (async () => {}).constructor as new (...parameters: string[]) => Example;
const { members, document } = await apiReference();

test("docs/api.md is what the docstrings say", () => {
  assert.equal(readFileSync(join(import.meta.dirname, "..", "..", "docs", "api.md"), "utf8"), document);
});

test("the reference has the machine's members, those that it inherits, too", () => {
  const names = members.map(({ name }) => name);
  for (const name of ["Machine", "Machine.create", "Machine.save", "Machine.registers", "AtollError.code"]) {
    assert.ok(names.includes(name), `${name} is not in it`);
  }
});

for (const { name, example } of members) {
  test(`the example of ${name}`, async () => {
    assert.ok(example, "there is none");
    await new AsyncFunction("Machine", "AtollError", "assert", example)(Machine, AtollError, assert);
  });
}
