import assert from "node:assert/strict";
import { test } from "node:test";
import { DEVICE, DEVICE_PA, Pe, RAM, READ_ONLY, ROM } from "../../test/support/vmsa.ts";
import { ARG0, ARG1, EL, EXC_TARGET, PAN, RESULT } from "../cpu/state-layout.ts";
import {
  FEATURE_EL2,
  FEATURE_PAN,
  FEATURE_VHE,
  HCR_EL2,
  MAIR_EL2,
  SCTLR_EL1,
  SCTLR_EL2,
  TCR_EL1,
  TCR_EL2,
  TTBR0_EL1,
  TTBR0_EL2,
  TTBR1_EL1,
  TTBR1_EL2,
} from "../cpu/sysreg-layout.ts";

// Registers in memory at VNCR_EL2 (FEAT_NV2).

const VA = 0x12_3456_0078n;
const HIGH = 0xffff_8012_3456_0078n;
const PAGE = ~0xfffn;
const AF = 1n << 10n;
const USER = 1n << 6n;
const E2H = 1n << 34n;
const DATA_ABORT = 0x24;
const VNCR = 1 << 13;
const WNR = 1 << 6;

/** A PE at EL1 whose EL2 has translation on by tables that EL1 has not. `host`: EL2&0. */
function nested(host = false): Pe {
  const pe = new Pe(FEATURE_EL2 | FEATURE_PAN | (host ? FEATURE_VHE : 0));
  pe.enable();
  const tcr = pe.get(TCR_EL1);
  if (host) pe.set(HCR_EL2, E2H);
  // Without E2H, PS is in bits 18:16.
  pe.set(TCR_EL2, host ? tcr : (tcr & 0xffffn) | (5n << 16n) | (1n << 31n) | (1n << 23n));
  pe.set(TTBR0_EL2, pe.get(TTBR0_EL1));
  pe.set(TTBR1_EL2, pe.get(TTBR1_EL1));
  pe.set(MAIR_EL2, 0x44_00_ffn);
  pe.set(SCTLR_EL2, 1n);
  return pe;
}

/** EL1 has tables of its own, and no mapping in them. */
function leaveToEL2(pe: Pe): Pe {
  pe.set(TTBR0_EL1, pe.table());
  pe.set(TTBR1_EL1, pe.table());
  pe.set(SCTLR_EL1, 1n);
  pe.call("tlbInvalidateAll");
  pe.changed();
  return pe;
}

function read(pe: Pe, va: bigint): bigint | undefined {
  pe.set(ARG0, va);
  return pe.call("nestedAccess", 0) ? undefined : pe.get(RESULT);
}
function write(pe: Pe, va: bigint, value: bigint): boolean {
  pe.set(ARG0, va);
  pe.set(ARG1, value);
  return pe.call("nestedAccess", 1) === 0;
}

for (const [name, host, va] of [
  ["EL2", false, VA],
  ["EL2&0", true, VA],
  ["EL2&0, high", true, HIGH],
] as const) {
  test(`an access by VNCR_EL2 is translated by ${name}'s tables`, () => {
    const pe = nested(host);
    pe.map(va & PAGE, RAM + 0x3000n);
    leaveToEL2(pe);
    pe.poke(RAM + 0x3078n, 0x1122334455667788n);
    assert.equal(read(pe, va), 0x1122334455667788n);
    assert.equal(write(pe, va, 77n), true);
    assert.equal(pe.peek(RAM + 0x3078n), 77n);
    assert.equal(pe.word(EL), 1);
    assert.equal(pe.fault(), undefined);
  });

  test(`${name}: its faults are EL2's, with ISS.VNCR`, () => {
    const pe = nested(host);
    pe.map((va & PAGE) + 0x1000n, RAM + 0x3000n, AF | READ_ONLY);
    leaveToEL2(pe);
    assert.equal(read(pe, va), undefined);
    assert.deepEqual(pe.fault(), { ec: DATA_ABORT, iss: VNCR | 7, far: va });
    assert.equal(pe.word(EXC_TARGET), 2);
    assert.equal(write(pe, va + 0x1000n, 1n), false);
    assert.deepEqual(pe.fault(), { ec: DATA_ABORT, iss: VNCR | WNR | 0xf, far: va + 0x1000n });
    assert.equal(read(pe, va + 0x1000n), 0n);
  });
}

test("PSTATE.PAN of EL1 does not count", () => {
  const pe = nested(true);
  pe.map(VA & PAGE, RAM + 0x3000n, AF | USER);
  leaveToEL2(pe);
  pe.setWord(PAN, 1);
  assert.equal(read(pe, VA), 0n);
});

test("with EL2's translation off the address is the physical one", () => {
  const pe = new Pe(FEATURE_EL2);
  pe.poke(RAM + 0x78n, 5n);
  assert.equal(read(pe, RAM + 0x78n), 5n);
});

test("devices are reached by the bus, and may answer with an external abort", () => {
  const pe = nested();
  pe.map(VA & PAGE, DEVICE_PA, AF | DEVICE);
  leaveToEL2(pe);
  pe.busValue = 9n;
  assert.equal(read(pe, VA), 9n);
  assert.equal(write(pe, VA, 10n), true);
  assert.deepEqual(pe.bus, [
    { kind: "read", pa: DEVICE_PA + 0x78n, bytes: 8 },
    { kind: "write", pa: DEVICE_PA + 0x78n, bytes: 8, value: 10n },
  ]);
  pe.busResult = 1;
  assert.equal(read(pe, VA), undefined);
  assert.deepEqual(pe.fault(), { ec: DATA_ABORT, iss: VNCR | 0x10, far: VA });
  assert.equal(write(pe, VA, 10n), false);
  assert.deepEqual(pe.fault(), { ec: DATA_ABORT, iss: VNCR | WNR | 0x10, far: VA });
});

test("writes do not reach memory that is read-only", () => {
  const pe = nested();
  pe.map(VA & PAGE, ROM);
  leaveToEL2(pe);
  assert.equal(write(pe, VA, 1n), true);
  assert.equal(pe.peek(ROM + 0x78n), 0n);
  assert.equal(pe.bus.length, 1);
});
