import type { AccessSize, Device } from "../../bus/device.ts";
import { GROUP1 } from "./groups.ts";
import { IIDR, identification } from "./identification.ts";
import * as L from "./layout.ts";
import { isBanked, RegisterBank } from "./register-bank.ts";
import type { GicState } from "./state.ts";

const CTLR = 0x0;
const TYPER = 0x4;
const IIDR_OFFSET = 0x8;
const ITARGETSR = 0x800;
const ITARGETSR_END = 0xc00;
const SGIR = 0xf00;
const CPENDSGIR = 0xf10;
const SPENDSGIR = 0xf20;
const SPENDSGIR_END = 0xf30;
const PIDR4 = 0xfd0;

const TYPER_SECURITY_EXTENSION = 1 << 10;
const SGIR_NSATT = 1 << 15;
/** Bits of NSACR. */
const NS_SET_PENDING = 1;
const NS_CLEAR_PENDING = 2;
const NS_TARGET = 3;
const FILTER_LIST = 0;
const FILTER_OTHERS = 1;
const FILTER_SELF = 2;

/** GICD of a GICv2 (IHI0048B 4.3). What is banked is the PE's that makes the access. */
export class GicV2Distributor implements Device {
  readonly size = 0x1000;
  readonly #state: GicState;
  readonly #bank: RegisterBank;
  readonly #currentCpu: () => number;
  readonly #secureAccess: () => boolean;
  readonly #reset: () => void;

  constructor(state: GicState, currentCpu: () => number, secureAccess: () => boolean, reset: () => void) {
    this.#state = state;
    this.#bank = new RegisterBank(state, 0, L.WORDS, false);
    this.#currentCpu = currentCpu;
    this.#secureAccess = secureAccess;
    this.#reset = reset;
  }

  read(offset: number, bytes: AccessSize): number {
    if (offset >= ITARGETSR && offset < ITARGETSR_END) return this.#readBytes(offset - ITARGETSR, bytes, this.#target);
    if (isBanked(offset)) return this.#bank.read(offset, bytes, this.#currentCpu(), this.#full);
    if (offset >= CPENDSGIR && offset < SPENDSGIR_END) return this.#readBytes(offset & 15, bytes, this.#sources);
    if (bytes !== 4) return 0;
    if (offset >= PIDR4) return identification((offset - PIDR4) >>> 2, 2);
    switch (offset) {
      case CTLR:
        return this.#state.shared(L.DIST_ENABLE) >>> (this.#full ? 0 : 1);
      case TYPER:
        return (this.#state.single ? 0 : TYPER_SECURITY_EXTENSION) | ((this.#state.cpus - 1) << 5) | (L.WORDS - 1);
      case IIDR_OFFSET:
        return IIDR;
      default:
        return 0;
    }
  }

  write(offset: number, bytes: AccessSize, value: number): void {
    if (offset >= ITARGETSR && offset < ITARGETSR_END) {
      this.#writeTargets(offset - ITARGETSR, bytes, value);
    } else if (isBanked(offset)) {
      this.#bank.write(offset, bytes, value, this.#currentCpu(), this.#full);
    } else if (offset >= CPENDSGIR && offset < SPENDSGIR_END) {
      this.#writeSources(offset & 15, bytes, value, offset >= SPENDSGIR);
    } else if (bytes === 4 && offset === CTLR) {
      // Non-secure accesses have the enable of Group 1 alone.
      const group0 = this.#state.shared(L.DIST_ENABLE) & 1;
      this.#state.setShared(L.DIST_ENABLE, this.#full ? value & 3 : group0 | ((value & 1) << 1));
      this.#state.updateAll();
    } else if (bytes === 4 && offset === SGIR) {
      this.#generate(value);
    }
  }

  /** Whether the access sees all interrupts. */
  get #full(): boolean {
    return this.#state.single || this.#secureAccess();
  }

