import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LINE_FIQ, LINE_IRQ, VIEW_NONSECURE, VIEW_VIRTUAL } from "../../cpu/ports.ts";
import { GIC_STATE, GIC_STATE_END } from "../../memory/linear-layout.ts";
import { GicV3 } from "./gicv3.ts";
import { IDLE_PRIORITY, SPURIOUS } from "./state.ts";
import * as R from "./sysreg-ids.ts";

const RD_STRIDE = 0x20000;
const SGI_BASE = 0x10000;

/** A GICv3 whose distributor and CPU interfaces are on, with all private interrupts in Group 1 at priority 0x80. */
class Bench {
  readonly gic: GicV3;
  readonly lines: { irq: boolean; fiq: boolean }[];

  constructor(cpus = 2) {
    this.lines = Array.from({ length: cpus }, () => ({ irq: false, fiq: false }));
    this.gic = new GicV3({
      memory: new ArrayBuffer(GIC_STATE_END),
      cpus,
      setLines: (cpu, lines) => {
        this.lines[cpu] = { irq: (lines & LINE_IRQ) !== 0, fiq: (lines & LINE_FIQ) !== 0 };
      },
    });
    this.gicd(0, 3);
    for (let cpu = 0; cpu < cpus; cpu++) {
      this.gic.redistributors.write(cpu * RD_STRIDE + 0x14, 4, 0);
      this.sgi(cpu, 0x80, 0xffff_ffff);
      for (let i = 0; i < 8; i++) this.sgi(cpu, 0x400 + 4 * i, 0x8080_8080);
      this.set(cpu, R.ICC_PMR_EL1, 0xf8);
      this.set(cpu, R.ICC_IGRPEN0_EL1, 1);
      this.set(cpu, R.ICC_IGRPEN1_EL1, 1);
    }
  }

  gicd(offset: number, value: number): void {
    this.gic.distributor.write(offset, 4, value);
  }

  sgi(cpu: number, offset: number, value: number): void {
    this.gic.redistributors.write(cpu * RD_STRIDE + SGI_BASE + offset, 4, value);
  }

  readSgi(cpu: number, offset: number): number {
    return this.gic.redistributors.read(cpu * RD_STRIDE + SGI_BASE + offset, 4);
  }

  get(cpu: number, id: number): number {
    assert.ok(this.gic.sysregs.read(cpu, id, VIEW_NONSECURE));
    return this.gic.sysregs.low;
  }

  set(cpu: number, id: number, low: number, high = 0): void {
    assert.equal(this.gic.sysregs.write(cpu, id, low, high, VIEW_NONSECURE), true);
  }

  /** An SPI in Group 1 at `priority`, enabled, with GICD_IROUTER `route`. */
  spi(intid: number, priority: number, route = 0): void {
    const word = (intid >>> 5) * 4;
    const bit = 1 << (intid & 31);
    this.gicd(0x80 + word, this.gic.distributor.read(0x80 + word, 4) | bit);
    this.gic.distributor.write(0x400 + intid, 1, priority);
    this.gicd(0x6000 + 8 * intid, route);
    this.gicd(0x100 + word, bit);
  }

  acknowledge(cpu = 0): number {
    return this.get(cpu, R.ICC_IAR1_EL1);
  }

  end(intid: number, cpu = 0): void {
    this.set(cpu, R.ICC_EOIR1_EL1, intid);
  }

  sgi1(cpu: number, sgi: number, targets: number): void {
    this.set(cpu, R.ICC_SGI1R_EL1, (sgi << 24) | targets);
  }
}

test("nothing pending: 1023 is acknowledged, priority idle, no line asserted", () => {
  const b = new Bench();
  assert.equal(b.acknowledge(), SPURIOUS);
  assert.equal(b.get(0, R.ICC_RPR_EL1), IDLE_PRIORITY);
  assert.deepEqual(b.lines[0], { irq: false, fiq: false });
});

