import { LINE_VFIQ, LINE_VIRQ, VIEW_NONSECURE, VIEW_VIRTUAL } from "../../cpu/ports.ts";
import { GIC_STATE_END } from "../../memory/linear-layout.ts";
import { GicV3 } from "./gicv3.ts";
import * as R from "./sysreg-ids.ts";

// A GICv3 with a hypervisor and its guest, for tests.

export const INVALID = 0;
export const PENDING = 1;
export const ACTIVE = 2;
export const PENDING_ACTIVE = 3;

export interface ListEntry {
  readonly intid: number;
  readonly state: number;
  /** 0..255. */
  readonly priority?: number;
  readonly group?: 0 | 1;
  /** The physical interrupt that ends with it. */
  readonly physical?: number;
  /** A maintenance interrupt at its end. */
  readonly eoi?: boolean;
}

/** ICH_VMCR_EL2. */
export const VMCR = { veng0: 1, veng1: 2, vfiqEn: 8, vcbpr: 16, veoim: 0x200 } as const;
/** ICH_HCR_EL2. */
export const HCR = {
  ...{ en: 1, uie: 2, lrenpie: 4, npie: 8, vgrp0eie: 0x10, vgrp0die: 0x20, vgrp1eie: 0x40, vgrp1die: 0x80 },
} as const;

export const vmcr = (flags: number, pmr = 0xf8, bpr0 = 2, bpr1 = 3): number =>
  ((pmr << 24) | (bpr0 << 21) | (bpr1 << 18) | flags) >>> 0;

/** PE 0's virtual CPU interface, on, with both groups enabled and all priorities let through. */
export class VirtualBench {
  readonly gic: GicV3;
  lines = 0;

  constructor() {
    this.gic = new GicV3({
      memory: new ArrayBuffer(GIC_STATE_END),
      cpus: 2,
      setLines: (cpu, lines) => {
        if (cpu === 0) this.lines = lines;
      },
    });
    this.ich(R.ICH_VMCR_EL2, vmcr(VMCR.veng0 | VMCR.veng1));
    this.ich(R.ICH_HCR_EL2, HCR.en);
  }

  get virq(): boolean {
    return (this.lines & LINE_VIRQ) !== 0;
  }
  get vfiq(): boolean {
    return (this.lines & LINE_VFIQ) !== 0;
  }
  /** Level of the maintenance interrupt, by GICR_ISPENDR0. */
  get maintenance(): boolean {
    return ((this.gic.redistributors.read(0x10200, 4) >>> 25) & 1) === 1;
  }

  /** Writes an ICH_* register. */
  ich(id: number, low: number, high = 0): void {
    known(this.gic.sysregs.write(0, id, low | 0, high | 0, VIEW_NONSECURE));
  }
  readIch(id: number): number {
    known(this.gic.sysregs.read(0, id, VIEW_NONSECURE));
    return this.gic.sysregs.low >>> 0;
  }

  /** Writes an ICV_* register. */
  icv(id: number, value: number): void {
    known(this.gic.sysregs.write(0, id, value | 0, 0, VIEW_NONSECURE | VIEW_VIRTUAL));
  }
  readIcv(id: number): number {
    known(this.gic.sysregs.read(0, id, VIEW_NONSECURE | VIEW_VIRTUAL));
    return this.gic.sysregs.low >>> 0;
  }

  list(n: number, entry: ListEntry): void {
    const { intid, state, priority = 0x80, group = 1, physical, eoi } = entry;
    const link = physical === undefined ? (eoi ? 1 << 9 : 0) : (1 << 29) | physical;
    this.ich(R.ICH_LR0_EL2 + n, intid, (state << 30) | (group << 28) | (priority << 16) | link);
  }
  stateOf(n: number): number {
    known(this.gic.sysregs.read(0, R.ICH_LR0_EL2 + n, VIEW_NONSECURE));
    return this.gic.sysregs.high >>> 30;
  }

  acknowledge(group: 0 | 1 = 1): number {
    return this.readIcv(group ? R.ICC_IAR1_EL1 : R.ICC_IAR0_EL1);
  }
  end(intid: number, group: 0 | 1 = 1): void {
    this.icv(group ? R.ICC_EOIR1_EL1 : R.ICC_EOIR0_EL1, intid);
  }
  get runningPriority(): number {
    return this.readIcv(R.ICC_RPR_EL1);
  }
}

function known(there: boolean): void {
  if (!there) throw new Error("no such register");
}
