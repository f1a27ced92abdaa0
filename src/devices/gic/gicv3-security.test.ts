import assert from "node:assert/strict";
import { test } from "node:test";
import {
  LINE_FIQ,
  LINE_IRQ,
  LINE_NONSECURE_GROUP1,
  LINE_SECURE_GROUP1,
  VIEW_EL3,
  VIEW_FIQ_TO_EL3,
  VIEW_IRQ_TO_EL3,
  VIEW_NONSECURE,
} from "../../cpu/ports.ts";
import { GIC_STATE_END } from "../../memory/linear-layout.ts";
import { GicV3 } from "./gicv3.ts";
import { SPURIOUS } from "./state.ts";
import * as R from "./sysreg-ids.ts";

const SECURE = 0;
/** As with Trusted Firmware: FIQ is EL3's. */
const NONSECURE = VIEW_NONSECURE | VIEW_FIQ_TO_EL3;
const MONITOR = VIEW_EL3;

const CTLR = 0x0;
const IGROUPR = 0x80;
const ISENABLER = 0x100;
const ICENABLER = 0x180;
const ISPENDR = 0x200;
const ICPENDR = 0x280;
const ISACTIVER = 0x300;
const IPRIORITYR = 0x400;
const ICFGR = 0xc00;
const IGRPMODR = 0xd00;
const NSACR = 0xe00;
const IROUTER = 0x6000;
/** Of the word that has INTIDs 32 to 63. */
const WORD1 = 4;

/** SPIs 32, 33 and 34 are of Group 0, Secure Group 1 and Non-secure Group 1, priority 0x40, 0x50 and 0xa0; all is on. */
class Bench {
  readonly gic: GicV3;
  lines = 0;
  secure = true;

  constructor(resetNonSecure = false) {
    this.gic = new GicV3({
      ...{ memory: new ArrayBuffer(GIC_STATE_END), cpus: 2, resetNonSecure, awake: resetNonSecure },
      setLines: (cpu, lines) => {
        if (cpu === 0) this.lines = lines;
      },
      secureAccess: () => this.secure,
    });
    if (resetNonSecure) return;
    this.gic.redistributors.write(0x14, 4, 0);
    this.gicd(CTLR, 7);
    this.gicd(IGROUPR + WORD1, 0b100);
    this.gicd(IGRPMODR + WORD1, 0b010);
    for (const [i, priority] of [0x40, 0x50, 0xa0].entries()) this.gicd(IPRIORITYR + 32 + i, priority, 1);
    this.gicd(ISENABLER + WORD1, 0b111);
    this.set(R.ICC_PMR_EL1, 0xf8, MONITOR);
    this.set(R.ICC_IGRPEN0_EL1, 1, MONITOR);
    this.set(R.ICC_IGRPEN1_EL3, 3, MONITOR);
  }

  gicd(offset: number, value: number, bytes: 1 | 4 = 4): void {
    this.gic.distributor.write(offset, bytes, value);
  }
  readGicd(offset: number, bytes: 1 | 4 = 4): number {
    return this.gic.distributor.read(offset, bytes);
  }
  /** What a Non-secure access reads. */
  nsReads(offset: number, bytes: 1 | 4 = 4): number {
    return this.nonSecurely(() => this.readGicd(offset, bytes));
  }
  nsWrites(offset: number, value: number, bytes: 1 | 4 = 4): void {
    this.nonSecurely(() => this.gicd(offset, value, bytes));
  }
  nonSecurely<T>(access: () => T): T {
    this.secure = false;
    const result = access();
    this.secure = true;
    return result;
  }
  get(id: number, view: number): number {
    assert.ok(this.gic.sysregs.read(0, id, view));
    return this.gic.sysregs.low >>> 0;
  }
  set(id: number, value: number, view: number): void {
    assert.ok(this.gic.sysregs.write(0, id, value, 0, view));
  }
  /** Makes SPIs 32, 33 and 34 pending, a bit each. */
  pend(bits: number): void {
    this.gicd(ICPENDR + WORD1, 7);
    this.gicd(ISPENDR + WORD1, bits);
  }
}

