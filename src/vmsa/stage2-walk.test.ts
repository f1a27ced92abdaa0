import assert from "node:assert/strict";
import { test } from "node:test";
import { type Abort, attempt, guest, memAttr, S2_NORMAL, S2R, S2W, type Stage2 } from "../../test/support/stage2.ts";
import { AF, DBM, NG, Pe, PXN, RAM, READ_ONLY, USER, UXN } from "../../test/support/vmsa.ts";
import { FEATURE_EL2, FEATURE_HAFDBS, HCR_EL2, TCR_EL1, TTBR0_EL1, VTTBR_EL2 } from "../cpu/sysreg-layout.ts";

// Stage 2 of the addresses of stage 1's descriptors (S1PTW).

const VA = 0x12_3456_0000n;
const IPA = 0x34_5600_0000n;
/** Where a table of stage 1 is for EL1. */
const MOVED = 0x55_0000_0000n;
const HCR_PTW = 1n << 2n;
const HCR_FWB = 1n << 46n;
const S1_HA = 1n << 39n;
const S1_HD = 1n << 40n;
const S2_HA = 1n << 21n;
const S2_HD = 1n << 22n;

const onWalk = (status: number, ipa: bigint, wnr = false): Abort => ({ status, stage: 2, s1ptw: true, wnr, ipa });

interface Moved {
  /** Where the table is. */
  readonly table: bigint;
  /** Where EL1 has the descriptor. */
  readonly ipa: bigint;
  /** Where the descriptor is. */
  readonly pa: bigint;
}

/** Makes EL1 look for the table of `level` that VA goes through at MOVED. */
function move(pe: Pe, level: number): Moved {
  const pa = pe.descriptor(VA, level);
  if (level === 0) pe.set(TTBR0_EL1, MOVED);
  else pe.poke(pe.descriptor(VA, level - 1), MOVED | 3n);
  return { table: pa & ~0xfffn, ipa: MOVED | (pa & 0xfffn), pa };
}

for (let level = 0; level <= 3; level++) {
  test(`a descriptor of level ${level} that stage 2 keeps from the walk`, () => {
    for (const [flags, status] of [
      [undefined, 7],
      [S2_NORMAL & ~AF, 11],
      [AF | S2W | memAttr(15), 15],
    ] as const) {
      const { pe, s2 } = guest();
      pe.map(VA, IPA);
      s2.map(IPA, RAM);
      const { table, ipa } = move(pe, level);
      if (flags === undefined) s2.descriptor(MOVED);
      else s2.map(MOVED, table, flags);
      for (const kind of ["read", "write", "fetch"] as const) {
        assert.deepEqual(attempt(pe, VA, kind), onWalk(status, ipa, kind === "write"));
      }
      s2.map(MOVED, table, AF | S2R | memAttr(15));
      assert.equal(attempt(pe, VA, "write"), undefined, "reading it is enough");
    }
  });
}

test("an address size fault and an external abort of stage 2 on a walk", () => {
  for (const [prepare, status] of [
    [(s2: Stage2) => s2.map(MOVED, 1n << 45n), 3],
    [(s2: Stage2) => s2.pe.poke(s2.descriptor(MOVED, 2), 0x800_0003n), 0x17],
  ] as const) {
    const { pe, s2 } = guest({ ps: 2 });
    pe.map(VA, IPA);
    prepare(s2);
    const { ipa } = move(pe, 3);
    assert.deepEqual(attempt(pe, VA), onWalk(status, ipa));
  }
});

test("an external abort on a descriptor of stage 1 is of stage 1", () => {
  const { pe, s2 } = guest();
  pe.map(VA, IPA);
  move(pe, 3);
  s2.map(MOVED, 0x800_0000n);
  assert.deepEqual(attempt(pe, VA), { status: 0x17, stage: 1, s1ptw: false, wnr: false, ipa: 0n });
});

test("HCR_EL2.PTW: tables in what stage 2 makes Device memory are permission faults", () => {
  for (const [hcr, device] of [
    [HCR_PTW, 0],
    [HCR_PTW, 3],
    [HCR_PTW | HCR_FWB, 1],
  ] as const) {
    const { pe, s2 } = guest({ hcr });
    s2.mapRAM(AF | S2R | S2W | memAttr(6));
    pe.map(VA, IPA);
    s2.map(IPA, RAM, AF | S2R | memAttr(device));
    assert.equal(attempt(pe, VA), undefined, "the access itself");
    const { table, ipa } = move(pe, 3);
    s2.map(MOVED, table, AF | S2R | memAttr(device));
    pe.call("tlbInvalidateAll");
    assert.deepEqual(attempt(pe, VA), onWalk(15, ipa));
    pe.set(HCR_EL2, pe.get(HCR_EL2) & ~HCR_PTW);
    pe.changed();
    assert.equal(attempt(pe, VA), undefined);
  }
});

