import { VIEW_EL3, VIEW_FIQ_TO_EL3, VIEW_IRQ_TO_EL3, VIEW_NONSECURE } from "../../cpu/ports.ts";
import { GROUP0, GROUP1, SECURE_GROUP1 } from "./groups.ts";
import * as L from "./layout.ts";
import { SgiGenerator } from "./sgi-generator.ts";
import { type GicState, nonSecurePriority, PRIORITY_MASK, SPURIOUS } from "./state.ts";
import * as R from "./sysreg-ids.ts";

/** A3V, 16 INTID bits, PRIbits 4 (five bits); PMHE, SEIS and RSS are 0. Of ICC_CTLR_EL1, ICV_CTLR_EL1 and ICC_CTLR_EL3. */
export const CTLR_FIXED = (1 << 15) | (4 << 8);
const CTLR_CBPR = 1;
const CTLR_EOI_MODE = 2;
/** ICC_CTLR_EL3: CBPR_EL1S, CBPR_EL1NS; EOImode_EL3, EOImode_EL1S, EOImode_EL1NS. */
const CTLR3_CBPR_S = 1 << 0;
const CTLR3_CBPR_NS = 1 << 1;
const CTLR3_EOI_EL3 = 1 << 2;
const CTLR3_EOI_S = 1 << 3;
const CTLR3_EOI_NS = 1 << 4;
/** System registers only, as affinity routing is always on: SRE, DFB and DIB are RAO/WI. */
export const SRE = 0x7;
const SRE_ENABLE = 0x8;

/** The bits of L.EOI_MODE and of L.CBPR. */
const NONSECURE = 1 << 0;
const SECURE = 1 << 1;
const EL3 = 1 << 2;

/** Acknowledged at EL3 by ICC_IAR0_EL1: the interrupt is of Group 1 of the Secure, the Non-secure state (IHI0069 2.2.1). */
const INTID_SECURE = 1020;
const INTID_NONSECURE = 1021;
const INTID_MASK = 0xff_ffff;

/** The physical CPU interfaces of a GICv3 (IHI0069 12.2): ICC_* of all PEs. `view`: VIEW_* of cpu/ports.ts. */
export class GicV3Physical {
  readonly #state: GicState;
  readonly #sgis: SgiGenerator;

  /** @param affinities For every PE Aff3.Aff2.Aff1.Aff0, a byte each. */
  constructor(state: GicState, affinities: Uint32Array) {
    this.#state = state;
    this.#sgis = new SgiGenerator(state, affinities);
  }

  /** -1: no such register. The value may be signed. */
  read(cpu: number, id: number, view: number): number {
    const state = this.#state;
    switch (id) {
      case R.ICC_PMR_EL1:
        return this.#shifted(view) ? nonSecurePriority(state.pe(cpu, L.PMR)) : state.pe(cpu, L.PMR);
      case R.ICC_IAR0_EL1:
        return this.#acknowledge(cpu, this.#pending0(cpu, view));
      case R.ICC_IAR1_EL1:
        return this.#acknowledge(cpu, this.#pending1(cpu, view));
      case R.ICC_HPPIR0_EL1:
        return this.#pending0(cpu, view);
      case R.ICC_HPPIR1_EL1:
        return this.#pending1(cpu, view);
      case R.ICC_BPR0_EL1:
        return state.pe(cpu, L.BPR);
      case R.ICC_BPR1_EL1:
        return this.#binaryPoint1(cpu, view);
      case R.ICC_RPR_EL1:
        return this.#shifted(view) ? nonSecurePriority(state.runningPriority(cpu)) : state.runningPriority(cpu);
      case R.ICC_CTLR_EL1:
        return CTLR_FIXED | this.#control(cpu, bank(view));
      case R.ICC_SRE_EL1:
        return SRE;
      case R.ICC_SRE_EL2:
        return SRE | (this.sreEnabled(cpu, 2) ? SRE_ENABLE : 0);
      case R.ICC_SRE_EL3:
        return SRE | (this.sreEnabled(cpu, 3) ? SRE_ENABLE : 0);
      case R.ICC_IGRPEN0_EL1:
        return state.pe(cpu, L.GROUP_ENABLE) & 1;
      case R.ICC_IGRPEN1_EL1:
        return (state.pe(cpu, L.GROUP_ENABLE) >>> group1(view)) & 1;
      case R.ICC_IGRPEN1_EL3:
        return state.pe(cpu, L.GROUP_ENABLE) >>> GROUP1;
      case R.ICC_CTLR_EL3:
        return this.#control3(cpu);
      default:
        return -1;
    }
  }

  /** Active priorities are the only registers with a sign bit of their own. Undefined: not one of those. */
  activePriorities(id: number, view: number): number | undefined {
    if (id === R.ICC_AP0R0_EL1) return L.ACTIVE_PRIORITIES + GROUP0;
    return id === R.ICC_AP1R0_EL1 ? L.ACTIVE_PRIORITIES + group1(view) : undefined;
  }

