import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { accesses } from "../../../test/support/device-accesses.ts";
import { perform } from "../../../test/support/device-doubles.ts";
import { Flash } from "./flash.ts";

const SIZE = 0x100000;
const BLOCK = 0x40000;

function setUp(readOnly = false) {
  const bytes = new Uint8Array(SIZE);
  const visible: boolean[] = [];
  const changes: [number, number][] = [];
  const flash = new Flash(bytes, {
    readOnly,
    onArrayVisible: (v) => visible.push(v),
    onChange: (start, length) => changes.push([start, length]),
  });
  /** A command to both chips. */
  const command = (at: number, value: number) => flash.write(at, 4, value * 0x10001);
  const read = (at: number) => flash.read(at, 4);
  return { bytes, visible, changes, flash, command, read };
}

const READY = 0x0080_0080;

test("after power-on it reads as memory", () => {
  const { bytes, flash, read } = setUp();
  bytes.set([1, 2, 3, 0xf4], 0x100);
  assert.equal(read(0x100), 0xf4030201);
  assert.equal(flash.read(0x102, 2), 0xf403);
  assert.equal(flash.read(0x103, 1), 0xf4);
});

test("the array is out of sight in other modes", () => {
  const { visible, flash, command } = setUp();
  command(0, 0x70);
  command(0, 0x50);
  command(0, 0xff);
  assert.deepEqual(visible, [false, true]);
  flash.write(0, 2, 0x90);
  assert.deepEqual(visible, [false, true, false]);
  assert.equal(flash.read(2, 2), 0x89);
  assert.equal(flash.read(0, 2), 0x89);
  flash.reset();
  assert.deepEqual(visible, [false, true, false, true]);
});

test("the query tells its geometry", () => {
  const { read, command } = setUp();
  command(0x55 * 4, 0x98);
  const byte = (at: number) => {
    const word = read(at * 4);
    assert.equal(word >>> 16, word & 0xffff);
    return word & 0xffff;
  };
  assert.equal(String.fromCharCode(...[0x10, 0x11, 0x12].map(byte)), "QRY");
  assert.equal(byte(0x13), 1);
  assert.equal(String.fromCharCode(...[0, 1, 2].map((i) => byte(byte(0x15) + i))), "PRI");
  const chip = 2 ** byte(0x27);
  const blocks = byte(0x2d) + byte(0x2e) * 256 + 1;
  const block = (byte(0x2f) + byte(0x30) * 256) * 256;
  assert.deepEqual([chip * 2, block * 2, blocks * block], [SIZE, BLOCK, chip]);
});

test("erasing sets a block, programming clears bits", () => {
  const { bytes, changes, read, command, flash } = setUp();
  command(BLOCK + 0x100, 0x20);
  command(BLOCK + 0x100, 0xd0);
  assert.equal(read(0), READY);
  command(0, 0xff);
  assert.equal(
    bytes.subarray(BLOCK, 2 * BLOCK).every((b) => b === 0xff),
    true,
  );
  assert.equal(bytes[BLOCK - 1], 0);
  assert.equal(bytes[2 * BLOCK], 0);
  assert.deepEqual(changes[0], [BLOCK, BLOCK - 2]);
  command(BLOCK + 8, 0x40);
  flash.write(BLOCK + 8, 4, 0x1234_5678);
  command(BLOCK + 8, 0x10);
  flash.write(BLOCK + 8, 4, 0xff00_ffff);
  assert.equal(read(0), READY);
  command(0, 0xff);
  assert.equal(read(BLOCK + 8), 0x1200_5678);
});

test("the write buffer is programmed when confirmed", () => {
  const { bytes, read, command, flash } = setUp();
  bytes.fill(0xff);
  command(0x200, 0xe8);
  assert.equal(read(0x200), READY);
  command(0x200, 1);
  flash.write(0x200, 4, 0x11112222);
  flash.write(0x204, 4, 0x33334444);
  assert.equal(bytes[0x200], 0xff);
  command(0x200, 0xd0);
  assert.equal(read(0x200), READY);
  command(0, 0xff);
  assert.deepEqual([read(0x200), read(0x204), read(0x208)], [0x11112222, 0x33334444, 0xffffffff]);
});

