import assert from "node:assert/strict";
import { test } from "node:test";
import {
  attempt,
  guest,
  HCR_VM,
  memAttr,
  S2_NORMAL,
  S2R,
  S2W,
  Stage2,
  stage2Abort,
} from "../../test/support/stage2.ts";
import { AF, Pe, RAM, SECURE_PA } from "../../test/support/vmsa.ts";
import { ARG0, EXC_IPA, SECURE } from "../cpu/state-layout.ts";
import {
  FEATURE_EL2,
  FEATURE_EL3,
  HCR_EL2,
  PAR_EL1,
  SCR_EL3,
  SCTLR_EL1,
  TTBR0_EL1,
  VSTCR_EL2,
  VTCR_EL2,
} from "../cpu/sysreg-layout.ts";

// Secure state: stage 1's NS, stage 2 of Secure EL1&0 (FEAT_SEL2), memory that is there for Secure accesses alone.

const VA = 0x12_3456_0000n;
const IPA = 0x34_5600_0000n;
const NS = 1n << 5n;
const NS_TABLE = 1n << 63n;
const SCR_EEL2 = 1n << 18n;
const SCR_SIF = 1n << 9n;
const BIT29 = 1n << 29n;
const BIT30 = 1n << 30n;

function secure(scr = 0n): Pe {
  const pe = new Pe(FEATURE_EL2 | FEATURE_EL3);
  pe.setWord(SECURE, 1);
  pe.set(SCR_EL3, scr);
  pe.enable();
  return pe;
}

/** PAR_EL1.NS of VA, by both stages. */
function isNonSecure(pe: Pe): boolean {
  pe.set(ARG0, VA);
  pe.call("addressTranslate", 1, 1, 0, 0, 2);
  assert.equal(pe.fault(), undefined);
  assert.equal(pe.get(PAR_EL1) & 1n, 0n);
  return (pe.get(PAR_EL1) & (1n << 9n)) !== 0n;
}

test("the NS bit of a page and of the tables above it makes an address Non-secure", () => {
  for (const [page, table, expected] of [
    [0n, 0n, false],
    [NS, 0n, true],
    [0n, NS_TABLE, true],
  ] as const) {
    const pe = secure();
    pe.map(VA, RAM, AF | page);
    pe.poke(pe.descriptor(VA, 1), pe.peek(pe.descriptor(VA, 1)) | table);
    assert.equal(isNonSecure(pe), expected);
  }
});

test("Secure memory is on the bus alone for Non-secure accesses", () => {
  const pe = secure();
  pe.map(VA, SECURE_PA);
  pe.map(VA + 0x1000n, SECURE_PA, AF | NS);
  pe.store(VA, 5n);
  assert.equal(pe.load(VA), 5n);
  assert.deepEqual(pe.bus, []);
  assert.equal(attempt(pe, VA, "fetch"), undefined);
  pe.busResult = 1;
  assert.equal(attempt(pe, VA + 0x1000n)?.status, 0x10);
  assert.equal(attempt(pe, VA + 0x1000n, "fetch")?.status, 0x10);
  assert.equal(pe.isFast(VA + 0x1000n, false), false);
  // Non-secure state does not get what is in the TLB.
  pe.setWord(SECURE, 0);
  pe.changed();
  assert.equal(attempt(pe, VA)?.status, 0x10);
});

test("tables in Secure memory are not there for Non-secure walks", () => {
  const pe = secure();
  pe.map(VA, RAM);
  pe.poke(SECURE_PA, RAM | AF | 3n);
  const entry = pe.descriptor(VA) & 0xfffn;
  pe.poke(SECURE_PA + entry, RAM | AF | 3n);
  pe.poke(pe.descriptor(VA, 2), SECURE_PA | 3n);
  assert.equal(attempt(pe, VA), undefined);
  pe.poke(pe.descriptor(VA, 2), SECURE_PA | 3n | NS_TABLE);
  pe.call("tlbInvalidateAll");
  assert.equal(attempt(pe, VA)?.status, 0x17);
});

test("SCR_EL3.SIF: Secure state fetches nothing from Non-secure memory", () => {
  const pe = secure(SCR_SIF);
  pe.map(VA, RAM);
  pe.map(VA + 0x1000n, RAM, AF | NS);
  assert.equal(attempt(pe, VA, "fetch"), undefined);
  assert.equal(attempt(pe, VA + 0x1000n, "fetch")?.status, 15);
  assert.equal(attempt(pe, VA + 0x1000n), undefined);
});

/** Secure EL1 under Secure EL2, with tables of stage 2 for both IPA spaces. */
function secureGuest(control = 0n, secureControl = 0n): { pe: Pe; own: Stage2; other: Stage2 } {
  const pe = secure(SCR_EEL2);
  pe.set(HCR_EL2, HCR_VM);
  const other = new Stage2(pe, { control });
  const own = new Stage2(pe, { secure: true, control: secureControl });
  own.mapRAM();
  other.mapRAM();
  return { pe, own, other };
}

