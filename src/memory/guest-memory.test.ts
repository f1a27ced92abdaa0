import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { linear, physical } from "../base/addresses.ts";
import { GuestMemory } from "./guest-memory.ts";
import { PHYS_REGION_NO_READ, PHYS_REGION_READ_ONLY, PHYS_REGION_SIZE, PHYS_REGIONS } from "./linear-layout.ts";

const BASE = 0x100000;
const RAM = 0x1_4000_0000;
const ROM = 0x1000;

function memory(): { memory: GuestMemory; all: Uint8Array } {
  const buffer = new SharedArrayBuffer(BASE + 0x10000);
  const result = new GuestMemory(buffer);
  result.addRegion(physical(RAM), 0x8000, linear(BASE), 0, "ram");
  result.addRegion(physical(ROM), 0x1000, linear(BASE + 0x8000), PHYS_REGION_READ_ONLY, "rom");
  return { memory: result, all: new Uint8Array(buffer) };
}

test("the table of regions says what was added", () => {
  const { memory: m, all } = memory();
  const table = new DataView(all.buffer, PHYS_REGIONS);
  assert.equal(table.getInt32(0, true), 2);
  assert.equal(table.getBigUint64(PHYS_REGION_SIZE, true), BigInt(RAM));
  assert.equal(table.getBigUint64(PHYS_REGION_SIZE + 8, true), 0x8000n);
  assert.equal(table.getUint32(PHYS_REGION_SIZE + 16, true), BASE);
  assert.equal(table.getUint32(2 * PHYS_REGION_SIZE + 20, true), PHYS_REGION_READ_ONLY);
  let changes = 0;
  m.onFlagsChange = () => changes++;
  m.setFlags(physical(ROM), PHYS_REGION_NO_READ);
  m.setFlags(physical(ROM), PHYS_REGION_NO_READ);
  assert.equal(table.getUint32(2 * PHYS_REGION_SIZE + 20, true), PHYS_REGION_NO_READ);
  assert.equal(changes, 1);
});

test("a device's view is of the memory, and refuses what it may not touch", () => {
  const { memory: m, all } = memory();
  m.view(RAM + 5, 2, true)?.set([1, 2]);
  assert.deepEqual([...all.subarray(BASE + 5, BASE + 7)], [1, 2]);
  assert.equal(m.view(ROM, 16, false)?.length, 16);
  assert.equal(m.view(ROM, 16, true), undefined);
  m.setFlags(physical(ROM), PHYS_REGION_NO_READ);
  assert.equal(m.view(ROM, 16, false), undefined);
  assert.equal(m.view(RAM + 0x7fff, 2, false), undefined);
  assert.equal(m.view(RAM - 1, 2, false), undefined);
  assert.equal(m.view(RAM + 0x8000, 0, false), undefined);
});

test("loaders may write read-only memory, not holes", () => {
  const { memory: m } = memory();
  assert.ok(m.write(physical(ROM + 1), Uint8Array.of(7, 8)));
  assert.ok(m.fill(physical(ROM + 3), 2, 9));
  assert.deepEqual(m.read(physical(ROM), 6), Uint8Array.of(0, 7, 8, 9, 9, 0));
  assert.equal(m.write(physical(ROM + 0xfff), Uint8Array.of(7, 8)), false);
  assert.equal(m.linearOf(physical(ROM + 1)), BASE + 0x8001);
  assert.equal(m.linearOf(physical(0)), undefined);
});

test("regions that cannot be are refused", () => {
  const { memory: m } = memory();
  assert.throws(() => m.addRegion(physical(RAM + 0x7000), 0x2000, linear(BASE)), /overlaps/);
  assert.throws(() => m.addRegion(physical(0x10_0000), 0x20000, linear(BASE)), /beyond/);
  assert.throws(() => m.addRegion(physical(0x10_0800), 0x1000, linear(BASE)), /pages/);
});

test("no view is ever outside its region", () => {
  const { memory: m } = memory();
  const address = fc.oneof(fc.double(), fc.integer({ min: RAM - 10, max: RAM + 0x8010 }), fc.constant(2 ** 64));
  fc.assert(
    fc.property(address, fc.oneof(fc.double(), fc.integer({ min: -1, max: 0x8010 })), (at, length) => {
      const view = m.view(at, length, true);
      if (view === undefined) return;
      assert.ok(view.byteOffset >= BASE && view.byteOffset + view.length <= BASE + 0x8000);
    }),
  );
});