test("each group has its line, and the register that acknowledges it from each state", () => {
  const b = new Bench();
  const seen = (id: number): number[] => [MONITOR, SECURE, NONSECURE].map((view) => b.get(id, view));
  b.pend(0b001);
  assert.equal(b.lines, LINE_FIQ);
  assert.deepEqual(seen(R.ICC_HPPIR0_EL1), [32, 32, SPURIOUS]);
  assert.deepEqual(seen(R.ICC_HPPIR1_EL1), [SPURIOUS, SPURIOUS, SPURIOUS]);
  b.pend(0b010);
  assert.equal(b.lines, LINE_SECURE_GROUP1);
  assert.deepEqual(seen(R.ICC_HPPIR0_EL1), [1020, SPURIOUS, SPURIOUS], "EL3 is told that it is Secure EL1's");
  assert.deepEqual(seen(R.ICC_HPPIR1_EL1), [33, 33, SPURIOUS]);
  b.pend(0b100);
  assert.equal(b.lines, LINE_NONSECURE_GROUP1);
  assert.deepEqual(seen(R.ICC_HPPIR0_EL1), [1021, SPURIOUS, SPURIOUS]);
  assert.deepEqual(seen(R.ICC_HPPIR1_EL1), [34, SPURIOUS, 34]);
  assert.equal(b.get(R.ICC_IAR0_EL1, MONITOR), 1021, "which acknowledges nothing");
  assert.equal(b.get(R.ICC_IAR1_EL1, SECURE), SPURIOUS);
  assert.equal(b.get(R.ICC_IAR1_EL1, NONSECURE), 34);
});

test("each group ends by its register, from a state that may", () => {
  const b = new Bench();
  b.pend(0b010);
  assert.equal(b.get(R.ICC_IAR1_EL1, SECURE), 33);
  const active = (): number => b.readGicd(ISACTIVER + WORD1);
  b.set(R.ICC_EOIR1_EL1, 33, NONSECURE);
  b.set(R.ICC_EOIR0_EL1, 33, SECURE);
  assert.equal(active(), 0b010);
  b.set(R.ICC_EOIR1_EL1, 33, SECURE);
  assert.equal(active(), 0);
  b.pend(0b100);
  assert.equal(b.get(R.ICC_IAR1_EL1, NONSECURE), 34);
  b.set(R.ICC_EOIR1_EL1, 34, SECURE);
  assert.equal(active(), 0b100);
  b.set(R.ICC_EOIR1_EL1, 34, MONITOR);
  assert.equal(active(), 0);
  b.pend(0b001);
  assert.equal(b.get(R.ICC_IAR0_EL1, MONITOR), 32);
  b.set(R.ICC_EOIR0_EL1, 32, VIEW_NONSECURE);
  assert.equal(active(), 0b001);
  b.set(R.ICC_EOIR0_EL1, 32, MONITOR);
  assert.equal(active(), 0);
});

test("Secure interrupts are not there for Non-secure accesses of the distributor", () => {
  const b = new Bench();
  b.gicd(ICFGR + 8, 0b101010);
  b.pend(0b111);
  assert.equal(b.nsReads(IGROUPR + WORD1), 0, "nor are their groups");
  assert.equal(b.nsReads(IGRPMODR + WORD1), 0);
  assert.equal(b.nsReads(ISENABLER + WORD1), 0b100);
  assert.equal(b.nsReads(ISPENDR + WORD1), 0b100);
  assert.equal(b.nsReads(ICFGR + 8), 0b100000);
  b.nsWrites(ICENABLER + WORD1, 0b111);
  b.nsWrites(ICPENDR + WORD1, 0b111);
  b.nsWrites(ISACTIVER + WORD1, 0b111);
  b.nsWrites(ICFGR + 8, 0);
  b.nsWrites(IGROUPR + WORD1, 0b111);
  b.nsWrites(NSACR + 8, 0xff);
  assert.equal(b.readGicd(ISENABLER + WORD1), 0b011);
  assert.equal(b.readGicd(ISPENDR + WORD1), 0b011);
  assert.equal(b.readGicd(ISACTIVER + WORD1), 0b100);
  assert.equal(b.readGicd(ICFGR + 8), 0b001010);
  assert.equal(b.readGicd(IGROUPR + WORD1), 0b100);
  assert.equal(b.readGicd(NSACR + 8), 0);
  b.nsWrites(IROUTER + 8 * 32, 1);
  b.nsWrites(IROUTER + 8 * 34, 1);
  assert.deepEqual([b.readGicd(IROUTER + 8 * 32), b.readGicd(IROUTER + 8 * 34)], [0, 1]);
});

