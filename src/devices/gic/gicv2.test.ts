import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LINE_FIQ, LINE_IRQ } from "../../cpu/ports.ts";
import { GIC_STATE, GIC_STATE_END } from "../../memory/linear-layout.ts";
import { GicV2 } from "./gicv2.ts";
import { IDLE_PRIORITY, SPURIOUS } from "./state.ts";

const CTLR = 0x0;
const PMR = 0x4;
const IAR = 0xc;
const EOIR = 0x10;
const RPR = 0x14;
const HPPIR = 0x18;
const AIAR = 0x20;
const AEOIR = 0x24;
const AHPPIR = 0x28;
const DIR = 0x1000;

/** A GICv2 with its distributor and CPU interfaces on, priorities 0x80. Accesses are by PE `cpu`. */
class Bench {
  readonly gic: GicV2;
  readonly lines: { irq: boolean; fiq: boolean }[];
  cpu = 0;

  constructor(cpus = 4, ctlr = 1) {
    this.lines = Array.from({ length: cpus }, () => ({ irq: false, fiq: false }));
    this.gic = new GicV2({
      memory: new ArrayBuffer(GIC_STATE_END),
      cpus,
      setLines: (cpu, lines) => {
        this.lines[cpu] = { irq: (lines & LINE_IRQ) !== 0, fiq: (lines & LINE_FIQ) !== 0 };
      },
      currentCpu: () => this.cpu,
    });
    this.gicd(CTLR, 3);
    for (this.cpu = cpus - 1; ; this.cpu--) {
      for (let i = 0; i < 8; i++) this.gicd(0x400 + 4 * i, 0x8080_8080);
      this.gicc(PMR, 0xf0);
      this.gicc(CTLR, ctlr);
      if (this.cpu === 0) break;
    }
  }

  gicd(offset: number, value: number, bytes: 1 | 2 | 4 = 4): void {
    this.gic.distributor.write(offset, bytes, value);
  }

  readGicd(offset: number, bytes: 1 | 2 | 4 = 4): number {
    return this.gic.distributor.read(offset, bytes);
  }

  gicc(offset: number, value: number): void {
    this.gic.cpuInterface.write(offset, 4, value);
  }

  readGicc(offset: number): number {
    return this.gic.cpuInterface.read(offset, 4);
  }

  spi(intid: number, targets: number): void {
    this.gicd(0x800 + intid, targets, 1);
    this.gicd(0x400 + intid, 0x80, 1);
    this.gicd(0x100 + (intid >>> 5) * 4, 1 << (intid & 31));
  }

  irqs(): number[] {
    return this.lines.flatMap((line, cpu) => (line.irq ? [cpu] : []));
  }
}

test("SGIs: target list, all but self, self; the source is in IAR", () => {
  const b = new Bench();
  for (b.cpu = 3; b.cpu > 0; b.cpu--) b.gicd(0x100, 0xffff);
  b.gicd(0x100, 0xffff);
  b.cpu = 2;
  b.gicd(0xf00, (0b1001 << 16) | 5);
  assert.deepEqual(b.irqs(), [0, 3]);
  b.cpu = 1;
  b.gicd(0xf00, (0b1000 << 16) | 5);
  b.cpu = 3;
  assert.equal(b.readGicd(0xf24), 0b0110 << 8, "SPENDSGIR: pending from PEs 1 and 2");
  assert.equal(b.readGicc(HPPIR), (1 << 10) | 5);
  assert.equal(b.readGicc(IAR), (1 << 10) | 5);
  b.gicc(EOIR, (1 << 10) | 5);
  assert.equal(b.readGicc(IAR), (2 << 10) | 5);
  b.gicc(EOIR, (2 << 10) | 5);
  assert.equal(b.readGicc(IAR), SPURIOUS);
  b.cpu = 0;
  assert.equal(b.readGicc(IAR), (2 << 10) | 5);
  b.gicc(EOIR, (2 << 10) | 5);
  b.gicd(0xf00, (1 << 24) | 6);
  assert.deepEqual(b.irqs(), [1, 2, 3]);
  b.gicd(0xf00, (2 << 24) | 6);
  assert.deepEqual(b.irqs(), [0, 1, 2, 3]);
  b.gicd(0xf00, (3 << 24) | (0xf << 16) | 7);
  assert.equal(b.readGicd(0x200), 1 << 6, "filter 3 is reserved");
});

