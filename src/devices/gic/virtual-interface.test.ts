import assert from "node:assert/strict";
import { test } from "node:test";
import { IDLE_PRIORITY, SPURIOUS } from "./state.ts";
import * as R from "./sysreg-ids.ts";
import { ACTIVE, HCR, INVALID, PENDING, PENDING_ACTIVE, VirtualBench, VMCR, vmcr } from "./virtual-bench.ts";

const BOTH = VMCR.veng0 | VMCR.veng1;

// IHI0069 figure 4-3 for list registers: from what, by what, to what.
const ACTIONS = {
  acknowledge: (b: VirtualBench) => void b.acknowledge(),
  end: (b: VirtualBench) => b.end(40),
  deactivate: (b: VirtualBench) => b.icv(R.ICC_DIR_EL1, 40),
} as const;

/** `running`: the interrupt's priority is active, as an acknowledgement left it. */
const TRANSITIONS: readonly {
  readonly from: number;
  readonly running?: boolean;
  readonly veoim?: boolean;
  readonly action: keyof typeof ACTIONS;
  readonly to: number;
  readonly active: boolean;
}[] = [
  { from: INVALID, action: "acknowledge", to: INVALID, active: false },
  { from: PENDING, action: "acknowledge", to: ACTIVE, active: true },
  { from: ACTIVE, action: "acknowledge", to: ACTIVE, active: false },
  { from: PENDING_ACTIVE, action: "acknowledge", to: PENDING_ACTIVE, active: false },
  { from: PENDING, running: true, action: "acknowledge", to: PENDING, active: true },
  { from: ACTIVE, running: true, action: "end", to: INVALID, active: false },
  { from: PENDING_ACTIVE, running: true, action: "end", to: PENDING, active: false },
  { from: PENDING, running: true, action: "end", to: PENDING, active: false },
  { from: ACTIVE, running: false, action: "end", to: ACTIVE, active: false },
  { from: ACTIVE, running: true, veoim: true, action: "end", to: ACTIVE, active: false },
  { from: PENDING_ACTIVE, running: true, veoim: true, action: "end", to: PENDING_ACTIVE, active: false },
  { from: ACTIVE, veoim: true, action: "deactivate", to: INVALID, active: false },
  { from: PENDING_ACTIVE, veoim: true, action: "deactivate", to: PENDING, active: false },
  { from: PENDING, veoim: true, action: "deactivate", to: PENDING, active: false },
  { from: ACTIVE, veoim: true, running: true, action: "deactivate", to: INVALID, active: true },
  { from: ACTIVE, action: "deactivate", to: ACTIVE, active: false },
];

const NAMES = ["invalid", "pending", "active", "pending and active"];

for (const { from, running = false, veoim = false, action, to, active } of TRANSITIONS) {
  const mode = `${running ? ", its priority active" : ""}${veoim ? ", EOImode 1" : ""}`;
  test(`list register: ${NAMES[from]}${mode}: ${action} leaves it ${NAMES[to]}`, () => {
    const b = new VirtualBench();
    b.ich(R.ICH_VMCR_EL2, vmcr(BOTH | (veoim ? VMCR.veoim : 0)));
    b.list(2, { intid: 40, state: from });
    if (running) b.ich(R.ICH_AP1R0_EL2, 1 << 16);
    ACTIONS[action](b);
    assert.equal(b.stateOf(2), to);
    assert.equal(b.readIch(R.ICH_AP1R0_EL2), active ? 1 << 16 : 0);
  });
}

test("a pending virtual interrupt is signalled until it is acknowledged: vIRQ of Group 1, vFIQ of Group 0", () => {
  for (const group of [0, 1] as const) {
    const b = new VirtualBench();
    assert.equal(b.lines, 0);
    b.list(0, { intid: 27, state: PENDING, group });
    assert.deepEqual([b.virq, b.vfiq], [group === 1, group === 0]);
    assert.equal(b.acknowledge(group === 1 ? 0 : 1), SPURIOUS, "the other group's register");
    assert.equal(b.acknowledge(group), 27);
    assert.equal(b.lines, 0);
    assert.equal(b.runningPriority, 0x80);
    b.end(27, group);
    assert.equal(b.runningPriority, IDLE_PRIORITY);
    assert.equal(b.stateOf(0), INVALID);
  }
});

