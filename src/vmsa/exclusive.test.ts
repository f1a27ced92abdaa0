import assert from "node:assert/strict";
import { test } from "node:test";
import { AF, Pe, RAM, READ_ONLY } from "../../test/support/vmsa.ts";

const VA = 0x12_3400_0000n;
const ALIGNED = 4;

function paged(): Pe {
  const pe = new Pe();
  pe.enable();
  pe.map(VA, RAM);
  pe.call("clearExclusive");
  return pe;
}

function loadExclusive(pe: Pe, va: bigint, bytes: number): void {
  if (bytes === 16) {
    pe.call("setExclusive", va, bytes, pe.load(va), pe.load(va + 8n));
  } else {
    pe.call("setExclusive", va, bytes, pe.load(va, bytes, ALIGNED), 0n);
  }
}

for (const bytes of [1, 2, 4, 8, 16]) {
  test(`${bytes} bytes: load-exclusive, store-exclusive`, () => {
    const pe = paged();
    pe.poke(RAM + 0x10n, 0x1122_3344_5566_7788n);
    pe.poke(RAM + 0x18n, 0x99n);
    loadExclusive(pe, VA + 0x10n, bytes);
    assert.equal(pe.call("storeExclusive", VA + 0x10n, bytes, 0xffn, 0xeen), 0);
    const mask = bytes >= 8 ? -1n : (1n << BigInt(bytes * 8)) - 1n;
    assert.equal(pe.peek(RAM + 0x10n), BigInt.asUintN(64, (0x1122_3344_5566_7788n & ~mask) | 0xffn));
    assert.equal(pe.peek(RAM + 0x18n), bytes === 16 ? 0xeen : 0x99n);
    assert.equal(pe.call("storeExclusive", VA + 0x10n, bytes, 1n, 1n), 1, "the monitor is open after a store");
  });

  test(`${bytes} bytes: fails when another PE has written`, () => {
    const pe = paged();
    loadExclusive(pe, VA + 0x10n, bytes);
    pe.poke(RAM + (bytes === 16 ? 0x18n : 0x10n), 5n);
    assert.equal(pe.call("storeExclusive", VA + 0x10n, bytes, 0xffn, 0n), 1);
    assert.equal(pe.peek(RAM + 0x10n), bytes === 16 ? 0n : 5n);
  });
}

test("the monitor is by physical address", () => {
  const pe = paged();
  pe.map(VA + 0x5000n, RAM);
  loadExclusive(pe, VA + 0x40n, 8);
  assert.equal(pe.call("storeExclusive", VA + 0x5040n, 8, 3n, 0n), 0);
  loadExclusive(pe, VA + 0x40n, 8);
  assert.equal(pe.call("storeExclusive", VA + 0x48n, 8, 4n, 0n), 1);
});

test("CLREX and another size", () => {
  const pe = paged();
  loadExclusive(pe, VA, 8);
  pe.call("clearExclusive");
  assert.equal(pe.call("storeExclusive", VA, 8, 1n, 0n), 1);
  loadExclusive(pe, VA, 8);
  assert.equal(pe.call("storeExclusive", VA, 4, 1n, 0n), 1);
  assert.equal(pe.peek(RAM), 0n);
});

test("faults of the store", () => {
  const pe = paged();
  loadExclusive(pe, VA, 8);
  pe.call("storeExclusive", VA + 4n, 8, 1n, 0n);
  assert.deepEqual(pe.fault(), { ec: 0x24, iss: 0x21 | 0x40, far: VA + 4n });
  pe.map(VA + 0x1000n, RAM, AF | READ_ONLY);
  pe.call("storeExclusive", VA + 0x1000n, 8, 1n, 0n);
  assert.deepEqual(pe.fault(), { ec: 0x24, iss: 0x4f, far: VA + 0x1000n });
});
