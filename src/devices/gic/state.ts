import { LINE_FIQ, LINE_IRQ, LINE_NONSECURE_GROUP1, LINE_SECURE_GROUP1 } from "../../cpu/ports.ts";
import { GIC_STATE, GIC_STATE_END } from "../../memory/linear-layout.ts";
import { GROUP0, GROUP1, GROUPS, SECURE_GROUP1 } from "./groups.ts";
import * as L from "./layout.ts";

/** The INTID that says there is none. */
export const SPURIOUS = 1023;
/** The running priority when nothing is active. */
export const IDLE_PRIORITY = 0xff;
/** Five bits of priority, at the top of the byte. */
export const PRIORITY_MASK = 0xf8;
export const PRIORITY_SHIFT = 3;
/** Least binary points of the groups with five bits of preemption (Group 1's is one more: IHI0069 chapter 4, priority grouping). */
export const MIN_BPR = [2, 3, 2] as const;
/** The priority mask with which Secure firmware lets Non-secure software set it: in the lower half of the priorities. */
export const NONSECURE_MASK = 0x80;
/** What GicState.signal drives. */
const PHYSICAL_LINES = LINE_IRQ | LINE_FIQ | LINE_SECURE_GROUP1 | LINE_NONSECURE_GROUP1;
/** Bytes of the state of a controller for so many PEs. */
export const gicStateBytes = (cpus: number): number => (L.PE_BLOCKS + cpus * L.PE_STRIDE) * 4;
const MAX_CPUS = Math.floor((GIC_STATE_END - GIC_STATE) / 4 / L.PE_STRIDE) - L.PE_BLOCKS / L.PE_STRIDE;

/** LINE_* bits (cpu/ports.ts) of all that is signalled to a PE. */
export type SetLines = (cpuIndex: number, lines: number) => void;

/**
 * single: one Security state. grouped: two, of which Group 0 and Group 1 are the interrupts (GICv2). split: two, and Group 1 is one of
 * each (GICv3), until GICD_CTLR.DS is set.
 */
export type Security = "single" | "grouped" | "split";

/**
 * What GICv2 and GICv3 have in common: the state of every interrupt, the choice of the highest priority pending one for each PE, and the
 * CPU interface's priority logic. All of the state is in linear memory at GIC_STATE.
 */
export class GicState {
  readonly cpus: number;
  readonly #security: Security;
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #setLines: SetLines;

  /** `base`: where the state is, GIC_STATE unless it is a hypervisor's for a guest. `room`: bytes there. */
  constructor(
    memory: ArrayBufferLike,
    cpus: number,
    setLines: SetLines,
    security: Security,
    base = GIC_STATE,
    room = GIC_STATE_END - GIC_STATE,
  ) {
    if (!(cpus >= 1 && cpus <= MAX_CPUS))
      throw new RangeError(`an interrupt controller serves 1 to ${MAX_CPUS} PEs, not ${cpus}`);
    this.cpus = cpus;
    this.#security = security;
    this.#words = new Int32Array(memory, base, room / 4);
    this.#bytes = new Uint8Array(memory, base, room);
    this.#setLines = setLines;
  }

  /** To the state after power-on; the levels of the inputs are not the controller's, and stay. */
  reset(): void {
    for (let cpu = 0; cpu < this.cpus; cpu++) {
      const level = this.pe(cpu, L.LINE);
      this.#words.fill(0, block(cpu), block(cpu) + L.PE_STRIDE);
      this.setPe(cpu, L.LINE, level);
      // SGIs are always edge-triggered.
      this.setPe(cpu, L.EDGE, 0xffff);
      this.#resetInterface(cpu);
    }
    this.#words.fill(0, L.SHARED, L.LINE);
    this.#words.fill(0, L.LINE + L.BITMAP_STRIDE, L.PE_BLOCKS);
    this.setShared(L.SINGLE_STATE, this.#security === "single" ? 1 : 0);
    this.#participants();
    for (let cpu = 0; cpu < this.cpus; cpu++) {
      this.#setLines(cpu, 0);
      this.update(cpu);
    }
  }

  /** The CPU interface of one PE, as a reset of the PE leaves it. */
  resetInterface(cpu: number): void {
    this.#resetInterface(cpu);
    this.participationChanged();
  }

  #resetInterface(cpu: number): void {
    this.#words.fill(0, block(cpu) + L.GROUP_ENABLE, block(cpu) + L.SLEEP);
    this.#words.fill(0, block(cpu) + L.FIQ_ENABLE, block(cpu) + L.BEST);
    for (let group = 0; group < GROUPS; group++) this.setPe(cpu, L.BPR + group, MIN_BPR[group] as number);
  }

