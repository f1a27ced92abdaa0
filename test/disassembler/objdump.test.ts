import assert from "node:assert/strict";
import { test } from "node:test";
import { compareWithObjdump, hasObjdump } from "../../tools/disasm-check.ts";

test("the disassembler says what GNU objdump says", (t) => {
  if (!hasObjdump()) {
    t.skip("no aarch64-linux-gnu-objdump (Debian: binutils-aarch64-linux-gnu)");
    return;
  }
  const found = compareWithObjdump(40, 50_000);
  assert.deepEqual(
    found.slice(0, 20).map(({ key, example }) => `${key}: ${example}`),
    [],
  );
});
