import { LINE_VFIQ, LINE_VIRQ } from "../../cpu/ports.ts";
import { GROUP1 } from "./groups.ts";
import * as L from "./layout.ts";
import {
  type GicState,
  groupPriorityMask,
  IDLE_PRIORITY,
  lowest,
  MIN_BPR,
  PRIORITY_MASK,
  PRIORITY_SHIFT,
  SPURIOUS,
} from "./state.ts";

/**
 * ICH_VTR_EL2.ListRegs + 1, of each PE: as Cortex-A72 has and QEMU's `virt` machine, so that the paths of hypervisors that are taken
 * when more interrupts are pending than fit are the known ones; and each one more is a register to save and restore at every switch.
 */
export const LIST_REGISTERS = 4;
/** INTID of the maintenance interrupt (Server Base System Architecture). */
export const MAINTENANCE = 25;

// ICH_HCR_EL2, GICH_HCR.
const EN = 1 << 0;
const UIE = 1 << 1;
const LRENPIE = 1 << 2;
const NPIE = 1 << 3;
const GROUP0_ENABLED = 1 << 4;
const GROUP0_DISABLED = 1 << 5;
const GROUP1_ENABLED = 1 << 6;
const GROUP1_DISABLED = 1 << 7;
const EOI_COUNT = 31 << 27;
const EOI_COUNT_ONE = 1 << 27;

// ICH_VMCR_EL2, GICH_VMCR.
export const VENG0 = 1 << 0;
export const VENG1 = 1 << 1;
export const VACK_CTL = 1 << 2;
export const VFIQ_EN = 1 << 3;
export const VCBPR = 1 << 4;
export const VEOIM = 1 << 9;
const VBPR0_SHIFT = 21;
const VBPR1_SHIFT = 18;
const VPMR_SHIFT = 24;
const VMCR_FLAGS = VENG0 | VENG1 | VACK_CTL | VFIQ_EN | VCBPR | VEOIM;

// The high half of a list register.
export const LR_STATE_SHIFT = 30;
export const LR_PENDING = 1 << 30;
export const LR_ACTIVE = 1 << 31;
export const LR_HW = 1 << 29;
export const LR_GROUP1 = 1 << 28;
const LR_PRIORITY_SHIFT = 16;
/** Of an interrupt with LR_HW. */
const LR_PHYSICAL = 0x1fff;
/** Of an interrupt without: a maintenance interrupt at its end; and, GICv2, the CPU interface that sent the SGI. */
const LR_EOI = 1 << 9;
const LR_SOURCE = 7;
const LR_HIGH_MASK = LR_PENDING | LR_ACTIVE | LR_HW | LR_GROUP1 | (PRIORITY_MASK << LR_PRIORITY_SHIFT) | LR_PHYSICAL;
/** 16 bits of INTID. */
const LR_LOW_MASK = 0xffff;

const PENDING = 1;
const LPI_START = 8192;
const ANY_GROUP = -1;

/**
 * The virtual CPU interfaces of all PEs (IHI0069 chapter 6, IHI0048B chapter 5): list registers, and what a guest does to them.
 * Registers are as ICH_*_EL2 have them. `group` is 0 or 1.
 */
export class VirtualInterface {
  readonly #state: GicState;

  constructor(state: GicState) {
    this.#state = state;
  }

  /** After a reset of the PE. */
  reset(cpu: number, machine: number): void {
    for (let field = L.VIRTUAL_CONTROL; field < L.LIST_HIGH + LIST_REGISTERS; field++) this.#state.setPe(cpu, field, 0);
    this.setMachine(cpu, machine);
  }

  // For the hypervisor.

  control(cpu: number): number {
    return this.#state.pe(cpu, L.VIRTUAL_CONTROL);
  }

  setControl(cpu: number, value: number): void {
    this.#state.setPe(cpu, L.VIRTUAL_CONTROL, value);
    this.update(cpu);
  }

  machine(cpu: number): number {
    return this.#state.pe(cpu, L.VIRTUAL_MACHINE);
  }

  setMachine(cpu: number, value: number): void {
    const bpr0 = Math.max((value >>> VBPR0_SHIFT) & 7, MIN_BPR[0]);
    const bpr1 = Math.max((value >>> VBPR1_SHIFT) & 7, MIN_BPR[1]);
    const pmr = value & (PRIORITY_MASK << VPMR_SHIFT);
    const points = (bpr0 << VBPR0_SHIFT) | (bpr1 << VBPR1_SHIFT);
    this.#state.setPe(cpu, L.VIRTUAL_MACHINE, pmr | points | (value & VMCR_FLAGS));
    this.update(cpu);
  }

