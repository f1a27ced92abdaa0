import assert from "node:assert/strict";
import { test } from "node:test";
import {
  AF,
  CONTIGUOUS,
  DBM,
  DEVICE_PA,
  type Granule,
  NG,
  Pe,
  PXN,
  RAM,
  READ_ONLY,
  USER,
  UXN,
} from "../../test/support/vmsa.ts";
import { EL, PAN, PC, RESULT } from "../cpu/state-layout.ts";
import {
  FEATURE_E0PD,
  FEATURE_EL2,
  FEATURE_EL3,
  FEATURE_HAFDBS,
  FEATURE_HPDS,
  ID_AA64MMFR0_EL1,
  MAIR_EL2,
  MAIR_EL3,
  SCTLR_EL1,
  SCTLR_EL2,
  SCTLR_EL3,
  TCR_EL1,
  TCR_EL2,
  TCR_EL3,
  TTBR0_EL1,
  TTBR0_EL2,
  TTBR0_EL3,
} from "../cpu/sysreg-layout.ts";

const VA = 0x12_3456_0000n;
const HIGH = 0xffff_8012_3456_0000n;
const DATA_ABORT = 0x24;
const INSTRUCTION_ABORT = 0x20;
const WNR = 1 << 6;
const HA = 1n << 39n;
const HD = 1n << 40n;

function dfsc(pe: Pe, va: bigint, write = false): number | undefined {
  if (write) pe.store(va, 1n);
  else pe.load(va);
  const fault = pe.fault();
  if (!fault) return undefined;
  assert.equal(fault.ec, DATA_ABORT);
  assert.equal(fault.far, BigInt.asUintN(64, va));
  assert.equal(fault.iss & ~0x3f, write ? WNR : 0);
  return fault.iss & 0x3f;
}

function ifsc(pe: Pe, va: bigint): number | undefined {
  pe.set(PC, va);
  const at = pe.call("translateFetch");
  const fault = pe.fault();
  assert.equal(at === 0, fault !== undefined);
  if (!fault) return undefined;
  assert.equal(fault.ec, INSTRUCTION_ABORT);
  assert.equal(fault.far, BigInt.asUintN(64, va));
  return fault.iss;
}

function paged(granule: Granule = 12, tcr = 0n, features = 0): Pe {
  const pe = new Pe(features);
  pe.enable(granule, tcr);
  return pe;
}

