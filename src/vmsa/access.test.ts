import assert from "node:assert/strict";
import { test } from "node:test";
import { AF, DEVICE, DEVICE_PA, Pe, RAM, READ_ONLY, ROM, USER } from "../../test/support/vmsa.ts";
import { COUNT_DATA_MISSES, DAIF } from "../cpu/state-layout.ts";
import {
  DBGWCR0_EL1,
  DBGWCR3_EL1,
  DBGWVR0_EL1,
  DBGWVR3_EL1,
  FEATURE_LSE2,
  MDSCR_EL1,
  OSLSR_EL1,
  SCTLR_EL1,
} from "../cpu/sysreg-layout.ts";

const VA = 0x12_3400_0000n;
const WNR = 1 << 6;
const RMW = 2;
const ALIGNED = 4;
const SIZES = [1, 2, 4, 8];

function paged(features = 0): Pe {
  const pe = new Pe(features);
  pe.enable();
  pe.map(VA, RAM);
  return pe;
}

function mask(bytes: number): bigint {
  return (1n << BigInt(bytes * 8)) - 1n;
}

test("loads zero-extend, stores write their bytes only", () => {
  const pe = paged();
  for (const bytes of SIZES) {
    pe.poke(RAM + 8n, 0xfedc_ba98_7654_3210n);
    assert.equal(pe.load(VA + 8n, bytes), 0xfedc_ba98_7654_3210n & mask(bytes));
    pe.store(VA + 8n, 0x1111_1111_1111_1111n, bytes);
    assert.equal(pe.peek(RAM + 8n), (0xfedc_ba98_7654_3210n & ~mask(bytes)) | (0x1111_1111_1111_1111n & mask(bytes)));
  }
});

test("accesses across a page join two pages", () => {
  const pe = paged();
  pe.map(VA + 0x1000n, RAM + 0x9000n);
  for (const bytes of [2, 4, 8]) {
    for (let before = 1; before < bytes; before++) {
      const va = VA + 0x1000n - BigInt(before);
      pe.store(va, 0x8877_6655_4433_2211n, bytes);
      assert.equal(pe.load(va, bytes), 0x8877_6655_4433_2211n & mask(bytes));
      const rest = BigInt(before * 8);
      assert.equal(pe.peek(RAM + 0x9000n) & mask(bytes - before), (0x8877_6655_4433_2211n & mask(bytes)) >> rest);
      assert.equal(pe.fault(), undefined);
    }
  }
});

test("accesses across a page whose two pages are in the data TLB look nowhere else, and still fault", () => {
  const pe = paged();
  pe.map(VA + 0x1000n, RAM + 0x9000n);
  const va = VA + 0xffdn;
  pe.store(VA, 0n);
  pe.store(VA + 0x1000n, 0n);
  const misses = pe.get(COUNT_DATA_MISSES);
  pe.store(va, 0x8877_6655_4433_2211n);
  assert.equal(pe.load(va), 0x8877_6655_4433_2211n);
  pe.probe(va, 64, 8);
  assert.equal(pe.get(COUNT_DATA_MISSES), misses);
  pe.poke(pe.descriptor(VA + 0x1000n), 0n);
  pe.forget(VA + 0x1000n);
  pe.store(va, 1n);
  assert.deepEqual(pe.fault(), { ec: 0x24, iss: 7 | WNR, far: VA + 0x1000n });
  assert.equal(pe.peek(RAM + 0xff8n) >> 40n, 0x332211n);
});

test("a store across a page whose second half faults writes nothing", () => {
  const pe = paged();
  pe.poke(RAM + 0xff8n, 0n);
  pe.store(VA + 0xffcn, -1n);
  assert.deepEqual(pe.fault(), { ec: 0x24, iss: 7 | WNR, far: VA + 0x1000n });
  assert.equal(pe.peek(RAM + 0xff8n), 0n);
  pe.load(VA + 0xffcn);
  assert.deepEqual(pe.fault(), { ec: 0x24, iss: 7, far: VA + 0x1000n });
  pe.load(VA - 4n);
  assert.deepEqual(pe.fault(), { ec: 0x24, iss: 6, far: VA - 4n });
});

