import type { AccessSize, Device } from "../../bus/device.ts";
import { IIDR, identification } from "./identification.ts";
import * as L from "./layout.ts";
import { RegisterBank } from "./register-bank.ts";
import type { GicState } from "./state.ts";

const CTLR = 0x0;
const TYPER = 0x4;
const IIDR_OFFSET = 0x8;
const IROUTER = 0x6000;
const IROUTER_END = 0x8000;
const PIDR4 = 0xffd0;

/** Affinity routing and the one Security state are all there is: ARE and DS are RAO/WI. */
const CTLR_ARE_DS = (1 << 6) | (1 << 4);
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
  readonly #reset: () => void;

  /** @param affinities For every PE Aff3.Aff2.Aff1.Aff0, a byte each. */
  constructor(state: GicState, affinities: Uint32Array, reset: () => void) {
    this.#state = state;
    this.#bank = new RegisterBank(state, 1, L.WORDS, true);
    this.#affinities = affinities;
    this.#reset = reset;
  }

  read(offset: number, bytes: AccessSize): number {
    if (offset >= 0x80 && offset < 0xd00) return this.#bank.read(offset, bytes, 0);
    if (bytes !== 4) return 0;
    if (offset >= IROUTER && offset < IROUTER_END)
      return hasRouter(offset) ? this.#state.shared(router(offset)) >>> 0 : 0;
    if (offset >= PIDR4) return identification((offset - PIDR4) >>> 2, 3);
    switch (offset) {
      case CTLR:
        return CTLR_ARE_DS | this.#state.shared(L.DIST_ENABLE);
      case TYPER:
        return TYPER_VALUE;
      case IIDR_OFFSET:
        return IIDR;
      default:
        return 0;
    }
  }

  write(offset: number, bytes: AccessSize, value: number): void {
    if (offset >= 0x80 && offset < 0xd00) {
      this.#bank.write(offset, bytes, value, 0);
    } else if (bytes !== 4) {
      return;
    } else if (offset >= IROUTER && offset < IROUTER_END) {
      if (hasRouter(offset)) this.#writeRouter(offset, value);
    } else if (offset === CTLR) {
      this.#state.setShared(L.DIST_ENABLE, value & 3);
      this.#state.updateAll();
    }
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
