import assert from "node:assert/strict";
import { test } from "node:test";
import { TestSerial } from "../../../test/support/device-doubles.ts";
import { FirstLine } from "./first-line.ts";

test("the line comes first, in pieces, and what is typed when the guest has answered it", () => {
  const port = new TestSerial();
  const serial = new FirstLine(port);
  let readable = 0;
  serial.onReadable(() => readable++);
  port.arrive(9);
  assert.deepEqual([...serial.read(2)], []);
  serial.offer(Uint8Array.of(1, 2, 3));
  serial.write(Uint8Array.of(7));
  const before = readable;
  assert.deepEqual([...serial.read(2)], [1, 2]);
  assert.deepEqual([...serial.read(2)], [3]);
  assert.deepEqual([...serial.read(2)], []);
  serial.write(Uint8Array.of(8));
  assert.equal(readable, before + 1);
  assert.deepEqual([...serial.read(2)], [9]);
  assert.deepEqual(port.output, [7, 8]);
});
