import assert from "node:assert/strict";
import { test } from "node:test";
import { AF, CONTIGUOUS, type Granule, NG, Pe, RAM, USER } from "../../test/support/vmsa.ts";
import { ARG0, ARG1, ARG2, CTX, CTX_UNPRIV, FETCH_BASE, FETCH_VA, PAN, PC } from "../cpu/state-layout.ts";
import { FEATURE_ASID16, SCTLR_EL1, TCR_EL1, TTBR0_EL1 } from "../cpu/sysreg-layout.ts";

const VA = 0x12_3400_0000n;

function paged(granule: Granule = 12, tcr = 0n, features = 0): Pe {
  const pe = new Pe(features);
  pe.enable(granule, tcr);
  return pe;
}

function setASID(pe: Pe, asid: bigint): void {
  pe.set(TTBR0_EL1, (pe.get(TTBR0_EL1) & 0xffff_ffff_ffffn) | (asid << 48n));
  pe.changed();
}

/** Which page of RAM `va` translates to, 0 for a fault. */
function pageAt(pe: Pe, va: bigint): bigint {
  pe.load(va);
  return pe.fault() ? 0n : BigInt(pe.fastAddress(va)) - BigInt(pe.linear(RAM)) + RAM;
}

test("a changed page is seen after TLBI by VA", () => {
  const pe = paged();
  pe.map(VA, RAM);
  assert.equal(pageAt(pe, VA), RAM);
  pe.map(VA, RAM + 0x1000n);
  assert.equal(pageAt(pe, VA), RAM, "the TLB still has the old one");
  pe.forget(VA);
  assert.equal(pe.isFast(VA, false), false);
  assert.equal(pageAt(pe, VA), RAM + 0x1000n);
});

test("TLBI by VA leaves the neighbours alone", () => {
  const pe = paged();
  for (let i = 0n; i < 16n; i++) {
    pe.map(VA + i * 0x1000n, RAM + i * 0x1000n);
    pageAt(pe, VA + i * 0x1000n);
  }
  pe.forget(VA + 0x3000n);
  for (let i = 0n; i < 16n; i++) assert.equal(pe.isFast(VA + i * 0x1000n, false), i !== 3n);
});

test("TLBI by VA ignores the top byte of what is in the TLB", () => {
  const pe = paged(12, 1n << 37n);
  pe.map(VA, RAM);
  const tagged = VA | (0x77n << 56n);
  assert.equal(pageAt(pe, tagged), RAM);
  pe.map(VA, RAM + 0x1000n);
  pe.forget(VA);
  assert.equal(pageAt(pe, tagged), RAM + 0x1000n);
});

for (const [granule, level, flags, name] of [
  [12, 2, 0n, "2M block"],
  [12, 1, 0n, "1G block"],
  [12, 2, CONTIGUOUS, "contiguous run of 2M blocks"],
  [12, 1, CONTIGUOUS, "contiguous run of 1G blocks"],
  [14, 3, 0n, "16K page"],
  [14, 2, 0n, "32M block"],
  [14, 3, CONTIGUOUS, "contiguous run of 16K pages"],
  [16, 3, 0n, "64K page"],
  [16, 2, 0n, "512M block"],
] as const) {
  test(`TLBI by any VA of a ${name} drops all that came from it`, () => {
    const pe = paged(granule);
    const shift = BigInt(granule) + BigInt(3 - level) * (BigInt(granule) - 3n);
    const va = 0x20_0000_0000n;
    const base = RAM & ~((1n << shift) - 1n);
    pe.map(va, base, AF | flags, level);
    // Pages all over the block that are memory.
    const bytes = 1n << shift;
    const end = base + bytes < RAM + 0x10_0000n ? bytes : RAM + 0x10_0000n - base;
    const offsets = [RAM - base, RAM - base + 0x2000n, end - 0x1000n];
    for (const o of offsets) {
      assert.equal(pageAt(pe, va + o), base + o);
      pe.set(PC, va + o);
      pe.call("translateFetch");
      pe.call("fillFetch", 0x1234, 0);
      assert.equal(pe.call("enterPage"), 1);
    }
    pe.poke(pe.descriptor(va, level), 0n);
    // The last address of the block, which no entry was made for.
    pe.forget(va + bytes - 8n);
    for (const o of offsets) {
      assert.equal(pe.isFast(va + o, false), false);
      assert.equal(pageAt(pe, va + o), 0n);
      pe.set(PC, va + o);
      assert.equal(pe.call("enterPage"), 0);
    }
  });
}

