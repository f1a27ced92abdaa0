import assert from "node:assert/strict";
import { test } from "node:test";
import { Bus } from "./bus.ts";
import type { AccessSize, Device } from "./device.ts";

/** Keeps bytes, and a log of the accesses. */
class Scratch implements Device {
  readonly log: string[] = [];
  readonly bytes: Uint8Array;
  constructor(size: number) {
    this.bytes = new Uint8Array(size);
  }
  get size(): number {
    return this.bytes.length;
  }
  read(offset: number, bytes: AccessSize): number {
    this.log.push(`r${bytes}@${offset}`);
    let value = 0;
    for (let i = bytes - 1; i >= 0; i--) value = value * 256 + (this.bytes[offset + i] ?? 0);
    return value;
  }
  write(offset: number, bytes: AccessSize, value: number): void {
    this.log.push(`w${bytes}@${offset}=${value.toString(16)}`);
    for (let i = 0; i < bytes; i++) this.bytes[offset + i] = value >>> (8 * i);
  }
  reset(): void {
    this.bytes.fill(0);
  }
}

const data = new Uint32Array(4);

function setUp(): { bus: Bus; a: Scratch; b: Scratch } {
  const bus = new Bus();
  const a = new Scratch(0x20);
  const b = new Scratch(0x10);
  bus.add("b", 0x9000_1000, b);
  bus.add("a", 0x9000_0000, a);
  return { bus, a, b };
}

test("accesses reach the device of their address", () => {
  const { bus, a, b } = setUp();
  data[0] = 0xdeadbeef;
  assert.ok(bus.write(0x9000_1004, 4, data));
  assert.deepEqual(b.log, ["w4@4=deadbeef"]);
  assert.ok(bus.read(0x9000_0002, 2, data));
  assert.deepEqual(a.log, ["r2@2"]);
  assert.equal(data[0], 0);
  assert.deepEqual(
    bus.windows().map((w) => w.name),
    ["a", "b"],
  );
});

test("where nothing is, nothing answers", () => {
  const { bus, a } = setUp();
  for (const address of [0, 0x8fff_ffff, 0x9000_0020, 0x9000_1010, 2 ** 47]) {
    assert.equal(bus.read(address, 1, data), false, address.toString(16));
    assert.equal(bus.write(address, 1, data), false);
  }
  assert.equal(bus.read(0x9000_001c, 8, data), false);
  assert.deepEqual(a.log, []);
});

test("what is for Secure accesses answers no other", () => {
  const { bus } = setUp();
  bus.add("secret", 0x9000_2000, new Scratch(4), "secure");
  assert.equal(bus.read(0x9000_2000, 4, data, false), false);
  assert.equal(bus.write(0x9000_2000, 4, data, false), false);
  assert.ok(bus.read(0x9000_2000, 4, data, true));
  assert.ok(bus.read(0x9000_0000, 4, data, false));
});

test("8 and 16 bytes are words, lower address first", () => {
  const { bus, a } = setUp();
  data.set([0x80000001, 2, 3, 0xffffffff]);
  assert.ok(bus.write(0x9000_0010, 16, data));
  assert.deepEqual(a.log, ["w4@16=80000001", "w4@20=2", "w4@24=3", "w4@28=ffffffff"]);
  data.fill(0x55);
  assert.ok(bus.read(0x9000_0018, 8, data));
  assert.deepEqual([...data], [3, 0xffffffff, 0x55, 0x55]);
});

test("unaligned accesses are bytes", () => {
  const { bus, a } = setUp();
  data.set([0x44332211, 0x88776655]);
  assert.ok(bus.write(0x9000_0001, 8, data));
  assert.deepEqual([...a.bytes.subarray(0, 10)], [0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0]);
  assert.ok(bus.read(0x9000_0003, 4, data));
  assert.equal(data[0], 0x66554433);
  data[0] = 0xffff_cafe;
  assert.ok(bus.write(0x9000_0010, 2, data));
  assert.equal(a.log.at(-1), "w2@16=cafe");
});

test("windows do not overlap", () => {
  const { bus } = setUp();
  assert.throws(() => bus.add("c", 0x9000_001f, new Scratch(4)), /c overlaps a/);
});
