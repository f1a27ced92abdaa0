import type { Device } from "../bus/device.ts";
import type { PeState } from "../cpu/pe-state.ts";
import type { InterruptSysregs, PpiPort } from "../cpu/ports.ts";
import { VIEW_NONSECURE } from "../cpu/ports.ts";
import type { TimerRegisters, Timers } from "../cpu/timers.ts";
import { TIMERS } from "../cpu/timers.ts";
import * as R from "../devices/gic/sysreg-ids.ts";
import type { Native } from "../vmsa/native.ts";
import type { Vcpu } from "./vcpu.ts";

/** What of the machine a hypervisor drives besides the PEs. */
export interface PhysicalInterruptController extends PpiPort {
  readonly sysregs: InterruptSysregs;
  readonly distributor: Device;
  readonly redistributors: Device;
}

// GICR, of one PE (IHI0069 12.11).
const REDISTRIBUTOR_STRIDE = 0x20000;
const IGROUPR0 = 0x1_0080;
const ISENABLER0 = 0x1_0100;
const ISACTIVER0 = 0x1_0300;
const ICACTIVER0 = 0x1_0380;
// GICD_CTLR: both groups.
const DISTRIBUTOR_ENABLE = 3;

/** SGI by which a PE is told to look again. */
export const CHECK_SGI = 0;
export const MAINTENANCE_PPI = 25;
export const HYPERVISOR_TIMER_PPI = TIMERS.hypervisor.ppi;
export const VIRTUAL_TIMER_PPI = TIMERS.virtual.ppi;
const SPURIOUS = 1020;

/** A physical PE in the hands of the hypervisor: its registers, timers and interrupts, and the vCPU that is on it. */
export class PhysicalPe {
  readonly index: number;
  readonly state: PeState;
  readonly timers: Timers;
  readonly native: Native;
  readonly #gic: PhysicalInterruptController;
  readonly #affinity: number;

  /** On the PE, in its registers. */
  vcpu: Vcpu | undefined;
  /** Another choice of vCPU is due. */
  reschedule = true;
  /** When the vCPU began to run that is on it, as accounted so far: nanoseconds. */
  since = 0;
  /** When its slice ends. */
  sliceEnd = Number.POSITIVE_INFINITY;
  /** The interrupt of the virtual timer is active: it was handed to the guest and has not ended. */
  timerActive = false;
  /** When the EL2 physical timer fires: nanoseconds of the machine's clock. */
  timerAt = Number.POSITIVE_INFINITY;
  /** Index of the vCPU of each domain that ran here last, by VMID: another one's private translations may be in the TLB. */
  readonly lastOfVmid = new Int16Array(256).fill(-1);
  /** Nanoseconds that it ran vCPUs. */
  busy = 0;
  /** World switches. */
  switches = 0;
  #timerSet = false;

  constructor(
    index: number,
    parts: { state: PeState; timers: Timers; native: Native; gic: PhysicalInterruptController; affinity: number },
  ) {
    this.index = index;
    this.state = parts.state;
    this.timers = parts.timers;
    this.native = parts.native;
    this.#gic = parts.gic;
    this.#affinity = parts.affinity;
  }

  /** Its CPU interface and private interrupts, for EL2; the distributor's enable is the machine's. */
  initialize(): void {
    const at = this.index * REDISTRIBUTOR_STRIDE;
    this.#gic.distributor.write(0, 4, DISTRIBUTOR_ENABLE);
    const enabled = [CHECK_SGI, MAINTENANCE_PPI, HYPERVISOR_TIMER_PPI, VIRTUAL_TIMER_PPI];
    this.#gic.redistributors.write(at + IGROUPR0, 4, 0xffff_ffff);
    this.#gic.redistributors.write(at + ISENABLER0, 4, enabled.reduce((bits, intid) => bits | (1 << intid), 0) >>> 0);
    this.writeInterruptRegister(R.ICC_PMR_EL1, 0xff);
    // EOImode 1: the end of an interrupt only drops its priority; the guest deactivates its timer's.
    this.writeInterruptRegister(R.ICC_CTLR_EL1, 2);
    this.writeInterruptRegister(R.ICC_IGRPEN1_EL1, 1);
  }

  /** The INTID of the pending interrupt, now active and its priority dropped; -1: there is none. All but the virtual timer's are deactivated. */
  acknowledge(): number {
    const intid = this.readInterruptRegister(R.ICC_IAR1_EL1);
    if (intid >= SPURIOUS) return -1;
    this.writeInterruptRegister(R.ICC_EOIR1_EL1, intid);
    if (intid !== VIRTUAL_TIMER_PPI) this.writeInterruptRegister(R.ICC_DIR_EL1, intid);
    return intid;
  }

  /** Low half. */
  readInterruptRegister(id: number): number {
    this.#gic.sysregs.read(this.index, id, VIEW_NONSECURE);
    return this.#gic.sysregs.low;
  }

  /** Of what readInterruptRegister read last. */
  get interruptRegisterHigh(): number {
    return this.#gic.sysregs.high;
  }

  writeInterruptRegister(id: number, low: number, high = 0): void {
    this.#gic.sysregs.write(this.index, id, low, high, VIEW_NONSECURE);
  }

  /** Makes `target` take an interrupt to EL2. */
  kick(target: PhysicalPe): void {
    const affinity = target.#affinity;
    const low = (CHECK_SGI << 24) | (((affinity >>> 8) & 0xff) << 16) | (1 << (affinity & 15));
    this.writeInterruptRegister(R.ICC_SGI1R_EL1, low, (affinity >>> 16) & 0xff);
  }

  /** Marks the interrupt of the virtual timer active, so that it is not signalled, or not. */
  setTimerActive(active: boolean): void {
    if (active === this.timerActive) return;
    this.timerActive = active;
    const offset = this.index * REDISTRIBUTOR_STRIDE + (active ? ISACTIVER0 : ICACTIVER0);
    this.#gic.redistributors.write(offset, 4, 1 << VIRTUAL_TIMER_PPI);
  }

  /** Whether a timer of the registers on the PE signals its interrupt. */
  timerAsserted(timer: TimerRegisters): boolean {
    return (this.timers.control(timer) & 7) === 5;
  }

  /** The EL2 physical timer fires at a time of the machine's clock in nanoseconds; Infinity: not at all. */
  setTimer(nanoseconds: number): void {
    this.timerAt = nanoseconds;
    if (nanoseconds === Number.POSITIVE_INFINITY) {
      if (this.#timerSet) this.timers.setControl(TIMERS.hypervisor, 0);
      this.#timerSet = false;
      return;
    }
    const ticks = Math.ceil(nanoseconds / NANOSECONDS_PER_TICK);
    this.timers.setCompare(TIMERS.hypervisor, ticks | 0, Math.floor(ticks / 2 ** 32));
    if (!this.#timerSet) this.timers.setControl(TIMERS.hypervisor, 1);
    this.#timerSet = true;
  }
}

/** Of the physical counter: 62.5 MHz. */
export const NANOSECONDS_PER_TICK = 16;