test("Non-secure software has the lower half of the priorities", () => {
  const b = new Bench();
  b.nsWrites(IPRIORITYR + 34, 0x50, 1);
  assert.equal(b.readGicd(IPRIORITYR + 34, 1), 0xa8);
  assert.equal(b.nsReads(IPRIORITYR + 34, 1), 0x50);
  b.nsWrites(IPRIORITYR + 32, 0, 1);
  assert.deepEqual([b.readGicd(IPRIORITYR + 32, 1), b.nsReads(IPRIORITYR + 32, 1)], [0x40, 0]);
  assert.equal(b.get(R.ICC_PMR_EL1, NONSECURE), 0xf0);
  b.set(R.ICC_PMR_EL1, 0x60, NONSECURE);
  assert.equal(b.get(R.ICC_PMR_EL1, MONITOR), 0xb0);
  b.set(R.ICC_PMR_EL1, 0x70, VIEW_NONSECURE);
  assert.equal(b.get(R.ICC_PMR_EL1, VIEW_NONSECURE), 0x70, "all of them where FIQ is not EL3's");
  b.set(R.ICC_PMR_EL1, 0xf0, NONSECURE);
  assert.equal(b.get(R.ICC_PMR_EL1, MONITOR), 0x70, "a mask of Secure software's stays");
  assert.equal(b.get(R.ICC_PMR_EL1, NONSECURE), 0);
  b.set(R.ICC_PMR_EL1, 0xf8, MONITOR);
  b.pend(0b100);
  b.get(R.ICC_IAR1_EL1, NONSECURE);
  assert.deepEqual(
    [MONITOR, NONSECURE].map((view) => b.get(R.ICC_RPR_EL1, view)),
    [0xa8, 0x50],
  );
  b.pend(0b001);
  b.get(R.ICC_IAR0_EL1, MONITOR);
  assert.deepEqual(
    [MONITOR, NONSECURE].map((view) => b.get(R.ICC_RPR_EL1, view)),
    [0x40, 0],
  );
});

test("NSACR gives Non-secure software some of what a Secure interrupt has", () => {
  const b = new Bench();
  const may = (bits: number): boolean[] => {
    b.gicd(NSACR + 8, bits);
    const tried = (offset: number, done: () => boolean): boolean => {
      b.nsWrites(offset, 1);
      return done();
    };
    const pending = (): boolean => (b.readGicd(ISPENDR + WORD1) & 1) === 1;
    b.gicd(ICPENDR + WORD1, 1);
    const sets = tried(ISPENDR + WORD1, pending);
    b.gicd(ISPENDR + WORD1, 1);
    const clears = tried(ICPENDR + WORD1, () => !pending());
    b.gicd(ISACTIVER + WORD1, 1);
    const sees = b.nsReads(ISACTIVER + WORD1) === 1;
    b.gicd(0x384, 1);
    b.gicd(IROUTER + 8 * 32, 0);
    const routes = tried(IROUTER + 8 * 32, () => b.readGicd(IROUTER + 8 * 32) === 1);
    return [sets, clears, sees, routes];
  };
  assert.deepEqual(may(0), [false, false, false, false]);
  assert.deepEqual(may(1), [true, false, false, false]);
  assert.deepEqual(may(2), [true, true, true, false]);
  assert.deepEqual(may(3), [true, true, true, true]);
});