  /** Sets the bits of `mask`. */
  changeMachine(cpu: number, mask: number, bits: number): void {
    this.setMachine(cpu, (this.machine(cpu) & ~mask) | (bits & mask));
  }

  activePriorities(cpu: number, group: number): number {
    return this.#state.pe(cpu, L.VIRTUAL_ACTIVE_PRIORITIES + group);
  }

  setActivePriorities(cpu: number, group: number, value: number): void {
    this.#state.setPe(cpu, L.VIRTUAL_ACTIVE_PRIORITIES + group, value);
    this.update(cpu);
  }

  listLow(cpu: number, n: number): number {
    return this.#state.pe(cpu, L.LIST_LOW + n);
  }

  listHigh(cpu: number, n: number): number {
    return this.#state.pe(cpu, L.LIST_HIGH + n);
  }

  setList(cpu: number, n: number, low: number, high: number): void {
    this.#state.setPe(cpu, L.LIST_LOW + n, low & LR_LOW_MASK);
    this.#state.setPe(cpu, L.LIST_HIGH + n, high & LR_HIGH_MASK);
    this.update(cpu);
  }

  /** ICH_EISR_EL2: list registers that ask for a maintenance interrupt because their interrupt has ended. */
  ended(cpu: number): number {
    let bits = 0;
    for (let n = 0; n < LIST_REGISTERS; n++) if (hasEnded(this.listHigh(cpu, n))) bits |= 1 << n;
    return bits;
  }

  /** ICH_ELRSR_EL2: list registers that are free. */
  free(cpu: number): number {
    let bits = 0;
    for (let n = 0; n < LIST_REGISTERS; n++) {
      const high = this.listHigh(cpu, n);
      if (high >>> LR_STATE_SHIFT === 0 && !hasEnded(high)) bits |= 1 << n;
    }
    return bits;
  }

  /** ICH_MISR_EL2: why there is a maintenance interrupt, if ICH_HCR_EL2.En lets it. */
  maintenance(cpu: number): number {
    let valid = 0;
    let pending = 0;
    let ended = 0;
    for (let n = 0; n < LIST_REGISTERS; n++) {
      const high = this.listHigh(cpu, n);
      const state = high >>> LR_STATE_SHIFT;
      if (state !== 0) valid++;
      else if (hasEnded(high)) ended = 1;
      if (state === PENDING) pending++;
    }
    return this.#reasons(cpu, valid, pending, ended);
  }