test("a level-sensitive SPI is pending while its line is high, and again after EOI", () => {
  const b = new Bench();
  const line = b.gic.line(8);
  b.spi(40, 0x80);
  line.set(true);
  assert.equal(b.lines[0]?.irq, true);
  assert.equal(b.acknowledge(), 40);
  assert.equal(b.lines[0]?.irq, false, "active: not signalled again");
  assert.equal(b.gic.distributor.read(0x204, 4), 0x100, "active and pending");
  b.end(40);
  assert.equal(b.lines[0]?.irq, true);
  line.set(false);
  assert.equal(b.lines[0]?.irq, false);
  assert.equal(b.acknowledge(), SPURIOUS);
});

test("an edge-triggered SPI latches the rising edge until it is acknowledged or cleared", () => {
  const b = new Bench();
  const line = b.gic.line(8);
  b.spi(40, 0x80);
  b.gicd(0xc08, 2 << 16);
  assert.equal(b.gic.distributor.read(0xc08, 4), 2 << 16);
  line.set(true);
  line.set(false);
  assert.equal(b.acknowledge(), 40);
  line.set(true);
  b.end(40);
  assert.equal(b.acknowledge(), 40, "the edge that came while it was active");
  b.end(40);
  assert.equal(b.acknowledge(), SPURIOUS, "a level that stays is no edge");
  line.set(false);
  line.set(true);
  b.gicd(0x284, 0x100);
  assert.equal(b.acknowledge(), SPURIOUS);
});

test("ISPENDR latches a level-sensitive interrupt; ICPENDR does not take away its line", () => {
  const b = new Bench();
  const line = b.gic.line(8);
  b.spi(40, 0x80);
  b.gicd(0x204, 0x100);
  assert.equal(b.acknowledge(), 40);
  b.end(40);
  assert.equal(b.acknowledge(), SPURIOUS, "the acknowledgement took the latch");
  line.set(true);
  b.gicd(0x284, 0x100);
  assert.equal(b.gic.distributor.read(0x204, 4), 0x100);
  assert.equal(b.acknowledge(), 40);
});

test("a PPI is of its PE alone", () => {
  const b = new Bench();
  for (const cpu of [0, 1]) b.sgi(cpu, 0x100, 1 << 27);
  b.gic.set(1, 27, true);
  assert.equal(b.lines[0]?.irq, false);
  assert.equal(b.lines[1]?.irq, true);
  assert.equal(b.readSgi(0, 0x200), 0);
  assert.equal(b.readSgi(1, 0x200), 1 << 27);
  assert.equal(b.acknowledge(1), 27);
});

test("disabled interrupts and groups are not signalled", () => {
  const b = new Bench();
  b.gic.line(8).set(true);
  b.gicd(0x80 + 4, 0x100);
  b.gicd(0x104, 0x100);
  assert.equal(b.lines[0]?.irq, true);
  b.gicd(0x184, 0x100);
  assert.equal(b.lines[0]?.irq, false);
  b.gicd(0x104, 0x100);
  b.gicd(0, 1);
  assert.equal(b.lines[0]?.irq, false, "Group 1 off in the distributor");
  b.gicd(0, 2);
  assert.equal(b.lines[0]?.irq, true);
  b.set(0, R.ICC_IGRPEN1_EL1, 0);
  assert.equal(b.lines[0]?.irq, false, "Group 1 off in the CPU interface");
  assert.equal(b.acknowledge(), SPURIOUS);
});

test("a sleeping redistributor forwards nothing", () => {
  const b = new Bench();
  b.gic.redistributors.write(0x14, 4, 2);
  assert.equal(b.gic.redistributors.read(0x14, 4), 6);
  b.spi(40, 0x80);
  b.gic.line(8).set(true);
  assert.equal(b.lines[0]?.irq, false);
  b.gic.redistributors.write(0x14, 4, 0);
  assert.equal(b.gic.redistributors.read(0x14, 4), 0);
  assert.equal(b.lines[0]?.irq, true);
});

