import assert from "node:assert/strict";
import { test } from "node:test";
import { attempt, guest, memAttr, pending, S2_NORMAL, S2R, S2W } from "../../test/support/stage2.ts";
import { AF, Pe, RAM, READ_ONLY, USER } from "../../test/support/vmsa.ts";
import { ARG0, EL } from "../cpu/state-layout.ts";
import {
  FEATURE_EL2,
  FEATURE_EL3,
  FEATURE_HAFDBS,
  FEATURE_VHE,
  HCR_EL2,
  MAIR_EL2,
  MAIR_EL3,
  PAR_EL1,
  SCR_EL3,
  SCTLR_EL2,
  SCTLR_EL3,
  TCR_EL1,
  TCR_EL2,
  TCR_EL3,
  TTBR0_EL1,
  TTBR0_EL2,
  TTBR0_EL3,
} from "../cpu/sysreg-layout.ts";

// AT where there is stage 2 (AArch64.AT()), and cache maintenance.

const VA = 0x12_3456_0000n;
const IPA = 0x34_5600_0000n;
const MOVED = 0x55_0000_0000n;
const RES1 = 1n << 11n;
const S = 1n << 9n;
const PTW = 1n << 8n;
const address = (par: bigint): bigint => (par & 1n ? -1n : par & 0xffff_ffff_f000n);
const failed = (status: bigint, flags = 0n): bigint => RES1 | 1n | (status << 1n) | flags;

interface Kind {
  readonly from?: number;
  readonly regime?: number;
  readonly el?: number;
  readonly write?: number;
  readonly pan?: number;
  readonly stages?: number;
}

/** Executes AT at `from`; PAR_EL1, unless there is an exception. */
function at(pe: Pe, va: bigint, { from = 2, regime = 1, el = 1, write = 0, pan = 0, stages = 2 }: Kind = {}): bigint {
  pe.setWord(EL, from);
  pe.set(ARG0, va);
  pe.set(PAR_EL1, 0n);
  pe.call("addressTranslate", regime, el, write, pan, stages);
  return pe.get(PAR_EL1);
}

test("AT S12E1R gives the physical address, S1E1R the intermediate one", () => {
  const { pe, s2 } = guest();
  pe.map(VA, IPA);
  s2.map(IPA, RAM + 0x3000n);
  assert.equal(address(at(pe, VA + 0x123n)), RAM + 0x3000n);
  assert.equal(address(at(pe, VA + 0x123n, { stages: 1 })), IPA);
  assert.equal(address(at(pe, VA + 0x123n, { stages: 1, from: 1 })), IPA);
  assert.equal(address(at(pe, VA, { stages: 0 })), RAM + 0x3000n, "for a debugger");
});

test("AT S12E1 and S12E0: faults of stage 1 and of stage 2", () => {
  const { pe, s2 } = guest();
  pe.map(VA, IPA, AF | READ_ONLY);
  pe.map(VA + 0x1000n, IPA + 0x1000n, AF | USER);
  pe.map(VA + 0x2000n, IPA + 0x2000n);
  s2.map(IPA, RAM, AF | S2R | S2W | memAttr(15));
  s2.map(IPA + 0x1000n, RAM, AF | S2R | memAttr(15));
  s2.map(IPA + 0x2000n, RAM, S2_NORMAL & ~AF);
  assert.equal(at(pe, VA, { write: 1 }), failed(15n));
  assert.equal(at(pe, VA, { el: 0 }), failed(15n));
  assert.equal(at(pe, VA + 0x1000n, { write: 1 }), failed(15n, S));
  assert.equal(at(pe, VA + 0x1000n, { write: 1, el: 0 }), failed(15n, S));
  assert.equal(address(at(pe, VA + 0x1000n, { el: 0 })), RAM);
  assert.equal(at(pe, VA + 0x2000n), failed(11n, S));
  s2.map(IPA + 0x2000n, 0n, 0n);
  pe.poke(s2.descriptor(IPA + 0x2000n), 0n);
  assert.equal(at(pe, VA + 0x2000n), failed(7n, S));
  assert.equal(at(pe, VA + 0x20_0000n), failed(6n));
  assert.equal(pe.fault(), undefined);
});

test("a fault of stage 2 on the walk: in PAR_EL1 for EL2, an exception for EL1", () => {
  const { pe, s2 } = guest();
  pe.map(VA, IPA);
  s2.map(IPA, RAM);
  s2.descriptor(MOVED);
  const offset = pe.descriptor(VA) & 0xfffn;
  pe.poke(pe.descriptor(VA, 2), MOVED | 3n);
  for (const stages of [1, 2]) assert.equal(at(pe, VA, { stages }), failed(7n, S | PTW));
  assert.equal(pe.fault(), undefined);
  at(pe, VA, { stages: 1, from: 1 });
  assert.equal(pe.isStage2, true);
  assert.deepEqual(pending(pe, VA), { status: 7, stage: 2, s1ptw: true, wnr: true, ipa: MOVED | offset });
  // Nobody notices a debugger's look.
  assert.equal(at(pe, VA, { stages: 0, from: 1 }), failed(7n, S | PTW));
  assert.equal(pe.fault(), undefined);
});