for (const granule of [12, 14, 16] as const) {
  const bytes = 1n << BigInt(granule);
  const name = `${bytes >> 10n}K pages`;

  test(`${name}: both ranges translate to the page's memory`, () => {
    const pe = paged(granule);
    for (const [va, pa] of [
      [VA, RAM + bytes],
      [HIGH, RAM + 2n * bytes],
    ] as const) {
      pe.map(va, pa);
      pe.poke(pa + bytes - 8n, va ^ 0x55n);
      assert.equal(pe.load(va + bytes - 8n), va ^ 0x55n);
      assert.equal(pe.isFast(va + bytes - 8n, true), true);
      assert.equal(pe.fastAddress(va + bytes - 8n), pe.linear(pa + bytes - 8n));
      pe.store(va + 16n, 77n);
      assert.equal(pe.peek(pa + 16n), 77n);
      assert.equal(pe.fault(), undefined);
    }
  });

  test(`${name}: a block of level 2 translates with the offset into it`, () => {
    const pe = paged(granule);
    const block = 1n << BigInt(2 * granule - 3);
    const base = RAM & ~(block - 1n);
    const va = 7n * block;
    pe.map(va, base, AF, 2);
    const offset = RAM - base + 0x3008n;
    pe.poke(RAM + 0x3008n, 99n);
    assert.equal(pe.load(va + offset), 99n);
    assert.equal(pe.fastAddress(va + offset), pe.linear(RAM + 0x3008n));
    // Again by the second level.
    pe.poke(RAM + 0x5008n, 98n);
    assert.equal(pe.load(va + offset + 0x2000n), 98n);
  });

  test(`${name}: translation faults of every level`, () => {
    const pe = paged(granule);
    const first = granule === 16 ? 1 : 0;
    for (let level = first; level <= 3; level++) {
      const entry = pe.descriptor(VA, level);
      assert.equal(dfsc(pe, VA), 4 + level);
      assert.equal(dfsc(pe, VA, true), 4 + level);
      assert.equal(ifsc(pe, VA), 4 + level);
      pe.poke(entry, 0n);
    }
    pe.poke(pe.descriptor(VA), RAM | AF | 1n);
    assert.equal(dfsc(pe, VA), 7, "a block descriptor at level 3");
  });

  test(`${name}: blocks where there are none fault`, () => {
    for (const level of granule === 12 ? [0] : granule === 14 ? [0, 1] : [1]) {
      const pe = paged(granule);
      pe.map(VA, 0n, AF, level);
      assert.equal(dfsc(pe, VA), 4 + level);
    }
  });

  test(`${name}: address size faults of tables and of the output`, () => {
    const first = granule === 16 ? 1 : 0;
    for (let level = first; level <= 3; level++) {
      const pe = paged(granule);
      pe.set(TCR_EL1, pe.get(TCR_EL1) & ~(7n << 32n));
      const entry = pe.descriptor(VA, level);
      pe.poke(entry, (1n << 40n) | AF | 3n);
      assert.equal(dfsc(pe, VA), level);
    }
    const pe = paged(granule);
    pe.set(TCR_EL1, pe.get(TCR_EL1) & ~(7n << 32n));
    pe.set(TTBR0_EL1, pe.get(TTBR0_EL1) | (1n << 40n));
    assert.equal(dfsc(pe, VA), 0);
  });

  test(`${name}: external aborts on the walk`, () => {
    const first = granule === 16 ? 1 : 0;
    for (let level = first; level <= 3; level++) {
      const pe = paged(granule);
      if (level === first) pe.set(TTBR0_EL1, 0x800_0000n);
      else pe.poke(pe.descriptor(VA, level - 1), 0x800_0000n | 3n);
      assert.equal(dfsc(pe, VA), 0x14 + level);
    }
  });

  test(`${name}: access flag and permission faults at page and block level`, () => {
    for (const level of [2, 3]) {
      const pe = paged(granule);
      const pa = RAM & ~((1n << BigInt(level === 3 ? granule : 2 * granule - 3)) - 1n);
      const va = VA & ~((1n << BigInt(2 * granule - 3)) - 1n);
      const offset = RAM - pa;
      pe.map(va, pa, 0n, level);
      assert.equal(dfsc(pe, va + offset), 8 + level);
      pe.map(va, pa, AF | READ_ONLY | PXN, level);
      assert.equal(dfsc(pe, va + offset), undefined);
      assert.equal(dfsc(pe, va + offset, true), 12 + level);
      assert.equal(ifsc(pe, va + offset), 12 + level);
    }
  });
}

test("4K granule: blocks of 1 GB", () => {
  const pe = paged();
  pe.map(0x80_0000_0000n, RAM, AF, 1);
  pe.poke(RAM + 0x20_0010n, 5n);
  assert.equal(pe.load(0x80_0020_0010n), 5n);
});

test("a smaller TnSZ starts at a later level, with a smaller first table", () => {
  const pe = new Pe();
  pe.enable(12, 0n, 25n);
  const va = 0x7f_1234_5000n;
  assert.equal(dfsc(pe, va), 5);
  pe.map(va, RAM);
  assert.equal(dfsc(pe, va), undefined);
  assert.equal(dfsc(pe, 0x80_0000_0000n), 4, "outside the range: level 0");
  assert.equal(dfsc(pe, -0x80_0000_1000n), 4);
});