test("Group 0 is FIQ and acknowledged by IAR0 only; ICC_EOIR of the other group does nothing", () => {
  const b = new Bench();
  b.spi(40, 0x80);
  b.gicd(0x84, 0);
  b.gic.line(8).set(true);
  assert.deepEqual(b.lines[0], { irq: false, fiq: true });
  assert.equal(b.acknowledge(), SPURIOUS);
  assert.equal(b.get(0, R.ICC_HPPIR1_EL1), SPURIOUS);
  assert.equal(b.get(0, R.ICC_HPPIR0_EL1), 40);
  assert.equal(b.get(0, R.ICC_IAR0_EL1), 40);
  assert.equal(b.get(0, R.ICC_AP0R0_EL1), 1 << 16);
  b.end(40);
  assert.equal(b.get(0, R.ICC_RPR_EL1), 0x80);
  b.set(0, R.ICC_EOIR0_EL1, 40);
  assert.equal(b.get(0, R.ICC_RPR_EL1), IDLE_PRIORITY);
});

test("higher priority first, at equal priority the lower INTID", () => {
  const b = new Bench();
  b.spi(50, 0x60);
  b.spi(40, 0x60);
  b.spi(287, 0x58);
  for (const intid of [50, 40, 287]) b.gic.line(intid - 32).set(true);
  assert.equal(b.acknowledge(), 287);
  b.gic.line(287 - 32).set(false);
  b.end(287);
  assert.equal(b.acknowledge(), 40);
});

test("the priority mask lets only higher priorities through, and keeps five bits", () => {
  const b = new Bench();
  b.spi(40, 0x80);
  b.gic.line(8).set(true);
  b.set(0, R.ICC_PMR_EL1, 0x80);
  assert.equal(b.lines[0]?.irq, false);
  assert.equal(b.acknowledge(), SPURIOUS);
  assert.equal(b.get(0, R.ICC_HPPIR1_EL1), 40);
  b.set(0, R.ICC_PMR_EL1, 0x8f);
  assert.equal(b.get(0, R.ICC_PMR_EL1), 0x88);
  assert.equal(b.acknowledge(), 40);
});

test("preemption nests, and priority drops unwind", () => {
  const b = new Bench();
  b.spi(40, 0x80);
  b.spi(41, 0x80);
  b.spi(42, 0x40);
  b.gicd(0x204, 0x100);
  assert.equal(b.acknowledge(), 40);
  b.gicd(0x204, 0x200);
  assert.equal(b.lines[0]?.irq, false, "equal priority does not preempt");
  b.gicd(0x204, 0x400);
  assert.equal(b.lines[0]?.irq, true);
  assert.equal(b.acknowledge(), 42);
  assert.equal(b.get(0, R.ICC_RPR_EL1), 0x40);
  assert.equal(b.get(0, R.ICC_AP1R0_EL1), (1 << 16) | (1 << 8));
  b.end(42);
  assert.equal(b.get(0, R.ICC_RPR_EL1), 0x80);
  b.end(40);
  assert.equal(b.get(0, R.ICC_RPR_EL1), IDLE_PRIORITY);
  assert.equal(b.acknowledge(), 41);
});

test("the binary point says which bits preempt: Group 1's own is one off, CBPR gives it Group 0's", () => {
  const b = new Bench();
  assert.equal(b.get(0, R.ICC_BPR0_EL1), 2);
  assert.equal(b.get(0, R.ICC_BPR1_EL1), 3);
  b.spi(40, 0x78);
  b.spi(41, 0x60);
  b.set(0, R.ICC_BPR1_EL1, 5);
  b.gicd(0x204, 0x100);
  assert.equal(b.acknowledge(), 40);
  assert.equal(b.get(0, R.ICC_RPR_EL1), 0x60, "the group priority runs");
  b.gicd(0x204, 0x200);
  assert.equal(b.acknowledge(), SPURIOUS, "0x60 and 0x78 are of one group priority");
  b.end(40);
  b.set(0, R.ICC_CTLR_EL1, 1);
  assert.equal(b.get(0, R.ICC_BPR1_EL1), 3, "BPR0 plus 1");
  b.set(0, R.ICC_BPR1_EL1, 7);
  assert.equal(b.get(0, R.ICC_BPR0_EL1), 2);
  b.gicd(0x284, 0x200);
  b.gicd(0x204, 0x100);
  assert.equal(b.acknowledge(), 40);
  assert.equal(b.get(0, R.ICC_RPR_EL1), 0x78);
  b.gicd(0x204, 0x200);
  assert.equal(b.acknowledge(), 41);
});

