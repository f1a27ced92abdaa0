import assert from "node:assert/strict";
import { test } from "node:test";
import * as R from "./sysreg-ids.ts";
import { ACTIVE, HCR, INVALID, PENDING, PENDING_ACTIVE, VirtualBench, VMCR, vmcr } from "./virtual-bench.ts";

const BOTH = VMCR.veng0 | VMCR.veng1;
const fill = (b: VirtualBench, states: readonly number[]): void => {
  for (const [n, state] of states.entries()) b.list(n, { intid: 40 + n, state });
};

// Each condition of ICH_MISR_EL2: the bit, its enable, something that makes it so and something that does not.
const CONDITIONS: readonly {
  readonly name: string;
  readonly enable: number;
  readonly bit: number;
  readonly met: (b: VirtualBench) => void;
  readonly unmet: (b: VirtualBench) => void;
}[] = [
  {
    name: "underflow: one valid list register or none",
    ...{ enable: HCR.uie, bit: 1 },
    met: (b) => fill(b, [INVALID, ACTIVE, INVALID, INVALID]),
    unmet: (b) => fill(b, [PENDING, ACTIVE, INVALID, INVALID]),
  },
  {
    name: "list register entry not present: EOIcount is not zero",
    ...{ enable: HCR.lrenpie, bit: 2 },
    met: (b) => b.ich(R.ICH_HCR_EL2, (1 << 27) | b.readIch(R.ICH_HCR_EL2)),
    unmet: (b) => b.ich(R.ICH_HCR_EL2, b.readIch(R.ICH_HCR_EL2) & 0x7ffffff),
  },
  {
    name: "no pending: none of the list registers is pending",
    ...{ enable: HCR.npie, bit: 3 },
    met: (b) => fill(b, [PENDING_ACTIVE, ACTIVE, INVALID, INVALID]),
    unmet: (b) => fill(b, [PENDING_ACTIVE, ACTIVE, INVALID, PENDING]),
  },
  {
    name: "Group 0 enabled",
    ...{ enable: HCR.vgrp0eie, bit: 4 },
    met: (b) => b.icv(R.ICC_IGRPEN0_EL1, 1),
    unmet: (b) => b.icv(R.ICC_IGRPEN0_EL1, 0),
  },
  {
    name: "Group 0 disabled",
    ...{ enable: HCR.vgrp0die, bit: 5 },
    met: (b) => b.icv(R.ICC_IGRPEN0_EL1, 0),
    unmet: (b) => b.icv(R.ICC_IGRPEN0_EL1, 1),
  },
  {
    name: "Group 1 enabled",
    ...{ enable: HCR.vgrp1eie, bit: 6 },
    met: (b) => b.icv(R.ICC_IGRPEN1_EL1, 1),
    unmet: (b) => b.icv(R.ICC_IGRPEN1_EL1, 0),
  },
  {
    name: "Group 1 disabled",
    ...{ enable: HCR.vgrp1die, bit: 7 },
    met: (b) => b.icv(R.ICC_IGRPEN1_EL1, 0),
    unmet: (b) => b.icv(R.ICC_IGRPEN1_EL1, 1),
  },
];

for (const { name, enable, bit, met, unmet } of CONDITIONS) {
  test(`maintenance interrupt: ${name}`, () => {
    const b = new VirtualBench();
    const seen = (): unknown => [b.readIch(R.ICH_MISR_EL2), b.maintenance];
    met(b);
    assert.deepEqual(seen(), [0, false], "not asked for");
    b.ich(R.ICH_HCR_EL2, b.readIch(R.ICH_HCR_EL2) | enable);
    assert.deepEqual(seen(), [1 << bit, true]);
    unmet(b);
    assert.deepEqual(seen(), [0, false], "its condition is gone, and so is the level");
    met(b);
    assert.deepEqual(seen(), [1 << bit, true]);
    b.ich(R.ICH_HCR_EL2, b.readIch(R.ICH_HCR_EL2) & ~HCR.en);
    assert.deepEqual(seen(), [1 << bit, false], "the interface is off");
  });
}

test("an interrupt with the EOI bit asks for maintenance when it has ended, until its list register is written", () => {
  const b = new VirtualBench();
  b.list(1, { intid: 40, state: PENDING, eoi: true });
  b.list(2, { intid: 41, state: PENDING });
  b.acknowledge();
  assert.equal(b.maintenance, false);
  b.end(40);
  assert.equal(b.readIch(R.ICH_EISR_EL2), 1 << 1);
  assert.equal(b.readIch(R.ICH_ELRSR_EL2), 0b1001, "not free before the hypervisor has seen it");
  assert.equal(b.readIch(R.ICH_MISR_EL2), 1);
  assert.equal(b.maintenance, true);
  b.list(1, { intid: 0, state: INVALID });
  assert.equal(b.maintenance, false);
  assert.equal(b.readIch(R.ICH_ELRSR_EL2), 0b1011);
});

