import assert from "node:assert/strict";
import { test } from "node:test";
import {
  attempt,
  guest,
  HCR_VM,
  memAttr,
  S2_NORMAL,
  S2_XN,
  S2R,
  S2W,
  Stage2,
  stage2Abort,
  withXNX,
} from "../../test/support/stage2.ts";
import { AF, DBM, type Granule, NG, Pe, RAM, READ_ONLY, USER } from "../../test/support/vmsa.ts";
import { PAN } from "../cpu/state-layout.ts";
import { FEATURE_EL2, FEATURE_HAFDBS, HCR_EL2, ID_AA64MMFR0_EL1, VTCR_EL2, VTTBR_EL2 } from "../cpu/sysreg-layout.ts";

const VA = 0x12_3456_0000n;
/** An IPA that stage 2 does not map to itself. */
const IPA = 0x12_3456_0000n;
/** One that has a descriptor of the first level to itself. */
const FAR_IPA = 0xc00_3456_0000n;
const HA = 1n << 21n;
const HD = 1n << 22n;

for (const granule of [12, 14, 16] as const) {
  const name = `${(1 << granule) >> 10}K stage 2`;
  const first = granule === 12 ? 0 : 1;
  const make = (control = 0n, features = 0): ReturnType<typeof guest> =>
    guest({ granule, bits: granule === 12 ? 44 : 46, start: first, control, features });

  test(`${name}: a page is where both stages say`, () => {
    const { pe, s2 } = make();
    pe.map(VA, FAR_IPA);
    s2.map(FAR_IPA, RAM + 0x1_0000n);
    pe.poke(RAM + 0x1_0ff8n, 77n);
    assert.equal(pe.load(VA + 0xff8n), 77n);
    assert.equal(pe.fastAddress(VA + 0xff8n), pe.linear(RAM + 0x1_0ff8n));
    assert.equal(pe.isFast(VA, true), true);
    assert.equal(attempt(pe, VA, "fetch"), undefined);
  });

  test(`${name}: translation faults of every level`, () => {
    const { pe, s2 } = make();
    pe.map(VA, FAR_IPA);
    for (let level = first; level <= 3; level++) {
      const entry = s2.descriptor(FAR_IPA, level);
      for (const kind of ["read", "write", "fetch", "swap"] as const) {
        assert.deepEqual(
          attempt(pe, VA + 0x123n * 8n, kind),
          stage2Abort(4 + level, FAR_IPA + 0x918n, kind === "write"),
        );
      }
      pe.poke(entry, 0n);
    }
    pe.poke(s2.descriptor(FAR_IPA), RAM | S2_NORMAL | 1n);
    assert.deepEqual(attempt(pe, VA), stage2Abort(7, FAR_IPA), "a block descriptor at level 3");
  });

  test(`${name}: a block of level 2, and blocks where there are none`, () => {
    const { pe, s2 } = make();
    const block = 1n << s2.bottom(2);
    const ipa = 5n * block;
    const offset = RAM & (block - 1n);
    s2.map(ipa, RAM & -block, S2_NORMAL, 2);
    pe.map(VA, ipa + offset + 0x3000n);
    pe.poke(RAM + 0x3008n, 99n);
    assert.equal(pe.load(VA + 8n), 99n);
    for (const level of granule === 12 ? [0] : [1]) {
      const other = make();
      other.pe.map(VA, FAR_IPA);
      other.s2.map(FAR_IPA, 0n, S2_NORMAL, level);
      assert.deepEqual(attempt(other.pe, VA), stage2Abort(4 + level, FAR_IPA));
    }
  });

  test(`${name}: address size faults of tables and of the output`, () => {
    for (let level = first; level <= 3; level++) {
      const { pe, s2 } = make();
      pe.set(VTCR_EL2, pe.get(VTCR_EL2) & ~(7n << 16n));
      pe.map(VA, FAR_IPA);
      pe.poke(s2.descriptor(FAR_IPA, level), (1n << 40n) | S2_NORMAL | 3n);
      assert.deepEqual(attempt(pe, VA), stage2Abort(level, FAR_IPA));
    }
    const { pe } = make();
    pe.set(VTCR_EL2, pe.get(VTCR_EL2) & ~(7n << 16n));
    pe.set(VTTBR_EL2, 1n << 40n);
    assert.equal(attempt(pe, VA)?.status, 0, "of VTTBR_EL2");
  });

  test(`${name}: external aborts on the walk`, () => {
    for (let level = first; level <= 3; level++) {
      const { pe, s2 } = make();
      pe.map(VA, FAR_IPA);
      if (level === first) pe.set(VTTBR_EL2, 0x800_0000n);
      else pe.poke(s2.descriptor(FAR_IPA, level - 1), 0x800_0000n | 3n);
      const abort = attempt(pe, VA);
      assert.equal(abort?.status, 0x14 + level);
      assert.equal(abort?.stage, 2);
    }
  });

  test(`${name}: access flag and permission faults of page and block`, () => {
    for (const level of granule === 12 ? [1, 2, 3] : [2, 3]) {
      const { pe, s2 } = make();
      const mask = (1n << s2.bottom(level)) - 1n;
      const ipa = (FAR_IPA & ~mask) | (RAM & mask);
      pe.map(VA, ipa);
      s2.map(ipa & ~mask, RAM & ~mask, S2_NORMAL & ~AF, level);
      assert.deepEqual(attempt(pe, VA), stage2Abort(8 + level, ipa));
      s2.map(ipa & ~mask, RAM & ~mask, AF | S2R | memAttr(15) | S2_XN, level);
      assert.equal(attempt(pe, VA), undefined);
      assert.deepEqual(attempt(pe, VA, "write"), stage2Abort(12 + level, ipa, true));
      assert.deepEqual(attempt(pe, VA, "swap"), stage2Abort(12 + level, ipa, true));
      assert.deepEqual(attempt(pe, VA, "fetch"), stage2Abort(12 + level, ipa));
      assert.equal(pe.isFast(VA, true), false);
    }
  });

  test(`${name}: an IPA beyond T0SZ is a translation fault of level 0`, () => {
    const { pe } = guest({ granule, bits: 40 });
    pe.map(VA, 1n << 40n);
    assert.deepEqual(attempt(pe, VA), stage2Abort(4, 1n << 40n));
  });
}