test("nothing is signalled with the interface, or the group, off; nor at or below the mask", () => {
  const b = new VirtualBench();
  b.list(0, { intid: 27, state: PENDING });
  b.ich(R.ICH_HCR_EL2, 0);
  assert.equal(b.virq, false);
  assert.equal(b.acknowledge(), SPURIOUS);
  b.ich(R.ICH_HCR_EL2, HCR.en);
  assert.equal(b.virq, true);
  b.icv(R.ICC_IGRPEN1_EL1, 0);
  assert.equal(b.virq, false);
  assert.equal(b.readIcv(R.ICC_HPPIR1_EL1), SPURIOUS);
  b.icv(R.ICC_IGRPEN1_EL1, 1);
  b.icv(R.ICC_PMR_EL1, 0x80);
  assert.equal(b.virq, false);
  assert.equal(b.readIcv(R.ICC_HPPIR1_EL1), 27, "pending all the same");
  b.icv(R.ICC_PMR_EL1, 0x8f);
  assert.equal(b.readIcv(R.ICC_PMR_EL1), 0x88, "five bits");
  assert.equal(b.virq, true);
  assert.equal(b.readIch(R.ICH_VMCR_EL2) >>> 24, 0x88, "the hypervisor sees the guest's mask");
});

test("the highest priority first; preemption by group priority; drops unwind", () => {
  const b = new VirtualBench();
  b.list(0, { intid: 50, state: PENDING, priority: 0x80 });
  b.list(1, { intid: 51, state: PENDING, priority: 0x40 });
  b.list(2, { intid: 52, state: PENDING, priority: 0x80 });
  assert.equal(b.acknowledge(), 51);
  assert.equal(b.virq, false, "0x80 does not preempt 0x40");
  b.list(3, { intid: 53, state: PENDING, priority: 0x20, group: 0 });
  assert.equal(b.vfiq, true);
  assert.equal(b.acknowledge(0), 53);
  assert.deepEqual([b.readIch(R.ICH_AP0R0_EL2), b.readIch(R.ICH_AP1R0_EL2)], [1 << 4, 1 << 8]);
  assert.equal(b.runningPriority, 0x20);
  b.end(53, 0);
  assert.equal(b.runningPriority, 0x40);
  b.end(51);
  assert.equal(b.acknowledge(), 50);
  b.end(50);
  assert.equal(b.acknowledge(), 52);
});

test("binary points: the guest's BPR0 and BPR1, and what VCBPR makes of them", () => {
  const b = new VirtualBench();
  b.ich(R.ICH_VMCR_EL2, vmcr(BOTH, 0xf8, 0, 0));
  assert.equal(b.readIcv(R.ICC_BPR0_EL1), 2, "no less than five bits of preemption allow");
  assert.equal(b.readIcv(R.ICC_BPR1_EL1), 3);
  b.icv(R.ICC_BPR1_EL1, 5);
  b.list(0, { intid: 40, state: PENDING, priority: 0x78 });
  assert.equal(b.acknowledge(), 40);
  assert.equal(b.runningPriority, 0x60, "the group priority runs");
  b.list(1, { intid: 41, state: PENDING, priority: 0x60 });
  assert.equal(b.virq, false, "0x60 and 0x78 are of one group priority");
  b.end(40);
  assert.equal(b.stateOf(0), INVALID);
  b.icv(R.ICC_CTLR_EL1, 1);
  assert.equal(b.readIch(R.ICH_VMCR_EL2) & VMCR.vcbpr, VMCR.vcbpr);
  assert.equal(b.readIcv(R.ICC_BPR1_EL1), 3, "BPR0 plus 1");
  b.icv(R.ICC_BPR1_EL1, 7);
  assert.equal(b.readIcv(R.ICC_BPR1_EL1), 3, "read-only");
  b.icv(R.ICC_BPR0_EL1, 7);
  assert.equal(b.readIcv(R.ICC_BPR1_EL1), 7, "saturates");
  assert.equal(b.acknowledge(), 41);
  assert.equal(b.runningPriority, 0, "no bit preempts");
});

test("EOI of a priority that is not the interrupt's, or of the other group, drops and does not deactivate", () => {
  const b = new VirtualBench();
  b.list(0, { intid: 40, state: PENDING, priority: 0x80 });
  b.list(1, { intid: 41, state: PENDING, priority: 0x40 });
  b.acknowledge();
  b.ich(R.ICH_AP1R0_EL2, (1 << 16) | (1 << 8));
  b.end(41, 0);
  assert.equal(b.stateOf(1), ACTIVE);
  assert.equal(b.readIch(R.ICH_AP1R0_EL2), 1 << 16, "the highest active priority is dropped");
  b.list(0, { intid: 40, state: ACTIVE, priority: 0x40 });
  b.end(40);
  assert.equal(b.stateOf(0), ACTIVE);
  assert.equal(b.readIch(R.ICH_AP1R0_EL2), 0);
});

