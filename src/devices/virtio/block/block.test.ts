import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { TestClock } from "../../../../test/support/device-doubles.ts";
import { type Buffer, TestDriver } from "../../../../test/support/virtio-driver.ts";
import type { BlockStore, Clock } from "../../../bus/device.ts";
import { CONFIG, DEVICE_FEATURES, STATUS } from "../mmio.ts";
import * as B from "./block.ts";

const SECTORS = 16;
const F_FLUSH = 1 << 9;

class Store implements BlockStore {
  readonly data = Uint8Array.from({ length: SECTORS * B.SECTOR }, (_, i) => (i / B.SECTOR) | 0);
  readonly bytes = this.data.length;
  readOnly = false;
  fails = false;
  flushes = 0;
  read(offset: number, into: Uint8Array): void {
    this.#check(offset, into.length);
    into.set(this.data.subarray(offset, offset + into.length));
  }
  write(offset: number, from: Uint8Array): void {
    this.#check(offset, from.length);
    assert.equal(this.readOnly, false);
    this.data.set(from, offset);
  }
  writeZeroes(offset: number, bytes: number): void {
    this.write(offset, new Uint8Array(bytes));
  }
  readonly discarded: [number, number][] = [];
  discard(offset: number, bytes: number): void {
    this.discarded.push([offset / B.SECTOR, bytes / B.SECTOR]);
  }
  flush(): void {
    this.flushes++;
  }
  #check(offset: number, length: number): void {
    if (this.fails) throw new Error("the disk is broken");
    assert.ok(offset % B.SECTOR === 0 && length % B.SECTOR === 0, "whole sectors");
    assert.ok(offset + length <= this.bytes, "inside the disk");
  }
}

function header(type: number, sector: number): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, type, true);
  view.setBigUint64(8, BigInt(sector), true);
  return bytes;
}

function setUp(options: { readOnly?: boolean; features?: number; clock?: Clock } = {}) {
  const store = new Store();
  store.readOnly = options.readOnly ?? false;
  const driver = new TestDriver(
    (memory) =>
      new B.VirtioBlock(memory, store, { serial: "atoll-disk-0", clock: options.clock ?? new TestClock(), queues: 2 }),
  );
  driver.start(options.features ?? F_FLUSH, 2);
  /** Does one request; gives the status byte, the length used and the offsets of the buffers. */
  const request = (...buffers: Buffer[]) => {
    const before = driver.used(0).length;
    const offsets = driver.offer(0, [...buffers, 1]);
    const at = offsets.at(-1) as number;
    driver.memory.bytes[at] = 0xff;
    driver.notify(0);
    return { status: driver.memory.bytes[at], length: driver.used(0)[before]?.length, offsets };
  };
  return { store, driver, request };
}

test("the configuration has the capacity in sectors", () => {
  const { driver } = setUp();
  assert.equal(driver.read(CONFIG), SECTORS);
  assert.equal(driver.read(CONFIG + 4), 0);
  assert.equal(driver.read(CONFIG + 20), 512);
});

test("sectors are read", () => {
  const { driver, request } = setUp();
  const { status, length, offsets } = request(header(B.T_IN, 3), 1024);
  assert.deepEqual([status, length], [B.S_OK, 1025]);
  const at = offsets[1] as number;
  assert.deepEqual([driver.memory.bytes[at], driver.memory.bytes[at + 1023]], [3, 4]);
});

test("sectors are written", () => {
  const { store, request } = setUp();
  const { status, length } = request(header(B.T_OUT, 15), new Uint8Array(512).fill(0xaa));
  assert.deepEqual([status, length], [B.S_OK, 1]);
  assert.equal(store.data[15 * 512], 0xaa);
  assert.equal(store.data[15 * 512 - 1], 14);
  assert.equal(store.flushes, 0);
});