// Arm ARM D8.2.2: how many tables of the first level are concatenated, by the bits of the IPA.
for (const [granule, start, least, most] of [
  [12, 2, 31, 34],
  [12, 1, 31, 43],
  [12, 0, 40, 48],
  [14, 3, 25, 29],
  [14, 2, 26, 40],
  [14, 1, 37, 48],
  [16, 2, 30, 46],
  [16, 1, 43, 48],
] as const) {
  test(`${(1 << granule) >> 10}K stage 2 from level ${start}: IPAs of ${least} to ${most} bits`, () => {
    for (const bits of [least, most]) {
      const pe = new Pe(FEATURE_EL2);
      pe.set(HCR_EL2, HCR_VM);
      const s2 = new Stage2(pe, { granule: granule as Granule, bits, start });
      // The last page, which the last of the concatenated tables has.
      const ipa = (1n << BigInt(bits)) - (1n << BigInt(granule));
      s2.map(ipa, RAM);
      pe.poke(RAM + 8n, 5n);
      assert.equal(pe.load(ipa + 8n), 5n);
      assert.equal(attempt(pe, ipa), undefined);
      assert.deepEqual(attempt(pe, 0n), stage2Abort(4 + (ipa >> s2.bottom(start) === 0n ? 3 : start), 0n));
    }
  });
}

