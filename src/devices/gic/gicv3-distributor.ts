import type { AccessSize, Device } from "../../bus/device.ts";
import { GROUP1 } from "./groups.ts";
import { IIDR, identification } from "./identification.ts";
import * as L from "./layout.ts";
import { BANK_END, RegisterBank } from "./register-bank.ts";
import type { GicState } from "./state.ts";

const CTLR = 0x0;
const TYPER = 0x4;
const IIDR_OFFSET = 0x8;
const IROUTER = 0x6000;
const IROUTER_END = 0x8000;
const PIDR4 = 0xffd0;

const CTLR_GROUPS = 7;
/** EnableGrp1A as Non-secure accesses have it; with a single Security state, the enables of Group 0 and Group 1. */
const CTLR_NS_GROUP1 = 1 << 1;
const CTLR_SINGLE_GROUPS = 3;
/** Affinity routing is all there is: RAO/WI. Secure accesses have ARE_S there, and ARE_NS at the bit after. */
const CTLR_ARE = 1 << 4;
const CTLR_ARE_NS = 1 << 5;
const CTLR_DS = 1 << 6;
const TYPER_SECURITY_EXTENSION = 1 << 10;
/** The bits of NSACR with which Non-secure software may route a Secure interrupt. */
const NS_ROUTE = 3;
/** 16 INTID bits and affinity level 3; no LPIs, no message-based SPIs. 1-of-N is supported. */
const TYPER_VALUE = (1 << 24) | (15 << 19) | (L.WORDS - 1);
const IROUTER_LOW = 0x80ff_ffff;
const IROUTER_HIGH = 0xff;
const INTERRUPT_ROUTING_MODE = 1 << 31;

/** GICD of a GICv3 (IHI0069 12.9). INTIDs 0..31 are the redistributors'. */
export class GicV3Distributor implements Device {
  readonly size = 0x10000;
  readonly #state: GicState;
  readonly #bank: RegisterBank;
  readonly #affinities: Uint32Array;
  readonly #secureAccess: () => boolean;
  readonly #reset: () => void;

  /**
   * @param affinities For every PE Aff3.Aff2.Aff1.Aff0, a byte each.
   * @param secureAccess Whether the access that is made is Secure.
   */
  constructor(state: GicState, affinities: Uint32Array, secureAccess: () => boolean, reset: () => void) {
    this.#state = state;
    this.#bank = new RegisterBank(state, 1, L.WORDS, true);
    this.#affinities = affinities;
    this.#secureAccess = secureAccess;
    this.#reset = reset;
  }

  read(offset: number, bytes: AccessSize): number {
    if (offset >= 0x80 && offset < BANK_END) return this.#bank.read(offset, bytes, 0, this.#full);
    if (bytes !== 4) return 0;
    if (offset >= IROUTER && offset < IROUTER_END)
      return this.#routable(offset) ? this.#state.shared(router(offset)) >>> 0 : 0;
    if (offset >= PIDR4) return identification((offset - PIDR4) >>> 2, 3);
    switch (offset) {
      case CTLR:
        return this.#control();
      case TYPER:
        return TYPER_VALUE | (this.#state.single ? 0 : TYPER_SECURITY_EXTENSION);
      case IIDR_OFFSET:
        return IIDR;
      default:
        return 0;
    }
  }

  write(offset: number, bytes: AccessSize, value: number): void {
    if (offset >= 0x80 && offset < BANK_END) {
      this.#bank.write(offset, bytes, value, 0, this.#full);
    } else if (bytes !== 4) {
      return;
    } else if (offset >= IROUTER && offset < IROUTER_END) {
      if (this.#routable(offset)) this.#writeRouter(offset, value);
    } else if (offset === CTLR) this.#setControl(value);
  }

  /** Whether the access sees all interrupts. */
  get #full(): boolean {
    return this.#state.single || this.#secureAccess();
  }

  #control(): number {
    const groups = this.#state.shared(L.DIST_ENABLE);
    if (this.#state.single) return CTLR_DS | CTLR_ARE | groups;
    return this.#secureAccess() ? CTLR_ARE_NS | CTLR_ARE | groups : CTLR_ARE | (groups & CTLR_NS_GROUP1);
  }

  #setControl(value: number): void {
    const state = this.#state;
    if (!this.#full) {
      state.setShared(L.DIST_ENABLE, (state.shared(L.DIST_ENABLE) & ~CTLR_NS_GROUP1) | (value & CTLR_NS_GROUP1));
    } else if (state.single || value & CTLR_DS) {
      // DS stays set until reset.
      if (!state.single) state.makeSingle();
      state.setShared(L.DIST_ENABLE, value & CTLR_SINGLE_GROUPS);
    } else state.setShared(L.DIST_ENABLE, value & CTLR_GROUPS);
    state.updateAll();
  }

  #routable(offset: number): boolean {
    if (!hasRouter(offset)) return false;
    const intid = (offset - IROUTER) >>> 3;
    return this.#full || this.#state.group(intid, 0) === GROUP1 || this.#state.nsAccess(intid, 0) === NS_ROUTE;
  }

  reset(): void {
    this.#reset();
  }

  /** Every SPI to where its IROUTER says: after a reset. */
  routeAll(): void {
    for (let intid = 32; intid < L.INTIDS; intid++) this.#route(intid);
    this.#state.updateAll();
  }

  #writeRouter(offset: number, value: number): void {
    this.#state.setShared(router(offset), value & (offset & 4 ? IROUTER_HIGH : IROUTER_LOW));
    this.#route((offset - IROUTER) >>> 3);
    this.#state.updateAll();
  }

  #route(intid: number): void {
    const low = this.#state.shared(L.ROUTER + intid * 2);
    const any = (low & INTERRUPT_ROUTING_MODE) !== 0;
    const affinity = ((this.#state.shared(L.ROUTER + intid * 2 + 1) << 24) | (low & 0xff_ffff)) >>> 0;
    this.#state.routeToAny(intid, any);
    for (let cpu = 0; cpu < this.#state.cpus; cpu++) {
      this.#state.route(intid, cpu, !any && this.#affinities[cpu] === affinity);
    }
  }
}

const router = (offset: number): number => L.ROUTER + ((offset - IROUTER) >>> 2);
const hasRouter = (offset: number): boolean => offset >= IROUTER + 32 * 8 && offset < IROUTER + L.INTIDS * 8;
