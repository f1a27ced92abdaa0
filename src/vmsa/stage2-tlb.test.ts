import assert from "node:assert/strict";
import { test } from "node:test";
import { attempt, HCR_VM, S2_NORMAL, Stage2, stage2Abort } from "../../test/support/stage2.ts";
import { AF, NG, Pe, PXN, RAM } from "../../test/support/vmsa.ts";
import { ARG0, ARG1, ARG2, CTX, SECURE } from "../cpu/state-layout.ts";
import {
  FEATURE_EL2,
  FEATURE_EL3,
  FEATURE_VHE,
  FEATURE_VMID16,
  HCR_EL2,
  MAIR_EL2,
  SCR_EL3,
  SCTLR_EL1,
  SCTLR_EL2,
  TCR_EL1,
  TCR_EL2,
  TTBR0_EL1,
  TTBR0_EL2,
  VTCR_EL2,
  VTTBR_EL2,
} from "../cpu/sysreg-layout.ts";

// The TLB of both stages: what is kept apart by VMID, and what each TLBI drops.

const VA = 0x12_3456_0000n;
const OTHER_VA = 0x12_3460_0000n;
const IPA = 0x34_5600_0000n;
const HCR_TGE = 1n << 27n;
const HCR_E2H = 1n << 34n;

// Native.tlbInvalidate's `what`.
const ALL = 0;
const ASID = 1;
const VA_ASID = 2;
const BY_VA = 3;
const RANGE = 4;
const STAGE1 = 5;
const STAGE2 = 6;
const BY_IPA = 7;

/** The page of RAM that `va` translates to; -1: a fault, or no memory. */
function pageAt(pe: Pe, va: bigint): number {
  return attempt(pe, va) || !pe.isFast(va, false) ? -1 : (pe.fastAddress(va) - pe.linear(RAM)) / 0x1000;
}

/** Two guests whose VA is page 1 and page 2, and whose OTHER_VA is page 3 and 4; all they have is in the TLB. */
function twoGuests(features = 0): { pe: Pe; guests: [Stage2, Stage2] } {
  const pe = new Pe(FEATURE_EL2 | features);
  pe.enable();
  pe.set(HCR_EL2, HCR_VM);
  pe.map(VA, IPA, AF | NG);
  pe.map(OTHER_VA, IPA + 0x1000n);
  const guests = [1, 2].map((n) => {
    const s2 = new Stage2(pe, { vmid: BigInt(n) });
    s2.mapRAM();
    s2.map(IPA, RAM + BigInt(n) * 0x1000n);
    s2.map(IPA + 0x1000n, RAM + BigInt(n + 2) * 0x1000n);
    return s2;
  }) as [Stage2, Stage2];
  guests.forEach((s2, n) => {
    s2.use();
    assert.equal(pageAt(pe, VA), n + 1);
    assert.equal(pageAt(pe, OTHER_VA), n + 3);
    // From now on the TLB alone knows.
    s2.map(IPA, 0n, 0n);
    s2.map(IPA + 0x1000n, 0n, 0n);
  });
  return { pe, guests };
}

/** Which of the four translations are still in the TLB: VA and OTHER_VA of the first guest, then of the second. */
function left(pe: Pe, guests: readonly Stage2[]): string {
  return guests
    .flatMap((s2, n) => {
      s2.use();
      return [pageAt(pe, VA) === n + 1 ? "v" : "-", pageAt(pe, OTHER_VA) === n + 3 ? "o" : "-"];
    })
    .join("");
}

function invalidate(pe: Pe, regime: number, what: number, { va = 0n, asid = 0n, bytes = 0n } = {}): void {
  pe.set(ARG0, va);
  pe.set(ARG1, asid);
  pe.set(ARG2, bytes);
  pe.call("tlbInvalidate", regime, what, 0);
}