test("EOIcount counts deactivations of interrupts in no list register, and wraps", () => {
  const count = (b: VirtualBench): number => b.readIch(R.ICH_HCR_EL2) >>> 27;
  const b = new VirtualBench();
  b.end(40);
  assert.equal(count(b), 0, "no active priority: nothing is dropped, nothing counted");
  b.ich(R.ICH_AP1R0_EL2, 1 << 16);
  b.end(40);
  assert.equal(count(b), 1);
  b.ich(R.ICH_AP1R0_EL2, 1 << 16);
  b.end(8192);
  assert.equal(count(b), 1, "LPIs do not count");
  for (const special of [1020, 1021, 1022, 1023]) {
    b.ich(R.ICH_AP1R0_EL2, 1 << 16);
    b.end(special);
    assert.equal(b.readIch(R.ICH_AP1R0_EL2), 1 << 16, "special INTIDs are ignored");
  }
  b.ich(R.ICH_VMCR_EL2, vmcr(BOTH | VMCR.veoim));
  b.end(40);
  assert.equal(count(b), 1, "EOImode 1: EOIR deactivates nothing");
  b.icv(R.ICC_DIR_EL1, 40);
  assert.equal(count(b), 2);
  b.ich(R.ICH_HCR_EL2, ((31 << 27) | HCR.en) >>> 0);
  b.icv(R.ICC_DIR_EL1, 40);
  assert.equal(b.readIch(R.ICH_HCR_EL2), HCR.en);
});

test("a virtual LPI ends with its EOI, whatever EOImode", () => {
  const b = new VirtualBench();
  b.ich(R.ICH_VMCR_EL2, vmcr(BOTH | VMCR.veoim));
  b.list(0, { intid: 8200, state: PENDING });
  assert.equal(b.acknowledge(), 8200);
  b.end(8200);
  assert.equal(b.stateOf(0), INVALID);
});

test("a list register with a special INTID is acknowledged once, without becoming active", () => {
  const b = new VirtualBench();
  b.list(0, { intid: 1021, state: PENDING });
  assert.equal(b.acknowledge(), 1021);
  assert.equal(b.stateOf(0), INVALID);
  assert.equal(b.runningPriority, IDLE_PRIORITY);
});

/** Physical SPI 40 of priority 0x80 in Group 1, enabled, which PE 0's hypervisor has acknowledged with EOImode 1 and dropped. */
function withPhysical(b: VirtualBench): void {
  const { distributor, redistributors, sysregs } = b.gic;
  redistributors.write(0x14, 4, 0);
  distributor.write(0, 4, 3);
  distributor.write(0x84, 4, 0x100);
  distributor.write(0x428, 1, 0x80);
  distributor.write(0x104, 4, 0x100);
  const icc = (id: number, value: number): boolean => sysregs.write(0, id, value, 0, 4);
  icc(R.ICC_PMR_EL1, 0xf8);
  icc(R.ICC_IGRPEN1_EL1, 1);
  icc(R.ICC_CTLR_EL1, 2);
  b.gic.line(8).set(true);
  assert.ok(sysregs.read(0, R.ICC_IAR1_EL1, 4));
  assert.equal(sysregs.low, 40);
  icc(R.ICC_EOIR1_EL1, 40);
  assert.equal(distributor.read(0x304, 4), 0x100);
}

test("the guest's EOI of a linked interrupt deactivates the physical one, which may come again", () => {
  const b = new VirtualBench();
  withPhysical(b);
  b.list(0, { intid: 77, state: PENDING, physical: 40 });
  assert.equal(b.acknowledge(), 77);
  assert.equal(b.gic.distributor.read(0x304, 4), 0x100, "active as long as the virtual one");
  const before = b.lines;
  b.end(77);
  assert.equal(b.gic.distributor.read(0x304, 4), 0);
  assert.notEqual(b.lines, before, "its line is still high");
  assert.equal(b.readIch(R.ICH_ELRSR_EL2) & 1, 1);
  assert.equal(b.readIch(R.ICH_EISR_EL2), 0, "no maintenance for it");
});

test("with EOImode 1 it is the guest's DIR that deactivates the physical one; a link to no interrupt does nothing", () => {
  const b = new VirtualBench();
  withPhysical(b);
  b.ich(R.ICH_VMCR_EL2, vmcr(BOTH | VMCR.veoim));
  b.list(0, { intid: 77, state: PENDING, physical: 40 });
  b.acknowledge();
  b.end(77);
  assert.equal(b.gic.distributor.read(0x304, 4), 0x100);
  b.icv(R.ICC_DIR_EL1, 77);
  assert.equal(b.gic.distributor.read(0x304, 4), 0);
  b.list(0, { intid: 77, state: ACTIVE, physical: 0x1fff });
  b.icv(R.ICC_DIR_EL1, 77);
  assert.equal(b.stateOf(0), INVALID);
});
