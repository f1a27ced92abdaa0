import assert from "node:assert/strict";
import { test } from "node:test";
import { Turns } from "./turns.ts";

test("turns that take little time get longer, but not without bound", () => {
  const turns = new Turns();
  const first = turns.instructions;
  for (let i = 0; i < 10; i++) turns.took(10e3);
  assert.equal(turns.instructions, first * 8);
});

test("after a turn that took long the next is short", () => {
  const turns = new Turns();
  const first = turns.instructions;
  turns.took(10e3);
  turns.took(100e3);
  assert.equal(turns.instructions, first * 2);
  turns.took(1e6);
  assert.equal(turns.instructions, first);
});
