import assert from "node:assert/strict";
import { test } from "node:test";
import { SnapshotFuzzer } from "./snapshot-fuzzer.ts";

test("whatever a snapshot holds, it is restored or refused", async () => {
  const fuzzer = await SnapshotFuzzer.create(7);
  const tally = { inputs: 0, refused: 0 };
  for (let i = 0; i < 1500; i++) await fuzzer.container(tally);
  for (let i = 0; i < 20; i++) await fuzzer.devices(tally);
  for (let i = 0; i < 12; i++) await fuzzer.machine(tally);
  assert.ok(tally.refused > tally.inputs / 4 && tally.refused < tally.inputs, JSON.stringify(tally));
});
