import assert from "node:assert/strict";
import { test } from "node:test";
import { LINE_FIQ, LINE_IRQ } from "../../cpu/ports.ts";
import { GIC_STATE_END } from "../../memory/linear-layout.ts";
import { GicV2 } from "./gicv2.ts";
import * as R from "./gicv2-registers.ts";
import { SPURIOUS } from "./state.ts";

/** SPI 32 is Secure (Group 0) of priority 0x40, SPI 33 Non-secure of 0xa0; Group 0 is FIQ. */
class Bench {
  readonly gic: GicV2;
  lines = 0;
  secure = true;

  constructor(resetNonSecure = false) {
    this.gic = new GicV2({
      ...{ memory: new ArrayBuffer(GIC_STATE_END), cpus: 2, resetNonSecure },
      setLines: (cpu, lines) => {
        if (cpu === 0) this.lines = lines;
      },
      currentCpu: () => 0,
      secureAccess: () => this.secure,
    });
    if (resetNonSecure) return;
    this.gicd(0, 3);
    this.gicd(0x84, 0b10);
    this.gicd(0x420, 0xa040);
    this.gicd(0x104, 0b11);
    this.gicd(0x820, 0x0101);
    this.gicc(R.PMR, 0xf8);
    this.gicc(R.CTLR, 0xb);
  }
  gicd(offset: number, value: number): void {
    this.gic.distributor.write(offset, 4, value);
  }
  readGicd(offset: number): number {
    return this.gic.distributor.read(offset, 4);
  }
  gicc(offset: number, value: number): void {
    this.gic.cpuInterface.write(offset, 4, value);
  }
  readGicc(offset: number): number {
    return this.gic.cpuInterface.read(offset, 4);
  }
  nonSecurely<T>(access: () => T): T {
    this.secure = false;
    const result = access();
    this.secure = true;
    return result;
  }
  pend(bits: number): void {
    this.gicd(0x284, 3);
    this.gicd(0x204, bits);
  }
}

test("each group has its line, and is acknowledged by its state", () => {
  const b = new Bench();
  b.pend(0b01);
  assert.equal(b.lines, LINE_FIQ);
  assert.deepEqual(
    [R.HPPIR, R.IAR].map((r) => b.nonSecurely(() => b.readGicc(r))),
    [SPURIOUS, SPURIOUS],
  );
  assert.equal(b.readGicc(R.IAR), 32);
  b.nonSecurely(() => b.gicc(R.EOIR, 32));
  assert.equal(b.readGicd(0x304), 1, "the end is not Non-secure software's");
  b.gicc(R.EOIR, 32);
  assert.equal(b.readGicd(0x304), 0);
  b.pend(0b10);
  assert.equal(b.lines, LINE_IRQ);
  assert.deepEqual([b.readGicc(R.IAR), b.readGicc(R.AHPPIR)], [1022, 33]);
  assert.equal(
    b.nonSecurely(() => b.readGicc(R.IAR)),
    33,
  );
  b.nonSecurely(() => b.gicc(R.EOIR, 33));
  assert.equal(b.readGicd(0x304), 0);
});

test("GICD_CTLR and GICC_CTLR are banked: Non-secure software has Group 1's enables and EOImode", () => {
  const b = new Bench();
  assert.deepEqual([b.readGicd(0), b.nonSecurely(() => b.readGicd(0))], [3, 1]);
  b.nonSecurely(() => b.gicd(0, 0));
  assert.equal(b.readGicd(0), 1);
  assert.equal(b.readGicd(4) & 0x400, 0x400);
  assert.deepEqual([b.readGicc(R.CTLR), b.nonSecurely(() => b.readGicc(R.CTLR))], [0xb, 1]);
  b.nonSecurely(() => b.gicc(R.CTLR, 0x200));
  assert.equal(b.readGicc(R.CTLR), 0x409, "EOImodeNS; EnableGrp1 off");
  b.gicc(R.CTLR, 0x20b);
  assert.equal(
    b.nonSecurely(() => b.readGicc(R.CTLR)),
    1,
    "EOImodeS is not its",
  );
});