  /** False: no such register. */
  write(cpu: number, id: number, low: number, high: number, view: number): boolean {
    const state = this.#state;
    switch (id) {
      case R.ICC_PMR_EL1:
        this.#setMask(cpu, low & 0xff, view);
        return true;
      case R.ICC_EOIR0_EL1:
        this.#end(cpu, false, low & INTID_MASK, view);
        return true;
      case R.ICC_EOIR1_EL1:
        this.#end(cpu, true, low & INTID_MASK, view);
        return true;
      case R.ICC_DIR_EL1:
        this.#deactivate(cpu, low & INTID_MASK, view);
        return true;
      case R.ICC_BPR0_EL1:
        state.setBinaryPoint(cpu, GROUP0, low);
        return true;
      case R.ICC_BPR1_EL1:
        this.#setBinaryPoint1(cpu, low, view);
        return true;
      case R.ICC_CTLR_EL1:
        this.#setBit(cpu, L.EOI_MODE, bank(view), (low & CTLR_EOI_MODE) !== 0);
        // With two Security states it is ICC_CTLR_EL3 that has the common binary points.
        if (state.single) this.#setBit(cpu, L.CBPR, bank(view), (low & CTLR_CBPR) !== 0);
        state.signal(cpu);
        return true;
      case R.ICC_CTLR_EL3:
        this.#setControl3(cpu, low);
        return true;
      case R.ICC_SRE_EL1:
        return true;
      case R.ICC_SRE_EL2:
        this.#setBit(cpu, L.SRE_ENABLE, 1, (low & SRE_ENABLE) !== 0);
        return true;
      case R.ICC_SRE_EL3:
        this.#setBit(cpu, L.SRE_ENABLE, 2, (low & SRE_ENABLE) !== 0);
        return true;
      case R.ICC_IGRPEN0_EL1:
        this.#enable(cpu, 1, low & 1);
        return true;
      case R.ICC_IGRPEN1_EL1:
        this.#enable(cpu, 1 << group1(view), (low & 1) << group1(view));
        return true;
      case R.ICC_IGRPEN1_EL3:
        this.#enable(cpu, 6, (low & 3) << GROUP1);
        return true;
      case R.ICC_SGI1R_EL1:
        this.#sgis.generate(cpu, isSecure(view) ? SECURE_GROUP1 : GROUP1, !isSecure(view), low, high);
        return true;
      case R.ICC_ASGI1R_EL1:
        this.#sgis.generate(cpu, isSecure(view) ? GROUP1 : SECURE_GROUP1, !isSecure(view), low, high);
        return true;
      case R.ICC_SGI0R_EL1:
        this.#sgis.generate(cpu, GROUP0, !isSecure(view), low, high);
        return true;
      default:
        return false;
    }
  }

  sreEnabled(cpu: number, el: 2 | 3): boolean {
    return (this.#state.pe(cpu, L.SRE_ENABLE) & (el - 1)) !== 0;
  }

  /** Non-secure software that does not own Group 0 has the lower half of the priorities (IHI0069 4.8.1). */
  #shifted(view: number): boolean {
    return !isSecure(view) && (view & VIEW_FIQ_TO_EL3) !== 0 && !this.#state.single;
  }