test("contexts: PAN, exception level and ASID have their own entries, and come back to them", () => {
  const pe = paged();
  pe.map(VA, RAM, AF | NG | USER);
  const seen = new Set([pe.get(CTX)]);
  assert.equal(pageAt(pe, VA), RAM);
  const own = pe.get(CTX);
  const user = pe.get(CTX_UNPRIV);
  assert.notEqual(own, user);
  pe.setWord(PAN, 1);
  pe.changed();
  seen.add(pe.get(CTX));
  assert.equal(pe.get(CTX_UNPRIV), user);
  pe.enter(0);
  assert.equal(pe.get(CTX), user, "EL0's own");
  pe.setWord(PAN, 0);
  pe.enter(1);
  assert.equal(pe.get(CTX), own);
  assert.equal(pe.isFast(VA, true), true);
  setASID(pe, 5n);
  seen.add(pe.get(CTX));
  assert.equal(pe.isFast(VA, true), false);
  assert.equal(seen.size, 3);
});

test("ASIDs: pages that are not global belong to one, global ones to all", () => {
  const pe = paged();
  const first = pe.get(TTBR0_EL1);
  setASID(pe, 1n);
  pe.map(VA, RAM, AF | NG);
  pe.map(VA + 0x1000n, RAM + 0x1000n);
  pageAt(pe, VA);
  pageAt(pe, VA + 0x1000n);
  // Another address space without any mapping: what still translates is in the TLB.
  pe.set(TTBR0_EL1, pe.table());
  setASID(pe, 2n);
  assert.equal(pageAt(pe, VA), 0n);
  assert.equal(pageAt(pe, VA + 0x1000n), RAM + 0x1000n);
  // Back in the first, TLBI by the other's ASID changes nothing.
  pe.set(TTBR0_EL1, first);
  setASID(pe, 1n);
  pe.poke(pe.descriptor(VA), 0n);
  pe.set(ARG1, 2n);
  pe.call("tlbInvalidate", 1, 1);
  assert.equal(pageAt(pe, VA), RAM);
  pe.set(ARG1, 1n);
  pe.call("tlbInvalidate", 1, 1);
  assert.equal(pageAt(pe, VA), 0n);
});

test("ASIDs have 8 bits unless TCR.AS says 16", () => {
  const pe = paged(12, 0n, FEATURE_ASID16);
  setASID(pe, 0x101n);
  const narrow = pe.get(CTX);
  setASID(pe, 0x201n);
  assert.equal(pe.get(CTX), narrow);
  pe.set(TCR_EL1, pe.get(TCR_EL1) | (1n << 36n));
  setASID(pe, 0x101n);
  const wide = pe.get(CTX);
  setASID(pe, 0x201n);
  assert.notEqual(pe.get(CTX), wide);
});

test("TLBI by everything and by range", () => {
  const pe = paged();
  for (const [what, bytes] of [
    [0, 0n],
    [4, 0x4000n],
    [4, 0x4000_0000n],
  ] as const) {
    for (let i = 0n; i < 4n; i++) {
      pe.map(VA + i * 0x1000n, RAM + i * 0x1000n);
      assert.equal(pageAt(pe, VA + i * 0x1000n), RAM + i * 0x1000n);
      pe.poke(pe.descriptor(VA + i * 0x1000n), 0n);
    }
    pe.set(ARG0, VA);
    pe.set(ARG2, bytes);
    pe.set(ARG1, 0xffff_ffff_ffff_ffffn);
    pe.call("tlbInvalidate", 1, what);
    for (let i = 0n; i < 4n; i++) assert.equal(pageAt(pe, VA + i * 0x1000n), 0n);
  }
});

function invalidateRange(pe: Pe, va: bigint, bytes: bigint, asid = 0xffff_ffffn): void {
  pe.set(ARG0, va);
  pe.set(ARG1, asid);
  pe.set(ARG2, bytes);
  pe.call("tlbInvalidate", 1, 4);
}

test("TLBI by a range of many pages drops those and no others", () => {
  const pe = paged();
  const pages = [-0x1000n, 0n, 0x1000n, 0x7f_f000n, 0x80_0000n, 0x4000_0000n].map((offset) => VA + offset);
  for (const va of pages) {
    pe.map(va, RAM);
    assert.equal(pageAt(pe, va), RAM);
    pe.poke(pe.descriptor(va), 0n);
  }
  invalidateRange(pe, VA, 0x80_0000n);
  assert.deepEqual(
    pages.map((va) => pageAt(pe, va) === RAM),
    [true, false, false, false, true, true],
  );
  // What the data TLB has lost is still in the second level.
  setASID(pe, 1n);
  assert.deepEqual(
    pages.map((va) => pageAt(pe, va) === RAM),
    [true, false, false, false, true, true],
  );
});

