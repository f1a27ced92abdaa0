import type { AccessSize, Device } from "../../bus/device.ts";
import { IIDR, identification } from "./identification.ts";
import * as L from "./layout.ts";
import { BANK_END, RegisterBank } from "./register-bank.ts";
import type { GicState } from "./state.ts";

/** RD_base and SGI_base, 64 KiB each. */
export const REDISTRIBUTOR_STRIDE = 0x20000;
const SGI_BASE = 0x10000;

const IIDR_OFFSET = 0x4;
const TYPER_LOW = 0x8;
const TYPER_HIGH = 0xc;
const WAKER = 0x14;
const PIDR4 = 0xffd0;

const TYPER_LAST = 1 << 4;
const WAKER_PROCESSOR_SLEEP = 1 << 1;
const WAKER_CHILDREN_ASLEEP = 1 << 2;

/** The GICRs of all PEs, one after the other (IHI0069 12.11, 12.13). No LPIs. */
export class GicV3Redistributors implements Device {
  readonly size: number;
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
    this.size = state.cpus * REDISTRIBUTOR_STRIDE;
    this.#state = state;
    this.#bank = new RegisterBank(state, 0, 1, true);
    this.#affinities = affinities;
    this.#secureAccess = secureAccess;
    this.#reset = reset;
  }

  read(offset: number, bytes: AccessSize): number {
    const cpu = Math.floor(offset / REDISTRIBUTOR_STRIDE);
    if (cpu >= this.#state.cpus) return 0;
    const register = offset & 0xffff;
    if (bytes === 4 && register >= PIDR4) return identification((register - PIDR4) >>> 2, 3, "redistributor");
    if (offset & SGI_BASE)
      return register >= 0x80 && register < BANK_END ? this.#bank.read(register, bytes, cpu, this.#full) : 0;
    if (bytes !== 4) return 0;
    switch (register) {
      case IIDR_OFFSET:
        return IIDR;
      case TYPER_LOW:
        return (cpu << 8) | (cpu === this.#state.cpus - 1 ? TYPER_LAST : 0);
      case TYPER_HIGH:
        return this.#affinities[cpu] as number;
      case WAKER:
        // ChildrenAsleep follows at once.
        return this.#full && this.#state.pe(cpu, L.SLEEP) ? WAKER_PROCESSOR_SLEEP | WAKER_CHILDREN_ASLEEP : 0;
      default:
        // GICR_CTLR too: no LPIs to enable, and writes are done when they return.
        return 0;
    }
  }

  write(offset: number, bytes: AccessSize, value: number): void {
    const cpu = Math.floor(offset / REDISTRIBUTOR_STRIDE);
    if (cpu >= this.#state.cpus) return;
    const register = offset & 0xffff;
    if (offset & SGI_BASE) {
      if (register >= 0x80 && register < BANK_END) this.#bank.write(register, bytes, value, cpu, this.#full);
    } else if (bytes === 4 && register === WAKER && this.#full) {
      this.#state.setPe(cpu, L.SLEEP, value & WAKER_PROCESSOR_SLEEP ? 1 : 0);
      this.#state.participationChanged();
    }
  }

  /** Whether the access sees all interrupts. GICR_WAKER, too, is RAZ/WI to others. */
  get #full(): boolean {
    return this.#state.single || this.#secureAccess();
  }

  reset(): void {
    this.#reset();
  }
}
