import type { InterruptSysregs } from "../../cpu/ports.ts";
import * as L from "./layout.ts";
import { type GicState, PRIORITY_MASK, SPURIOUS } from "./state.ts";

/** op0:op1:CRn:CRm:op2. */
const sysreg = (op0: number, op1: number, crn: number, crm: number, op2: number): number =>
  (op0 << 14) | (op1 << 11) | (crn << 7) | (crm << 3) | op2;

export const ICC_PMR_EL1 = sysreg(3, 0, 4, 6, 0);
export const ICC_IAR0_EL1 = sysreg(3, 0, 12, 8, 0);
export const ICC_EOIR0_EL1 = sysreg(3, 0, 12, 8, 1);
export const ICC_HPPIR0_EL1 = sysreg(3, 0, 12, 8, 2);
export const ICC_BPR0_EL1 = sysreg(3, 0, 12, 8, 3);
export const ICC_AP0R0_EL1 = sysreg(3, 0, 12, 8, 4);
export const ICC_AP1R0_EL1 = sysreg(3, 0, 12, 9, 0);
export const ICC_DIR_EL1 = sysreg(3, 0, 12, 11, 1);
export const ICC_RPR_EL1 = sysreg(3, 0, 12, 11, 3);
export const ICC_SGI1R_EL1 = sysreg(3, 0, 12, 11, 5);
export const ICC_ASGI1R_EL1 = sysreg(3, 0, 12, 11, 6);
export const ICC_SGI0R_EL1 = sysreg(3, 0, 12, 11, 7);
export const ICC_IAR1_EL1 = sysreg(3, 0, 12, 12, 0);
export const ICC_EOIR1_EL1 = sysreg(3, 0, 12, 12, 1);
export const ICC_HPPIR1_EL1 = sysreg(3, 0, 12, 12, 2);
export const ICC_BPR1_EL1 = sysreg(3, 0, 12, 12, 3);
export const ICC_CTLR_EL1 = sysreg(3, 0, 12, 12, 4);
export const ICC_SRE_EL1 = sysreg(3, 0, 12, 12, 5);
export const ICC_IGRPEN0_EL1 = sysreg(3, 0, 12, 12, 6);
export const ICC_IGRPEN1_EL1 = sysreg(3, 0, 12, 12, 7);
export const ICC_SRE_EL2 = sysreg(3, 4, 12, 9, 5);
export const ICC_SRE_EL3 = sysreg(3, 6, 12, 12, 5);

/** A3V, 16 INTID bits, PRIbits 4 (five bits); PMHE, SEIS and RSS are 0. */
const CTLR_FIXED = (1 << 15) | (4 << 8);
const CTLR_CBPR = 1;
const CTLR_EOI_MODE = 2;
/** System registers only: SRE, DFB, DIB, and at EL2 and EL3 Enable, are RAO/WI. */
const SRE_EL1 = 0x7;
const SRE_ABOVE = 0xf;

const SGI_IRM = 1 << 8;
const BOTH_GROUPS = 3;
const ONLY_GROUP0 = 1;

/** The CPU interfaces of a GICv3 (IHI0069 12.2): ICC_* of all PEs. */
export class GicV3Sysregs implements InterruptSysregs {
  readonly #state: GicState;
  readonly #affinities: Uint32Array;
  /** Every read gives the same array. */
  readonly #value: [number, number] = [0, 0];

  /** @param affinities For every PE Aff3.Aff2.Aff1.Aff0, a byte each. */
  constructor(state: GicState, affinities: Uint32Array) {
    this.#state = state;
    this.#affinities = affinities;
  }

  read(cpu: number, id: number): readonly [number, number] | undefined {
    const value = this.#read(cpu, id);
    if (value === undefined) return undefined;
    this.#value[0] = value >>> 0;
    return this.#value;
  }