test("SGI pending state changes by CPENDSGIR and SPENDSGIR bytes, not by ISPENDR and ICPENDR", () => {
  const b = new Bench();
  b.gicd(0x100, 0xffff);
  b.gicd(0x200, 1 << 4);
  assert.equal(b.readGicd(0x200), 0);
  b.gicd(0xf24, 0b1010, 1);
  assert.equal(b.readGicd(0x200), 1 << 4);
  assert.deepEqual(b.irqs(), [0]);
  b.gicd(0x280, 1 << 4);
  b.gicd(0xf14, 0b0010, 1);
  assert.equal(b.readGicd(0xf14, 1), 0b1000);
  b.gicd(0xf14, 0b1000, 1);
  assert.deepEqual(b.irqs(), []);
});

test("private registers are banked by PE", () => {
  const b = new Bench();
  b.gicd(0x100, 1 << 27);
  b.gicd(0x400 + 27, 0x20, 1);
  b.cpu = 1;
  assert.equal(b.readGicd(0x100), 0);
  assert.equal(b.readGicd(0x400 + 27, 1), 0x80);
  b.gicc(PMR, 0x50);
  b.cpu = 0;
  assert.equal(b.readGicc(PMR), 0xf0);
  b.gic.set(0, 27, true);
  b.gic.set(1, 27, true);
  assert.deepEqual(b.irqs(), [0]);
  assert.equal(b.readGicc(IAR), 27);
});

test("an SPI goes to all its targets; the first to acknowledge gets it", () => {
  const b = new Bench();
  b.spi(40, 0b0110);
  b.gic.line(8).set(true);
  assert.deepEqual(b.irqs(), [1, 2]);
  b.cpu = 2;
  assert.equal(b.readGicc(IAR), 40);
  assert.deepEqual(b.irqs(), []);
  b.cpu = 1;
  assert.equal(b.readGicc(IAR), SPURIOUS);
  b.cpu = 2;
  b.gicc(EOIR, 40);
  assert.deepEqual(b.irqs(), [1, 2], "the line is still high");
  b.gicd(0x800 + 40, 0b1000, 1);
  assert.deepEqual(b.irqs(), [3]);
});

test("ITARGETSR: private ones name the reader, targets that do not exist read as zero", () => {
  const b = new Bench();
  b.cpu = 2;
  assert.equal(b.readGicd(0x800), 0x0404_0404);
  b.gicd(0x828, 0xffff_ffff);
  assert.equal(b.readGicd(0x828), 0x0f0f_0f0f);
  const one = new Bench(1);
  one.spi(40, 1);
  assert.equal(one.readGicd(0x828), 0, "RAZ/WI with one PE");
  one.gic.line(8).set(true);
  assert.deepEqual(one.irqs(), [0]);
});

test("preemption and priority drop", () => {
  const b = new Bench();
  b.spi(40, 1);
  b.spi(41, 1);
  b.gicd(0x204, 0x100);
  assert.equal(b.readGicc(IAR), 40);
  assert.equal(b.readGicc(RPR), 0x80);
  b.gicd(0x204, 0x200);
  assert.equal(b.readGicc(IAR), SPURIOUS);
  b.gicd(0x400 + 41, 0x40, 1);
  assert.deepEqual(b.irqs(), [0]);
  assert.equal(b.readGicc(IAR), 41);
  assert.equal(b.readGicc(0xd0), (1 << 16) | (1 << 8), "APR0");
  b.gicc(EOIR, 41);
  assert.equal(b.readGicc(RPR), 0x80);
  b.gicc(EOIR, 40);
  assert.equal(b.readGicc(RPR), IDLE_PRIORITY);
});