test("addresses outside both ranges, and those of a disabled one, are level 0 translation faults", () => {
  const pe = paged();
  pe.map(VA, RAM);
  pe.map(HIGH, RAM);
  assert.equal(dfsc(pe, 0x1_0000_0000_0000n), 4);
  assert.equal(dfsc(pe, VA | (1n << 60n)), 4);
  assert.equal(dfsc(pe, VA), undefined);
  pe.set(TCR_EL1, pe.get(TCR_EL1) | (1n << 7n));
  pe.changed();
  assert.equal(pe.isFast(VA, false), false);
  assert.equal(dfsc(pe, VA), 4, "EPD0");
  assert.equal(dfsc(pe, HIGH), undefined);
  pe.set(TCR_EL1, pe.get(TCR_EL1) | (1n << 23n));
  pe.changed();
  assert.equal(dfsc(pe, HIGH), 4, "EPD1");
});

test("TBI: the top byte does not count, for its range", () => {
  const pe = paged(12, 1n << 37n);
  pe.map(VA, RAM);
  pe.map(HIGH, RAM);
  pe.poke(RAM, 42n);
  assert.equal(pe.load(VA | (0xa5n << 56n)), 42n);
  assert.equal(pe.isFast(VA | (0xa5n << 56n), false), true);
  assert.equal(dfsc(pe, HIGH & ~(1n << 60n)), 4, "TBI1 is clear");
  pe.set(TCR_EL1, pe.get(TCR_EL1) | (1n << 38n));
  assert.equal(dfsc(pe, HIGH & ~(1n << 60n)), undefined);
});

test("E0PD: EL0 has a translation fault in the range, EL1 not, TLB entry or not", () => {
  const pe = paged(12, 1n << 56n, FEATURE_E0PD);
  pe.map(HIGH, RAM, AF | USER);
  assert.equal(dfsc(pe, HIGH), undefined);
  pe.enter(0);
  assert.equal(dfsc(pe, HIGH), 4);
});

// Arm ARM D8.4.1: what AP[2:1], UXN and PXN allow.
for (const [ap, el1, el0] of [
  [0n, "rwx", "x"],
  [USER, "rw", "rwx"],
  [READ_ONLY, "rx", "x"],
  [USER | READ_ONLY, "rx", "rx"],
  [USER | UXN, "rw", "rw"],
  [READ_ONLY | UXN, "rx", ""],
  [PXN, "rw", "x"],
  [USER | READ_ONLY | PXN, "r", "rx"],
] as const) {
  test(`permissions of AP ${ap.toString(16)}: EL1 ${el1}, EL0 ${el0 || "none"}`, () => {
    const pe = paged();
    pe.map(VA, RAM, AF | ap);
    for (const [el, expected] of [
      [1, el1],
      [0, el0],
    ] as const) {
      pe.enter(el);
      const allowed = [
        dfsc(pe, VA) === undefined ? "r" : "",
        dfsc(pe, VA, true) === undefined ? "w" : "",
        ifsc(pe, VA) === undefined ? "x" : "",
      ];
      assert.equal(allowed.join(""), expected);
      for (const write of [false, true]) {
        assert.equal(dfsc(pe, VA, write), expected.includes(write ? "w" : "r") ? undefined : 15);
        if (!expected.includes(write ? "w" : "r")) assert.equal(pe.isFast(VA, write), false);
      }
    }
  });
}

test("WXN: what is writable is not executable", () => {
  const pe = paged();
  pe.set(SCTLR_EL1, pe.get(SCTLR_EL1) | (1n << 19n));
  pe.changed();
  pe.map(VA, RAM);
  pe.map(VA + 0x1000n, RAM, AF | USER);
  pe.map(VA + 0x2000n, RAM, AF | READ_ONLY);
  assert.equal(ifsc(pe, VA), 15);
  assert.equal(ifsc(pe, VA + 0x2000n), undefined);
  pe.enter(0);
  assert.equal(ifsc(pe, VA + 0x1000n), 15);
  assert.equal(ifsc(pe, VA), undefined);
});

