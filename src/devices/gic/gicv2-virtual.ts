import type { AccessSize, Device } from "../../bus/device.ts";
import * as R from "./gicv2-registers.ts";
import { GROUP0, GROUP1 } from "./groups.ts";
import { SPURIOUS } from "./state.ts";
import { VACK_CTL, VCBPR, VENG0, VENG1, VEOIM, VFIQ_EN, type VirtualInterface } from "./virtual-interface.ts";

/** GICV_CTLR has its bits where GICH_VMCR has them. */
const CTLR_BITS = VENG0 | VENG1 | VACK_CTL | VFIQ_EN | VCBPR | VEOIM;
/** CPUID and INTID, as GICV_IAR has them. */
const IDENTITY = 0x1fff;

/** GICV: what a guest of the PE that makes the access has in the place of GICC (IHI0048B 5.5). */
export class GicV2Virtual implements Device {
  readonly size = R.CPU_INTERFACE_SIZE;
  readonly #interface: VirtualInterface;
  readonly #currentCpu: () => number;
  readonly #reset: () => void;

  constructor(virtual: VirtualInterface, currentCpu: () => number, reset: () => void) {
    this.#interface = virtual;
    this.#currentCpu = currentCpu;
    this.#reset = reset;
  }

  read(offset: number, bytes: AccessSize): number {
    if (bytes !== 4) return 0;
    const virtual = this.#interface;
    const cpu = this.#currentCpu();
    switch (offset) {
      case R.CTLR:
        return virtual.machine(cpu) & CTLR_BITS;
      case R.PMR:
        return virtual.priorityMask(cpu);
      case R.BPR:
        return virtual.binaryPoint(cpu, GROUP0);
      case R.ABPR:
        return virtual.ownBinaryPoint1(cpu);
      case R.IAR:
        return this.#group(cpu) === SPURIOUS ? SPURIOUS : this.#acknowledge(cpu);
      case R.AIAR:
        return virtual.acknowledge(cpu, GROUP1);
      case R.RPR:
        return virtual.runningPriority(cpu);
      case R.HPPIR: {
        const group = this.#group(cpu);
        return group >= R.OTHER_GROUP ? group : virtual.highestPending(cpu, group);
      }
      case R.AHPPIR:
        return virtual.highestPending(cpu, GROUP1);
      case R.APR0:
        return (virtual.activePriorities(cpu, GROUP0) | virtual.activePriorities(cpu, GROUP1)) >>> 0;
      case R.IIDR:
        return R.IIDR_VALUE;
      default:
        return 0;
    }
  }

  write(offset: number, bytes: AccessSize, value: number): void {
    if (bytes !== 4) return;
    const virtual = this.#interface;
    const cpu = this.#currentCpu();
    switch (offset) {
      case R.CTLR:
        virtual.changeMachine(cpu, CTLR_BITS, value);
        break;
      case R.PMR:
        virtual.setPriorityMask(cpu, value);
        break;
      case R.BPR:
        virtual.setBinaryPoint(cpu, GROUP0, value);
        break;
      case R.ABPR:
        virtual.setOwnBinaryPoint1(cpu, value);
        break;
      case R.EOIR:
        virtual.end(cpu, -1, value & IDENTITY);
        break;
      case R.AEOIR:
        virtual.end(cpu, GROUP1, value & IDENTITY);
        break;
      case R.DIR:
        virtual.deactivate(cpu, value & IDENTITY);
        break;
      case R.APR0:
        setActivePriorities(virtual, cpu, value);
        break;
      default:
        break;
    }
  }

  reset(): void {
    this.#reset();
  }

  /** The group that GICV_IAR and GICV_HPPIR show, or what they read as instead. */
  #group(cpu: number): number {
    const group = this.#interface.bestGroup(cpu);
    if (group < 0) return SPURIOUS;
    return group === GROUP1 && !(this.#interface.machine(cpu) & VACK_CTL) ? R.OTHER_GROUP : group;
  }

  #acknowledge(cpu: number): number {
    const group = this.#group(cpu);
    if (group !== R.OTHER_GROUP) return this.#interface.acknowledge(cpu, group);
    return this.#interface.signalled(cpu) ? R.OTHER_GROUP : SPURIOUS;
  }
}

/** A GICv2 has one register of virtual active priorities, for both groups. */
export function setActivePriorities(virtual: VirtualInterface, cpu: number, value: number): void {
  virtual.setActivePriorities(cpu, GROUP0, value);
  virtual.setActivePriorities(cpu, GROUP1, 0);
}