test("VTTBR_EL2 switches guests without any TLBI", () => {
  const { pe, guests } = twoGuests();
  assert.equal(left(pe, guests), "vovo");
  assert.equal(left(pe, guests), "vovo");
});

test("guests have contexts of their own, and find their fast pages again", () => {
  const { pe, guests } = twoGuests();
  const contexts = guests.map((s2) => {
    s2.use();
    return pe.get(CTX);
  });
  assert.notEqual(contexts[0], contexts[1]);
  guests[0].use();
  assert.equal(pageAt(pe, VA), 1);
  pe.set(HCR_EL2, 0n);
  pe.enter(2);
  pe.set(HCR_EL2, HCR_VM);
  pe.enter(1);
  assert.equal(pe.get(CTX), contexts[0]);
  assert.equal(pe.isFast(VA, false), true);
});

test("VMIDs have 8 bits, or 16 by VTCR_EL2.VS", () => {
  for (const [features, vs, same] of [
    [0, 1n << 19n, true],
    [FEATURE_VMID16, 0n, true],
    [FEATURE_VMID16, 1n << 19n, false],
  ] as const) {
    const { pe, guests } = twoGuests(features);
    guests[0].use();
    const narrow = pe.get(CTX);
    pe.set(VTCR_EL2, pe.get(VTCR_EL2) | vs);
    pe.set(VTTBR_EL2, pe.get(VTTBR_EL2) | (1n << 60n));
    pe.changed();
    assert.equal(pe.get(CTX) === narrow, same);
    assert.equal(pageAt(pe, VA), same ? 1 : -1);
  }
});

test("where there is no EL2, VMID and HCR_EL2 do not count", () => {
  const pe = new Pe();
  pe.enable();
  pe.map(VA, RAM);
  assert.equal(pageAt(pe, VA), 0);
  const context = pe.get(CTX);
  pe.set(VTTBR_EL2, 5n << 48n);
  pe.set(HCR_EL2, HCR_VM | (1n << 12n) | HCR_TGE);
  pe.changed();
  assert.equal(pe.get(CTX), context);
  assert.equal(pageAt(pe, VA), 0);
  // Secure state without FEAT_SEL2 has none, either.
  const secure = new Pe(FEATURE_EL2 | FEATURE_EL3);
  secure.setWord(SECURE, 1);
  secure.set(HCR_EL2, HCR_VM);
  secure.enable();
  secure.map(VA, RAM);
  assert.equal(pageAt(secure, VA), 0);
});

// What must go, and what must stay: "v" and "o" are VA and OTHER_VA of the guest of VMID 1, then of VMID 2.
for (const [name, what, operands, expected] of [
  ["VMALLE1", STAGE1, {}, "--vo"],
  ["VMALLS12E1", STAGE2, {}, "--vo"],
  ["IPAS2E1", BY_IPA, { va: IPA, bytes: 1n }, "-ovo"],
  ["IPAS2E1 of a page that nothing came from", BY_IPA, { va: IPA + 0x2000n, bytes: 1n }, "vovo"],
  ["RIPAS2E1", BY_IPA, { va: IPA + 0x1000n, bytes: 0x2000n }, "v-vo"],
  ["RIPAS2E1 of much", BY_IPA, { va: IPA, bytes: 1n << 40n }, "--vo"],
  ["ALLE1", ALL, {}, "----"],
  ["VAE1", VA_ASID, { va: VA }, "-ovo"],
  ["VAAE1", BY_VA, { va: OTHER_VA }, "v-vo"],
  ["ASIDE1", ASID, { asid: 0n }, "-ovo"],
  ["ASIDE1 of another ASID", ASID, { asid: 7n }, "vovo"],
  ["RVAE1", RANGE, { va: VA, bytes: 0x2000n }, "-ovo"],
  ["RVAE1 of much", RANGE, { va: 0n, bytes: 1n << 40n }, "--vo"],
] as const) {
  test(`TLBI ${name} by VMID 1`, () => {
    const { pe, guests } = twoGuests();
    guests[0].use();
    invalidate(pe, 1, what, operands);
    assert.equal(left(pe, guests), expected);
  });
}