test("a request may be cut into buffers anywhere", () => {
  const { store, driver, request } = setUp();
  const whole = header(B.T_OUT, 2);
  const data = Uint8Array.from({ length: 512 }, (_, i) => i);
  assert.equal(request(whole.subarray(0, 5), whole.subarray(5), data.subarray(0, 100), data.subarray(100)).status, 0);
  assert.deepEqual([...store.data.subarray(1024, 1536)], [...data]);
  const { status, offsets } = request(header(B.T_IN, 2), 300, 212);
  assert.equal(status, B.S_OK);
  const [, a = 0, b = 0] = offsets;
  assert.deepEqual([...driver.memory.bytes.subarray(a, a + 300)], [...data.subarray(0, 300)]);
  assert.deepEqual([...driver.memory.bytes.subarray(b, b + 212)], [...data.subarray(300)]);
});

test("what is not inside the disk or not whole sectors is an error", () => {
  const { request } = setUp();
  assert.equal(request(header(B.T_IN, 16), 512).status, B.S_IOERR);
  assert.equal(request(header(B.T_IN, 15), 1024).status, B.S_IOERR);
  assert.equal(request(header(B.T_IN, 2 ** 52), 512).status, B.S_IOERR);
  assert.equal(request(header(B.T_IN, 0), 511).status, B.S_IOERR);
  assert.equal(request(header(B.T_OUT, 16), new Uint8Array(512)).status, B.S_IOERR);
});

test("a failure of the host is an error of the disk, and no more", () => {
  const { store, request } = setUp();
  store.fails = true;
  assert.equal(request(header(B.T_IN, 0), 512).status, B.S_IOERR);
  store.fails = false;
  assert.equal(request(header(B.T_IN, 0), 512).status, B.S_OK);
});

test("a flush is a flush; without it negotiated each write is one", () => {
  const flushing = setUp();
  assert.equal(flushing.request(header(B.T_FLUSH, 0)).status, B.S_OK);
  assert.equal(flushing.store.flushes, 1);
  const through = setUp({ features: 0 });
  through.request(header(B.T_OUT, 0), new Uint8Array(512));
  assert.equal(through.store.flushes, 1);
});

test("it has an ID", () => {
  const { driver, request } = setUp();
  const { status, offsets } = request(header(B.T_GET_ID, 0), 20);
  const at = offsets[1] as number;
  assert.equal(status, B.S_OK);
  assert.equal(String.fromCharCode(...driver.memory.bytes.subarray(at, at + 13)), "atoll-disk-0\0");
});

/** A segment of discard or write zeroes. */
function segment(sector: number, sectors: number, flags = 0): Uint8Array {
  const bytes = new Uint8Array(16);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(sector), true);
  new DataView(bytes.buffer).setUint32(8, sectors, true);
  bytes[12] = flags;
  return bytes;
}

test("zeroes are written without being sent", () => {
  const { store, request } = setUp();
  assert.equal(request(header(B.T_WRITE_ZEROES, 0), segment(4, 2), segment(8, 1, 1)).status, B.S_OK);
  assert.deepEqual(
    [3, 4, 5, 6, 7, 8, 9].map((s) => store.data[s * 512]),
    [3, 0, 0, 6, 7, 0, 9],
  );
  assert.equal(request(header(B.T_WRITE_ZEROES, 0), segment(4, 13)).status, B.S_IOERR);
  assert.equal(request(header(B.T_WRITE_ZEROES, 0), segment(1, 1), segment(16, 1)).status, B.S_IOERR);
  assert.equal(store.data[512], 1);
  assert.equal(request(header(B.T_WRITE_ZEROES, 0), segment(1, 1, 2)).status, B.S_UNSUPP);
});

