import type { AccessSize, Device } from "../../bus/device.ts";
import * as L from "./layout.ts";
import { type GicState, PRIORITY_MASK, SPURIOUS } from "./state.ts";

const CTLR = 0x0;
const PMR = 0x4;
const BPR = 0x8;
const IAR = 0xc;
const EOIR = 0x10;
const RPR = 0x14;
const HPPIR = 0x18;
const ABPR = 0x1c;
const AIAR = 0x20;
const AEOIR = 0x24;
const AHPPIR = 0x28;
/** With 32 levels one word: of Group 0, and of Group 1. */
const APR0 = 0xd0;
const NSAPR0 = 0xe0;
const IIDR = 0xfc;
const DIR = 0x1000;

// GICC_CTLR of a GIC with interrupt grouping and without the Security Extensions; no bypass signals.
const CTLR_GROUPS = 3;
const CTLR_ACK_CTL = 2;
const CTLR_FIQ_ENABLE = 3;
const CTLR_CBPR = 4;
const CTLR_EOI_MODE = 9;

/** Architecture version 2, implementer Arm. */
const IIDR_VALUE = (2 << 16) | 0x43b;
/** Read of a register that is not the highest pending interrupt's group's (IHI0048B 3.2.4). */
const OTHER_GROUP = 1022;
const INTID_MASK = 0x3ff;

/** GICC of a GICv2 (IHI0048B 4.4): that of the PE that makes the access. */
export class GicV2CpuInterface implements Device {
  readonly size = 0x2000;
  readonly #state: GicState;
  readonly #currentCpu: () => number;
  readonly #reset: () => void;

  constructor(state: GicState, currentCpu: () => number, reset: () => void) {
    this.#state = state;
    this.#currentCpu = currentCpu;
    this.#reset = reset;
  }

  read(offset: number, bytes: AccessSize): number {
    if (bytes !== 4) return 0;
    const state = this.#state;
    const cpu = this.#currentCpu();
    switch (offset) {
      case CTLR:
        return (
          state.pe(cpu, L.GROUP_ENABLE) |
          (state.pe(cpu, L.ACK_CTL) << CTLR_ACK_CTL) |
          (state.pe(cpu, L.FIQ_ENABLE) << CTLR_FIQ_ENABLE) |
          (state.pe(cpu, L.CBPR) << CTLR_CBPR) |
          (state.pe(cpu, L.EOI_MODE) << CTLR_EOI_MODE)
        );
      case PMR:
        return state.pe(cpu, L.PMR);
      case BPR:
        return state.pe(cpu, L.BPR);
      case ABPR:
        return state.pe(cpu, L.BPR + 1);
      case IAR:
        return this.#acknowledge(cpu, false);
      case AIAR:
        return this.#acknowledge(cpu, true);
      case RPR:
        return state.runningPriority(cpu);
      case HPPIR:
        return this.#visible(cpu, false) ?? this.#withSource(cpu);
      case AHPPIR:
        return this.#visible(cpu, true) ?? this.#withSource(cpu);
      case APR0:
        return state.pe(cpu, L.ACTIVE_PRIORITIES) >>> 0;
      case NSAPR0:
        return state.pe(cpu, L.ACTIVE_PRIORITIES + 1) >>> 0;
      case IIDR:
        return IIDR_VALUE;
      default:
        return 0;
    }
  }

  write(offset: number, bytes: AccessSize, value: number): void {
    if (bytes !== 4) return;
    const state = this.#state;
    const cpu = this.#currentCpu();
    switch (offset) {
      case CTLR:
        state.setPe(cpu, L.GROUP_ENABLE, value & CTLR_GROUPS);
        state.setPe(cpu, L.ACK_CTL, (value >>> CTLR_ACK_CTL) & 1);
        state.setPe(cpu, L.FIQ_ENABLE, (value >>> CTLR_FIQ_ENABLE) & 1);
        state.setPe(cpu, L.CBPR, (value >>> CTLR_CBPR) & 1);
        state.setPe(cpu, L.EOI_MODE, (value >>> CTLR_EOI_MODE) & 1);
        state.update(cpu);
        break;
      case PMR:
        state.setPe(cpu, L.PMR, value & PRIORITY_MASK);
        state.signal(cpu);
        break;
      case BPR:
        state.setBinaryPoint(cpu, 0, value);
        break;
      case ABPR:
        state.setBinaryPoint(cpu, 1, value);
        break;
      case EOIR:
        this.#end(cpu, state.runningGroup(cpu), value & INTID_MASK);
        break;
      case AEOIR:
        if (state.runningGroup(cpu) === 1) this.#end(cpu, 1, value & INTID_MASK);
        break;
      case DIR:
        // With EOImode 0 the write is UNPREDICTABLE: here it does nothing.
        if (state.pe(cpu, L.EOI_MODE) && (value & INTID_MASK) < L.INTIDS) state.deactivate(value & INTID_MASK, cpu);
        break;
      case APR0:
        state.setPe(cpu, L.ACTIVE_PRIORITIES, value);
        state.signal(cpu);
        break;
      case NSAPR0:
        state.setPe(cpu, L.ACTIVE_PRIORITIES + 1, value);
        state.signal(cpu);
        break;
      default:
        break;
    }
  }

  reset(): void {
    this.#reset();
  }

  /** undefined when the registers (the aliased ones: of Group 1) show the highest pending interrupt, else what they read as. */
  #visible(cpu: number, aliased: boolean): number | undefined {
    const state = this.#state;
    const best = state.best(cpu);
    if (best === SPURIOUS) return SPURIOUS;
    const group = state.group(best, cpu);
    if (aliased) return group === 1 ? undefined : SPURIOUS;
    return group === 0 || state.pe(cpu, L.ACK_CTL) ? undefined : OTHER_GROUP;
  }

  #acknowledge(cpu: number, aliased: boolean): number {
    if (!this.#state.signalled(cpu)) return SPURIOUS;
    return this.#visible(cpu, aliased) ?? this.#state.acknowledge(cpu);
  }

  #withSource(cpu: number): number {
    const best = this.#state.best(cpu);
    return best < 16 ? best | (this.#state.lowestSource(best, cpu) << 10) : best;
  }

  #end(cpu: number, group: number, intid: number): void {
    // Spurious ones, and ends with nothing active, are not of an acknowledged interrupt: UNPREDICTABLE, ignored.
    if (intid >= L.INTIDS || group < 0) return;
    this.#state.dropPriority(cpu, group);
    if (!this.#state.pe(cpu, L.EOI_MODE)) this.#state.deactivate(intid, cpu);
  }
}