test("EOImode 1: EOIR drops the priority, DIR deactivates", () => {
  const b = new Bench(1, 0x201);
  assert.equal(b.readGicc(CTLR), 0x201);
  b.spi(40, 1);
  b.gicd(0x204, 0x100);
  assert.equal(b.readGicc(IAR), 40);
  b.gicc(EOIR, 40);
  assert.equal(b.readGicc(RPR), IDLE_PRIORITY);
  assert.equal(b.readGicd(0x304), 0x100);
  b.gicc(DIR, 40);
  assert.equal(b.readGicd(0x304), 0);
});

test("Group 0 is FIQ with FIQEn, Group 1 always IRQ", () => {
  const b = new Bench(1, 0xb);
  b.spi(40, 1);
  b.gic.line(8).set(true);
  assert.deepEqual(b.lines[0], { irq: false, fiq: true });
  b.gicd(0x84, 0x100);
  assert.deepEqual(b.lines[0], { irq: true, fiq: false });
});

test("Group 1 through GICC_IAR needs AckCtl, else 1022; the aliased registers are Group 1's", () => {
  const b = new Bench(1, 3);
  b.spi(40, 1);
  b.gicd(0x84, 0x100);
  b.gic.line(8).set(true);
  assert.equal(b.readGicc(IAR), 1022);
  assert.equal(b.readGicc(HPPIR), 1022);
  assert.equal(b.readGicc(AHPPIR), 40);
  assert.equal(b.readGicc(AIAR), 40);
  assert.equal(b.readGicc(0xe0), 1 << 16, "NSAPR0");
  b.gicc(AEOIR, 40);
  assert.equal(b.readGicc(RPR), IDLE_PRIORITY);
  b.gicc(CTLR, 7);
  assert.equal(b.readGicc(IAR), 40);
  b.gicc(EOIR, 40);
  b.gicd(0x84, 0);
  assert.equal(b.readGicc(AIAR), SPURIOUS, "Group 0 is not the aliased registers'");
  assert.equal(b.readGicc(AHPPIR), SPURIOUS);
  assert.equal(b.readGicc(IAR), 40);
});

test("identification", () => {
  const b = new Bench(4);
  assert.equal(b.readGicd(0xfe8) & 0xf0, 0x20);
  assert.equal(b.readGicd(4), (3 << 5) | 8);
  assert.equal(b.readGicc(0xfc) >>> 16, 2);
});

test("whatever a guest accesses, nothing throws, values are 32-bit, and nothing outside GIC_STATE changes", () => {
  const step = fc.record({
    kind: fc.constantFrom("gicd", "gicc", "gich", "gicv", "line", "ppi"),
    at: fc.integer({ min: 0, max: 0x3ff }),
    low: fc.boolean(),
    value: fc.integer({ min: 0, max: 0xffff_ffff }),
    bytes: fc.constantFrom<1 | 2 | 4>(1, 2, 4, 4),
    isWrite: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { minLength: 20, maxLength: 200 }), fc.integer({ min: 1, max: 8 }), (steps, cpus) => {
      const memory = new ArrayBuffer(GIC_STATE_END + 4096);
      let cpu = 0;
      const gic = new GicV2({ memory, cpus, setLines: () => {}, currentCpu: () => cpu });
      for (const { kind, at, low, value, bytes, isWrite } of steps) {
        cpu = value % cpus;
        if (kind === "line") gic.line(at & 255).set(isWrite);
        else if (kind === "ppi") gic.set(cpu, 16 + (at & 15), isWrite);
        else {
          const { distributor: gicd, cpuInterface: gicc, hypervisorInterface: gich, virtualCpuInterface: gicv } = gic;
          const device = { gicd, gicc, gich, gicv }[kind];
          const offset = kind !== "gicd" && low ? (at & 15) * 4 : at * 4;
          if (isWrite) device.write(offset, bytes, value % 2 ** (8 * bytes));
          else {
            const result = device.read(offset, bytes);
            assert.ok(Number.isInteger(result) && result >= 0 && result < 2 ** 32);
          }
        }
      }
      assert.ok(new Uint8Array(memory, 0, GIC_STATE).every((byte) => byte === 0));
      assert.ok(new Uint8Array(memory, GIC_STATE_END).every((byte) => byte === 0));
    }),
    { numRuns: 50 },
  );
});