test("EOImode 1: EOIR drops the priority, DIR deactivates", () => {
  const b = new Bench();
  b.set(0, R.ICC_CTLR_EL1, 2);
  assert.equal(b.get(0, R.ICC_CTLR_EL1), (1 << 15) | (4 << 8) | 2);
  b.sgi(0, 0x100, 8);
  b.sgi1(0, 3, 1);
  assert.equal(b.acknowledge(), 3);
  b.end(3);
  assert.equal(b.get(0, R.ICC_RPR_EL1), IDLE_PRIORITY);
  assert.equal(b.readSgi(0, 0x300), 8);
  b.sgi1(0, 3, 1);
  assert.equal(b.acknowledge(), SPURIOUS);
  b.set(0, R.ICC_DIR_EL1, 3);
  assert.equal(b.readSgi(0, 0x300), 0);
  assert.equal(b.acknowledge(), 3);
});

test("SGIs go to the listed PEs of a cluster, or to all but the sender", () => {
  const b = new Bench(18);
  for (let cpu = 0; cpu < 18; cpu++) b.sgi(cpu, 0x100, 0xffff);
  const asserted = () => b.lines.flatMap((line, cpu) => (line.irq ? [cpu] : []));
  b.sgi1(3, 5, 0b1010);
  assert.deepEqual(asserted(), [1, 3]);
  for (const cpu of [1, 3]) assert.equal(b.acknowledge(cpu), 5);
  b.set(0, R.ICC_SGI1R_EL1, (5 << 24) | (1 << 16) | 0b11);
  assert.deepEqual(asserted(), [16, 17], "Aff1 = 1");
  for (const cpu of [16, 17]) assert.equal(b.acknowledge(cpu), 5);
  b.set(2, R.ICC_SGI1R_EL1, 6 << 24, 1 << 8);
  for (const cpu of [1, 3, 16, 17]) b.end(5, cpu);
  assert.deepEqual(
    asserted(),
    Array.from({ length: 18 }, (_, cpu) => cpu).filter((cpu) => cpu !== 2),
  );
});

test("SGI0R and ASGI1R make Group 0 SGIs only", () => {
  const b = new Bench();
  b.sgi(0, 0x100, 3);
  b.sgi(0, 0x80, 1);
  b.set(1, R.ICC_SGI0R_EL1, (0 << 24) | 1);
  assert.equal(b.readSgi(0, 0x200), 0);
  b.set(1, R.ICC_SGI0R_EL1, (1 << 24) | 1);
  assert.equal(b.readSgi(0, 0x200), 2);
  assert.equal(b.get(0, R.ICC_IAR0_EL1), 1);
  b.set(1, R.ICC_ASGI1R_EL1, (1 << 24) | 1);
  assert.equal(b.readSgi(0, 0x200), 2);
});

test("IROUTER sends an SPI to the PE of that affinity, or to none", () => {
  const b = new Bench(18);
  b.spi(40, 0x80, 0x101);
  b.gic.line(8).set(true);
  assert.equal(b.lines[17]?.irq, true);
  assert.equal(b.lines[0]?.irq, false);
  b.gicd(0x6000 + 320 + 4, 1);
  assert.equal(b.lines[17]?.irq, false, "Aff3 = 1 is no PE's");
  assert.equal(b.gic.distributor.read(0x6000 + 320 + 4, 4), 1);
  b.gicd(0x6000 + 320 + 4, 0);
  b.gicd(0x6000 + 320, 1);
  assert.equal(b.lines[1]?.irq, true);
});