test("what is not wanted any more is discarded", () => {
  const { store, driver, request } = setUp();
  assert.equal(driver.read(DEVICE_FEATURES) & (1 << 13), 1 << 13);
  assert.equal(request(header(B.T_DISCARD, 0), segment(4, 2), segment(15, 1)).status, B.S_OK);
  assert.deepEqual(store.discarded, [
    [4, 2],
    [15, 1],
  ]);
  assert.equal(request(header(B.T_DISCARD, 0), segment(16, 1)).status, B.S_IOERR);
  for (const bad of [segment(1, 1, 1), segment(0, 2 ** 21 + 1), new Uint8Array(15), new Uint8Array(17 * 16)]) {
    assert.equal(request(header(B.T_DISCARD, 0), bad).status, B.S_UNSUPP);
  }
});

test("every queue takes requests", () => {
  const { driver } = setUp();
  assert.equal(driver.read(DEVICE_FEATURES) & (1 << 12), 1 << 12);
  assert.equal(driver.mmio.read(CONFIG + 34, 2), 2);
  const [, at = 0] = driver.offer(1, [header(B.T_IN, 5), 512, 1]);
  driver.notify(1);
  assert.equal(driver.memory.bytes[at], 5);
  assert.equal(driver.used(1).length, 1);
});

test("a turn ends, and what is left goes on in the next", () => {
  let now = 0;
  const alarms: (() => void)[] = [];
  const clock: Clock = {
    now: () => (now += 1.5e6),
    at: (_time, callback) => {
      alarms.push(callback);
      return () => {};
    },
  };
  const { store, driver } = setUp({ clock });
  for (const i of [0, 1, 2]) driver.offer(0, [header(B.T_OUT, i), new Uint8Array(512).fill(0xa0 + i), 1], 0);
  driver.offer(0, [header(B.T_DISCARD, 0), segment(0, 16), 1], 3);
  driver.notify(0);
  const done: number[] = [];
  for (; alarms.length > 0 && done.length < 20; alarms.shift()?.()) done.push(driver.used(0).length);
  assert.deepEqual(done, [2, 3]);
  assert.equal(driver.used(0).length, 4);
  assert.equal(store.discarded.length, 1);
});

test("a read-only disk says so and is not written", () => {
  const { store, driver, request } = setUp({ readOnly: true, features: 0 });
  assert.equal(driver.read(DEVICE_FEATURES) & (1 << 5), 1 << 5);
  assert.equal(request(header(B.T_OUT, 1), new Uint8Array(512)).status, B.S_IOERR);
  assert.equal(store.data[512], 1);
  assert.equal(request(header(B.T_IN, 1), 512).status, B.S_OK);
});

test("other requests are unsupported", () => {
  const { request } = setUp();
  for (const type of [2, 12, 16, 0xffff_ffff]) assert.equal(request(header(type, 0), 512).status, B.S_UNSUPP);
});

test("a request without header or room for its status breaks the device", () => {
  for (const buffers of [[new Uint8Array(15), 1], [header(B.T_FLUSH, 0)], [1]]) {
    const { driver } = setUp();
    driver.offer(0, buffers);
    driver.notify(0);
    assert.equal(driver.read(STATUS), 15 | 64);
    assert.equal(driver.used(0).length, 0);
  }
});

test("any requests are harmless", () => {
  const buffer = fc.oneof(fc.nat(1100), fc.uint8Array({ maxLength: 600 }));
  const head = fc
    .tuple(fc.oneof(fc.nat(14), fc.nat(0xffff_ffff)), fc.oneof(fc.nat(17), fc.maxSafeNat()))
    .map(([type, sector]) => header(type, sector));
  fc.assert(
    fc.property(head, fc.array(buffer, { maxLength: 6 }), fc.boolean(), (first, rest, readOnly) => {
      const { driver, store } = setUp({ readOnly, features: 0 });
      const sorted = [...rest.filter((b) => typeof b !== "number"), ...rest.filter((b) => typeof b === "number")];
      driver.offer(0, [first, ...sorted]);
      driver.notify(0);
      assert.ok(driver.memory.guardsIntact());
      assert.equal(store.data.length, SECTORS * 512);
      assert.ok(driver.used(0).length === 1 || driver.read(STATUS) & 64);
    }),
  );
});