  #read(cpu: number, id: number): number | undefined {
    const state = this.#state;
    switch (id) {
      case ICC_PMR_EL1:
        return state.pe(cpu, L.PMR);
      case ICC_IAR0_EL1:
        return this.#acknowledge(cpu, 0);
      case ICC_IAR1_EL1:
        return this.#acknowledge(cpu, 1);
      case ICC_HPPIR0_EL1:
        return this.#highestPending(cpu, 0);
      case ICC_HPPIR1_EL1:
        return this.#highestPending(cpu, 1);
      case ICC_BPR0_EL1:
        return state.pe(cpu, L.BPR);
      case ICC_BPR1_EL1:
        return state.pe(cpu, L.CBPR) ? Math.min(state.pe(cpu, L.BPR) + 1, 7) : state.pe(cpu, L.BPR + 1);
      case ICC_AP0R0_EL1:
        return state.pe(cpu, L.ACTIVE_PRIORITIES);
      case ICC_AP1R0_EL1:
        return state.pe(cpu, L.ACTIVE_PRIORITIES + 1);
      case ICC_RPR_EL1:
        return state.runningPriority(cpu);
      case ICC_CTLR_EL1:
        return CTLR_FIXED | (state.pe(cpu, L.EOI_MODE) ? CTLR_EOI_MODE : 0) | (state.pe(cpu, L.CBPR) ? CTLR_CBPR : 0);
      case ICC_SRE_EL1:
        return SRE_EL1;
      case ICC_SRE_EL2:
      case ICC_SRE_EL3:
        return SRE_ABOVE;
      case ICC_IGRPEN0_EL1:
        return state.pe(cpu, L.GROUP_ENABLE) & 1;
      case ICC_IGRPEN1_EL1:
        return state.pe(cpu, L.GROUP_ENABLE) >>> 1;
      default:
        return undefined;
    }
  }

  write(cpu: number, id: number, low: number, high: number): boolean {
    const state = this.#state;
    switch (id) {
      case ICC_PMR_EL1:
        state.setPe(cpu, L.PMR, low & PRIORITY_MASK);
        state.signal(cpu);
        return true;
      case ICC_EOIR0_EL1:
        this.#end(cpu, 0, low & 0xff_ffff);
        return true;
      case ICC_EOIR1_EL1:
        this.#end(cpu, 1, low & 0xff_ffff);
        return true;
      case ICC_DIR_EL1:
        // With EOImode 0 the write is UNPREDICTABLE: here it does nothing.
        if (state.pe(cpu, L.EOI_MODE) && (low & 0xff_ffff) < L.INTIDS) state.deactivate(low & 0xff_ffff, cpu);
        return true;
      case ICC_BPR0_EL1:
        state.setBinaryPoint(cpu, 0, low);
        return true;
      case ICC_BPR1_EL1:
        if (!state.pe(cpu, L.CBPR)) state.setBinaryPoint(cpu, 1, low);
        return true;
      case ICC_AP0R0_EL1:
        state.setPe(cpu, L.ACTIVE_PRIORITIES, low);
        state.signal(cpu);
        return true;
      case ICC_AP1R0_EL1:
        state.setPe(cpu, L.ACTIVE_PRIORITIES + 1, low);
        state.signal(cpu);
        return true;
      case ICC_CTLR_EL1:
        state.setPe(cpu, L.EOI_MODE, low & CTLR_EOI_MODE ? 1 : 0);
        state.setPe(cpu, L.CBPR, low & CTLR_CBPR);
        state.signal(cpu);
        return true;
      case ICC_SRE_EL1:
      case ICC_SRE_EL2:
      case ICC_SRE_EL3:
        return true;
      case ICC_IGRPEN0_EL1:
        this.#enable(cpu, 1, low & 1);
        return true;
      case ICC_IGRPEN1_EL1:
        this.#enable(cpu, 2, (low & 1) << 1);
        return true;
      // With one Security state SGI1R makes SGIs of either group, the others of Group 0 only (IHI0069 12.1, forwarding an SGI to a target PE).
      case ICC_SGI1R_EL1:
        this.#generate(cpu, BOTH_GROUPS, low, high);
        return true;
      case ICC_ASGI1R_EL1:
      case ICC_SGI0R_EL1:
        this.#generate(cpu, ONLY_GROUP0, low, high);
        return true;
      default:
        return false;
    }
  }

  #acknowledge(cpu: number, group: number): number {
    const state = this.#state;
    return state.signalled(cpu) && state.group(state.best(cpu), cpu) === group ? state.acknowledge(cpu) : SPURIOUS;
  }

  #highestPending(cpu: number, group: number): number {
    const best = this.#state.best(cpu);
    return best !== SPURIOUS && this.#state.group(best, cpu) === group ? best : SPURIOUS;
  }

  #end(cpu: number, group: number, intid: number): void {
    const state = this.#state;
    // Spurious ones and ends of another group's interrupt are not of an acknowledged interrupt: UNPREDICTABLE, ignored.
    if (intid >= L.INTIDS || state.runningGroup(cpu) !== group) return;
    state.dropPriority(cpu, group);
    if (!state.pe(cpu, L.EOI_MODE)) state.deactivate(intid, cpu);
  }

  #enable(cpu: number, mask: number, bits: number): void {
    this.#state.setPe(cpu, L.GROUP_ENABLE, (this.#state.pe(cpu, L.GROUP_ENABLE) & ~mask) | bits);
    this.#state.participationChanged();
  }

  // IHI0069 12.2, ICC_SGI1R_EL1. The range selector must be 0 (CTLR.RSS): others name no PE.
  #generate(from: number, groups: number, low: number, high: number): void {
    const intid = (low >>> 24) & 15;
    if (high & SGI_IRM) {
      for (let cpu = 0; cpu < this.#state.cpus; cpu++) if (cpu !== from) this.#pend(cpu, groups, intid);
      return;
    }
    if ((high >>> 12) & 15) return;
    const cluster = (((high >>> 16) & 0xff) << 16) | ((high & 0xff) << 8) | ((low >>> 16) & 0xff);
    for (let cpu = 0; cpu < this.#state.cpus; cpu++) {
      const affinity = this.#affinities[cpu] as number;
      const aff0 = affinity & 0xff;
      if (affinity >>> 8 === cluster && aff0 < 16 && (low >>> aff0) & 1) this.#pend(cpu, groups, intid);
    }
  }

  #pend(cpu: number, groups: number, sgi: number): void {
    if (!((groups >>> this.#state.group(sgi, cpu)) & 1)) return;
    this.#state.setPe(cpu, L.LATCH, this.#state.pe(cpu, L.LATCH) | (1 << sgi));
    this.#state.update(cpu);
  }
}