test("EOImode and GICC_DIR are of the state that ends the interrupt", () => {
  const b = new Bench();
  b.nonSecurely(() => b.gicc(R.CTLR, 0x201));
  b.pend(0b10);
  b.nonSecurely(() => b.readGicc(R.IAR));
  b.nonSecurely(() => b.gicc(R.EOIR, 33));
  assert.equal(b.readGicd(0x304), 0b10);
  b.nonSecurely(() => b.gicc(R.DIR, 33));
  assert.equal(b.readGicd(0x304), 0);
  b.gicd(0x304, 1);
  b.nonSecurely(() => b.gicc(R.DIR, 32));
  assert.equal(b.readGicd(0x304), 1, "a Secure interrupt");
});

test("priorities, the mask, the running priority, binary point and active priorities as Non-secure software sees them", () => {
  const b = new Bench();
  const seen = (offset: number): number => b.nonSecurely(() => b.readGicc(offset));
  assert.equal(
    b.nonSecurely(() => b.readGicd(0x420)),
    0x4000,
  );
  b.nonSecurely(() => b.gicd(0x420, 0x5050));
  assert.equal(b.readGicd(0x420), 0xa840);
  assert.equal(seen(R.PMR), 0xf0);
  b.nonSecurely(() => b.gicc(R.PMR, 0x80));
  assert.equal(b.readGicc(R.PMR), 0xc0);
  b.nonSecurely(() => b.gicc(R.BPR, 5));
  assert.deepEqual([b.readGicc(R.BPR), b.readGicc(R.ABPR), seen(R.BPR), seen(R.ABPR)], [2, 5, 5, 0]);
  b.nonSecurely(() => b.gicc(R.BPR, 0));
  b.pend(0b10);
  b.nonSecurely(() => b.readGicc(R.IAR));
  assert.deepEqual([b.readGicc(R.RPR), seen(R.RPR)], [0xa8, 0x50]);
  assert.deepEqual([b.readGicc(R.NSAPR0), seen(R.APR0), seen(R.NSAPR0)], [1 << 21, 1 << 5, 0]);
  b.gicc(R.PMR, 0x70);
  b.nonSecurely(() => b.gicc(R.PMR, 0xf0));
  assert.deepEqual([b.readGicc(R.PMR), seen(R.PMR)], [0x70, 0], "a mask of Secure software's stays");
});

test("Secure interrupts are not there for Non-secure accesses, but for what NSACR gives", () => {
  const b = new Bench();
  b.pend(0b11);
  const read = (offset: number): number => b.nonSecurely(() => b.readGicd(offset));
  assert.deepEqual([read(0x84), read(0x104), read(0x204), read(0x820)], [0, 0b10, 0b10, 0x0100]);
  b.nonSecurely(() => b.gicd(0x284, 0b11));
  assert.equal(b.readGicd(0x204), 0b01);
  b.gicd(0xe08, 0b11);
  b.nonSecurely(() => b.gicd(0x284, 0b11));
  assert.equal(b.readGicd(0x204), 0);
  b.nonSecurely(() => b.gicd(0x820, 0x0303));
  assert.equal(b.readGicd(0x820), 0x0303);
});

test("SGIs: NSATT says of which group; Non-secure software makes Group 1's, and what NSACR gives", () => {
  const b = new Bench();
  b.gicd(0x80, 0b10);
  const made = (sgir: number): number[] => {
    b.gicd(0xf10, 0xffff_ffff);
    for (const sgi of [0, 1]) b.gic.distributor.write(0xf00, 4, sgir + sgi);
    const pending = b.readGicd(0x200);
    return [0, 1].filter((sgi) => (pending >>> sgi) & 1);
  };
  const toSelf = 2 << 24;
  assert.deepEqual(made(toSelf), [0]);
  assert.deepEqual(made(toSelf + 0x8000), [1]);
  const nonSecure = (): number[] => {
    b.gicd(0xf10, 0xffff_ffff);
    b.nonSecurely(() => [0, 1].map((sgi) => b.gicd(0xf00, toSelf + sgi)));
    return [0, 1].filter((sgi) => (b.readGicd(0x200) >>> sgi) & 1);
  };
  assert.deepEqual(nonSecure(), [1]);
  b.gicd(0xe00, 1);
  assert.deepEqual(nonSecure(), [0, 1]);
});

test("left to Non-secure software by firmware: it can use every interrupt", () => {
  const b = new Bench(true);
  b.secure = false;
  b.gicd(0, 1);
  b.gicd(0x104, 1);
  b.gicd(0x820, 1);
  b.gicc(R.PMR, 0xf0);
  b.gicc(R.CTLR, 1);
  b.gic.line(0).set(true);
  assert.equal(b.lines, LINE_IRQ);
  assert.equal(b.readGicc(R.IAR), 32);
});
