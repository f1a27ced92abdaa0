import assert from "node:assert/strict";
import { test } from "node:test";
import { LINE_VFIQ, LINE_VIRQ } from "../../cpu/ports.ts";
import { GIC_STATE_END } from "../../memory/linear-layout.ts";
import { GicV2 } from "./gicv2.ts";
import * as R from "./gicv2-registers.ts";
import { IDLE_PRIORITY, SPURIOUS } from "./state.ts";

// GICH.
const HCR = 0x0;
const VTR = 0x4;
const VMCR = 0x8;
const MISR = 0x10;
const EISR0 = 0x20;
const ELRSR0 = 0x30;
const APR = 0xf0;
const LR0 = 0x100;

// GICH_LR.
const PENDING = 1 << 28;
const ACTIVE = 1 << 29;
const GROUP1 = 1 << 30;
const HW = 2 ** 31;
const physical = (intid: number): number => HW + intid * 1024;
const source = (cpu: number): number => cpu << 10;
const EOI = 1 << 19;
/** Priority 0x80. */
const MIDDLE = 16 << 23;
const HIGH = 8 << 23;

/** Group 0 is a guest's only one when it has no Secure state: as vIRQ, VMFIQEn being clear. */
class Bench {
  readonly gic: GicV2;
  readonly lines = [0, 0];
  cpu = 0;

  constructor(vmcr = 1) {
    this.gic = new GicV2({
      ...{ memory: new ArrayBuffer(GIC_STATE_END), cpus: 2 },
      setLines: (cpu, lines) => {
        this.lines[cpu] = lines;
      },
      currentCpu: () => this.cpu,
    });
    this.gich(VMCR, 0xf800_0000 + vmcr);
    this.gich(HCR, 1);
  }
  get line(): string {
    const lines = this.lines[this.cpu] as number;
    return `${lines & LINE_VIRQ ? "vIRQ" : ""}${lines & LINE_VFIQ ? "vFIQ" : ""}`;
  }
  gich(offset: number, value: number): void {
    this.gic.hypervisorInterface.write(offset, 4, value);
  }
  readGich(offset: number): number {
    return this.gic.hypervisorInterface.read(offset, 4);
  }
  gicv(offset: number, value: number): void {
    this.gic.virtualCpuInterface.write(offset, 4, value);
  }
  readGicv(offset: number): number {
    return this.gic.virtualCpuInterface.read(offset, 4);
  }
  get maintenance(): boolean {
    return ((this.gic.distributor.read(0x200, 4) >>> 25) & 1) === 1;
  }
}

test("identification: four list registers, five bits of priority; GICV looks like a GICC", () => {
  const b = new Bench();
  assert.equal(b.readGich(VTR), 0x9000_0003);
  assert.equal(b.readGicv(R.IIDR), R.IIDR_VALUE);
  assert.equal(b.gic.virtualCpuInterface.size, 0x2000);
});

test("a list register reads as it was written; bits that do not exist are zero; there are four", () => {
  const b = new Bench();
  for (const value of [0xffff_ffff, physical(0x2aa) + PENDING + MIDDLE + 0x155, EOI + ACTIVE + HIGH + 40, GROUP1]) {
    b.gich(LR0 + 4, value);
    assert.equal(b.readGich(LR0 + 4), value & ~(7 << 20) ? (value & ~(7 << 20)) >>> 0 : 0);
  }
  b.gich(LR0 + 16, 0xffff_ffff);
  assert.equal(b.readGich(LR0 + 16), 0);
  b.gich(HCR, 0xffff_ffff);
  assert.equal(b.readGich(HCR), 0xf800_00ff);
  b.gich(VMCR, 0xffff_ffff);
  assert.equal(b.readGich(VMCR), 0xf8fc_021f);
});

test("a guest takes and ends an interrupt; EOImode 1 leaves it active until GICV_DIR", () => {
  const b = new Bench();
  b.gich(LR0, PENDING + MIDDLE + 40);
  assert.equal(b.line, "vIRQ");
  assert.equal(b.readGicv(R.HPPIR), 40);
  assert.equal(b.readGicv(R.IAR), 40);
  assert.equal(b.readGicv(R.RPR), 0x80);
  assert.equal(b.readGich(APR), 1 << 16);
  assert.equal(b.readGicv(R.APR0), 1 << 16);
  assert.equal(b.readGich(LR0), ACTIVE + MIDDLE + 40);
  assert.equal(b.line, "");
  b.gicv(R.EOIR, 40);
  assert.equal(b.readGicv(R.RPR), IDLE_PRIORITY);
  assert.equal(b.readGich(LR0), MIDDLE + 40);
  b.gicv(R.CTLR, 0x201);
  assert.equal(b.readGich(VMCR) & 0x3ff, 0x201, "GICV_CTLR is in GICH_VMCR");
  b.gich(LR0, PENDING + MIDDLE + 40);
  b.readGicv(R.IAR);
  b.gicv(R.EOIR, 40);
  assert.equal(b.readGich(LR0), ACTIVE + MIDDLE + 40);
  b.gicv(R.DIR, 40);
  assert.equal(b.readGich(LR0), MIDDLE + 40);
});