test("a probe faults as the store would, over up to 64 bytes", () => {
  const pe = paged();
  pe.probe(VA + 0xfc0n, 64, 8);
  assert.equal(pe.fault(), undefined);
  pe.probe(VA + 0xfc8n, 64, 8);
  assert.deepEqual(pe.fault(), { ec: 0x24, iss: 7 | WNR, far: VA + 0x1000n });
});

test("alignment: SCTLR.A makes every unaligned access fault, and keeps it off the fast path", () => {
  const pe = paged();
  pe.load(VA + 1n);
  assert.equal(pe.fault(), undefined);
  pe.set(SCTLR_EL1, pe.get(SCTLR_EL1) | 2n);
  pe.changed();
  pe.load(VA + 4n);
  assert.deepEqual(pe.fault(), { ec: 0x24, iss: 0x21, far: VA + 4n });
  pe.store(VA + 4n, 0n);
  assert.deepEqual(pe.fault(), { ec: 0x24, iss: 0x21 | WNR, far: VA + 4n });
  pe.load(VA + 4n, 8, 0, 4);
  assert.equal(pe.fault(), undefined, "a pair of words");
});

test("alignment: ordered accesses fault when unaligned, with FEAT_LSE2 only across 16 bytes", () => {
  const pe = paged();
  pe.load(VA + 4n, 8, ALIGNED);
  assert.equal(pe.fault()?.iss, 0x21);
  pe.load(VA + 8n, 8, ALIGNED);
  assert.equal(pe.fault(), undefined);
  const lse2 = paged(FEATURE_LSE2);
  lse2.load(VA + 4n, 8, ALIGNED);
  assert.equal(lse2.fault(), undefined);
  lse2.load(VA + 9n, 8, ALIGNED);
  assert.equal(lse2.fault()?.iss, 0x21);
});

test("Device memory has no unaligned accesses and is never fast", () => {
  const pe = paged();
  pe.map(VA, RAM, AF | DEVICE);
  pe.load(VA + 4n, 4);
  assert.equal(pe.fault(), undefined);
  assert.equal(pe.isFast(VA, false), false);
  pe.load(VA + 2n, 4);
  assert.equal(pe.fault()?.iss, 0x21);
});

test("atomics need write permission: what a read would also get is no write fault", () => {
  const pe = paged();
  pe.load(VA + 0x1000n, 8, RMW | ALIGNED);
  assert.deepEqual(pe.fault(), { ec: 0x24, iss: 7, far: VA + 0x1000n });
  pe.map(VA + 0x1000n, RAM, AF | READ_ONLY);
  pe.load(VA + 0x1000n, 8, RMW | ALIGNED);
  assert.deepEqual(pe.fault(), { ec: 0x24, iss: 15 | WNR, far: VA + 0x1000n });
  pe.map(VA + 0x2000n, RAM, AF | READ_ONLY);
  pe.enter(0);
  pe.load(VA + 0x2000n, 8, RMW | ALIGNED);
  assert.deepEqual(pe.fault(), { ec: 0x24, iss: 15, far: VA + 0x2000n });
});

test("devices: naturally aligned accesses reach the bus whole", () => {
  const pe = paged();
  pe.map(VA, DEVICE_PA, AF | DEVICE);
  for (const bytes of SIZES) {
    pe.bus.length = 0;
    pe.busValue = 0xfedc_ba98_7654_3210n;
    assert.equal(pe.load(VA + 0x18n, bytes), 0xfedc_ba98_7654_3210n & mask(bytes));
    pe.store(VA + 0x20n, 0x8877_6655_4433_2211n, bytes);
    assert.deepEqual(pe.bus, [
      { kind: "read", pa: DEVICE_PA + 0x18n, bytes },
      { kind: "write", pa: DEVICE_PA + 0x20n, bytes, value: 0x8877_6655_4433_2211n & mask(bytes) },
    ]);
  }
});