test("hardware writes flags of stage 1 only where stage 2 allows writing", () => {
  const { pe, s2 } = guest({ features: FEATURE_HAFDBS });
  pe.set(TCR_EL1, pe.get(TCR_EL1) | S1_HA | S1_HD);
  pe.map(VA, IPA, READ_ONLY | DBM);
  s2.map(IPA, RAM);
  const { table, ipa, pa } = move(pe, 3);
  s2.map(MOVED, table, AF | S2R | memAttr(15));
  assert.deepEqual(attempt(pe, VA), onWalk(15, ipa), "the access flag");
  assert.equal(pe.peek(pa) & AF, 0n);
  pe.poke(pa, pe.peek(pa) | AF);
  assert.equal(attempt(pe, VA), undefined, "nothing to write");
  assert.deepEqual(attempt(pe, VA, "write"), onWalk(15, ipa, true), "the dirty state");
  s2.map(MOVED, table);
  assert.equal(attempt(pe, VA, "write"), undefined);
  assert.equal(pe.peek(pa) & READ_ONLY, 0n);
});

test("a write of stage 1's flags makes the page of the table dirty at stage 2", () => {
  const { pe, s2 } = guest({ features: FEATURE_HAFDBS, control: S2_HA | S2_HD });
  pe.set(TCR_EL1, pe.get(TCR_EL1) | S1_HA);
  pe.map(VA, IPA, 0n);
  s2.map(IPA, RAM);
  const { table, pa } = move(pe, 3);
  s2.map(MOVED, table, S2R | DBM | memAttr(15));
  assert.equal(attempt(pe, VA), undefined);
  assert.equal(pe.peek(pa) & AF, AF);
  assert.equal(pe.peek(s2.descriptor(MOVED)) & (AF | S2W), AF | S2W);
});

test("a walk that only reads sets the access flag of stage 2 alone", () => {
  const { pe, s2 } = guest({ features: FEATURE_HAFDBS, control: S2_HA | S2_HD });
  pe.map(VA, IPA);
  s2.map(IPA, RAM);
  s2.map(MOVED, move(pe, 3).table, S2R | DBM | memAttr(15));
  assert.equal(attempt(pe, VA), undefined);
  assert.equal(pe.peek(s2.descriptor(MOVED)) & (AF | S2W), AF);
});

test("LDTR, STTR, exclusives and DC ZVA meet stage 2", () => {
  const { pe, s2 } = guest();
  pe.map(VA, IPA, AF | USER | NG);
  s2.map(IPA, RAM, AF | S2R | memAttr(15));
  const check = (): void => {
    assert.equal(pe.isStage2, true);
    assert.deepEqual(pe.fault(), { ec: 0x24, iss: 0x4f, far: VA });
  };
  pe.load(VA, 8, 1);
  assert.equal(pe.fault(), undefined);
  pe.store(VA, 1n, 8, 1);
  check();
  pe.call("setExclusive", VA, 8, pe.peek(RAM), 0n);
  assert.equal(pe.fault(), undefined);
  assert.equal(pe.call("storeExclusive", VA, 8, 1n, 0n), 1);
  check();
  pe.call("zeroBlock", VA);
  check();
  pe.probe(VA, 8, 8);
  check();
});

// Arm ARM D8.4.6: descriptors of EL1 with HCR_EL2.{NV,NV1}.
test("HCR_EL2.{NV,NV1}: EL1's descriptors are as EL2's", () => {
  const pe = new Pe(FEATURE_EL2);
  pe.enable();
  pe.set(HCR_EL2, 3n << 42n);
  pe.changed();
  pe.map(VA, RAM, AF | USER);
  pe.map(VA + 0x1000n, RAM, AF | PXN);
  pe.map(VA + 0x2000n, RAM, AF | UXN);
  // AP[1] counts as 0: EL1 executes what EL0 could write, and EL0 reads nothing.
  assert.equal(attempt(pe, VA, "fetch"), undefined);
  assert.equal(attempt(pe, VA + 0x1000n, "fetch"), undefined, "bit 53 is RES0");
  assert.equal(attempt(pe, VA + 0x2000n, "fetch")?.status, 15, "bit 54 is PXN");
  // LDTR is as LDR.
  pe.load(VA + 0x1000n, 8, 1);
  assert.equal(pe.fault(), undefined);
  pe.enter(0);
  assert.equal(attempt(pe, VA)?.status, 15);
  pe.enter(1);
  const table = pe.descriptor(VA, 2);
  pe.poke(table, pe.peek(table) | (1n << 60n));
  pe.call("tlbInvalidateAll");
  assert.equal(attempt(pe, VA, "fetch")?.status, 15, "UXNTable is PXNTable");
  // The bits act at once.
  pe.set(HCR_EL2, 0n);
  pe.changed();
  pe.poke(table, pe.peek(table) & ~(1n << 60n));
  assert.equal(attempt(pe, VA, "fetch")?.status, 15, "EL0 can write it");
  assert.equal(attempt(pe, VA + 0x2000n, "fetch"), undefined);
});

test("VTTBR_EL2.BADDR is aligned to the table", () => {
  const { pe, s2 } = guest();
  pe.map(VA, IPA);
  s2.map(IPA, RAM);
  pe.set(VTTBR_EL2, s2.root | 1n | 0xffen);
  assert.equal(attempt(pe, VA), undefined);
});