  /** What Secure firmware does before it starts Non-secure software: all interrupts are Group 1's. Its part in a PE is NONSECURE_MASK. */
  giveToNonSecure(): void {
    for (let word = 1; word < L.WORDS; word++) this.setShared(L.GROUP + word, -1);
    for (let cpu = 0; cpu < this.cpus; cpu++) this.setPe(cpu, L.GROUP, -1);
    this.updateAll();
  }

  /** GICD_CTLR.DS: whether there is one Security state, which sees everything. */
  get single(): boolean {
    return this.shared(L.SINGLE_STATE) !== 0;
  }

  /** A write of one to GICD_CTLR.DS: no Secure Group 1 any more, and no access by NSACR. */
  makeSingle(): void {
    this.setShared(L.SINGLE_STATE, 1);
    for (let field = L.MODIFIER; field < L.NS_ACCESS + 2 * L.WORDS; field++) this.setShared(field, 0);
    for (let cpu = 0; cpu < this.cpus; cpu++) {
      this.setPe(cpu, L.MODIFIER, 0);
      this.setPe(cpu, L.NS_ACCESS, 0);
      this.setPe(cpu, L.NS_ACCESS + 1, 0);
    }
    this.updateAll();
  }

  /** The two bits of an INTID in GICD_NSACR or GICR_NSACR. */
  nsAccess(intid: number, cpu: number): number {
    return (this.nsAccessWord(intid >>> 4, cpu) >>> ((intid & 15) * 2)) & 3;
  }

  /** GICD_NSACR<n>; n is 0 or 1 in a PE's. */
  nsAccessWord(n: number, cpu: number): number {
    return this.#words[(n < 2 ? block(cpu) : L.SHARED) + L.NS_ACCESS + n] as number;
  }

  setNsAccessWord(n: number, cpu: number, value: number): void {
    this.#words[(n < 2 ? block(cpu) : L.SHARED) + L.NS_ACCESS + n] = value;
  }

  /** A word of the PE's block. */
  pe(cpu: number, field: number): number {
    return this.#words[block(cpu) + field] as number;
  }

  setPe(cpu: number, field: number, value: number): void {
    this.#words[block(cpu) + field] = value;
  }

  shared(field: number): number {
    return this.#words[L.SHARED + field] as number;
  }

  setShared(field: number, value: number): void {
    this.#words[L.SHARED + field] = value;
  }

  /** A word of a bitmap; word 0 is the PE's. */
  bits(field: number, word: number, cpu: number): number {
    return this.#words[bitmap(field, word, cpu)] as number;
  }

  setBits(field: number, word: number, cpu: number, value: number): void {
    this.#words[bitmap(field, word, cpu)] = value;
  }

  pending(word: number, cpu: number): number {
    return this.bits(L.LATCH, word, cpu) | (this.bits(L.LINE, word, cpu) & ~this.bits(L.EDGE, word, cpu));
  }

  priority(intid: number, cpu: number): number {
    return this.#bytes[priorityByte(intid, cpu)] as number;
  }

  setPriority(intid: number, cpu: number, value: number): void {
    this.#bytes[priorityByte(intid, cpu)] = value & PRIORITY_MASK;
  }

  targets(intid: number): number {
    return this.#bytes[(L.SHARED + L.TARGETS) * 4 + intid] as number;
  }

  setTargets(intid: number, value: number): void {
    this.#bytes[(L.SHARED + L.TARGETS) * 4 + intid] = value;
  }

  sgiSources(sgi: number, cpu: number): number {
    return this.#bytes[(block(cpu) + L.SGI_SOURCES) * 4 + sgi] as number;
  }