test("1 of N: one participating PE gets it, another when that one stops participating", () => {
  const b = new Bench(3);
  b.spi(40, 0x80, 0x8000_0002);
  assert.equal(b.gic.distributor.read(0x6000 + 320, 4), 0x8000_0002);
  b.gic.line(8).set(true);
  assert.deepEqual(
    b.lines.map((line) => line.irq),
    [true, false, false],
  );
  b.set(0, R.ICC_IGRPEN1_EL1, 0);
  assert.deepEqual(
    b.lines.map((line) => line.irq),
    [false, true, false],
  );
  b.gic.resetCpu(1);
  assert.equal(b.lines[2]?.irq, true);
  assert.equal(b.acknowledge(2), 40);
  b.gic.line(8).set(false);
  b.end(40, 2);
  assert.equal(b.gic.distributor.read(0x304, 4), 0);
});

test("identification: ArchRev 3, 288 INTIDs, ARE and DS fixed, the last redistributor is marked", () => {
  const b = new Bench(2);
  assert.equal(b.gic.distributor.read(0xffe8, 4) & 0xf0, 0x30);
  assert.equal(b.gic.redistributors.read(0xffe8, 4) & 0xf0, 0x30);
  assert.equal(b.gic.distributor.read(4, 4) & 31, 8);
  b.gicd(0, 0);
  assert.equal(b.gic.distributor.read(0, 4), 0x50);
  assert.equal(b.gic.redistributors.size, 2 * RD_STRIDE);
  assert.equal(b.gic.redistributors.read(8, 4), 0);
  assert.equal(b.gic.redistributors.read(RD_STRIDE + 8, 4), 0x110);
  assert.equal(b.gic.redistributors.read(RD_STRIDE + 12, 4), 1);
});

test("IPRIORITYR by bytes; the others by words only; GICD has nothing for private interrupts", () => {
  const b = new Bench();
  b.gic.distributor.write(0x400 + 41, 1, 0xff);
  assert.equal(b.gic.distributor.read(0x400 + 40, 4), 0xf800);
  assert.equal(b.gic.distributor.read(0x400 + 41, 1), 0xf8);
  b.gic.distributor.write(0x104, 1, 0xff);
  assert.equal(b.gic.distributor.read(0x104, 4), 0);
  b.gicd(0x100, 0xffff_ffff);
  b.gicd(0x400, 0x1010_1010);
  assert.equal(b.gic.distributor.read(0x100, 4), 0);
  assert.equal(b.readSgi(0, 0x100), 0);
  assert.equal(b.readSgi(0, 0x400), 0x8080_8080);
  assert.equal(b.readSgi(0, 0xc00), 0xaaaa_aaaa, "SGIs are edge-triggered");
});

test("registers that do not exist, or are written only or read only, are UNDEFINED", () => {
  const b = new Bench();
  assert.equal(b.gic.sysregs.read(0, R.ICC_EOIR1_EL1, VIEW_NONSECURE), false);
  assert.equal(b.gic.sysregs.write(0, R.ICC_IAR1_EL1, 0, 0, VIEW_NONSECURE), false);
  assert.equal(b.gic.sysregs.read(0, R.ICC_AP1R0_EL1 + 1, VIEW_NONSECURE), false);
});

test("reset keeps the levels of the inputs and drops the rest", () => {
  const b = new Bench();
  b.spi(40, 0x80);
  b.gic.line(8).set(true);
  b.gic.distributor.reset();
  assert.deepEqual(b.lines[0], { irq: false, fiq: false });
  assert.equal(b.gic.distributor.read(0x104, 4), 0);
  assert.equal(b.gic.distributor.read(0x204, 4), 0x100);
  assert.equal(b.gic.redistributors.read(0x14, 4), 6);
});

