import type { Line } from "../bus/device.ts";
import type { PeState } from "../cpu/pe-state.ts";
import { TIMERS } from "../cpu/timers.ts";
import { GicV3Distributor } from "../devices/gic/gicv3-distributor.ts";
import { GicV3Redistributors } from "../devices/gic/gicv3-redistributor.ts";
import { GROUP0 } from "../devices/gic/groups.ts";
import * as L from "../devices/gic/layout.ts";
import { SgiGenerator } from "../devices/gic/sgi-generator.ts";
import { GicState, gicStateBytes, SPURIOUS } from "../devices/gic/state.ts";
import * as R from "../devices/gic/sysreg-ids.ts";
import {
  LIST_REGISTERS,
  LR_ACTIVE,
  LR_GROUP1,
  LR_HW,
  LR_PENDING,
  LR_STATE_SHIFT,
} from "../devices/gic/virtual-interface.ts";
import { type PhysicalPe, VIRTUAL_TIMER_PPI } from "./physical-pe.ts";
import { SAVED_LISTS } from "./vcpu.ts";

const LR_PRIORITY_SHIFT = 16;
const LR_EOI = 1 << 9;
// ICH_HCR_EL2.
const EN = 1 << 0;
const UIE = 1 << 1;
const LRENPIE = 1 << 2;
const TDIR = 1 << 14;
const EOI_COUNT_SHIFT = 27;
/** ICH_LR<n>_EL2.pINTID, with LR_HW. */
const HIGH_INTID = 0x1fff;
const NONE = -1;

/** Of VirtualGic.save. */
export interface SavedGic {
  /** Of the distributor and the redistributors. */
  readonly words: Int32Array;
  readonly latched: readonly number[];
  readonly overflow: readonly (readonly number[])[];
}

export interface VirtualGicOptions {
  readonly buffer: ArrayBufferLike;
  /** Where its state is in linear memory: `bytes(cpus)`. */
  readonly base: number;
  readonly cpus: number;
  /** Aff3.Aff2.Aff1.Aff0 of a vCPU, a byte each. */
  readonly affinity: (vcpu: number) => number;
  /** A vCPU has an interrupt to be told of that it had not before. */
  readonly notify: (vcpu: number) => void;
}

/**
 * A domain's GICv3. Distributor and redistributors are the device models of the machine's, over state of the domain's own; the CPU interface is
 * the PE's virtual one. The highest priority pending interrupts of a vCPU are in its list registers while it is on a PE ("listed"), and
 * count as active in the distributor's state meanwhile, so that they are not chosen again. All other methods with a PE are for the one that the
 * vCPU is on, in the hypervisor.
 */
export class VirtualGic {
  readonly distributor: GicV3Distributor;
  readonly redistributors: GicV3Redistributors;
  readonly #state: GicState;
  readonly #sgis: SgiGenerator;
  readonly #cpus: number;
  readonly #notify: (vcpu: number) => void;
  /** INTID in each list register of each vCPU, or NONE. */
  readonly #listed: Int16Array;
  /** How many list registers of each vCPU are in use. */
  readonly #inUse: Int32Array;
  /** Whether what is listed was pending by its latch, not by its line. */
  readonly #latched: Uint8Array;
  /** Active interrupts that found no room in the list registers, of each vCPU. */
  readonly #overflow: number[][];
  /** What notify() was last called for, of each vCPU. */
  readonly #told: Int16Array;
  /** ICH_HCR_EL2 as it was set last, of each vCPU. */
  readonly #control: Int32Array;

  static bytes(cpus: number): number {
    return gicStateBytes(cpus);
  }