test("Secure and Non-secure IPAs have tables of their own", () => {
  const { pe, own, other } = secureGuest();
  pe.map(VA, IPA);
  pe.map(VA + 0x1000n, IPA, AF | NS);
  own.map(IPA, RAM + 0x1000n);
  other.map(IPA, RAM + 0x2000n);
  pe.poke(RAM + 0x1000n, 1n);
  pe.poke(RAM + 0x2000n, 2n);
  assert.equal(pe.load(VA), 1n);
  assert.equal(pe.load(VA + 0x1000n), 2n);
});

test("a fault says which IPA space it is of", () => {
  const { pe, own, other } = secureGuest();
  pe.map(VA, IPA);
  pe.map(VA + 0x1000n, IPA, AF | NS);
  own.descriptor(IPA);
  other.descriptor(IPA);
  assert.deepEqual(attempt(pe, VA), stage2Abort(7, IPA));
  assert.deepEqual(attempt(pe, VA + 0x1000n), stage2Abort(7, IPA | (1n << 63n)));
  assert.notEqual(pe.get(EXC_IPA), 0n);
});

test("VSTCR_EL2 has the geometry of the Secure IPA space", () => {
  const pe = secure(SCR_EEL2);
  pe.set(HCR_EL2, HCR_VM);
  const other = new Stage2(pe, { bits: 40 });
  const own = new Stage2(pe, { secure: true, granule: 16, bits: 36, start: 2 });
  assert.notEqual(pe.get(VTCR_EL2) & 0xffn, pe.get(VSTCR_EL2) & 0xffn);
  other.mapRAM();
  own.mapRAM();
  pe.map(VA, 0xf_0000_0000n);
  own.map(0xf_0000_0000n, RAM);
  assert.equal(attempt(pe, VA), undefined);
  pe.map(VA + 0x1000n, 0x10_0000_0000n);
  assert.deepEqual(attempt(pe, VA + 0x1000n), stage2Abort(4, 0x10_0000_0000n));
});

// Arm ARM, AArch64.SS2OutputPASpace().
for (const [sw, sa, nsw, nsa, ownIsNS, otherIsNS] of [
  [0n, 0n, 0n, 0n, false, false],
  [0n, BIT30, 0n, 0n, true, true],
  [BIT29, 0n, 0n, 0n, true, true],
  [0n, 0n, 0n, BIT30, false, true],
  [0n, 0n, BIT29, 0n, false, true],
] as const) {
  test(`SW ${sw >> 29n} SA ${sa >> 30n} NSW ${nsw >> 29n} NSA ${nsa >> 30n}: where the output is`, () => {
    for (const [flag, expected] of [
      [0n, ownIsNS],
      [NS, otherIsNS],
    ] as const) {
      const { pe, own, other } = secureGuest(nsw | nsa, sw | sa);
      pe.map(VA, IPA, AF | flag);
      own.map(IPA, RAM);
      other.map(IPA, RAM);
      assert.equal(isNonSecure(pe), expected);
    }
  });
}

test("SW and NSW say where the tables of stage 2 are", () => {
  for (const [secureControl, control, flag, status] of [
    [0n, 0n, 0n, undefined],
    [BIT29, 0n, 0n, 0x16],
    [0n, 0n, NS, undefined],
    [0n, BIT29, NS, 0x16],
  ] as const) {
    const { pe, own, other } = secureGuest(control, secureControl);
    pe.map(VA, IPA, AF | flag);
    const tables = flag ? other : own;
    // A block of level 2 in a table in Secure memory.
    const entry = tables.descriptor(IPA, 2);
    pe.poke(SECURE_PA + (entry & 0xfffn), RAM | S2_NORMAL | 1n);
    pe.poke(tables.descriptor(IPA, 1), SECURE_PA | 3n);
    assert.equal(attempt(pe, VA)?.status, status);
  }
});

test("Secure EL2 that is not enabled translates nothing", () => {
  const { pe, own } = secureGuest();
  pe.map(VA, RAM);
  own.mapRAM(AF | S2R | memAttr(15));
  assert.equal(attempt(pe, VA, "write")?.stage, 2);
  pe.set(SCR_EL3, 0n);
  pe.changed();
  assert.equal(attempt(pe, VA, "write"), undefined);
});

test("the same guest, Secure and Non-secure, has translations of both", () => {
  const { pe, s2 } = guest({ features: FEATURE_EL3, flat: true });
  pe.set(SCR_EL3, 1n);
  s2.map(IPA, RAM + 0x1000n);
  const own = new Stage2(pe, { secure: true });
  own.map(IPA, RAM + 0x2000n, AF | S2R | S2W | memAttr(15));
  pe.poke(RAM + 0x1000n, 1n);
  pe.poke(RAM + 0x2000n, 2n);
  for (let round = 0; round < 2; round++) {
    for (const [state, scr] of [
      [0, 1n],
      [1, SCR_EEL2],
    ] as const) {
      pe.setWord(SECURE, state);
      pe.set(SCR_EL3, scr);
      pe.changed();
      assert.equal(pe.load(IPA), state ? 2n : 1n);
    }
  }
  assert.equal(pe.get(SCTLR_EL1), 0n);
  assert.notEqual(pe.get(TTBR0_EL1), 0n);
});