test("GICD_CTLR has one view for each state; DS makes them one until reset", () => {
  const b = new Bench();
  assert.deepEqual([b.readGicd(CTLR), b.nsReads(CTLR)], [0x37, 0x12]);
  b.nsWrites(CTLR, 0);
  assert.deepEqual([b.readGicd(CTLR), b.nsReads(CTLR)], [0x35, 0x10]);
  b.nsWrites(CTLR, 0x40 | 7);
  assert.equal(b.readGicd(CTLR), 0x37, "DS is not for Non-secure writes");
  assert.equal(b.readGicd(4) & 0x400, 0x400, "TYPER.SecurityExtn");
  b.gicd(NSACR + 8, -1 >>> 0);
  b.gicd(CTLR, 0x47);
  assert.deepEqual([b.readGicd(CTLR), b.nsReads(CTLR)], [0x53, 0x53]);
  assert.deepEqual([b.readGicd(IGRPMODR + WORD1), b.readGicd(NSACR + 8), b.readGicd(4) & 0x400], [0, 0, 0]);
  assert.equal(b.nsReads(ISENABLER + WORD1), 0b111);
  b.pend(0b010);
  assert.equal(b.lines, LINE_FIQ, "it is of Group 0 now");
  b.pend(0b100);
  assert.equal(b.lines, LINE_IRQ);
  assert.equal(b.get(R.ICC_HPPIR1_EL1, SECURE), 34);
  b.gicd(CTLR, 0);
  assert.equal(b.readGicd(CTLR), 0x50);
  b.gic.reset();
  assert.equal(b.readGicd(CTLR), 0x30);
});

test("ICC_CTLR_EL1, ICC_BPR1_EL1, ICC_IGRPEN1_EL1 and ICC_AP1R0_EL1 are banked; EL3 has all of them", () => {
  const b = new Bench();
  const both = (id: number): number[] => [SECURE, NONSECURE].map((view) => b.get(id, view));
  assert.deepEqual(both(R.ICC_BPR1_EL1), [2, 3]);
  b.set(R.ICC_BPR1_EL1, 5, SECURE);
  assert.deepEqual(both(R.ICC_BPR1_EL1), [5, 3]);
  assert.equal(b.get(R.ICC_BPR1_EL1, MONITOR | VIEW_NONSECURE), 3, "by SCR_EL3.NS at EL3");
  b.set(R.ICC_CTLR_EL1, 3, NONSECURE);
  assert.deepEqual(both(R.ICC_CTLR_EL1), [0x8400, 0x8402], "CBPR is ICC_CTLR_EL3's");
  b.set(R.ICC_CTLR_EL3, 0b01111, MONITOR);
  assert.deepEqual(both(R.ICC_CTLR_EL1), [0x8403, 0x8401]);
  assert.equal(b.get(R.ICC_CTLR_EL3, MONITOR), 0x840f);
  assert.deepEqual(both(R.ICC_BPR1_EL1), [2, 3], "BPR0, and BPR0 plus 1");
  b.set(R.ICC_BPR1_EL1, 4, SECURE);
  b.set(R.ICC_BPR1_EL1, 7, NONSECURE);
  assert.deepEqual([b.get(R.ICC_BPR0_EL1, SECURE), ...both(R.ICC_BPR1_EL1)], [4, 4, 5]);
  assert.equal(b.get(R.ICC_BPR1_EL1, MONITOR), 5, "EL3 sees its own");
  b.set(R.ICC_IGRPEN1_EL1, 0, NONSECURE);
  assert.deepEqual([...both(R.ICC_IGRPEN1_EL1), b.get(R.ICC_IGRPEN1_EL3, MONITOR)], [1, 0, 2]);
  b.set(R.ICC_AP1R0_EL1, 0x8000_0000 | 0, NONSECURE);
  b.set(R.ICC_AP1R0_EL1, 1, SECURE);
  assert.deepEqual(both(R.ICC_AP1R0_EL1), [1, 0x8000_0000]);
});

test("EOImode is of the state, and of EL3; ICC_DIR deactivates what its state may", () => {
  const b = new Bench();
  b.set(R.ICC_CTLR_EL3, 0b11100, MONITOR);
  const active = (): number => b.readGicd(ISACTIVER + WORD1);
  const deactivates = (bit: number, view: number): boolean => {
    b.gicd(0x384, 7);
    b.gicd(ISACTIVER + WORD1, 1 << bit);
    b.set(R.ICC_DIR_EL1, 32 + bit, view);
    return active() === 0;
  };
  const may = (view: number): boolean[] => [0, 1, 2].map((bit) => deactivates(bit, view));
  assert.deepEqual(may(MONITOR), [true, true, true]);
  assert.deepEqual(may(SECURE), [true, true, true]);
  assert.deepEqual(may(SECURE | VIEW_FIQ_TO_EL3), [false, true, true]);
  assert.deepEqual(may(NONSECURE), [false, false, true]);
  assert.deepEqual(may(NONSECURE | VIEW_IRQ_TO_EL3), [false, false, false]);
  b.set(R.ICC_CTLR_EL3, 0b01000, MONITOR);
  assert.deepEqual(
    [may(MONITOR), may(NONSECURE), may(SECURE)],
    [
      [false, false, false],
      [false, false, false],
      [true, true, true],
    ],
  );
});