test("devices: an access across a page is split into bytes", () => {
  const pe = paged();
  pe.map(VA, DEVICE_PA);
  pe.map(VA + 0x1000n, DEVICE_PA + 0x5000n);
  pe.store(VA + 0xffdn, 0x8877_6655_4433_2211n, 8);
  const at = [0xffd, 0xffe, 0xfff, 0x5000, 0x5001, 0x5002, 0x5003, 0x5004];
  assert.deepEqual(
    pe.bus,
    at.map((o, i) => ({ kind: "write", pa: DEVICE_PA + BigInt(o), bytes: 1, value: BigInt((i + 1) * 0x11) })),
  );
});

test("devices: what the bus refuses is an external abort", () => {
  const pe = paged();
  pe.map(VA, DEVICE_PA);
  pe.busResult = 1;
  pe.load(VA + 8n);
  assert.deepEqual(pe.fault(), { ec: 0x24, iss: 0x10, far: VA + 8n });
  pe.store(VA + 8n, 1n);
  assert.deepEqual(pe.fault(), { ec: 0x24, iss: 0x10 | WNR, far: VA + 8n });
});

test("read-only memory: loads are fast, stores go to the bus", () => {
  const pe = paged();
  pe.map(VA, ROM);
  pe.poke(ROM, 7n);
  assert.equal(pe.load(VA), 7n);
  assert.equal(pe.isFast(VA, false), true);
  assert.equal(pe.isFast(VA, true), false);
  pe.store(VA, 9n);
  assert.equal(pe.peek(ROM), 7n);
  assert.deepEqual(pe.bus, [{ kind: "write", pa: ROM, bytes: 8, value: 9n }]);
});

test("a read access of a writable page makes it fast for writes too", () => {
  const pe = paged();
  pe.load(VA);
  assert.equal(pe.isFast(VA, true), true);
});

test("DC ZVA zeroes its block of 64 bytes", () => {
  const pe = paged();
  for (let i = 0n; i < 24n; i++) pe.poke(RAM + i * 8n, 0xffn);
  pe.call("zeroBlock", VA + 0x7fn);
  for (let i = 0n; i < 24n; i++) assert.equal(pe.peek(RAM + i * 8n), i >= 8n && i < 16n ? 0n : 0xffn);
  pe.map(VA, RAM, AF | READ_ONLY);
  pe.forget(VA);
  pe.call("zeroBlock", VA + 8n);
  assert.equal(pe.fault()?.iss, 15 | WNR);
});

test("DC ZVA: Device memory, and EL0 without SCTLR.DZE", () => {
  const pe = paged();
  pe.map(VA, RAM, AF | DEVICE | USER);
  pe.call("zeroBlock", VA + 8n);
  assert.deepEqual(pe.fault(), { ec: 0x24, iss: 0x21 | WNR, far: VA + 8n });
  pe.enter(0);
  pe.call("zeroBlock", VA);
  // op0 1, op2 1, op1 3, CRn 7, CRm 4
  assert.deepEqual(pe.fault(), { ec: 0x18, iss: (1 << 20) | (1 << 17) | (3 << 14) | (7 << 10) | (4 << 1), far: 0n });
});

// Watchpoints. DBGWCR: E, PAC, LSC, BAS.
const wcr = (pac: number, lsc: number, bas: number): bigint => BigInt(1 | (pac << 1) | (lsc << 3) | (bas << 5));

function watched(control: bigint, address = VA): Pe {
  const pe = paged();
  pe.load(VA);
  assert.equal(pe.isFast(VA, false), true);
  pe.set(MDSCR_EL1, (1n << 15n) | (1n << 13n));
  pe.set(DBGWVR3_EL1, address);
  pe.set(DBGWCR3_EL1, control);
  pe.changed();
  assert.equal(pe.isFast(VA, false), false);
  return pe;
}