test("TLBI of EL2's leaves EL1's alone, and the other way round", () => {
  const { pe, guests } = twoGuests();
  pe.set(TCR_EL2, 16n | (5n << 16n));
  pe.set(TTBR0_EL2, pe.get(TTBR0_EL1));
  pe.set(MAIR_EL2, 0xffn);
  pe.set(SCTLR_EL2, 1n);
  const at = pe.descriptor(VA);
  const inEL2 = (): boolean => {
    pe.enter(2);
    const found = pageAt(pe, VA) === 9;
    pe.enter(1);
    return found;
  };
  const fill = (): void => {
    pe.poke(at, (RAM + 0x9000n) | AF | 3n);
    assert.equal(inEL2(), true);
    pe.poke(at, 0n);
  };
  fill();
  for (const what of [ALL, STAGE1, STAGE2]) invalidate(pe, 1, what);
  invalidate(pe, 1, BY_IPA, { va: IPA, bytes: 0x1000n });
  invalidate(pe, 1, BY_VA, { va: VA });
  assert.equal(inEL2(), true);
  invalidate(pe, 2, BY_VA, { va: VA });
  assert.equal(inEL2(), false);
  fill();
  pe.poke(at, IPA | AF | 3n);
  guests[0].use();
  guests[0].map(IPA, RAM + 0x1000n);
  assert.equal(pageAt(pe, VA), 1);
  invalidate(pe, 2, BY_VA, { va: VA });
  invalidate(pe, 2, ALL);
  invalidate(pe, 3, ALL);
  pe.poke(at, 0n);
  assert.equal(inEL2(), false);
  assert.equal(pageAt(pe, VA), 1);
});

test("TLBI on another PE is about the VMID of the one that executes it", () => {
  const { pe, guests } = twoGuests();
  guests[1].use();
  invalidate(pe, 1, STAGE1);
  assert.equal(left(pe, guests), "vo--");
});

test("what is read by IPA may be in the TLB for as long as nobody says TLBI IPAS2E1", () => {
  const { pe, guests } = twoGuests();
  guests[0].use();
  guests[0].map(IPA, RAM + 0x7000n, S2_NORMAL);
  assert.equal(pageAt(pe, VA), 1);
  invalidate(pe, 1, STAGE2);
  assert.equal(pageAt(pe, VA), 7);
});

test("TLBI IPAS2E1 drops all pages that one block or contiguous run of stage 2 gave", () => {
  const CONTIGUOUS = 1n << 52n;
  const pe = new Pe(FEATURE_EL2);
  pe.enable();
  pe.set(HCR_EL2, HCR_VM);
  const s2 = new Stage2(pe, { vmid: 1n });
  s2.mapRAM();
  for (const [level, last, flags] of [
    [2, 511n, 0n],
    [3, 15n, CONTIGUOUS],
  ] as const) {
    const base = IPA + BigInt(level) * 0x4000_0000n;
    const before = OTHER_VA - 0x1000n;
    pe.map(VA, base + 0x1000n);
    pe.map(OTHER_VA, base + last * 0x1000n);
    pe.map(before, base - 0x1000n);
    s2.map(base - 0x1000n, RAM + 0x5000n);
    if (level === 2) s2.map(base, RAM & -0x20_0000n, S2_NORMAL, 2);
    else for (let n = 0n; n < 16n; n++) s2.map(base + n * 0x1000n, RAM + n * 0x1000n, S2_NORMAL | flags);
    invalidate(pe, 1, STAGE2);
    const known = (): boolean[] => [VA, OTHER_VA, before].map((va) => attempt(pe, va) === undefined);
    assert.deepEqual(known(), [true, true, true]);
    pe.poke(s2.descriptor(base, 2), 0n);
    invalidate(pe, 1, BY_IPA, { va: base + 0x3000n, bytes: 1n });
    assert.deepEqual(known(), [false, false, true], `level ${level}`);
  }
});

