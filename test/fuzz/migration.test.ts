import assert from "node:assert/strict";
import { test } from "node:test";
import { MigrationFuzzer } from "./migration-fuzzer.ts";

test("whatever a source sends, nothing of it stays, and the node goes on", { timeout: 200_000 }, async () => {
  const fuzzer = new MigrationFuzzer();
  try {
    for (let seed = 1; seed <= 60; seed++) await fuzzer.once(seed);
    const { strangers, refused, prepared } = fuzzer.counts;
    // Some of what is sent is as good as right: otherwise nothing behind the first check was reached.
    assert.ok(strangers > 0 && refused > 0 && prepared > 0);
  } finally {
    fuzzer.close();
  }
});
