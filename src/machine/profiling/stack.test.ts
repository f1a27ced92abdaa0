import assert from "node:assert/strict";
import { test } from "node:test";
import { canonical, MAX_FRAMES, walkStack, withoutLink } from "./stack.ts";

/** Frame records by address. */
function memory(records: Readonly<Record<number, readonly [bigint, bigint]>>): (address: bigint) => bigint | undefined {
  return (address) => records[Number(address & ~15n)]?.[address & 8n ? 1 : 0];
}

test("a stack is PC, LR, and the return addresses of the frame records", () => {
  const read = memory({ 256: [0x120n, 0x4000n], 288: [0x140n, 0x5000n], 320: [0n, 0n] });
  assert.deepEqual(walkStack({ pc: 0x3004n, fp: 0x100n, lr: 0x4000n, read }), [0x3004n, 0x4000n, 0x4000n, 0x5000n]);
});

test("pointer authentication codes and tags are taken off", () => {
  assert.equal(canonical(0x1234_8000_0800_0000n), 0x0000_8000_0800_0000n);
  assert.equal(canonical(0x00ab_8000_0800_0000n), 0xffff_8000_0800_0000n);
  const read = memory({ 256: [0n, 0xffd4_8000_0800_1000n] });
  assert.deepEqual(walkStack({ pc: 4n, fp: 0xcd00_0000_0000_0100n, lr: 0n, read })[2], 0xffff_8000_0800_1000n);
});

test("stacks that are damaged, cut off or endless end", () => {
  const walk = (fp: bigint, records: Parameters<typeof memory>[0]): number =>
    walkStack({ pc: 0n, fp, lr: 0n, read: memory(records) }).length;
  assert.equal(walk(0n, {}), 2);
  assert.equal(walk(0x1000n, {}), 2, "no memory");
  assert.equal(walk(0x101n, { 256: [0n, 8n] }), 2, "misaligned");
  assert.equal(walk(0x100n, { 256: [0x100n, 8n] }), 3, "its own caller");
  assert.equal(walk(0x100n, { 256: [0x110n, 8n], 272: [0x100n, 8n] }), MAX_FRAMES, "a circle");
});

test("LR is a caller where the function at PC has no frame record", () => {
  // Functions are 0x1000 bytes.
  const same = (a: bigint, b: bigint): boolean => a >> 12n === b >> 12n;
  // In a leaf function called by 4, which was called by 5.
  assert.deepEqual(withoutLink([0x3000n, 0x4008n, 0x5008n], same), [0x3000n, 0x4008n, 0x5008n]);
  // LR is left from a call by the function itself, or is what the frame record holds.
  assert.deepEqual(withoutLink([0x3000n, 0x3f08n, 0x5008n], same), [0x3000n, 0x5008n]);
  assert.deepEqual(withoutLink([0x3000n, 0x5008n, 0x5008n], same), [0x3000n, 0x5008n]);
  // A call is the last instruction of its function.
  assert.deepEqual(withoutLink([0x3000n, 0x4000n], same), [0x3000n]);
  assert.deepEqual(
    withoutLink([0x3000n, 0x4008n], () => undefined),
    [0x3000n],
  );
  assert.deepEqual(withoutLink([0x3000n, 0n], same), [0x3000n]);
});
