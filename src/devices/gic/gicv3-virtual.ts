import { CTLR_FIXED } from "./gicv3-physical.ts";
import { GROUP0, GROUP1 } from "./groups.ts";
import * as R from "./sysreg-ids.ts";
import { VCBPR, VENG0, VENG1, VEOIM, type VirtualInterface } from "./virtual-interface.ts";

const CTLR_CBPR = 1;
const CTLR_EOI_MODE = 2;
const INTID_MASK = 0xff_ffff;

/** ICV_* of all PEs (IHI0069 12.3), by the numbers of the ICC_* registers that they stand for. Active priorities are elsewhere. */
export class GicV3Virtual {
  readonly #interface: VirtualInterface;

  constructor(virtual: VirtualInterface) {
    this.#interface = virtual;
  }

  /** -1: no such register. */
  read(cpu: number, id: number): number {
    const virtual = this.#interface;
    const machine = virtual.machine(cpu);
    switch (id) {
      case R.ICC_PMR_EL1:
        return virtual.priorityMask(cpu);
      case R.ICC_IAR0_EL1:
        return virtual.acknowledge(cpu, GROUP0);
      case R.ICC_IAR1_EL1:
        return virtual.acknowledge(cpu, GROUP1);
      case R.ICC_HPPIR0_EL1:
        return virtual.highestPending(cpu, GROUP0);
      case R.ICC_HPPIR1_EL1:
        return virtual.highestPending(cpu, GROUP1);
      case R.ICC_BPR0_EL1:
        return virtual.binaryPoint(cpu, GROUP0);
      case R.ICC_BPR1_EL1:
        return virtual.binaryPoint(cpu, GROUP1);
      case R.ICC_RPR_EL1:
        return virtual.runningPriority(cpu);
      case R.ICC_CTLR_EL1:
        return CTLR_FIXED | (machine & VEOIM ? CTLR_EOI_MODE : 0) | (machine & VCBPR ? CTLR_CBPR : 0);
      case R.ICC_IGRPEN0_EL1:
        return machine & VENG0 ? 1 : 0;
      case R.ICC_IGRPEN1_EL1:
        return machine & VENG1 ? 1 : 0;
      default:
        return -1;
    }
  }

  /** False: no such register. */
  write(cpu: number, id: number, value: number): boolean {
    const virtual = this.#interface;
    switch (id) {
      case R.ICC_PMR_EL1:
        virtual.setPriorityMask(cpu, value);
        return true;
      case R.ICC_EOIR0_EL1:
        virtual.end(cpu, GROUP0, value & INTID_MASK);
        return true;
      case R.ICC_EOIR1_EL1:
        virtual.end(cpu, GROUP1, value & INTID_MASK);
        return true;
      case R.ICC_DIR_EL1:
        virtual.deactivate(cpu, value & INTID_MASK);
        return true;
      case R.ICC_BPR0_EL1:
        virtual.setBinaryPoint(cpu, GROUP0, value);
        return true;
      case R.ICC_BPR1_EL1:
        virtual.setBinaryPoint(cpu, GROUP1, value);
        return true;
      case R.ICC_CTLR_EL1:
        virtual.changeMachine(
          cpu,
          VEOIM | VCBPR,
          (value & CTLR_EOI_MODE ? VEOIM : 0) | (value & CTLR_CBPR ? VCBPR : 0),
        );
        return true;
      case R.ICC_IGRPEN0_EL1:
        virtual.changeMachine(cpu, VENG0, value & 1 ? VENG0 : 0);
        return true;
      case R.ICC_IGRPEN1_EL1:
        virtual.changeMachine(cpu, VENG1, value & 1 ? VENG1 : 0);
        return true;
      default:
        return false;
    }
  }
}