test("PAN: EL1 does not reach what EL0 can read, except by LDTR and fetch", () => {
  const pe = paged();
  pe.map(VA, RAM, AF | USER | READ_ONLY);
  pe.map(VA + 0x1000n, RAM);
  assert.equal(dfsc(pe, VA), undefined);
  assert.equal(pe.isFast(VA, false), true);
  pe.setWord(PAN, 1);
  pe.changed();
  assert.equal(pe.isFast(VA, false), false);
  assert.equal(dfsc(pe, VA), 15);
  assert.equal(dfsc(pe, VA + 0x1000n), undefined);
  assert.equal(ifsc(pe, VA), undefined);
  pe.load(VA, 8, 1);
  assert.equal(pe.fault(), undefined);
  pe.setWord(EL, 0);
  pe.changed();
  assert.equal(dfsc(pe, VA), undefined);
});

test("LDTR and STTR have EL0's permissions at EL1, unless UAO", () => {
  const pe = paged();
  pe.map(VA, RAM);
  pe.load(VA, 8, 1);
  assert.deepEqual(pe.fault(), { ec: DATA_ABORT, iss: 15, far: VA });
  pe.store(VA, 1n, 8, 1);
  assert.deepEqual(pe.fault(), { ec: DATA_ABORT, iss: 15 | WNR, far: VA });
  pe.setWord(0x140, 1);
  pe.changed();
  pe.load(VA, 8, 1);
  assert.equal(pe.fault(), undefined);
});

test("table descriptors take permissions away, unless HPD", () => {
  const pe = paged(12, 0n, FEATURE_HPDS);
  pe.map(VA, RAM, AF | USER);
  const table = pe.descriptor(VA, 2);
  const plain = pe.peek(table);
  const check = (bits: bigint, expected: string): void => {
    pe.poke(table, plain | bits);
    pe.call("tlbInvalidateAll");
    pe.enter(0);
    const user = [dfsc(pe, VA), dfsc(pe, VA, true), ifsc(pe, VA)];
    pe.enter(1);
    const kernel = [dfsc(pe, VA), dfsc(pe, VA, true), ifsc(pe, VA)];
    assert.equal([...user, ...kernel].map((f) => (f === undefined ? "y" : "n")).join(""), expected);
  };
  check(0n, "yyyyyn");
  check(1n << 61n, "nnyyyy");
  check(1n << 62n, "ynyyny");
  check(1n << 60n, "yynyyn");
  check(3n << 61n, "nnyyny");
  check(1n << 59n, "yyyyyn");
  pe.set(TCR_EL1, pe.get(TCR_EL1) | (1n << 41n));
  check(31n << 59n, "yyyyyn");
});

test("hardware sets the access flag when TCR.HA allows it", () => {
  const pe = paged(12, HA, FEATURE_HAFDBS);
  pe.map(VA, RAM, 0n);
  assert.equal(dfsc(pe, VA), undefined);
  assert.equal(pe.peek(pe.descriptor(VA)) & AF, AF);
  const without = paged(12, HA);
  without.map(VA, RAM, 0n);
  assert.equal(dfsc(without, VA), 11, "a PE without FEAT_HAFDBS");
});

test("hardware management of dirty state: the first write makes a DBM page writable", () => {
  const pe = paged(12, HA | HD, FEATURE_HAFDBS);
  pe.map(VA, RAM, AF | READ_ONLY | DBM);
  assert.equal(dfsc(pe, VA), undefined);
  assert.equal(pe.isFast(VA, false), true);
  assert.equal(pe.isFast(VA, true), false);
  assert.equal(pe.peek(pe.descriptor(VA)) & READ_ONLY, READ_ONLY);
  assert.equal(dfsc(pe, VA, true), undefined);
  assert.equal(pe.isFast(VA, true), true);
  assert.equal(pe.peek(pe.descriptor(VA)), RAM | AF | DBM | 3n);
  pe.map(VA + 0x1000n, RAM, AF | READ_ONLY);
  assert.equal(dfsc(pe, VA + 0x1000n, true), 15, "without DBM");
});