test("an SGI is known by its source, too", () => {
  const b = new Bench();
  b.gich(LR0, PENDING + MIDDLE + source(5) + 3);
  assert.equal(b.readGicv(R.IAR), source(5) + 3);
  b.gich(LR0 + 4, ACTIVE + MIDDLE + source(2) + 3);
  b.gicv(R.EOIR, source(5) + 3);
  assert.equal(b.readGich(LR0), MIDDLE + source(5) + 3);
  assert.equal(b.readGich(LR0 + 4), ACTIVE + MIDDLE + source(2) + 3);
});

test("Group 1 by GICV_IAR needs AckCtl, else 1022; by GICV_AIAR always; Group 0 is vFIQ with FIQEn", () => {
  const b = new Bench(0xb);
  b.gich(LR0, GROUP1 + PENDING + MIDDLE + 40);
  assert.equal(b.line, "vIRQ");
  assert.equal(b.readGicv(R.IAR), 1022);
  assert.equal(b.readGicv(R.HPPIR), 1022);
  assert.equal(b.readGicv(R.AHPPIR), 40);
  assert.equal(b.readGicv(R.AIAR), 40);
  b.gicv(R.AEOIR, 40);
  assert.equal(b.readGich(LR0), GROUP1 + MIDDLE + 40);
  b.gich(LR0, GROUP1 + PENDING + MIDDLE + 40);
  b.gicv(R.CTLR, 0xf);
  assert.equal(b.readGicv(R.IAR), 40);
  b.gicv(R.EOIR, 40);
  assert.equal(b.readGich(LR0), GROUP1 + MIDDLE + 40);
  b.gich(LR0, PENDING + MIDDLE + 41);
  assert.equal(b.line, "vFIQ");
  assert.equal(b.readGicv(R.AIAR), SPURIOUS);
  b.gicv(R.PMR, 0x80);
  assert.equal(b.readGicv(R.IAR), SPURIOUS, "masked");
  assert.equal(b.readGicv(R.HPPIR), 41);
});

test("binary points: BPR of Group 0, ABPR of Group 1", () => {
  const b = new Bench(3);
  assert.deepEqual([b.readGicv(R.BPR), b.readGicv(R.ABPR)], [2, 3]);
  b.gicv(R.ABPR, 6);
  b.gicv(R.BPR, 4);
  assert.equal((b.readGich(VMCR) >>> 18) & 0x3f, (4 << 3) | 6);
  b.gicv(R.CTLR, 0x13);
  assert.equal(b.readGicv(R.ABPR), 6, "CBPR hides it only from preemption");
});

test("the end of a linked interrupt deactivates the physical one", () => {
  const b = new Bench();
  const { distributor, cpuInterface } = b.gic;
  distributor.write(0, 4, 1);
  distributor.write(0x100, 4, 1 << 27);
  distributor.write(0x41b, 1, 0x80);
  cpuInterface.write(R.PMR, 4, 0xf8);
  cpuInterface.write(R.CTLR, 4, 0x201);
  b.gic.set(0, 27, true);
  assert.equal(cpuInterface.read(R.IAR, 4), 27);
  cpuInterface.write(R.EOIR, 4, 27);
  b.gich(LR0, physical(27) + PENDING + MIDDLE + 27);
  assert.equal(b.readGicv(R.IAR), 27);
  assert.equal(distributor.read(0x300, 4), 1 << 27);
  b.gicv(R.EOIR, 27);
  assert.equal(distributor.read(0x300, 4), 0);
  assert.equal(cpuInterface.read(R.IAR, 4), 27, "the timer's level is still high");
});

test("maintenance: an ended interrupt with the EOI bit, underflow, EOICount", () => {
  const b = new Bench();
  b.gich(LR0 + 8, EOI + PENDING + MIDDLE + 40);
  b.readGicv(R.IAR);
  assert.deepEqual([b.maintenance, b.readGich(ELRSR0)], [false, 0b1011]);
  b.gicv(R.EOIR, 40);
  assert.deepEqual([b.maintenance, b.readGich(MISR), b.readGich(EISR0), b.readGich(ELRSR0)], [true, 1, 4, 0b1011]);
  b.gich(LR0 + 8, 0);
  assert.equal(b.maintenance, false);
  b.gich(HCR, 3);
  assert.deepEqual([b.maintenance, b.readGich(MISR)], [true, 2]);
  b.gich(HCR, 5);
  assert.equal(b.maintenance, false);
  b.gich(APR, 1 << 16);
  b.gicv(R.EOIR, 50);
  assert.deepEqual([b.readGich(HCR) >>> 27, b.readGich(MISR), b.maintenance], [1, 4, true]);
});

test("banked by PE; a PE reaches another's control by its view", () => {
  const b = new Bench();
  b.gich(0x1200 + VMCR, 0xf800_0001);
  b.gich(0x1200 + HCR, 1);
  b.gich(0x1200 + LR0, PENDING + MIDDLE + 40);
  assert.equal(b.readGich(LR0), 0);
  assert.equal(b.line, "");
  b.cpu = 1;
  assert.equal(b.line, "vIRQ");
  assert.equal(b.readGich(LR0), PENDING + MIDDLE + 40);
  assert.equal(b.readGicv(R.IAR), 40);
  assert.equal(b.readGich(0x1400 + HCR), 0, "no third PE");
  assert.equal(b.readGich(0x1000 + HCR), 1, "the first PE's");
});

test("a reset clears it all, and the lines", () => {
  const b = new Bench();
  b.gich(LR0, PENDING + MIDDLE + 40);
  b.gic.resetCpu(0);
  assert.deepEqual([b.line, b.readGich(LR0), b.readGich(HCR)], ["", 0, 0]);
});
