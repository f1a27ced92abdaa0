import type { AccessSize, Device } from "../../bus/device.ts";
import * as R from "./gicv2-registers.ts";
import { GROUP0, GROUP1 } from "./groups.ts";
import * as L from "./layout.ts";
import { type GicState, nonSecurePriority, PRIORITY_MASK, SPURIOUS } from "./state.ts";

// GICC_CTLR with interrupt grouping; no bypass signals.
const CTLR_GROUPS = 3;
const CTLR_ACK_CTL = 2;
const CTLR_FIQ_ENABLE = 3;
const CTLR_CBPR = 4;
const CTLR_EOI_MODE = 9;
/** EOImodeNS, as Secure software sees it. */
const CTLR_EOI_MODE_NS = 10;

/** The bits of L.EOI_MODE. */
const NONSECURE = 0;
const SECURE = 1;

/** GICC of a GICv2 (IHI0048B 4.4): that of the PE that makes the access. */
export class GicV2CpuInterface implements Device {
  readonly size = R.CPU_INTERFACE_SIZE;
  readonly #state: GicState;
  readonly #currentCpu: () => number;
  readonly #secureAccess: () => boolean;
  readonly #reset: () => void;

  constructor(state: GicState, currentCpu: () => number, secureAccess: () => boolean, reset: () => void) {
    this.#state = state;
    this.#currentCpu = currentCpu;
    this.#secureAccess = secureAccess;
    this.#reset = reset;
  }

  read(offset: number, bytes: AccessSize): number {
    if (bytes !== 4) return 0;
    const cpu = this.#currentCpu();
    return (this.#full ? this.#read(cpu, offset) : this.#readNonSecure(cpu, offset)) >>> 0;
  }

  write(offset: number, bytes: AccessSize, value: number): void {
    if (bytes !== 4) return;
    const cpu = this.#currentCpu();
    if (this.#full) this.#write(cpu, offset, value);
    else this.#writeNonSecure(cpu, offset, value);
  }

  reset(): void {
    this.#reset();
  }

  /** Whether the access sees both groups. */
  get #full(): boolean {
    return this.#state.single || this.#secureAccess();
  }

  #read(cpu: number, offset: number): number {
    const state = this.#state;
    switch (offset) {
      case R.CTLR:
        return this.#control(cpu);
      case R.PMR:
        return state.pe(cpu, L.PMR);
      case R.BPR:
        return state.pe(cpu, L.BPR);
      case R.ABPR:
        return state.pe(cpu, L.BPR + 1);
      case R.IAR:
        return this.#acknowledge(cpu, this.#visible(cpu));
      case R.AIAR:
        return this.#acknowledge(cpu, this.#visible1(cpu));
      case R.RPR:
        return state.runningPriority(cpu);
      case R.HPPIR:
        return this.#visible(cpu);
      case R.AHPPIR:
        return this.#visible1(cpu);
      case R.APR0:
        return state.pe(cpu, L.ACTIVE_PRIORITIES + GROUP0);
      case R.NSAPR0:
        return state.pe(cpu, L.ACTIVE_PRIORITIES + GROUP1);
      case R.IIDR:
        return R.IIDR_VALUE;
      default:
        return 0;
    }
  }

  // Group 1, under the names that it has for Secure software alone, and the lower half of the priorities (IHI0048B 3.5.1, 4.4).
  #readNonSecure(cpu: number, offset: number): number {
    const state = this.#state;
    switch (offset) {
      case R.CTLR:
        return (state.pe(cpu, L.GROUP_ENABLE) >>> 1) | (this.#splits(cpu, NONSECURE) << CTLR_EOI_MODE);
      case R.PMR:
        return nonSecurePriority(state.pe(cpu, L.PMR));
      case R.BPR:
        return state.pe(cpu, L.CBPR) ? Math.min(state.pe(cpu, L.BPR) + 1, 7) : state.pe(cpu, L.BPR + 1);
      case R.IAR:
        return this.#acknowledge(cpu, this.#visible1(cpu));
      case R.RPR:
        return nonSecurePriority(state.runningPriority(cpu));
      case R.HPPIR:
        return this.#visible1(cpu);
      case R.APR0:
        return state.pe(cpu, L.ACTIVE_PRIORITIES + GROUP1) >>> 16;
      case R.IIDR:
        return R.IIDR_VALUE;
      default:
        return 0;
    }
  }

