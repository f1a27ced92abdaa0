import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { accesses } from "../../../test/support/device-accesses.ts";
import { perform, TestMemory } from "../../../test/support/device-doubles.ts";
import { FwCfg } from "./fw-cfg.ts";
import * as F from "./keys.ts";

const RAM = 0x1_4000_0000;

function setUp() {
  const memory = new TestMemory(RAM, 0x1000);
  const fwCfg = new FwCfg(memory);
  const select = (key: number) => fwCfg.write(F.SELECTOR, 2, ((key & 0xff) << 8) | (key >> 8));
  const text = (length: number) => String.fromCharCode(...Array.from({ length }, () => fwCfg.read(F.DATA, 1)));
  /** Makes a transfer with its structure at `at`; gives control afterwards. */
  const transfer = (control: number, length: number, address: number, at = RAM) => {
    const view = memory.data;
    view.setUint32(0, control);
    view.setUint32(4, length);
    view.setBigUint64(8, BigInt(address));
    const be = new DataView(new ArrayBuffer(8));
    be.setBigUint64(0, BigInt(at));
    fwCfg.write(F.DMA_HIGH, 4, be.getUint32(0, true));
    fwCfg.write(F.DMA_LOW, 4, be.getUint32(4, true));
    return view.getUint32(0);
  };
  return { memory, fwCfg, select, text, transfer };
}

test("it has QEMU's signature and says that it does DMA", () => {
  const { fwCfg, select, text } = setUp();
  select(F.KEY.signature);
  assert.equal(text(4), "QEMU");
  assert.equal(fwCfg.read(F.DATA, 4), 0);
  select(F.KEY.id);
  assert.equal(fwCfg.read(F.DATA, 4), 3);
  assert.equal(fwCfg.read(F.DMA_HIGH, 4), 0x554d4551);
  assert.equal(fwCfg.read(F.DMA_LOW, 4), 0x47464320);
});

test("wide reads take bytes in order, and past the end there are zeros", () => {
  const { fwCfg, select } = setUp();
  fwCfg.add(0x15, Uint8Array.of(1, 2, 3, 4, 5));
  select(0x15);
  assert.equal(fwCfg.read(F.DATA, 2), 0x0201);
  assert.equal(fwCfg.read(F.DATA + 4, 4), 0x00050403);
  select(0x7777);
  assert.equal(fwCfg.read(F.DATA, 4), 0);
});

test("files are in the directory, by name", () => {
  const { fwCfg, select, text } = setUp();
  const b = fwCfg.addFile("opt/b", Uint8Array.of(65, 66));
  fwCfg.addFile("etc/a", new Uint8Array(300));
  select(F.KEY.fileDirectory);
  const directory = Uint8Array.from(text(4 + 128), (c) => c.charCodeAt(0));
  const view = new DataView(directory.buffer);
  assert.equal(view.getUint32(0), 2);
  assert.equal(view.getUint32(4), 300);
  assert.equal(String.fromCharCode(...directory.subarray(12, 18)), "etc/a\0");
  assert.equal(view.getUint16(4 + 64 + 4), b);
  select(b);
  assert.equal(text(2), "AB");
  assert.throws(() => fwCfg.addFile("etc/a", new Uint8Array(1)), /exists/);
  assert.throws(() => fwCfg.addFile("x".repeat(56), new Uint8Array(1)), /no name/);
});

test("DMA selects, reads and skips", () => {
  const { memory, fwCfg, transfer } = setUp();
  fwCfg.add(0x15, Uint8Array.of(1, 2, 3, 4, 5));
  memory.bytes.fill(0xee, 0x100, 0x110);
  assert.equal(transfer((0x15 << 16) | F.DMA_SELECT | F.DMA_READ, 2, RAM + 0x100), 0);
  assert.equal(transfer(F.DMA_SKIP, 1, 0), 0);
  assert.equal(transfer(F.DMA_READ, 4, RAM + 0x102), 0);
  assert.deepEqual([...memory.bytes.subarray(0x100, 0x107)], [1, 2, 4, 5, 0, 0, 0xee]);
});

test("DMA writes only files that may be written, and only inside of them", () => {
  const { memory, fwCfg, transfer } = setUp();
  let writes = 0;
  const bytes = new Uint8Array(4);
  const open = fwCfg.addFile("open", bytes, { written: () => writes++, reset: () => {} });
  const closed = fwCfg.addFile("closed", new Uint8Array(4));
  memory.bytes.set([9, 8, 7, 6, 5], 0x100);
  assert.equal(transfer(((open << 16) | F.DMA_SELECT | F.DMA_WRITE) >>> 0, 4, RAM + 0x100), 0);
  assert.deepEqual([...bytes], [9, 8, 7, 6]);
  assert.equal(transfer(((open << 16) | F.DMA_SELECT | F.DMA_WRITE) >>> 0, 5, RAM + 0x100), F.DMA_ERROR);
  assert.equal(transfer(((closed << 16) | F.DMA_SELECT | F.DMA_WRITE) >>> 0, 4, RAM + 0x100), F.DMA_ERROR);
  assert.equal(writes, 1);
});

test("DMA to where no memory is is an error, and with its structure there nothing happens", () => {
  const { transfer } = setUp();
  assert.equal(transfer(F.DMA_READ, 16, RAM + 0xff8), F.DMA_ERROR);
  assert.equal(transfer(F.DMA_READ, 0xffff_ffff, RAM), F.DMA_ERROR);
  assert.equal(transfer(F.DMA_READ, 4, RAM + 0x100, RAM + 0xff8), F.DMA_READ);
});

test("any accesses and structures are harmless", () => {
  fc.assert(
    fc.property(
      accesses(F.FW_CFG_SIZE, [F.SELECTOR, F.DMA_LOW]),
      fc.array(fc.tuple(fc.nat(31), fc.nat(0x22), fc.nat(0x1100), fc.nat(0x1100))),
      (list, transfers) => {
        const { fwCfg, memory, transfer } = setUp();
        fwCfg.addFile("open", new Uint8Array(16), { written: () => {}, reset: () => {} });
        for (const access of list) perform(fwCfg, access);
        for (const [control, key, length, at] of transfers) transfer((key << 16) | control, length, RAM + at);
        assert.ok(memory.guardsIntact());
      },
    ),
  );
});