test("watchpoints: the access that touches a watched byte takes the exception and does not happen", () => {
  const pe = watched(wcr(1, 2, 0x20), VA + 0x100n);
  pe.load(VA + 0x105n, 1);
  assert.equal(pe.fault(), undefined, "a load");
  pe.store(VA + 0x104n, 1n, 1);
  pe.store(VA + 0x106n, 1n, 1);
  assert.equal(pe.fault(), undefined, "the neighbours");
  assert.equal(pe.isFast(VA, true), false);
  pe.poke(RAM + 0x100n, 0n);
  pe.store(VA + 0x102n, -1n, 4);
  assert.deepEqual(pe.fault(), { ec: 0x34, iss: 0x22 | WNR, far: VA + 0x102n });
  assert.equal(pe.peek(RAM + 0x100n), 0n);
});

test("watchpoints: loads, and ranges by MASK", () => {
  const pe = watched(wcr(1, 1, 0xff) | (8n << 24n), VA + 0x300n);
  pe.load(VA + 0x2f8n);
  pe.load(VA + 0x400n);
  assert.equal(pe.fault(), undefined);
  pe.load(VA + 0x2fcn);
  assert.deepEqual(pe.fault(), { ec: 0x34, iss: 0x22, far: VA + 0x2fcn });
  pe.load(VA + 0x3f8n);
  assert.equal(pe.fault()?.iss, 0x22);
});

test("watchpoints fire only where debug exceptions are enabled", () => {
  const control = wcr(3, 3, 0xff);
  const fires = (change: (pe: Pe) => void): boolean => {
    const pe = watched(control);
    pe.map(VA, RAM, AF | USER);
    change(pe);
    pe.changed();
    pe.load(VA);
    return pe.fault()?.ec === 0x34;
  };
  assert.equal(
    fires(() => undefined),
    true,
  );
  assert.equal(
    fires((pe) => pe.setWord(DAIF, 1 << 9)),
    false,
  );
  assert.equal(
    fires((pe) => pe.set(MDSCR_EL1, 1n << 15n)),
    false,
    "KDE",
  );
  assert.equal(
    fires((pe) => pe.set(MDSCR_EL1, 1n << 13n)),
    false,
    "MDE",
  );
  assert.equal(
    fires((pe) => pe.set(OSLSR_EL1, 2n)),
    false,
    "OS lock",
  );
  assert.equal(
    fires((pe) => pe.set(DBGWCR3_EL1, wcr(2, 3, 0xff))),
    false,
    "EL0 only",
  );
  assert.equal(
    fires((pe) => {
      pe.setWord(DAIF, 1 << 9);
      pe.set(MDSCR_EL1, 1n << 15n);
      pe.enter(0);
    }),
    true,
    "EL0 looks at neither KDE nor PSTATE.D",
  );
});

test("watchpoints: an MMU fault comes first; disabling gives the fast path back", () => {
  const pe = watched(wcr(1, 3, 0xff), VA + 0x1000n);
  pe.load(VA + 0x1000n);
  assert.equal(pe.fault()?.ec, 0x24);
  pe.load(VA);
  assert.equal(pe.isFast(VA, false), true, "other pages stay fast");
  pe.map(VA + 0x1000n, RAM + 0x1000n);
  pe.load(VA + 0x1000n);
  assert.equal(pe.fault()?.ec, 0x34);
  pe.set(DBGWCR0_EL1, 0n);
  pe.set(DBGWVR0_EL1, 0n);
  pe.set(DBGWCR3_EL1, 0n);
  pe.changed();
  pe.load(VA + 0x1000n);
  assert.equal(pe.fault(), undefined);
  assert.equal(pe.isFast(VA + 0x1000n, true), true);
});