test("a permission fault leaves the descriptor as it is", () => {
  const pe = paged(12, HA | HD, FEATURE_HAFDBS);
  pe.map(VA, RAM, READ_ONLY);
  assert.equal(dfsc(pe, VA, true), 15);
  assert.equal(pe.peek(pe.descriptor(VA)), RAM | READ_ONLY | 3n);
});

test("translation off: addresses are physical, too large ones are address size faults", () => {
  const pe = new Pe();
  pe.set(ID_AA64MMFR0_EL1, 4n);
  pe.poke(RAM, 5n);
  assert.equal(pe.load(RAM), 5n);
  assert.equal(dfsc(pe, 1n << 44n), 0);
  assert.equal(ifsc(pe, 1n << 44n), 0);
  assert.equal(dfsc(pe, RAM | (0xffn << 56n)), 0);
  pe.set(TCR_EL1, 1n << 37n);
  assert.equal(dfsc(pe, RAM | (0xffn << 56n)), undefined);
});

test("translation off: unaligned accesses fault, as to Device memory", () => {
  const pe = new Pe();
  assert.equal(dfsc(pe, RAM + 1n), 0x21);
  assert.equal(dfsc(pe, RAM + 1n, true), 0x21);
});

for (const [el, sctlr, tcr, ttbr, mair] of [
  [2, SCTLR_EL2, TCR_EL2, TTBR0_EL2, MAIR_EL2],
  [3, SCTLR_EL3, TCR_EL3, TTBR0_EL3, MAIR_EL3],
] as const) {
  test(`EL${el} has one range and one set of permissions`, () => {
    const pe = paged(12, 0n, FEATURE_EL2 | FEATURE_EL3);
    pe.map(VA, RAM, AF | USER | NG);
    pe.map(VA + 0x1000n, RAM, AF | USER | READ_ONLY | UXN);
    pe.set(tcr, 16n | (5n << 16n));
    pe.set(ttbr, pe.get(TTBR0_EL1));
    pe.set(mair, 0xffn);
    pe.enter(el);
    assert.equal(dfsc(pe, 1n << 50n), 0, "translation is still off");
    pe.set(sctlr, 1n);
    pe.changed();
    assert.equal(dfsc(pe, VA, true), undefined);
    assert.equal(ifsc(pe, VA), undefined);
    assert.equal(dfsc(pe, VA + 0x1000n), undefined);
    assert.equal(dfsc(pe, VA + 0x1000n, true), 15);
    assert.equal(ifsc(pe, VA + 0x1000n), 15);
    assert.equal(dfsc(pe, HIGH), 4);
  });
}

test("the guarded bit reaches the fetch", () => {
  const pe = paged();
  pe.map(VA, RAM, AF | (1n << 50n));
  pe.map(VA + 0x1000n, RAM);
  assert.equal(ifsc(pe, VA), undefined);
  assert.equal(pe.get(RESULT), 1n);
  assert.equal(ifsc(pe, VA + 0x1000n), undefined);
  assert.equal(pe.get(RESULT), 0n);
});

test("the contiguous hint changes no translation", () => {
  const pe = paged();
  pe.map(VA, RAM, AF | CONTIGUOUS);
  assert.equal(dfsc(pe, VA), undefined);
  assert.equal(dfsc(pe, VA + 0x1000n), 7);
});

test("fetching: misaligned PC, no memory, and the linear page", () => {
  const pe = paged();
  pe.map(VA, RAM + 0x3000n);
  pe.map(VA + 0x1000n, DEVICE_PA);
  pe.set(PC, VA + 2n);
  assert.equal(pe.call("translateFetch"), 0);
  assert.deepEqual(pe.fault(), { ec: 0x22, iss: 0, far: VA + 2n });
  assert.equal(ifsc(pe, VA + 0x1000n), 0x10);
  pe.set(PC, VA + 0x124n);
  assert.equal(pe.call("translateFetch"), pe.linear(RAM + 0x3000n));
});