  // The bits of ICH_MISR_EL2 but for EOI (bit 0) are where their enables are in ICH_HCR_EL2.
  #reasons(cpu: number, valid: number, pending: number, ended: number): number {
    const control = this.control(cpu);
    const machine = this.machine(cpu);
    const conditions =
      (valid <= 1 ? UIE : 0) |
      (control & EOI_COUNT ? LRENPIE : 0) |
      (pending === 0 ? NPIE : 0) |
      (machine & VENG0 ? GROUP0_ENABLED : GROUP0_DISABLED) |
      (machine & VENG1 ? GROUP1_ENABLED : GROUP1_DISABLED);
    return (control & conditions) | ended;
  }

  /** Chooses the highest priority pending virtual interrupt, signals it, and the maintenance interrupt: after any change. */
  update(cpu: number): void {
    const state = this.#state;
    const machine = this.machine(cpu);
    let best = -1;
    let bestPriority = IDLE_PRIORITY + 1;
    let valid = 0;
    let pending = 0;
    let ended = 0;
    for (let n = 0; n < LIST_REGISTERS; n++) {
      const high = this.listHigh(cpu, n);
      const listed = high >>> LR_STATE_SHIFT;
      if (listed === 0) {
        if (hasEnded(high)) ended = 1;
        continue;
      }
      valid++;
      if (listed !== PENDING) continue;
      pending++;
      const priority = priorityOf(high);
      if (machine & (high & LR_GROUP1 ? VENG1 : VENG0) && priority < bestPriority) {
        best = n;
        bestPriority = priority;
      }
    }
    state.setPe(cpu, L.VIRTUAL_BEST, best);
    const line = this.signalled(cpu) ? this.#line(machine, this.listHigh(cpu, best)) : 0;
    state.drive(cpu, LINE_VIRQ | LINE_VFIQ, line);
    const interrupt = this.control(cpu) & EN && this.#reasons(cpu, valid, pending, ended);
    state.setLevel(MAINTENANCE, cpu, interrupt !== 0);
  }

  #line(machine: number, high: number): number {
    return high & LR_GROUP1 || !(machine & VFIQ_EN) ? LINE_VIRQ : LINE_VFIQ;
  }

  /** Whether the best one is of higher priority than the mask and what runs, and would be acknowledged. */
  signalled(cpu: number): boolean {
    const best = this.#state.pe(cpu, L.VIRTUAL_BEST);
    if (best < 0 || !(this.control(cpu) & EN)) return false;
    const high = this.listHigh(cpu, best);
    const priority = priorityOf(high);
    return priority < this.machine(cpu) >>> VPMR_SHIFT && this.#groupPriority(cpu, high) < this.runningPriority(cpu);
  }

  #groupPriority(cpu: number, high: number): number {
    const machine = this.machine(cpu);
    const group1 = (high & LR_GROUP1) !== 0 && !(machine & VCBPR);
    const point = group1 ? ((machine >>> VBPR1_SHIFT) & 7) - 1 : (machine >>> VBPR0_SHIFT) & 7;
    return priorityOf(high) & groupPriorityMask(point);
  }

  // For the guest.

  /** ICV_PMR_EL1. */
  priorityMask(cpu: number): number {
    return this.machine(cpu) >>> VPMR_SHIFT;
  }

  setPriorityMask(cpu: number, value: number): void {
    this.changeMachine(cpu, 0xff << VPMR_SHIFT, value << VPMR_SHIFT);
  }

  /** ICV_BPR<group>_EL1. */
  binaryPoint(cpu: number, group: number): number {
    const machine = this.machine(cpu);
    const bpr0 = (machine >>> VBPR0_SHIFT) & 7;
    if (group !== GROUP1) return bpr0;
    return machine & VCBPR ? Math.min(bpr0 + 1, 7) : this.ownBinaryPoint1(cpu);
  }

  setBinaryPoint(cpu: number, group: number, value: number): void {
    if (group !== GROUP1) this.changeMachine(cpu, 7 << VBPR0_SHIFT, value << VBPR0_SHIFT);
    else if (!(this.machine(cpu) & VCBPR)) this.setOwnBinaryPoint1(cpu, value);
  }

  /** GICV_ABPR: Group 1's own, whatever VCBPR says. */
  ownBinaryPoint1(cpu: number): number {
    return (this.machine(cpu) >>> VBPR1_SHIFT) & 7;
  }

  setOwnBinaryPoint1(cpu: number, value: number): void {
    this.changeMachine(cpu, 7 << VBPR1_SHIFT, value << VBPR1_SHIFT);
  }

  runningPriority(cpu: number): number {
    const active = this.activePriorities(cpu, 0) | this.activePriorities(cpu, 1);
    return active === 0 ? IDLE_PRIORITY : lowest(active) << PRIORITY_SHIFT;
  }

  /** The group of the highest priority pending virtual interrupt, masked or not; -1: there is none. */
  bestGroup(cpu: number): number {
    const best = this.#state.pe(cpu, L.VIRTUAL_BEST);
    return best < 0 ? -1 : groupOf(this.listHigh(cpu, best));
  }

  /** Its INTID, with the sender of a GICv2's SGI in bits 12:10; SPURIOUS when there is none, or none of the group. */
  highestPending(cpu: number, group: number): number {
    return this.bestGroup(cpu) === group ? this.#identity(cpu, this.#state.pe(cpu, L.VIRTUAL_BEST)) : SPURIOUS;
  }

  /** Makes the highest priority pending virtual interrupt active, when it is signalled and of the group: its INTID, or SPURIOUS. */
  acknowledge(cpu: number, group: number): number {
    const best = this.#state.pe(cpu, L.VIRTUAL_BEST);
    if (!this.signalled(cpu) || this.bestGroup(cpu) !== group) return SPURIOUS;
    const high = this.listHigh(cpu, best);
    const identity = this.#identity(cpu, best);
    if (isSpecial(this.listLow(cpu, best))) {
      this.#state.setPe(cpu, L.LIST_HIGH + best, high & ~LR_PENDING);
    } else {
      const level = 1 << (this.#groupPriority(cpu, high) >>> PRIORITY_SHIFT);
      const priorities = L.VIRTUAL_ACTIVE_PRIORITIES + group;
      this.#state.setPe(cpu, priorities, this.#state.pe(cpu, priorities) | level);
      this.#state.setPe(cpu, L.LIST_HIGH + best, (high & ~LR_PENDING) | LR_ACTIVE);
    }
    this.update(cpu);
    return identity;
  }

  /**
   * A write of `identity`, as acknowledge() gave it, to an EOI register: the highest active priority is dropped, and with EOImode 0 the
   * interrupt deactivated if that was its own. `group`: whose register it is, -1 for either.
   */
  end(cpu: number, group: number, identity: number): void {
    if (isSpecial(identity)) return;
    const dropped = this.#dropPriority(cpu);
    if (dropped < 0) return;
    // LPIs have no deactivation of their own.
    const deactivates = !(this.machine(cpu) & VEOIM) || identity >= LPI_START;
    const n = this.#findActive(cpu, identity);
    if (n < 0) {
      if (deactivates) this.#countEnd(cpu, identity);
    } else if (deactivates) {
      const high = this.listHigh(cpu, n);
      const ours = group === ANY_GROUP || group === groupOf(high);
      if (ours && this.#groupPriority(cpu, high) === dropped) this.#deactivateList(cpu, n);
    }
    this.update(cpu);
  }

  /** A write to a deactivation register. With EOImode 0 it is UNPREDICTABLE: here it does nothing. */
  deactivate(cpu: number, identity: number): void {
    if (isSpecial(identity) || !(this.machine(cpu) & VEOIM)) return;
    const n = this.#findActive(cpu, identity);
    if (n < 0) this.#countEnd(cpu, identity);
    else this.#deactivateList(cpu, n);
    this.update(cpu);
  }

  #identity(cpu: number, n: number): number {
    const intid = this.listLow(cpu, n);
    const high = this.listHigh(cpu, n);
    return intid < 16 && !(high & LR_HW) ? intid | ((high & LR_SOURCE) << 10) : intid;
  }

  #findActive(cpu: number, identity: number): number {
    for (let n = 0; n < LIST_REGISTERS; n++) {
      if (this.listHigh(cpu, n) & LR_ACTIVE && this.#identity(cpu, n) === identity) return n;
    }
    return -1;
  }

  /** The priority that was the highest active one, and is active no more; -1: there was none. */
  #dropPriority(cpu: number): number {
    const active = this.activePriorities(cpu, 0) | this.activePriorities(cpu, 1);
    if (active === 0) return -1;
    const highest = active & -active;
    const group = this.activePriorities(cpu, 0) & highest ? 0 : 1;
    this.#state.setPe(cpu, L.VIRTUAL_ACTIVE_PRIORITIES + group, this.activePriorities(cpu, group) & ~highest);
    return lowest(highest) << PRIORITY_SHIFT;
  }

  /** EOIcount: deactivations of interrupts that are in no list register. */
  #countEnd(cpu: number, identity: number): void {
    if (identity >= LPI_START) return;
    const control = this.control(cpu);
    this.#state.setPe(cpu, L.VIRTUAL_CONTROL, (control & ~EOI_COUNT) | ((control + EOI_COUNT_ONE) & EOI_COUNT));
  }

  #deactivateList(cpu: number, n: number): void {
    const high = this.listHigh(cpu, n);
    this.#state.setPe(cpu, L.LIST_HIGH + n, high & ~LR_ACTIVE);
    const physical = high & LR_PHYSICAL;
    if (!(high & LR_HW) || physical >= L.INTIDS) return;
    // A hypervisor of Non-secure state has no say in Secure interrupts.
    if (this.#state.single || this.#state.group(physical, cpu) === GROUP1) this.#state.deactivate(physical, cpu);
  }
}

const priorityOf = (high: number): number => (high >>> LR_PRIORITY_SHIFT) & 0xff;
const groupOf = (high: number): number => (high & LR_GROUP1 ? 1 : 0);
const hasEnded = (high: number): boolean => high >>> LR_STATE_SHIFT === 0 && (high & (LR_HW | LR_EOI)) === LR_EOI;
/** 1020 to 1023 are no interrupts. */
const isSpecial = (intid: number): boolean => intid >= 1020 && intid <= SPURIOUS;