test("TLBI by a range drops blocks that only begin or end in it, and what has a tag", () => {
  for (const start of [VA - 0x40_0000n, VA + 0x1f_f000n]) {
    const pe = paged(12, 1n << 37n);
    pe.map(VA, RAM, AF, 2);
    const at = VA + 0x10_1000n;
    const tagged = (VA + 0x1000n) | (0x55n << 56n);
    const page = pageAt(pe, at);
    assert.notEqual(page, 0n);
    assert.notEqual(pageAt(pe, tagged), 0n);
    pe.poke(pe.descriptor(VA, 2), 0n);
    assert.equal(pageAt(pe, at), page);
    invalidateRange(pe, start, start < VA ? 0x40_1000n : 0x40_0000n);
    assert.equal(pageAt(pe, at), 0n);
    assert.equal(pageAt(pe, tagged), 0n);
  }
});

test("TLBI by a range that goes on beyond the last address", () => {
  const pe = paged();
  const last = 0xffff_ffff_ffff_f000n;
  for (const va of [last, VA]) {
    pe.map(va, RAM);
    assert.equal(pageAt(pe, va), RAM);
    pe.poke(pe.descriptor(va), 0n);
  }
  invalidateRange(pe, last - 0x10_0000n, 0x40_0000n);
  assert.equal(pageAt(pe, last), 0n);
  assert.equal(pageAt(pe, VA), RAM);
});

test("TLBI by VA and ASID leaves the other ASIDs' translations", () => {
  for (const bytes of [0n, 0x4000n, 0x40_0000n]) {
    const pe = paged();
    pe.map(VA, RAM, AF | NG);
    for (const asid of [1n, 2n]) {
      setASID(pe, asid);
      assert.equal(pageAt(pe, VA), RAM);
    }
    pe.poke(pe.descriptor(VA), 0n);
    if (bytes === 0n) {
      pe.set(ARG0, VA);
      pe.set(ARG1, 1n);
      pe.call("tlbInvalidate", 1, 2);
    } else invalidateRange(pe, VA, bytes, 1n);
    assert.equal(pageAt(pe, VA), RAM);
    setASID(pe, 1n);
    assert.equal(pageAt(pe, VA), 0n);
  }
});

test("context numbers stay in 12 bits, and running out of them confuses no address spaces", () => {
  const pe = paged(12, 1n << 36n, FEATURE_ASID16);
  const tables = [pe.get(TTBR0_EL1), pe.table()];
  for (const [i, table] of tables.entries()) {
    pe.set(TTBR0_EL1, table);
    pe.map(VA, RAM + BigInt(i) * 0x1000n, AF | NG);
  }
  for (let n = 0n; n < 10_000n; n++) {
    const which = Number(n & 1n);
    pe.set(TTBR0_EL1, (tables[which] as bigint) | (n << 48n));
    pe.changed();
    const context = pe.get(CTX);
    assert.ok(context > 0n && context < 4096n);
    assert.notEqual(pe.get(CTX_UNPRIV), context);
    assert.equal(pageAt(pe, VA), RAM + BigInt(which) * 0x1000n);
  }
});

test("more pages than any TLB has entries", () => {
  const pe = paged();
  const count = 6000n;
  for (let i = 0n; i < count; i++) pe.map(VA + i * 0x1000n, RAM + (i % 200n) * 0x1000n);
  for (let round = 0; round < 2; round++) {
    for (let i = 0n; i < count; i++) {
      assert.equal(pageAt(pe, VA + i * 0x1000n), RAM + (i % 200n) * 0x1000n);
    }
  }
});

test("turning translation off and on again switches contexts, not tables", () => {
  const pe = paged();
  pe.map(RAM, RAM + 0x5000n);
  assert.equal(pageAt(pe, RAM), RAM + 0x5000n);
  pe.set(SCTLR_EL1, pe.get(SCTLR_EL1) & ~1n);
  pe.changed();
  pe.poke(RAM, 1n);
  pe.poke(RAM + 0x5000n, 2n);
  assert.equal(pe.load(RAM), 1n);
  pe.set(SCTLR_EL1, pe.get(SCTLR_EL1) | 1n);
  pe.changed();
  assert.equal(pe.load(RAM), 2n);
});

test("the instruction TLB: enterPage finds what fillFetch put in, until flushFetch", () => {
  const pe = paged();
  pe.map(VA, RAM);
  pe.set(PC, VA + 0x40n);
  assert.equal(pe.call("enterPage"), 0);
  assert.equal(pe.call("translateFetch"), pe.linear(RAM));
  pe.call("fillFetch", 0x77000, 1);
  assert.equal(pe.get(FETCH_VA), VA);
  pe.set(FETCH_VA, 0n);
  pe.setWord(FETCH_BASE, 0);
  assert.equal(pe.call("enterPage"), 1);
  assert.equal(pe.get(FETCH_VA), VA);
  assert.equal(pe.word(FETCH_BASE), 0x77000);
  pe.enter(0);
  assert.equal(pe.call("enterPage"), 0, "EL0 has its own");
  pe.enter(1);
  assert.equal(pe.call("enterPage"), 1);
  pe.call("flushFetch");
  assert.equal(pe.call("enterPage"), 0);
});