  constructor({ buffer, base, cpus, affinity, notify }: VirtualGicOptions) {
    this.#cpus = cpus;
    this.#notify = notify;
    this.#state = new GicState(buffer, cpus, () => {}, "single", base, gicStateBytes(cpus));
    const affinities = Uint32Array.from({ length: cpus }, (_, cpu) => affinity(cpu));
    const nothing = (): void => {};
    this.distributor = new GicV3Distributor(this.#state, affinities, () => true, nothing);
    this.redistributors = new GicV3Redistributors(this.#state, affinities, () => true, nothing);
    this.#sgis = new SgiGenerator(this.#state, affinities);
    this.#listed = new Int16Array(cpus * LIST_REGISTERS).fill(NONE);
    this.#latched = new Uint8Array(cpus * LIST_REGISTERS);
    this.#inUse = new Int32Array(cpus);
    this.#overflow = Array.from({ length: cpus }, () => []);
    this.#told = new Int16Array(cpus).fill(SPURIOUS);
    this.#control = new Int32Array(cpus);
    this.reset();
  }

  /** To the state after power-on; redistributors are awake, as firmware leaves them. */
  reset(): void {
    const state = this.#state;
    state.reset();
    for (let cpu = 0; cpu < this.#cpus; cpu++) {
      // Which groups and priorities the vCPU takes is its virtual CPU interface's to decide.
      state.setPe(cpu, L.GROUP_ENABLE, 3);
      state.setPe(cpu, L.PMR, 0xff);
      this.resetCpu(cpu);
    }
    state.participationChanged();
    this.distributor.routeAll();
  }

  /** What was listed for a vCPU is nobody's: after its reset. */
  resetCpu(cpu: number): void {
    for (let n = 0; n < LIST_REGISTERS; n++) {
      const intid = this.#listed[cpu * LIST_REGISTERS + n] as number;
      if (intid !== NONE) this.#state.deactivate(intid, cpu);
      this.#listed[cpu * LIST_REGISTERS + n] = NONE;
    }
    for (const intid of this.#overflow[cpu] as number[]) this.#state.deactivate(intid, cpu);
    (this.#overflow[cpu] as number[]).length = 0;
    this.#inUse[cpu] = 0;
    this.#control[cpu] = 0;
    this.#told[cpu] = SPURIOUS;
  }

  /** The input of SPI `spi` (INTID less 32). */
  line(spi: number): Line {
    return {
      set: (level) => {
        this.#state.setLevel(spi + 32, 0, level);
        this.changed();
      },
    };
  }

  /** The level of a private interrupt of a vCPU. */
  setPrivate(cpu: number, intid: number, level: boolean): void {
    this.#state.setLevel(intid, cpu, level);
    this.changed();
  }

  /** After anything that may have made interrupts pending. */
  changed(): void {
    for (let cpu = 0; cpu < this.#cpus; cpu++) {
      const best = this.#state.best(cpu);
      if (best === this.#told[cpu]) continue;
      this.#told[cpu] = best;
      if (best !== SPURIOUS) this.#notify(cpu);
    }
  }

  /** ICC_SGI1R_EL1 and its relatives, as a vCPU writes them. */
  generate(cpu: number, id: number, low: number, high: number): void {
    const group = id === R.ICC_SGI0R_EL1 ? GROUP0 : id === R.ICC_SGI1R_EL1 ? 1 : 2;
    this.#sgis.generate(cpu, group, true, low, high);
    this.changed();
  }

  /** The interrupt of the virtual timer has come for the vCPU. */
  timerFired(cpu: number): void {
    this.#latch(cpu, VIRTUAL_TIMER_PPI);
  }

  /** Whether the interrupt of the virtual timer is pending or active for the vCPU, so that the PE's must not be signalled again. */
  timerInFlight(cpu: number): boolean {
    if ((this.#state.bits(L.LATCH, 0, cpu) >>> VIRTUAL_TIMER_PPI) & 1) return true;
    return ((this.#state.bits(L.ACTIVE, 0, cpu) >>> VIRTUAL_TIMER_PPI) & 1) !== 0;
  }

  /** Whether there is a pending interrupt that is not listed. */
  hasPending(cpu: number): boolean {
    return this.#state.best(cpu) !== SPURIOUS;
  }

  /** Takes back what the guest has ended. On each entry to the hypervisor. */
  sync(pe: PhysicalPe, cpu: number): void {
    if (this.#inUse[cpu] === 0 && (this.#overflow[cpu] as number[]).length === 0) return;
    const first = cpu * LIST_REGISTERS;
    for (let n = 0; n < LIST_REGISTERS; n++) {
      const intid = this.#listed[first + n] as number;
      if (intid === NONE) continue;
      pe.readInterruptRegister(R.ICH_LR0_EL2 + n);
      const high = pe.interruptRegisterHigh;
      if (high >>> LR_STATE_SHIFT === 0) this.#drop(pe, cpu, n, intid);
    }
    if ((this.#overflow[cpu] as number[]).length > 0) this.#countedEnds(pe, cpu);
  }

  /** Before the vCPU reads or writes distributor and redistributor registers: what is listed and not active is pending there again. */
  unlist(pe: PhysicalPe, cpu: number): void {
    if (this.#inUse[cpu] === 0) return;
    const first = cpu * LIST_REGISTERS;
    for (let n = 0; n < LIST_REGISTERS; n++) {
      const intid = this.#listed[first + n] as number;
      if (intid === NONE) continue;
      const low = pe.readInterruptRegister(R.ICH_LR0_EL2 + n);
      const high = pe.interruptRegisterHigh;
      if (!(high & LR_PENDING)) continue;
      if (high & LR_ACTIVE) pe.writeInterruptRegister(R.ICH_LR0_EL2 + n, low, high & ~LR_PENDING);
      if (this.#latched[first + n]) this.#latch(cpu, intid);
      if (!(high & LR_ACTIVE)) this.#withdraw(pe, cpu, n, intid);
    }
  }

  /** Fills the list registers. Before the vCPU goes on. */
  fill(pe: PhysicalPe, cpu: number): void {
    const state = this.#state;
    const overflow = (this.#overflow[cpu] as number[]).length > 0;
    if (this.#inUse[cpu] !== 0) this.#refresh(pe, cpu);
    else if (state.best(cpu) === SPURIOUS && this.#control[cpu] === EN && !pe.timerActive && !overflow) {
      this.#told[cpu] = SPURIOUS;
      return;
    }
    for (let best = state.best(cpu); best !== SPURIOUS; best = state.best(cpu)) {
      if (best === VIRTUAL_TIMER_PPI && !pe.timerAsserted(TIMERS.virtual)) {
        this.#unlatch(cpu, best);
        continue;
      }
      const n = this.#room(pe, cpu, state.pe(cpu, L.BEST_PRIORITY));
      if (n < 0) break;
      this.#list(pe, cpu, n, best);
    }
    this.#told[cpu] = state.best(cpu);
    // The guest may have undone what the timer's interrupt was handed on as: it comes again where there is a reason for it.
    if (pe.timerActive && !this.timerInFlight(cpu)) pe.setTimerActive(false);
    const full = (this.#overflow[cpu] as number[]).length > 0;
    const control = EN | (state.best(cpu) === SPURIOUS ? 0 : UIE) | (full ? LRENPIE | TDIR : 0);
    if (control === this.#control[cpu] && !full) return;
    this.#control[cpu] = control;
    pe.writeInterruptRegister(R.ICH_HCR_EL2, control);
  }

  /** The PE has the vCPU's registers now: ICH_HCR_EL2 is its, too. */
  loaded(pe: PhysicalPe, cpu: number): void {
    pe.writeInterruptRegister(R.ICH_HCR_EL2, EN);
    this.#control[cpu] = EN;
  }

  /** The virtual CPU interface says nothing any more, until `fill`: neither interrupts nor why it wants maintenance. */
  silence(pe: PhysicalPe, cpu: number): void {
    pe.writeInterruptRegister(R.ICH_HCR_EL2, 0);
    this.#control[cpu] = 0;
  }

  /** For a fork: its memory was filled with that of `other`, and the vCPUs' blocks, too; both go on from there. */
  continueAs(other: VirtualGic): void {
    this.#listed.set(other.#listed);
    this.#latched.set(other.#latched);
    this.#inUse.set(other.#inUse);
    for (const [cpu, intids] of other.#overflow.entries()) this.#overflow[cpu] = [...intids];
    this.#told.fill(SPURIOUS);
    this.#control.fill(0);
    this.changed();
  }

  /** All of its state that is not in the vCPUs' blocks, while none is on a PE. */
  save(): SavedGic {
    return {
      words: this.#state.words.slice(),
      latched: [...this.#latched],
      overflow: this.#overflow.map((intids) => [...intids]),
    };
  }

  /**
   * Goes on from what `save` gave. What is listed, the blocks of the vCPUs say, which were restored before. False: that cannot be.
   */
  restore({ words, latched, overflow }: SavedGic, blocks: readonly PeState[]): boolean {
    if (words.length !== this.#state.words.length || latched.length !== this.#latched.length) return false;
    if (overflow.length !== this.#cpus) return false;
    this.#state.words.set(words);
    for (const [cpu, intids] of overflow.entries()) this.#overflow[cpu] = [...intids];
    this.#latched.set(latched);
    for (const [cpu, saved] of blocks.entries()) if (!this.#restoreLists(cpu, saved)) return false;
    this.#told.fill(SPURIOUS);
    this.#control.fill(0);
    this.#state.restored();
    this.changed();
    return true;
  }

  /** Only what `fill` could have listed: an interrupt of the physical timer's is ended with the guest's, and nothing else of the machine's. */
  #restoreLists(cpu: number, saved: PeState): boolean {
    const mine = new Set(this.#overflow[cpu]);
    if (mine.size !== (this.#overflow[cpu] as number[]).length) return false;
    let inUse = 0;
    for (let n = 0; n < LIST_REGISTERS; n++) {
      const intid = saved.word(SAVED_LISTS + 8 * n);
      const high = saved.high(SAVED_LISTS + 8 * n);
      this.#listed[cpu * LIST_REGISTERS + n] = NONE;
      if (intid === 0 && high === 0) continue;
      const timer = intid === VIRTUAL_TIMER_PPI;
      const possible = timer ? (high & (LR_HW | HIGH_INTID)) === (LR_HW | intid) : !(high & LR_HW);
      if (!possible || intid < 0 || intid >= L.INTIDS || mine.has(intid)) return false;
      mine.add(intid);
      this.#listed[cpu * LIST_REGISTERS + n] = intid;
      inUse++;
    }
    this.#inUse[cpu] = inUse;
    for (const intid of mine) if (!((this.#state.bits(L.ACTIVE, intid >>> 5, cpu) >>> (intid & 31)) & 1)) return false;
    return true;
  }

  /** ICC_DIR_EL1, which traps while active interrupts are in no list register. */
  deactivate(pe: PhysicalPe, cpu: number, intid: number): void {
    const overflow = this.#overflow[cpu] as number[];
    const at = overflow.indexOf(intid);
    if (at >= 0) {
      overflow.splice(at, 1);
      this.#state.deactivate(intid, cpu);
      return;
    }
    const first = cpu * LIST_REGISTERS;
    for (let n = 0; n < LIST_REGISTERS; n++) {
      if (this.#listed[first + n] !== intid) continue;
      const low = pe.readInterruptRegister(R.ICH_LR0_EL2 + n);
      const high = pe.interruptRegisterHigh & ~LR_ACTIVE;
      pe.writeInterruptRegister(R.ICH_LR0_EL2 + n, low, high);
      if (high >>> LR_STATE_SHIFT === 0) this.#drop(pe, cpu, n, intid);
    }
  }

  /** What is listed may have changed: a line has fallen, or an edge come again. */
  #refresh(pe: PhysicalPe, cpu: number): void {
    const first = cpu * LIST_REGISTERS;
    for (let n = 0; n < LIST_REGISTERS; n++) {
      const intid = this.#listed[first + n] as number;
      if (intid === NONE) continue;
      const low = pe.readInterruptRegister(R.ICH_LR0_EL2 + n);
      const high = pe.interruptRegisterHigh;
      if (intid === VIRTUAL_TIMER_PPI) {
        if ((high & (LR_PENDING | LR_ACTIVE)) === LR_PENDING && !pe.timerAsserted(TIMERS.virtual))
          this.#withdraw(pe, cpu, n, intid);
        continue;
      }
      const word = intid >>> 5;
      const bit = 1 << (intid & 31);
      const line = (this.#state.bits(L.LINE, word, cpu) & ~this.#state.bits(L.EDGE, word, cpu) & bit) !== 0;
      const latch = (this.#state.bits(L.LATCH, word, cpu) & bit) !== 0;
      const enabled = (this.#state.bits(L.ENABLE, word, cpu) & bit) !== 0;
      if (high & LR_ACTIVE) {
        // Active, and pending anew by its latch; by its line, it is looked at when it has ended.
        let now = (high & ~LR_EOI) | (line ? LR_EOI : 0);
        if (latch && enabled) {
          now |= LR_PENDING;
          this.#unlatch(cpu, intid);
          this.#latched[first + n] = 1;
        }
        if (now !== high) pe.writeInterruptRegister(R.ICH_LR0_EL2 + n, low, now);
      } else if ((!line && !latch && !this.#latched[first + n]) || !enabled) {
        if (this.#latched[first + n]) this.#latch(cpu, intid);
        this.#withdraw(pe, cpu, n, intid);
      } else if (line !== ((high & LR_EOI) !== 0)) {
        pe.writeInterruptRegister(R.ICH_LR0_EL2 + n, low, (high & ~LR_EOI) | (line ? LR_EOI : 0));
      }
    }
  }

  #list(pe: PhysicalPe, cpu: number, n: number, intid: number): void {
    const state = this.#state;
    const word = intid >>> 5;
    const bit = 1 << (intid & 31);
    const timer = intid === VIRTUAL_TIMER_PPI;
    const line = (state.bits(L.LINE, word, cpu) & ~state.bits(L.EDGE, word, cpu) & bit) !== 0;
    const high =
      LR_PENDING |
      (state.group(intid, cpu) === GROUP0 ? 0 : LR_GROUP1) |
      (state.priority(intid, cpu) << LR_PRIORITY_SHIFT) |
      (timer ? LR_HW | intid : line ? LR_EOI : 0);
    this.#latched[cpu * LIST_REGISTERS + n] = state.bits(L.LATCH, word, cpu) & bit ? 1 : 0;
    state.setBits(L.LATCH, word, cpu, state.bits(L.LATCH, word, cpu) & ~bit);
    state.setBits(L.ACTIVE, word, cpu, state.bits(L.ACTIVE, word, cpu) | bit);
    state.changed(word, bit, cpu);
    this.#listed[cpu * LIST_REGISTERS + n] = intid;
    this.#inUse[cpu] = (this.#inUse[cpu] as number) + 1;
    pe.writeInterruptRegister(R.ICH_LR0_EL2 + n, intid, high);
  }

  /** A list register for an interrupt of `priority`: a free one, or that of one that can wait. -1: there is none. */
  #room(pe: PhysicalPe, cpu: number, priority: number): number {
    const first = cpu * LIST_REGISTERS;
    let worst = -1;
    let worstPriority = priority;
    let active = -1;
    for (let n = 0; n < LIST_REGISTERS; n++) {
      if (this.#listed[first + n] === NONE) return n;
      pe.readInterruptRegister(R.ICH_LR0_EL2 + n);
      const high = pe.interruptRegisterHigh;
      const other = (high >>> LR_PRIORITY_SHIFT) & 0xff;
      if (high & LR_ACTIVE) {
        if (!(high & (LR_PENDING | LR_HW)) && other > priority) active = n;
      } else if (other > worstPriority) {
        worst = n;
        worstPriority = other;
      }
    }
    if (worst >= 0) {
      const intid = this.#listed[first + worst] as number;
      if (this.#latched[first + worst]) this.#latch(cpu, intid);
      this.#withdraw(pe, cpu, worst, intid);
      return worst;
    }
    if (active >= 0) {
      // It stays active; how it ends is told by ICH_HCR_EL2.EOIcount, or by its deactivation.
      (this.#overflow[cpu] as number[]).push(this.#listed[first + active] as number);
      this.#clear(pe, cpu, active);
    }
    return active;
  }

  /** What is listed was not taken, and is pending no more, or pending elsewhere. */
  #withdraw(pe: PhysicalPe, cpu: number, n: number, intid: number): void {
    this.#clear(pe, cpu, n);
    this.#state.deactivate(intid, cpu);
    if (intid === VIRTUAL_TIMER_PPI && !this.timerInFlight(cpu)) pe.setTimerActive(false);
  }

  /** It has ended. */
  #drop(pe: PhysicalPe, cpu: number, n: number, intid: number): void {
    this.#clear(pe, cpu, n);
    this.#state.deactivate(intid, cpu);
    // The end of a virtual interrupt with LR_HW has deactivated the physical one.
    if (intid === VIRTUAL_TIMER_PPI) pe.timerActive = false;
  }

  #clear(pe: PhysicalPe, cpu: number, n: number): void {
    this.#listed[cpu * LIST_REGISTERS + n] = NONE;
    this.#latched[cpu * LIST_REGISTERS + n] = 0;
    this.#inUse[cpu] = (this.#inUse[cpu] as number) - 1;
    pe.writeInterruptRegister(R.ICH_LR0_EL2 + n, 0, 0);
  }

  /** Interrupts in no list register that the guest has ended, highest priority first, as nested ones end. */
  #countedEnds(pe: PhysicalPe, cpu: number): void {
    const overflow = this.#overflow[cpu] as number[];
    const count = pe.readInterruptRegister(R.ICH_HCR_EL2) >>> EOI_COUNT_SHIFT;
    for (let i = 0; i < count && overflow.length > 0; i++) {
      overflow.sort((a, b) => this.#state.priority(b, cpu) - this.#state.priority(a, cpu));
      this.#state.deactivate(overflow.pop() as number, cpu);
    }
  }

  #latch(cpu: number, intid: number): void {
    this.#setLatch(cpu, intid, true);
  }

  #unlatch(cpu: number, intid: number): void {
    this.#setLatch(cpu, intid, false);
  }

  #setLatch(cpu: number, intid: number, on: boolean): void {
    const word = intid >>> 5;
    const bit = 1 << (intid & 31);
    const old = this.#state.bits(L.LATCH, word, cpu);
    this.#state.setBits(L.LATCH, word, cpu, on ? old | bit : old & ~bit);
    this.#state.changed(word, bit, cpu);
  }
}
