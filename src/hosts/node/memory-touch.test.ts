import assert from "node:assert/strict";
import { test } from "node:test";
import { touch } from "./memory-touch.ts";

const PAGE = 0x1_0000;

test("memory that is touched is zeros, and what is beside it stays", async () => {
  const { buffer } = new WebAssembly.Memory({ initial: 40, maximum: 40, shared: true });
  const bytes = new Uint8Array(buffer).fill(7);
  const end = 39 * PAGE;
  await touch(buffer, [
    { start: PAGE, bytes: 37 * PAGE },
    { start: end, bytes: 5 },
  ]);
  // Nobody touches memory that has something in it but this test, which would not see it otherwise.
  const touched = process.platform === "win32" ? 7 : 0;
  assert.deepEqual(
    [PAGE - 1, PAGE, 38 * PAGE - 1, 38 * PAGE, end - 1, end, end + 4, end + 5].map((at) => bytes[at]),
    [...[7, touched, touched, 7], ...[7, touched, touched, 7]],
  );
});

test("what is outside of a memory is left out", async () => {
  const { buffer } = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  await touch(buffer, [
    { start: 2 * PAGE, bytes: 1 },
    { start: PAGE - 1, bytes: 2 },
    { start: 0xffff_f000, bytes: PAGE },
  ]);
  assert.equal(new Uint8Array(buffer)[PAGE - 1], 0);
});