  /** The CPU interfaces from which the SGI is pending, GICv2. The caller calls update(). */
  setSgiSources(sgi: number, cpu: number, sources: number): void {
    this.#bytes[(block(cpu) + L.SGI_SOURCES) * 4 + sgi] = sources;
    const others = this.pe(cpu, L.LATCH) & ~(1 << sgi);
    this.setPe(cpu, L.LATCH, sources === 0 ? others : others | (1 << sgi));
  }

  /** The lowest CPU interface from which an SGI is pending, 0 when none is: the one that acknowledge() takes. */
  lowestSource(sgi: number, cpu: number): number {
    const sources = this.sgiSources(sgi, cpu);
    return sources === 0 ? 0 : lowest(sources);
  }

  /** Routes or does not route an SPI to a PE. */
  route(intid: number, cpu: number, on: boolean): void {
    this.#assign(block(cpu) + L.ROUTE + (intid >>> 5), 1 << (intid & 31), on);
  }

  /** Makes an SPI one for any one of the participating PEs, or not. */
  routeToAny(intid: number, on: boolean): void {
    this.#assign(L.SHARED + L.ROUTE + (intid >>> 5), 1 << (intid & 31), on);
  }

  #assign(index: number, bit: number, on: boolean): void {
    const old = this.#words[index] as number;
    this.#words[index] = on ? old | bit : old & ~bit;
  }

  /** The level of an input; `cpu` matters for PPIs. */
  setLevel(intid: number, cpu: number, level: boolean): void {
    const word = intid >>> 5;
    const bit = 1 << (intid & 31);
    const old = this.bits(L.LINE, word, cpu);
    if (((old & bit) !== 0) === level) return;
    this.setBits(L.LINE, word, cpu, old ^ bit);
    if (level && this.bits(L.EDGE, word, cpu) & bit)
      this.setBits(L.LATCH, word, cpu, this.bits(L.LATCH, word, cpu) | bit);
    this.changed(word, bit, cpu);
  }

  /** After something about the interrupts `bits` of a word changed: chooses anew for the PEs that could get them. */
  changed(word: number, bits: number, cpu: number): void {
    if (word === 0) {
      this.update(cpu);
      return;
    }
    const any = this.shared(L.ROUTE + word);
    for (let i = 0; i < this.cpus; i++) {
      if ((this.pe(i, L.ROUTE + word) | any) & bits) this.update(i);
    }
  }

  /** The words that are used, all of the controller's state, for snapshots. */
  get words(): Int32Array {
    return this.#words.subarray(0, L.PE_BLOCKS + this.cpus * L.PE_STRIDE);
  }

  /** After the words were restored: what is chosen is chosen anew, and all PEs are told. */
  restored(): void {
    for (let cpu = 0; cpu < this.cpus; cpu++) this.setPe(cpu, L.OUTPUT, 0);
    this.#participants();
    for (let cpu = 0; cpu < this.cpus; cpu++) {
      this.#setLines(cpu, 0);
      this.update(cpu);
    }
  }

  updateAll(): void {
    for (let cpu = 0; cpu < this.cpus; cpu++) this.update(cpu);
  }

  /** After a change of a PE's group enables or its sleep: who gets 1-of-N interrupts may have changed. */
  participationChanged(): void {
    this.#participants();
    this.updateAll();
  }

  // 1-of-N interrupts go to the first participating PE (the choice is IMPLEMENTATION DEFINED: IHI0069 3.2).
  #participants(): void {
    for (let group = 0; group < GROUPS; group++) {
      let first = -1;
      for (let cpu = this.cpus - 1; cpu >= 0; cpu--) {
        if (this.pe(cpu, L.SLEEP) === 0 && (this.pe(cpu, L.GROUP_ENABLE) >>> group) & 1) first = cpu;
      }
      this.setShared(L.ONE_OF_N + group, first);
    }
  }

  /** Chooses the PE's highest priority pending interrupt and signals it if it may be. */
  update(cpu: number): void {
    const words = this.#words;
    const pe = block(cpu);
    const groups = words[pe + L.SLEEP] ? 0 : (words[pe + L.GROUP_ENABLE] as number) & (words[L.DIST_ENABLE] as number);
    let best = SPURIOUS;
    let bestPriority = IDLE_PRIORITY;
    if (groups !== 0) {
      const group0 = groups & 1 ? -1 : 0;
      const group1 = groups & 2 ? -1 : 0;
      const secure1 = groups & 4 ? -1 : 0;
      const any0 = words[L.ONE_OF_N + GROUP0] === cpu ? -1 : 0;
      const any1 = words[L.ONE_OF_N + GROUP1] === cpu ? -1 : 0;
      const anySecure1 = words[L.ONE_OF_N + SECURE_GROUP1] === cpu ? -1 : 0;
      for (let word = 0; word < L.WORDS; word++) {
        const at = (word === 0 ? pe : L.SHARED) + word;
        const latched = words[at + L.LATCH] as number;
        let candidates =
          (latched | ((words[at + L.LINE] as number) & ~(words[at + L.EDGE] as number))) &
          (words[at + L.ENABLE] as number) &
          ~(words[at + L.ACTIVE] as number);
        if (candidates === 0) continue;
        const group = words[at + L.GROUP] as number;
        const modifier = words[at + L.MODIFIER] as number;
        candidates &= (group & group1) | (~group & ((modifier & secure1) | (~modifier & group0)));
        if (word !== 0) {
          const participates = (group & any1) | (~group & ((modifier & anySecure1) | (~modifier & any0)));
          const any = (words[at + L.ROUTE] as number) & participates;
          candidates &= (words[pe + L.ROUTE + word] as number) | any;
        }
        const priorities = ((word === 0 ? pe : L.SHARED) + L.PRIORITY) * 4 + word * 32;
        // From the lowest INTID up, so that the first of equal priorities stays.
        while (candidates !== 0) {
          const bit = 31 - Math.clz32(candidates & -candidates);
          candidates &= candidates - 1;
          const priority = this.#bytes[priorities + bit] as number;
          if (priority < bestPriority) {
            bestPriority = priority;
            best = word * 32 + bit;
          }
        }
      }
    }
    words[pe + L.BEST] = best;
    words[pe + L.BEST_PRIORITY] = bestPriority;
    this.signal(cpu);
  }

  /** Signals best() to the PE if the mask and the running priority let it: after a change of those. */
  signal(cpu: number): void {
    let line = 0;
    const best = this.pe(cpu, L.BEST);
    if (best !== SPURIOUS) {
      const priority = this.pe(cpu, L.BEST_PRIORITY);
      const group = this.group(best, cpu);
      // IHI0069 4.8: higher than the mask, and of a higher group priority than the running one.
      if (
        priority < this.pe(cpu, L.PMR) &&
        (priority & this.#groupPriorityMask(cpu, group)) < this.runningPriority(cpu)
      ) {
        line = this.#lineOf(group, cpu);
      }
    }
    this.drive(cpu, PHYSICAL_LINES, line);
  }

  /** Sets those of a PE's lines that are in `mask`. */
  drive(cpu: number, mask: number, lines: number): void {
    const old = this.pe(cpu, L.OUTPUT);
    const now = (old & ~mask) | lines;
    if (now === old) return;
    this.setPe(cpu, L.OUTPUT, now);
    this.#setLines(cpu, now);
  }

  #lineOf(group: number, cpu: number): number {
    if (group === GROUP0) return this.pe(cpu, L.FIQ_ENABLE) ? LINE_FIQ : LINE_IRQ;
    if (this.#security !== "split" || this.single) return LINE_IRQ;
    return group === SECURE_GROUP1 ? LINE_SECURE_GROUP1 : LINE_NONSECURE_GROUP1;
  }

  group(intid: number, cpu: number): number {
    const word = intid >>> 5;
    if ((this.bits(L.GROUP, word, cpu) >>> (intid & 31)) & 1) return GROUP1;
    return (this.bits(L.MODIFIER, word, cpu) >>> (intid & 31)) & 1 ? SECURE_GROUP1 : GROUP0;
  }

  /** The highest priority pending interrupt of a PE, whether masked or not; SPURIOUS: none. */
  best(cpu: number): number {
    return this.pe(cpu, L.BEST);
  }

  /** Whether best() is signalled to the PE, and so would be acknowledged. */
  signalled(cpu: number): boolean {
    return (this.pe(cpu, L.OUTPUT) & PHYSICAL_LINES) !== 0;
  }

  #activePriorities(cpu: number): number {
    const at = L.ACTIVE_PRIORITIES;
    return this.pe(cpu, at) | this.pe(cpu, at + 1) | this.pe(cpu, at + 2);
  }

  runningPriority(cpu: number): number {
    const active = this.#activePriorities(cpu);
    return active === 0 ? IDLE_PRIORITY : lowest(active) << PRIORITY_SHIFT;
  }

  /** The group of the highest active priority; -1: no priority is active. */
  runningGroup(cpu: number): number {
    const active = this.#activePriorities(cpu);
    const highest = active & -active;
    for (let group = 0; group < GROUPS; group++) {
      if (this.pe(cpu, L.ACTIVE_PRIORITIES + group) & highest) return group;
    }
    return -1;
  }

  // The bits of a priority that preemption compares. Group 1's own binary point is one off Group 0's (IHI0069 4.8, priority grouping).
  #groupPriorityMask(cpu: number, group: number): number {
    const common = group !== GROUP0 && (this.pe(cpu, L.CBPR) >>> (group - 1)) & 1;
    const point = this.pe(cpu, L.BPR + (common ? GROUP0 : group));
    return groupPriorityMask(common || group !== GROUP1 ? point : point - 1);
  }

  /** Writes a binary point register, which holds no less than what the priority bits allow. */
  setBinaryPoint(cpu: number, group: number, value: number): void {
    this.setPe(cpu, L.BPR + group, Math.max(value & 7, MIN_BPR[group] as number));
    this.signal(cpu);
  }

  /**
   * Makes the PE's signalled interrupt active. Returns its INTID, with the source CPU interface of a GICv2 SGI in bits 12:10, as
   * GICC_IAR has it. Only when signalled().
   */
  acknowledge(cpu: number): number {
    const intid = this.best(cpu);
    const word = intid >>> 5;
    const bit = 1 << (intid & 31);
    const group = this.group(intid, cpu);
    const priority = this.pe(cpu, L.BEST_PRIORITY) & this.#groupPriorityMask(cpu, group);
    const active = L.ACTIVE_PRIORITIES + group;
    this.setPe(cpu, active, this.pe(cpu, active) | (1 << (priority >>> PRIORITY_SHIFT)));
    this.setBits(L.ACTIVE, word, cpu, this.bits(L.ACTIVE, word, cpu) | bit);
    let result = intid;
    const sources = intid < 16 ? this.sgiSources(intid, cpu) : 0;
    if (sources !== 0) {
      result |= this.lowestSource(intid, cpu) << 10;
      this.setSgiSources(intid, cpu, sources & (sources - 1));
    } else {
      this.setBits(L.LATCH, word, cpu, this.bits(L.LATCH, word, cpu) & ~bit);
    }
    this.changed(word, bit, cpu);
    return result;
  }

  /** The highest active priority of the group is active no more. */
  dropPriority(cpu: number, group: number): void {
    const active = this.pe(cpu, L.ACTIVE_PRIORITIES + group);
    this.setPe(cpu, L.ACTIVE_PRIORITIES + group, active & (active - 1));
    this.signal(cpu);
  }

  /** `intid` must be below INTIDS. */
  deactivate(intid: number, cpu: number): void {
    const word = intid >>> 5;
    const bit = 1 << (intid & 31);
    this.setBits(L.ACTIVE, word, cpu, this.bits(L.ACTIVE, word, cpu) & ~bit);
    this.changed(word, bit, cpu);
  }
}

const block = (cpu: number): number => L.PE_BLOCKS + cpu * L.PE_STRIDE;
const bitmap = (field: number, word: number, cpu: number): number =>
  (word === 0 ? block(cpu) : L.SHARED) + field + word;
const priorityByte = (intid: number, cpu: number): number =>
  ((intid < 32 ? block(cpu) : L.SHARED) + L.PRIORITY) * 4 + intid;
/** The bits of a priority that are of its group, with a binary point as of Group 0. */
export const groupPriorityMask = (point: number): number => (0xff << (point + 1)) & 0xff;
/** Number of the lowest bit that is set; `bits` is not zero. */
export const lowest = (bits: number): number => 31 - Math.clz32(bits & -bits);
/** A priority as Non-secure software sees it: 0 if it is of Secure software's half. */
export const nonSecurePriority = (priority: number): number =>
  priority === IDLE_PRIORITY ? priority : priority & 0x80 ? (priority << 1) & 0xff : 0;