test("TLBI IPAS2E1 drops what the second level has lost and the first has not", () => {
  const pe = new Pe(FEATURE_EL2);
  pe.enable();
  pe.set(HCR_EL2, HCR_VM);
  const s2 = new Stage2(pe, { vmid: 1n });
  s2.mapRAM();
  s2.map(IPA, RAM + 0x3000n);
  // Pages 16 MiB apart are of one set of the second level, which has two ways, and of two slots of the first.
  const vas = [0n, 1n, 2n, 3n].map((n) => VA + n * 0x100_0000n);
  for (const [n, va] of vas.entries()) {
    pe.map(va, IPA + BigInt(n) * 0x1000n);
    s2.map(IPA + BigInt(n) * 0x1000n, RAM + BigInt(n + 3) * 0x1000n);
    assert.equal(pageAt(pe, va), n + 3);
  }
  s2.map(IPA, 0n, 0n);
  assert.equal(pe.isFast(vas[0] as bigint, false), true);
  invalidate(pe, 1, BY_IPA, { va: IPA, bytes: 1n });
  assert.equal(pe.isFast(vas[0] as bigint, false), false);
  assert.equal(pageAt(pe, vas[0] as bigint), -1);
  assert.equal(pageAt(pe, vas[3] as bigint), 6);
});

test("a guest that changes a descriptor and says no TLBI keeps no page that its host takes", () => {
  const pe = new Pe(FEATURE_EL2);
  pe.enable();
  pe.set(HCR_EL2, HCR_VM);
  const s2 = new Stage2(pe, { vmid: 1n });
  s2.mapRAM();
  for (const n of [0n, 1n]) s2.map(IPA + n * 0x1000n, RAM + (n + 1n) * 0x1000n);
  pe.map(VA, IPA, AF | PXN);
  assert.equal(pageAt(pe, VA), 1);
  pe.map(VA, IPA + 0x1000n, AF);
  // A fetch is not allowed by what the second level has: it walks, while the data TLB still has the first page.
  assert.equal(attempt(pe, VA, "fetch"), undefined);
  assert.equal(pageAt(pe, VA), 1);
  invalidate(pe, 1, BY_IPA, { va: IPA, bytes: 1n });
  assert.equal(pageAt(pe, VA), 2);
});

test("what comes into the TLB between two TLBIs goes with the second", () => {
  const { pe, guests } = twoGuests();
  for (const page of [5n, 6n]) {
    guests[0].use();
    invalidate(pe, 1, STAGE2);
    invalidate(pe, 1, STAGE2);
    assert.equal(pageAt(pe, OTHER_VA), -1);
    guests[0].map(IPA, RAM + page * 0x1000n, S2_NORMAL);
    assert.equal(pageAt(pe, VA), Number(page));
    assert.equal(left(pe, guests).slice(2), "vo");
  }
});

/** A host with E2H and TGE, whose EL2&0 regime has EL1's tables. */
function host(): Pe {
  const pe = new Pe(FEATURE_EL2 | FEATURE_VHE);
  pe.enable();
  pe.set(TCR_EL2, pe.get(TCR_EL1));
  pe.set(TTBR0_EL2, pe.get(TTBR0_EL1) | (3n << 48n));
  pe.set(MAIR_EL2, 0x44_00_ffn);
  pe.set(SCTLR_EL2, 1n);
  pe.set(HCR_EL2, HCR_E2H | HCR_TGE);
  pe.enter(2);
  pe.map(VA, RAM + 0x1000n, AF | NG);
  pe.map(OTHER_VA, RAM + 0x2000n, AF);
  assert.equal(pageAt(pe, VA), 1);
  assert.equal(pageAt(pe, OTHER_VA), 2);
  pe.map(VA, RAM + 0x3000n, AF | NG);
  pe.map(OTHER_VA, RAM + 0x4000n, AF);
  return pe;
}

