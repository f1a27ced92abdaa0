import assert from "node:assert/strict";
import { test } from "node:test";
import { PacketFuzzer } from "./packet-fuzzer.ts";

test("whatever frames a guest sends, the user-mode network goes on within its limits", () => {
  const fuzzer = new PacketFuzzer(20_250_101);
  for (let i = 0; i < 20_000; i++) fuzzer.step();
  // The inputs got as far as they were meant to.
  assert.ok(fuzzer.effects.frames > 1000 && fuzzer.effects.connections > 50, JSON.stringify(fuzzer.effects));
  assert.ok(
    fuzzer.effects.written > 100 && fuzzer.effects.queries > 5 && fuzzer.effects.mappings > 20,
    JSON.stringify(fuzzer.effects),
  );
});