  /** Whether the access may do with an interrupt what needs the bits `access` of NSACR where the interrupt is Secure and it is not. */
  #may(intid: number, access: number): boolean {
    const cpu = this.#currentCpu();
    return this.#full || this.#state.group(intid, cpu) === GROUP1 || this.#state.nsAccess(intid, cpu) >= access;
  }

  reset(): void {
    this.#reset();
  }

  /** After a reset: with one PE all SPIs are its own. */
  routeAll(): void {
    for (let intid = 32; intid < L.INTIDS; intid++) this.#route(intid);
    this.#state.updateAll();
  }

  #readBytes(first: number, bytes: AccessSize, byte: (index: number) => number): number {
    let value = 0;
    for (let i = bytes - 1; i >= 0; i--) value = (value << 8) | byte(first + i);
    return value >>> 0;
  }

  // A uniprocessor's ITARGETSR are RAZ/WI (IHI0048B 4.3.12); those of private interrupts name the reader.
  readonly #target = (intid: number): number => {
    if (this.#state.cpus === 1 || intid >= L.INTIDS || !this.#may(intid, NS_TARGET)) return 0;
    return intid < 32 ? 1 << this.#currentCpu() : this.#state.targets(intid);
  };

  #writeTargets(first: number, bytes: AccessSize, value: number): void {
    if (this.#state.cpus === 1) return;
    for (let i = 0; i < bytes; i++) {
      const intid = first + i;
      if (intid < 32 || intid >= L.INTIDS || !this.#may(intid, NS_TARGET)) continue;
      this.#state.setTargets(intid, (value >>> (i * 8)) & ((1 << this.#state.cpus) - 1));
      this.#route(intid);
    }
    this.#state.updateAll();
  }

  #route(intid: number): void {
    const targets = this.#state.cpus === 1 ? 1 : this.#state.targets(intid);
    for (let cpu = 0; cpu < this.#state.cpus; cpu++) this.#state.route(intid, cpu, ((targets >>> cpu) & 1) !== 0);
  }

  readonly #sources = (sgi: number): number =>
    this.#may(sgi, NS_SET_PENDING) ? this.#state.sgiSources(sgi, this.#currentCpu()) : 0;

  #writeSources(first: number, bytes: AccessSize, value: number, set: boolean): void {
    const cpu = this.#currentCpu();
    for (let i = 0; i < bytes; i++) {
      if (!this.#may(first + i, set ? NS_SET_PENDING : NS_CLEAR_PENDING)) continue;
      const sources = (value >>> (i * 8)) & ((1 << this.#state.cpus) - 1);
      const old = this.#state.sgiSources(first + i, cpu);
      this.#state.setSgiSources(first + i, cpu, set ? old | sources : old & ~sources);
    }
    this.#state.update(cpu);
  }

  // Secure software says of which group the SGI must be (NSATT); other software has Group 1's, and what NSACR gives (IHI0048B 4.3.15).
  #mayGenerate(sgi: number, cpu: number, group1: boolean): boolean {
    if (this.#state.single) return true;
    const isGroup1 = this.#state.group(sgi, cpu) === GROUP1;
    if (this.#secureAccess()) return isGroup1 === group1;
    return isGroup1 || this.#state.nsAccess(sgi, cpu) >= NS_SET_PENDING;
  }

  // IHI0048B 4.3.15.
  #generate(value: number): void {
    const from = this.#currentCpu();
    const sgi = value & 15;
    const filter = (value >>> 24) & 3;
    for (let cpu = 0; cpu < this.#state.cpus; cpu++) {
      const targeted =
        (filter === FILTER_LIST && (value >>> (16 + cpu)) & 1) ||
        (filter === FILTER_OTHERS && cpu !== from) ||
        (filter === FILTER_SELF && cpu === from);
      if (!targeted || !this.#mayGenerate(sgi, cpu, (value & SGIR_NSATT) !== 0)) continue;
      this.#state.setSgiSources(sgi, cpu, this.#state.sgiSources(sgi, cpu) | (1 << from));
      this.#state.update(cpu);
    }
  }
}