for (const [name, regime, what, operands, expected] of [
  ["VMALLE1", 1, STAGE1, {}, [3, 4]],
  ["VAE1", 1, VA_ASID, { va: VA, asid: 3n }, [3, 2]],
  ["ASIDE1", 1, ASID, { asid: 3n }, [3, 2]],
  ["ASIDE1 of another ASID", 1, ASID, { asid: 4n }, [1, 2]],
  ["VAE2", 2, VA_ASID, { va: OTHER_VA }, [1, 4]],
  ["ALLE2", 2, ALL, {}, [3, 4]],
  ["ALLE1", 1, ALL, {}, [1, 2]],
  ["VMALLS12E1", 1, STAGE2, {}, [1, 2]],
  ["IPAS2E1", 1, BY_IPA, { va: RAM, bytes: 0x8000n }, [1, 2]],
  ["ALLE3", 3, ALL, {}, [1, 2]],
] as const) {
  test(`TLBI ${name} of a host with E2H and TGE`, () => {
    const pe = host();
    invalidate(pe, regime, what, operands);
    assert.deepEqual([pageAt(pe, VA), pageAt(pe, OTHER_VA)], expected);
  });
}

test("with E2H but not TGE, EL1's operations are about EL1&0", () => {
  const pe = host();
  pe.set(HCR_EL2, HCR_E2H);
  pe.enter(2);
  invalidate(pe, 1, STAGE1);
  assert.equal(pageAt(pe, VA), 1);
  invalidate(pe, 2, ALL);
  assert.equal(pageAt(pe, VA), 3);
});

test("SCTLR_EL1.M and HCR_EL2.VM act at once, and what was known comes back", () => {
  const { pe, guests } = twoGuests();
  guests[1].use();
  pe.set(HCR_EL2, 0n);
  pe.changed();
  assert.equal(pageAt(pe, VA), -1);
  pe.set(HCR_EL2, HCR_VM);
  pe.changed();
  assert.equal(pageAt(pe, VA), 2);
  pe.set(SCTLR_EL1, 0n);
  pe.changed();
  assert.deepEqual(attempt(pe, VA), stage2Abort(5, VA));
  pe.set(SCTLR_EL1, 1n);
  pe.changed();
  assert.equal(pageAt(pe, VA), 2);
  assert.equal(pageAt(pe, OTHER_VA), 4);
});

test("SCR_EL3.NS and EEL2 choose whose EL1 it is", () => {
  const { pe, guests } = twoGuests(FEATURE_EL3);
  guests[0].use();
  assert.equal(pageAt(pe, VA), 1);
  pe.setWord(SECURE, 1);
  pe.changed();
  assert.equal(pageAt(pe, VA), -1, "no memory at the IPA");
  pe.setWord(SECURE, 0);
  pe.set(SCR_EL3, 1n);
  pe.changed();
  assert.equal(pageAt(pe, VA), 1);
});

test("a thousand guests keep to themselves", () => {
  const pe = new Pe(FEATURE_EL2 | FEATURE_VMID16);
  pe.enable();
  pe.set(HCR_EL2, HCR_VM);
  pe.map(VA, IPA);
  const guests = [0n, 1n].map((n) => {
    const s2 = new Stage2(pe, { vmid: 0n, control: 1n << 19n });
    s2.mapRAM();
    s2.map(IPA, RAM + n * 0x1000n);
    return s2;
  });
  for (let n = 0; n < 5000; n++) {
    const s2 = guests[n & 1] as Stage2;
    pe.set(VTTBR_EL2, s2.root | (BigInt(n) << 48n));
    pe.changed();
    assert.equal(pageAt(pe, VA), n & 1);
  }
});
