import assert from "node:assert/strict";
import { test } from "node:test";
import { killNode } from "../domains/kill.ts";

test("a node that is killed at any moment loses no definition and nothing that a guest has flushed", {
  timeout: 1_800_000,
}, async () => {
  // node test/domains/kill.ts does this for as long as one likes.
  const { kills, checked } = await killNode(2, 1);
  assert.ok(kills === 2 && checked >= 2, `${checked}`);
});