test("configurations that are reserved or do not fit are translation faults of level 0", () => {
  const check = (t0sz: number, sl0: number, tg0: number, parange = 5n): number | undefined => {
    const pe = new Pe(FEATURE_EL2);
    pe.set(ID_AA64MMFR0_EL1, parange);
    pe.set(HCR_EL2, HCR_VM);
    pe.set(VTTBR_EL2, pe.table(0x1_0000n));
    pe.set(VTCR_EL2, BigInt(t0sz | (sl0 << 6) | (tg0 << 14) | (5 << 16)));
    pe.changed();
    const abort = attempt(pe, 0x1000n);
    assert.equal(abort?.stage, 2);
    return abort?.status;
  };
  // A walk begins: a translation fault of the first level.
  assert.equal(check(24, 1, 0), 5);
  assert.equal(check(16, 2, 0), 4 + 0);
  for (const [t0sz, sl0, tg0, parange] of [
    [24, 3, 0, 5n],
    [24, 3, 2, 5n],
    [24, 3, 1, 5n],
    // Too small and too large for the level.
    [34, 1, 0, 5n],
    [20, 1, 0, 5n],
    [29, 0, 0, 5n],
    [25, 2, 0, 5n],
    [23, 1, 2, 5n],
    [17, 1, 1, 5n],
    // T0SZ out of range, or beyond the PE's physical addresses.
    [40, 0, 0, 5n],
    [15, 2, 0, 5n],
    [19, 2, 0, 4n],
    // Level 0 of 4 KB, level 1 of 16 KB and of 64 KB need 44, 42 and 44 bits of physical address.
    [24, 2, 0, 2n],
    [24, 2, 2, 2n],
    [22, 2, 1, 3n],
  ] as const) {
    assert.equal(check(t0sz, sl0, tg0, parange), 4, `T0SZ ${t0sz} SL0 ${sl0} TG0 ${tg0} PARange ${parange}`);
  }
});

// Arm ARM D8.4.2: S2AP and XN.
for (const [flags, xnx, el1, el0] of [
  [S2R | S2W, false, "rwx", "rwx"],
  [S2R, false, "rx", "rx"],
  [S2W, false, "wx", "wx"],
  [0n, false, "x", "x"],
  [S2R | S2_XN, false, "r", "r"],
  [S2R | (1n << 53n), false, "rx", "rx"],
  [S2R | (3n << 53n), false, "r", "r"],
  [S2R, true, "rx", "rx"],
  [S2R | (1n << 53n), true, "r", "rx"],
  [S2R | (2n << 53n), true, "r", "r"],
  [S2R | (3n << 53n), true, "rx", "r"],
] as const) {
  test(`stage 2 permissions ${flags.toString(16)}${xnx ? " with FEAT_XNX" : ""}: EL1 ${el1}, EL0 ${el0}`, () => {
    const { pe, s2 } = guest();
    if (xnx) withXNX(pe);
    // Stage 1 allows EL1 everything in the first page, EL0 everything in the second.
    pe.map(VA, IPA, AF | NG);
    pe.map(VA + 0x1000n, IPA, AF | NG | USER);
    s2.map(IPA, RAM, AF | memAttr(15) | flags);
    for (const [el, va, expected] of [
      [1, VA, el1],
      [0, VA + 0x1000n, el0],
    ] as const) {
      pe.enter(el);
      for (const [letter, kind] of [
        ["r", "read"],
        ["w", "write"],
        ["x", "fetch"],
      ] as const) {
        const abort = expected.includes(letter) ? undefined : stage2Abort(15, IPA, letter === "w");
        assert.deepEqual(attempt(pe, va, kind), abort, `EL${el} ${letter}`);
        // Again, with what the TLBs know by now.
        assert.deepEqual(attempt(pe, va, kind), abort, `EL${el} ${letter}`);
      }
    }
  });
}

test("a fault of stage 1 comes before one of stage 2", () => {
  const { pe, s2 } = guest();
  pe.map(VA, IPA, AF | READ_ONLY);
  assert.deepEqual(attempt(pe, VA, "write"), { status: 15, stage: 1, s1ptw: false, wnr: true, ipa: 0n });
  pe.map(VA, IPA, 0n);
  assert.equal(attempt(pe, VA)?.status, 11);
  pe.map(VA, IPA, AF | READ_ONLY);
  pe.poke(s2.descriptor(IPA), 0n);
  assert.deepEqual(attempt(pe, VA), stage2Abort(7, IPA));
  s2.map(IPA, RAM);
  assert.equal(attempt(pe, VA), undefined);
  assert.equal(attempt(pe, VA, "write")?.stage, 1);
});

test("an atomic operation that may not even read says that it read", () => {
  const { pe, s2 } = guest();
  pe.map(VA, IPA);
  s2.map(IPA, RAM, AF | memAttr(15) | S2W);
  assert.deepEqual(attempt(pe, VA, "swap"), stage2Abort(15, IPA, false));
});