  #setMask(cpu: number, value: number, view: number): void {
    const state = this.#state;
    let priority = value;
    if (this.#shifted(view)) {
      // A mask of Secure software's range stays.
      if (!(state.pe(cpu, L.PMR) & 0x80)) return;
      priority = (value >>> 1) | 0x80;
    }
    state.setPe(cpu, L.PMR, priority & PRIORITY_MASK);
    state.signal(cpu);
  }

  #control(cpu: number, bit: number): number {
    const state = this.#state;
    return (state.pe(cpu, L.EOI_MODE) & bit ? CTLR_EOI_MODE : 0) | (state.pe(cpu, L.CBPR) & bit ? CTLR_CBPR : 0);
  }

  #control3(cpu: number): number {
    const common = this.#state.pe(cpu, L.CBPR);
    const split = this.#state.pe(cpu, L.EOI_MODE);
    return (
      CTLR_FIXED |
      (common & SECURE ? CTLR3_CBPR_S : 0) |
      (common & NONSECURE ? CTLR3_CBPR_NS : 0) |
      (split & EL3 ? CTLR3_EOI_EL3 : 0) |
      (split & SECURE ? CTLR3_EOI_S : 0) |
      (split & NONSECURE ? CTLR3_EOI_NS : 0)
    );
  }

  #setControl3(cpu: number, value: number): void {
    this.#setBit(cpu, L.CBPR, SECURE, (value & CTLR3_CBPR_S) !== 0);
    this.#setBit(cpu, L.CBPR, NONSECURE, (value & CTLR3_CBPR_NS) !== 0);
    this.#setBit(cpu, L.EOI_MODE, EL3, (value & CTLR3_EOI_EL3) !== 0);
    this.#setBit(cpu, L.EOI_MODE, SECURE, (value & CTLR3_EOI_S) !== 0);
    this.#setBit(cpu, L.EOI_MODE, NONSECURE, (value & CTLR3_EOI_NS) !== 0);
    this.#state.signal(cpu);
  }

  #setBit(cpu: number, field: number, bit: number, on: boolean): void {
    const old = this.#state.pe(cpu, field);
    this.#state.setPe(cpu, field, on ? old | bit : old & ~bit);
  }

  // IHI0069 12.2.5, ICC_BPR1_EL1: with a common binary point it is ICC_BPR0_EL1, except at EL3; Non-secure, that plus one, read-only.
  #common(cpu: number, view: number): boolean {
    return !(view & VIEW_EL3) && (this.#state.pe(cpu, L.CBPR) & bank(view)) !== 0;
  }

  #binaryPoint1(cpu: number, view: number): number {
    const state = this.#state;
    if (!this.#common(cpu, view)) return state.pe(cpu, L.BPR + group1(view));
    const point = state.pe(cpu, L.BPR);
    return view & VIEW_NONSECURE ? Math.min(point + 1, 7) : point;
  }

  #setBinaryPoint1(cpu: number, value: number, view: number): void {
    if (!this.#common(cpu, view)) this.#state.setBinaryPoint(cpu, group1(view), value);
    else if (!(view & VIEW_NONSECURE)) this.#state.setBinaryPoint(cpu, GROUP0, value);
  }

  #enable(cpu: number, mask: number, bits: number): void {
    this.#state.setPe(cpu, L.GROUP_ENABLE, (this.#state.pe(cpu, L.GROUP_ENABLE) & ~mask) | bits);
    this.#state.participationChanged();
  }

  /** Whether an interrupt of a group is a Secure one. */
  #secure(group: number): boolean {
    return group !== GROUP1 && !this.#state.single;
  }

  /** What ICC_HPPIR0_EL1 shows. */
  #pending0(cpu: number, view: number): number {
    const best = this.#state.best(cpu);
    if (best === SPURIOUS) return SPURIOUS;
    const group = this.#state.group(best, cpu);
    if (this.#secure(group) && !isSecure(view)) return SPURIOUS;
    if (group === GROUP0) return best;
    // EL3 is told for whom it is, so that it can change to that state.
    if (!(view & VIEW_EL3)) return SPURIOUS;
    return this.#secure(group) ? INTID_SECURE : INTID_NONSECURE;
  }

  /** What ICC_HPPIR1_EL1 shows. */
  #pending1(cpu: number, view: number): number {
    const best = this.#state.best(cpu);
    if (best === SPURIOUS) return SPURIOUS;
    const group = this.#state.group(best, cpu);
    if (group === GROUP0) return SPURIOUS;
    if (view & VIEW_EL3 || this.#state.single) return best;
    return this.#secure(group) === isSecure(view) ? best : SPURIOUS;
  }

  /** @param visible What the register shows of the highest priority pending interrupt. */
  #acknowledge(cpu: number, visible: number): number {
    if (!this.#state.signalled(cpu)) return SPURIOUS;
    return visible >= INTID_SECURE ? visible : this.#state.acknowledge(cpu);
  }

  #end(cpu: number, register1: boolean, intid: number, view: number): void {
    const state = this.#state;
    // Spurious ones and ends of another group's interrupt are not of an acknowledged interrupt: UNPREDICTABLE, ignored.
    if (intid >= L.INTIDS) return;
    const group = state.runningGroup(cpu);
    if (group < 0 || (group !== GROUP0) !== register1) return;
    if (!state.single) {
      if (this.#secure(group) && !isSecure(view)) return;
      if (group === GROUP1 && isSecure(view) && !(view & VIEW_EL3)) return;
    }
    state.dropPriority(cpu, group);
    if (!this.#splits(cpu, view)) state.deactivate(intid, cpu);
  }

  /** EOImode of the exception level and Security state. */
  #splits(cpu: number, view: number): boolean {
    return (this.#state.pe(cpu, L.EOI_MODE) & (view & VIEW_EL3 ? EL3 : bank(view))) !== 0;
  }

  // IHI0069 12.2.13, ICC_DIR_EL1. With EOImode 0 the write is UNPREDICTABLE: here it does nothing.
  #deactivate(cpu: number, intid: number, view: number): void {
    const state = this.#state;
    if (intid >= L.INTIDS || !this.#splits(cpu, view)) return;
    const group = state.group(intid, cpu);
    if (!(view & VIEW_EL3)) {
      if (this.#secure(group) && !isSecure(view)) return;
      if (view & (group === GROUP0 ? VIEW_FIQ_TO_EL3 : VIEW_IRQ_TO_EL3)) return;
    }
    state.deactivate(intid, cpu);
  }
}

/** The Security state of the access: EL3 is Secure whichever registers it sees. */
const isSecure = (view: number): boolean => (view & VIEW_EL3) !== 0 || (view & VIEW_NONSECURE) === 0;
/** Which of banked registers: a bit of L.EOI_MODE and L.CBPR. */
const bank = (view: number): number => (view & VIEW_NONSECURE ? NONSECURE : SECURE);
const group1 = (view: number): number => (view & VIEW_NONSECURE ? GROUP1 : SECURE_GROUP1);