  #write(cpu: number, offset: number, value: number): void {
    const state = this.#state;
    switch (offset) {
      case R.CTLR:
        this.#setControl(cpu, value);
        break;
      case R.PMR:
        state.setPe(cpu, L.PMR, value & PRIORITY_MASK);
        state.signal(cpu);
        break;
      case R.BPR:
        state.setBinaryPoint(cpu, GROUP0, value);
        break;
      case R.ABPR:
        state.setBinaryPoint(cpu, GROUP1, value);
        break;
      case R.EOIR:
        this.#end(cpu, state.runningGroup(cpu), value & R.INTID_MASK);
        break;
      case R.AEOIR:
        if (state.runningGroup(cpu) === GROUP1) this.#end(cpu, GROUP1, value & R.INTID_MASK);
        break;
      case R.DIR:
        this.#deactivate(cpu, value & R.INTID_MASK);
        break;
      case R.APR0:
        this.#setActivePriorities(cpu, GROUP0, value);
        break;
      case R.NSAPR0:
        this.#setActivePriorities(cpu, GROUP1, value);
        break;
      default:
        break;
    }
  }

  #writeNonSecure(cpu: number, offset: number, value: number): void {
    const state = this.#state;
    switch (offset) {
      case R.CTLR:
        state.setPe(cpu, L.GROUP_ENABLE, (state.pe(cpu, L.GROUP_ENABLE) & 1) | ((value & 1) << 1));
        this.#setSplit(cpu, NONSECURE, value >>> CTLR_EOI_MODE);
        state.update(cpu);
        break;
      case R.PMR:
        // A mask of Secure software's range stays.
        if (!(state.pe(cpu, L.PMR) & 0x80)) break;
        state.setPe(cpu, L.PMR, (0x80 | ((value & 0xff) >>> 1)) & PRIORITY_MASK);
        state.signal(cpu);
        break;
      case R.BPR:
        if (!state.pe(cpu, L.CBPR)) state.setBinaryPoint(cpu, GROUP1, value);
        break;
      case R.EOIR:
        if (state.runningGroup(cpu) === GROUP1) this.#end(cpu, GROUP1, value & R.INTID_MASK);
        break;
      case R.DIR:
        this.#deactivate(cpu, value & R.INTID_MASK);
        break;
      case R.APR0: {
        const secure = state.pe(cpu, L.ACTIVE_PRIORITIES + GROUP1) & 0xffff;
        this.#setActivePriorities(cpu, GROUP1, secure | (value << 16));
        break;
      }
      default:
        break;
    }
  }

  #control(cpu: number): number {
    const state = this.#state;
    const modes = state.single
      ? this.#splits(cpu, NONSECURE) << CTLR_EOI_MODE
      : (this.#splits(cpu, SECURE) << CTLR_EOI_MODE) | (this.#splits(cpu, NONSECURE) << CTLR_EOI_MODE_NS);
    return (
      state.pe(cpu, L.GROUP_ENABLE) |
      (state.pe(cpu, L.ACK_CTL) << CTLR_ACK_CTL) |
      (state.pe(cpu, L.FIQ_ENABLE) << CTLR_FIQ_ENABLE) |
      (state.pe(cpu, L.CBPR) << CTLR_CBPR) |
      modes
    );
  }

  #setControl(cpu: number, value: number): void {
    const state = this.#state;
    state.setPe(cpu, L.GROUP_ENABLE, value & CTLR_GROUPS);
    state.setPe(cpu, L.ACK_CTL, (value >>> CTLR_ACK_CTL) & 1);
    state.setPe(cpu, L.FIQ_ENABLE, (value >>> CTLR_FIQ_ENABLE) & 1);
    state.setPe(cpu, L.CBPR, (value >>> CTLR_CBPR) & 1);
    if (state.single) this.#setSplit(cpu, NONSECURE, value >>> CTLR_EOI_MODE);
    else {
      this.#setSplit(cpu, SECURE, value >>> CTLR_EOI_MODE);
      this.#setSplit(cpu, NONSECURE, value >>> CTLR_EOI_MODE_NS);
    }
    state.update(cpu);
  }

  #setActivePriorities(cpu: number, group: number, value: number): void {
    this.#state.setPe(cpu, L.ACTIVE_PRIORITIES + group, value);
    this.#state.signal(cpu);
  }

  /** EOImode, 0 or 1, of a state: a bit of L.EOI_MODE. */
  #splits(cpu: number, bit: number): number {
    return (this.#state.pe(cpu, L.EOI_MODE) >>> bit) & 1;
  }

  #setSplit(cpu: number, bit: number, on: number): void {
    const old = this.#state.pe(cpu, L.EOI_MODE);
    this.#state.setPe(cpu, L.EOI_MODE, (old & ~(1 << bit)) | ((on & 1) << bit));
  }

  /** The state's that makes the access. */
  #splitsNow(cpu: number): boolean {
    return this.#splits(cpu, !this.#state.single && this.#secureAccess() ? SECURE : NONSECURE) !== 0;
  }

  /** What GICC_HPPIR shows to an access that sees both groups. */
  #visible(cpu: number): number {
    const best = this.#state.best(cpu);
    if (best === SPURIOUS) return SPURIOUS;
    if (this.#state.group(best, cpu) === GROUP1 && !this.#state.pe(cpu, L.ACK_CTL)) return R.OTHER_GROUP;
    return this.#identity(cpu, best);
  }

  /** What registers of Group 1 show. */
  #visible1(cpu: number): number {
    const best = this.#state.best(cpu);
    if (best === SPURIOUS || this.#state.group(best, cpu) !== GROUP1) return SPURIOUS;
    return this.#identity(cpu, best);
  }

  #identity(cpu: number, intid: number): number {
    return intid < 16 ? intid | (this.#state.lowestSource(intid, cpu) << 10) : intid;
  }

  /** @param visible What the register shows of the highest priority pending interrupt. */
  #acknowledge(cpu: number, visible: number): number {
    if (!this.#state.signalled(cpu)) return SPURIOUS;
    return visible === SPURIOUS || visible === R.OTHER_GROUP ? visible : this.#state.acknowledge(cpu);
  }

  #end(cpu: number, group: number, intid: number): void {
    // Spurious ones, and ends with nothing active, are not of an acknowledged interrupt: UNPREDICTABLE, ignored.
    if (intid >= L.INTIDS || group < 0) return;
    this.#state.dropPriority(cpu, group);
    if (!this.#splitsNow(cpu)) this.#state.deactivate(intid, cpu);
  }

  // With EOImode 0 the write is UNPREDICTABLE: here it does nothing.
  #deactivate(cpu: number, intid: number): void {
    if (intid >= L.INTIDS || !this.#splitsNow(cpu)) return;
    if (this.#full || this.#state.group(intid, cpu) === GROUP1) this.#state.deactivate(intid, cpu);
  }
}