test("SGIs: which register makes those of which group, and NSACR", () => {
  const b = new Bench();
  const write = (offset: number, value: number): void => b.gic.redistributors.write(0x10000 + offset, 4, value);
  write(IGROUPR, 0b100);
  write(IGRPMODR, 0b010);
  const made = (id: number, view: number): number[] => {
    write(ICPENDR, 0xffff);
    for (let sgi = 0; sgi < 3; sgi++) b.set(id, (sgi << 24) | 1, view);
    const pending = b.gic.redistributors.read(0x10000 + ISPENDR, 4);
    return [0, 1, 2].filter((sgi) => (pending >>> sgi) & 1);
  };
  assert.deepEqual(made(R.ICC_SGI0R_EL1, SECURE), [0]);
  assert.deepEqual(made(R.ICC_SGI1R_EL1, SECURE), [0, 1]);
  assert.deepEqual(made(R.ICC_ASGI1R_EL1, SECURE), [2]);
  assert.deepEqual(made(R.ICC_SGI0R_EL1, NONSECURE), []);
  assert.deepEqual(made(R.ICC_SGI1R_EL1, NONSECURE), [2]);
  assert.deepEqual(made(R.ICC_ASGI1R_EL1, NONSECURE), []);
  write(NSACR, 0b0101);
  assert.deepEqual(made(R.ICC_SGI0R_EL1, NONSECURE), [0]);
  assert.deepEqual(made(R.ICC_ASGI1R_EL1, NONSECURE), [0]);
  write(NSACR, 0b1010);
  assert.deepEqual(made(R.ICC_ASGI1R_EL1, NONSECURE), [0, 1]);
});

test("ICC_SRE_ELx: SRE, DFB and DIB are fixed, Enable is the software's", () => {
  const b = new Bench();
  assert.deepEqual(
    [R.ICC_SRE_EL1, R.ICC_SRE_EL2, R.ICC_SRE_EL3].map((id) => b.get(id, MONITOR)),
    [7, 15, 15],
  );
  b.set(R.ICC_SRE_EL2, 0, NONSECURE);
  assert.deepEqual([b.get(R.ICC_SRE_EL2, MONITOR), b.gic.sysregs.sreEnabled(0, 2)], [7, false]);
  assert.deepEqual([b.get(R.ICC_SRE_EL3, MONITOR), b.gic.sysregs.sreEnabled(0, 3)], [15, true]);
  b.set(R.ICC_SRE_EL3, 0, MONITOR);
  assert.equal(b.gic.sysregs.sreEnabled(0, 3), false);
  b.gic.resetCpu(0);
  assert.equal(b.gic.sysregs.sreEnabled(0, 2), true);
});

test("left to Non-secure software by firmware: it can use every interrupt, and its redistributor is awake", () => {
  const b = new Bench(true);
  b.nsWrites(CTLR, 2);
  b.nsWrites(IPRIORITYR + 32, 0x80, 1);
  b.nsWrites(ISENABLER + WORD1, 1);
  b.set(R.ICC_PMR_EL1, 0xf0, NONSECURE);
  b.set(R.ICC_IGRPEN1_EL1, 1, NONSECURE);
  b.gic.line(0).set(true);
  assert.equal(b.lines, LINE_NONSECURE_GROUP1);
  assert.equal(b.get(R.ICC_IAR1_EL1, NONSECURE), 32);
});

test("GICR_WAKER is Secure software's", () => {
  const b = new Bench();
  b.nonSecurely(() => b.gic.redistributors.write(0x14, 4, 2));
  assert.equal(b.gic.redistributors.read(0x14, 4), 0);
});