const offsetIn = (size: number) => fc.integer({ min: 0, max: size / 4 - 1 }).map((word) => word * 4);
const word = fc.integer({ min: 0, max: 0xffff_ffff });
const registers = Object.values(R).filter((id) => typeof id === "number");

test("whatever a guest accesses, nothing throws, values are 32-bit, and nothing outside GIC_STATE changes", () => {
  const action = fc.oneof(
    fc.tuple(fc.constant("gicd"), offsetIn(0x1000), word),
    fc.tuple(fc.constant("gicd"), offsetIn(0x10000), word),
    fc.tuple(fc.constant("gicr"), offsetIn(3 * RD_STRIDE), word),
    fc.tuple(fc.constant("sgi"), offsetIn(0x1000), word),
    fc.tuple(fc.constant("icc"), fc.constantFrom(...registers), word),
    fc.tuple(fc.constant("icc"), fc.integer({ min: 0, max: 0xffff }), word),
    fc.tuple(fc.constant("line"), fc.integer({ min: 0, max: 255 }), word),
  );
  const narrow = fc.constantFrom<1 | 2 | 4>(1, 2, 4, 4, 4);
  fc.assert(
    fc.property(fc.array(fc.tuple(action, narrow, fc.boolean()), { minLength: 20, maxLength: 200 }), (steps) => {
      const memory = new ArrayBuffer(GIC_STATE_END + 4096);
      const gic = new GicV3({ memory, cpus: 3, setLines: () => {} });
      for (const [[kind, at, value], bytes, isWrite] of steps) {
        const cpu = value % 3;
        let result = 0;
        if (kind === "line") gic.line(at).set(isWrite);
        else if (kind === "icc") {
          const view = value & 1 ? VIEW_VIRTUAL : VIEW_NONSECURE;
          if (isWrite) gic.sysregs.write(cpu, at, value | 0, value | 0, view);
          else if (gic.sysregs.read(cpu, at, view)) result = gic.sysregs.low >>> 0;
        } else {
          const device = kind === "gicd" ? gic.distributor : gic.redistributors;
          const offset = kind === "sgi" ? cpu * RD_STRIDE + SGI_BASE + at : at;
          if (isWrite) device.write(offset, bytes, value % 2 ** (8 * bytes));
          else result = device.read(offset, bytes);
        }
        assert.ok(Number.isInteger(result) && result >= 0 && result < 2 ** 32);
      }
      assert.ok(new Uint8Array(memory, 0, GIC_STATE).every((byte) => byte === 0));
      assert.ok(new Uint8Array(memory, GIC_STATE_END).every((byte) => byte === 0));
    }),
    { numRuns: 50 },
  );
});

test("every interrupt that is acknowledged was the highest priority candidate of a plain search", () => {
  const source = fc.record({
    intid: fc.integer({ min: 32, max: 287 }),
    priority: fc.integer({ min: 0, max: 255 }),
    enabled: fc.boolean(),
    pending: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.uniqueArray(source, { selector: (s) => s.intid }), word, (sources, mask) => {
      const b = new Bench(1);
      b.set(0, R.ICC_PMR_EL1, mask & 0xff);
      for (const { intid, priority, enabled, pending } of sources) {
        b.spi(intid, priority);
        if (!enabled) b.gicd(0x180 + (intid >>> 5) * 4, 1 << (intid & 31));
        b.gic.line(intid - 32).set(pending);
      }
      const expected = sources
        .filter((s) => s.enabled && s.pending && (s.priority & 0xf8) < (mask & 0xf8))
        .sort((x, y) => (x.priority & 0xf8) - (y.priority & 0xf8) || x.intid - y.intid)[0];
      assert.equal(b.lines[0]?.irq, expected !== undefined);
      assert.equal(b.acknowledge(), expected?.intid ?? SPURIOUS);
    }),
    { numRuns: 100 },
  );
});