test("free list registers are those without a valid interrupt or one that has ended", () => {
  const b = new VirtualBench();
  fill(b, [PENDING, ACTIVE, PENDING_ACTIVE, INVALID]);
  assert.equal(b.readIch(R.ICH_ELRSR_EL2), 0b1000);
  b.list(3, { intid: 40, state: INVALID, physical: 0x200 });
  assert.equal(b.readIch(R.ICH_ELRSR_EL2), 0b1000, "bit 9 of a linked physical INTID is no EOI bit");
  b.list(3, { intid: 40, state: INVALID, eoi: true });
  assert.equal(b.readIch(R.ICH_ELRSR_EL2), 0);
});

test("the maintenance interrupt is a private one of its PE: INTID 25 of Group 1", () => {
  const b = new VirtualBench();
  const { distributor, redistributors, sysregs } = b.gic;
  redistributors.write(0x14, 4, 0);
  distributor.write(0, 4, 2);
  redistributors.write(0x10080, 4, 1 << 25);
  redistributors.write(0x10100, 4, 1 << 25);
  sysregs.write(0, R.ICC_PMR_EL1, 0xf8, 0, 4);
  sysregs.write(0, R.ICC_IGRPEN1_EL1, 1, 0, 4);
  b.ich(R.ICH_HCR_EL2, HCR.en | HCR.uie);
  assert.ok(sysregs.read(0, R.ICC_IAR1_EL1, 4));
  assert.equal(sysregs.low, 25);
  assert.equal(redistributors.read(0x30200, 4), 0, "not the other PE's");
});

test("identification and reserved bits: four list registers, five bits of priority, no SEIs, no direct injection", () => {
  const b = new VirtualBench();
  assert.equal(b.readIch(R.ICH_VTR_EL2), 0x90380003);
  b.ich(R.ICH_HCR_EL2, -1);
  assert.equal(b.readIch(R.ICH_HCR_EL2), 0xf8005cff);
  b.ich(R.ICH_HCR_EL2, 0);
  b.ich(R.ICH_VMCR_EL2, -1);
  assert.equal(b.readIch(R.ICH_VMCR_EL2), 0xf8fc021b, "VFIQEn is RES1, VAckCtl RES0");
  b.ich(R.ICH_VMCR_EL2, 0);
  assert.equal(b.readIch(R.ICH_VMCR_EL2), vmcr(VMCR.vfiqEn, 0));
  b.ich(R.ICH_LR0_EL2 + 3, -1, -1);
  assert.equal(b.readIch(R.ICH_LR0_EL2 + 3), 0xffff);
  assert.equal(b.gic.sysregs.high >>> 0, 0xf0f81fff);
  for (const id of [R.ICH_LR0_EL2 + 4, R.ICH_AP0R0_EL2 + 1, R.ICH_AP1R0_EL2 + 1]) {
    assert.equal(b.gic.sysregs.read(0, id, 4), false);
    assert.equal(b.gic.sysregs.write(0, id, 0, 0, 4), false);
  }
  for (const id of [R.ICH_VTR_EL2, R.ICH_MISR_EL2, R.ICH_EISR_EL2, R.ICH_ELRSR_EL2]) {
    assert.equal(b.gic.sysregs.write(0, id, 0, 0, 4), false, "read-only");
  }
});

test("what the guest sees of itself: ICV_CTLR_EL1, active priorities, and the state of a reset", () => {
  const b = new VirtualBench();
  b.icv(R.ICC_CTLR_EL1, -1);
  assert.equal(b.readIcv(R.ICC_CTLR_EL1), 0x8403);
  assert.equal(b.readIch(R.ICH_VMCR_EL2) & 0x21f, BOTH | VMCR.vcbpr | VMCR.veoim | VMCR.vfiqEn);
  b.icv(R.ICC_AP1R0_EL1, 0x8000_0001);
  assert.equal(b.readIch(R.ICH_AP1R0_EL2), 0x8000_0001);
  b.ich(R.ICH_AP0R0_EL2, 2);
  assert.equal(b.readIcv(R.ICC_AP0R0_EL1), 2);
  b.list(0, { intid: 40, state: PENDING });
  b.gic.resetCpu(0);
  assert.deepEqual([b.lines, b.stateOf(0), b.readIch(R.ICH_HCR_EL2), b.readIch(R.ICH_AP1R0_EL2)], [0, 0, 0, 0]);
});