test("PAN counts for what stage 2 makes write-only, TLB entry or not", () => {
  const { pe, s2 } = guest();
  pe.map(VA, IPA, AF | USER | NG);
  s2.map(IPA, RAM, AF | memAttr(15) | S2W);
  assert.equal(attempt(pe, VA, "write"), undefined);
  pe.setWord(PAN, 1);
  pe.changed();
  assert.deepEqual(attempt(pe, VA, "write"), { status: 15, stage: 1, s1ptw: false, wnr: true, ipa: 0n });
});

test("hardware management of the access flag and of the dirty state at stage 2", () => {
  const { pe, s2 } = guest({ control: HA | HD, features: FEATURE_HAFDBS });
  pe.map(VA, IPA);
  const desc = RAM | memAttr(15) | S2R | DBM;
  s2.map(IPA, RAM, memAttr(15) | S2R | DBM);
  const at = s2.descriptor(IPA);
  assert.equal(attempt(pe, VA), undefined);
  assert.equal(pe.peek(at), desc | AF | 3n);
  assert.equal(pe.isFast(VA, true), false);
  assert.equal(attempt(pe, VA, "write"), undefined);
  assert.equal(pe.peek(at), desc | AF | S2W | 3n);
  assert.equal(pe.isFast(VA, true), true);
  // Without DBM it is a fault, and the descriptor stays.
  s2.map(IPA + 0x1000n, RAM, memAttr(15) | S2R);
  pe.map(VA + 0x1000n, IPA + 0x1000n);
  assert.deepEqual(attempt(pe, VA + 0x1000n, "write"), stage2Abort(15, IPA + 0x1000n, true));
  assert.equal(pe.peek(s2.descriptor(IPA + 0x1000n)) & AF, 0n);
  const without = guest({ control: HA | HD });
  without.pe.map(VA, IPA);
  without.s2.map(IPA, RAM, S2_NORMAL & ~AF);
  assert.equal(attempt(without.pe, VA)?.status, 11, "a PE without FEAT_HAFDBS");
});

test("HD without HA does nothing", () => {
  const { pe, s2 } = guest({ control: HD, features: FEATURE_HAFDBS });
  pe.map(VA, IPA);
  s2.map(IPA, RAM, AF | memAttr(15) | S2R | DBM);
  assert.deepEqual(attempt(pe, VA, "write"), stage2Abort(15, IPA, true));
});

test("stage 1 off: VAs are IPAs, and stay in the TLB until a TLBI", () => {
  const { pe, s2 } = guest({ flat: true });
  s2.map(IPA, RAM + 0x2000n);
  pe.poke(RAM + 0x2010n, 3n);
  assert.equal(pe.load(IPA + 0x10n), 3n);
  pe.poke(s2.descriptor(IPA), 0n);
  assert.equal(pe.load(IPA + 0x10n), 3n);
  pe.call("tlbInvalidate", 1, 6, 0);
  assert.deepEqual(attempt(pe, IPA), stage2Abort(7, IPA));
});

test("HCR_EL2.DC turns stage 2 on, and stage 1 off", () => {
  const { pe, s2 } = guest();
  s2.map(IPA, RAM);
  pe.set(HCR_EL2, 1n << 12n);
  pe.changed();
  pe.poke(RAM + 8n, 9n);
  assert.equal(pe.load(IPA + 8n), 9n);
  assert.deepEqual(attempt(pe, IPA + 0x1000n), stage2Abort(7, IPA + 0x1000n));
  // The memory is Normal: unaligned accesses are fine.
  pe.poke(RAM, 0x0807060504030201n);
  assert.equal(pe.load(IPA + 1n, 4), 0x05040302n);
  assert.equal(pe.fault(), undefined);
});

test("EL2 and EL3 have no stage 2, and neither has a PE without EL2", () => {
  const { pe } = guest({ flat: true });
  pe.enter(2);
  assert.equal(attempt(pe, RAM), undefined);
  assert.notEqual(attempt(pe, 1n << 50n)?.stage, 2);
  const none = new Pe();
  none.set(HCR_EL2, HCR_VM);
  none.changed();
  assert.equal(attempt(none, RAM), undefined);
});