for (const width of [1, 2] as const) {
  test(`who drives the bank as one chip of ${width * 8} bits can erase and program all of it`, () => {
    const { bytes, flash } = setUp();
    const write = (at: number, value: number) => flash.write(at, width, value);
    write(BLOCK, 0x20);
    write(BLOCK, 0xd0);
    assert.deepEqual([flash.read(BLOCK, width), flash.read(BLOCK + 2, width)], [0x80, 0x80]);
    write(BLOCK, 0xff);
    assert.deepEqual([bytes.indexOf(0xff), bytes.lastIndexOf(0xff)], [BLOCK, 2 * BLOCK - 1]);
    const data = Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8]);
    const unit = (at: number) => (width === 1 ? data[at] : new DataView(data.buffer).getUint16(at, true)) as number;
    // A word, then the rest by the buffer.
    write(BLOCK, 0x40);
    write(BLOCK, unit(0));
    write(BLOCK, 0xe8);
    write(BLOCK, data.length / width - 2);
    for (let at = width; at < data.length; at += width) write(BLOCK + at, unit(at));
    write(BLOCK, 0xd0);
    assert.deepEqual([flash.read(BLOCK, width), flash.read(BLOCK + 2, width)], [0x80, 0x80]);
    write(BLOCK, 0xff);
    assert.deepEqual(bytes.subarray(BLOCK, BLOCK + 9), Uint8Array.from([...data, 0xff]));
  });
}

test("a buffer that is too large, in two blocks, or not confirmed is a sequence error", () => {
  const sequence = 0x00b0_00b0;
  const { bytes, read, command } = setUp();
  bytes.fill(0xff);
  command(0, 0xe8);
  command(0, 256);
  assert.equal(read(0), sequence);
  command(0, 0x50);
  for (const [second, confirm] of [
    [BLOCK, 0xd0],
    [4, 0x00],
  ] as const) {
    command(0, 0xe8);
    command(0, 1);
    command(0, 0);
    command(second, 0);
    command(0, confirm);
    assert.equal(read(0), sequence);
    command(0, 0x50);
    assert.equal(read(0), READY);
  }
  assert.equal(
    bytes.every((b) => b === 0xff),
    true,
  );
});

test("a locked block does not change until unlocked", () => {
  const { bytes, read, command } = setUp();
  command(0x10, 0x60);
  command(0x10, 0x01);
  command(0, 0x90);
  assert.equal(read(8), 0x0001_0001);
  assert.equal(read(BLOCK + 8), 0);
  command(0, 0x20);
  command(0, 0xd0);
  assert.equal(read(0), 0x00a2_00a2);
  assert.equal(bytes[0], 0);
  command(0, 0x50);
  command(0x10, 0x60);
  command(0x10, 0xd0);
  command(0, 0x20);
  command(0, 0xd0);
  assert.equal(read(0), READY);
  assert.equal(bytes[0], 0xff);
});

test("read-only flash does not change", () => {
  const { bytes, changes, read, command } = setUp(true);
  bytes.fill(0x55);
  command(0, 0x40);
  command(0, 0);
  assert.equal(read(0), 0x0092_0092);
  command(0, 0x20);
  command(0, 0xd0);
  assert.equal(
    bytes.every((b) => b === 0x55),
    true,
  );
  assert.deepEqual(changes, []);
});

test("a size that no chips have is refused", () => {
  assert.throws(() => new Flash(new Uint8Array(BLOCK * 3)), /power of two/);
});

test("any accesses are harmless", () => {
  const commands = fc.constantFrom(0x10, 0x20, 0x40, 0x50, 0x60, 0x70, 0x90, 0x98, 0xb0, 0xd0, 0xe8, 0xff, 0, 1, 0x2f);
  const step = fc.tuple(
    commands,
    accesses(SIZE, [0, 4, BLOCK, SIZE - 4]).map((list) => list.slice(0, 3)),
  );
  const bytes = new Uint8Array(SIZE + 128).fill(0xa5);
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      let visible = true;
      const flash = new Flash(bytes.subarray(64, 64 + SIZE), {
        onArrayVisible: (v) => {
          visible = v;
        },
        onChange: (start, length) => assert.ok(start >= 0 && length > 0 && start + length <= SIZE),
      });
      for (const [command, list] of steps) {
        flash.write(BLOCK, 4, command * 0x10001);
        for (const access of list) perform(flash, access);
        if (visible) assert.equal(flash.read(8, 1), bytes[64 + 8]);
      }
      assert.ok([...bytes.subarray(0, 64), ...bytes.subarray(-64)].every((b) => b === 0xa5));
    }),
  );
});