test("an external abort on the walk is an exception", () => {
  const { pe, s2 } = guest();
  pe.map(VA, IPA);
  pe.poke(s2.descriptor(IPA, 2), 0x800_0003n);
  at(pe, VA);
  assert.equal(pending(pe, VA)?.status, 0x17);
  pe.poke(pe.descriptor(VA, 2), 0x800_0003n);
  s2.map(0x800_0000n, 0x800_0000n);
  at(pe, VA);
  assert.deepEqual(pending(pe, VA), { status: 0x17, stage: 1, s1ptw: false, wnr: true, ipa: 0n });
});

test("AT changes no descriptor", () => {
  const { pe, s2 } = guest({ features: FEATURE_HAFDBS, control: 3n << 21n });
  pe.set(TCR_EL1, pe.get(TCR_EL1) | (3n << 39n));
  pe.map(VA, IPA, READ_ONLY | (1n << 51n));
  s2.map(IPA, RAM, S2R | memAttr(15) | (1n << 51n));
  const before = [pe.peek(pe.descriptor(VA)), pe.peek(s2.descriptor(IPA))];
  assert.equal(address(at(pe, VA, { write: 1 })), RAM);
  assert.deepEqual([pe.peek(pe.descriptor(VA)), pe.peek(s2.descriptor(IPA))], before);
});

test("AT S1E2 of EL2 and of EL2&0, and S1E1 and S1E0 of a host", () => {
  const pe = new Pe(FEATURE_EL2 | FEATURE_VHE);
  pe.enable();
  pe.map(VA, RAM, AF | USER);
  pe.map(VA + 0x1000n, RAM + 0x1000n, AF);
  pe.set(TTBR0_EL2, pe.get(TTBR0_EL1));
  pe.set(MAIR_EL2, 0xffn);
  pe.set(SCTLR_EL2, 1n);
  pe.set(TCR_EL2, 16n | (5n << 16n));
  assert.equal(address(at(pe, VA, { regime: 2, el: 2, stages: 1 })), RAM);
  assert.equal(at(pe, 0xffff_8000_0000_0000n, { regime: 2, el: 2, stages: 1 }), failed(4n));
  // Another table for EL2&0.
  pe.set(TTBR0_EL1, pe.table());
  pe.set(TCR_EL2, pe.get(TCR_EL1));
  pe.set(HCR_EL2, (1n << 34n) | (1n << 27n));
  assert.equal(address(at(pe, VA, { regime: 2, el: 2, stages: 1 })), RAM);
  assert.equal(address(at(pe, VA, { stages: 1 })), RAM, "S1E1R");
  assert.equal(address(at(pe, VA, { el: 0, stages: 1 })), RAM, "S1E0R");
  assert.equal(at(pe, VA + 0x1000n, { el: 0, stages: 1 }), failed(15n));
  pe.set(HCR_EL2, 1n << 34n);
  assert.equal(at(pe, VA, { stages: 1 }), failed(4n), "S1E1R of a guest");
});

test("AT S1E3 of EL3, and S12E1 from EL3", () => {
  const { pe, s2 } = guest({ features: FEATURE_EL3 });
  pe.map(VA, IPA);
  s2.map(IPA, RAM);
  pe.map(VA + 0x1000n, RAM + 0x1000n);
  pe.set(TTBR0_EL3, pe.get(TTBR0_EL1));
  pe.set(MAIR_EL3, 0xffn);
  pe.set(SCTLR_EL3, 1n);
  pe.set(TCR_EL3, 16n | (5n << 16n));
  assert.equal(address(at(pe, VA + 0x1000n, { from: 3, regime: 3, el: 3, stages: 1 })), RAM + 0x1000n);
  pe.set(SCR_EL3, 1n);
  assert.equal(address(at(pe, VA, { from: 3 })), RAM);
  // Secure EL1 has no EL2 without SCR_EL3.EEL2.
  pe.set(SCR_EL3, 0n);
  assert.equal(address(at(pe, VA, { from: 3 })), IPA);
});

test("cache maintenance under stage 2: a fault has CM and WnR, and reading is not asked of EL1", () => {
  const { pe, s2 } = guest();
  pe.map(VA, IPA);
  s2.descriptor(IPA);
  const maintain = (access: number): number | bigint => {
    pe.set(ARG0, VA + 0x40n);
    return pe.call("maintain", access);
  };
  assert.equal(maintain(0), -1);
  assert.equal(pe.isStage2, true);
  assert.deepEqual(pe.fault(), { ec: 0x24, iss: 7 | (1 << 8) | (1 << 6), far: VA + 0x40n });
  s2.map(IPA, RAM, AF | memAttr(15));
  assert.equal(maintain(0), pe.linear(RAM + 0x40n));
  assert.equal(attempt(pe, VA)?.status, 15);
  assert.equal(maintain(1), -1, "DC IVAC writes");
  assert.deepEqual(pe.fault(), { ec: 0x24, iss: 15 | (1 << 8) | (1 << 6), far: VA + 0x40n });
});
