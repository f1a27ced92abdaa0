import type { AccessSize, Device } from "../../bus/device.ts";
import { setActivePriorities } from "./gicv2-virtual.ts";
import { GROUP0, GROUP1 } from "./groups.ts";
import { LIST_REGISTERS, LR_STATE_SHIFT, type VirtualInterface } from "./virtual-interface.ts";

const HCR = 0x0;
const VTR = 0x4;
const VMCR = 0x8;
const MISR = 0x10;
const EISR0 = 0x20;
const ELRSR0 = 0x30;
const APR = 0xf0;
const LR0 = 0x100;

/** Enables of the maintenance interrupt, EOICount. */
const HCR_BITS = (31 << 27) | 0xff;
/** Five bits of priority and of preemption. */
const VTR_VALUE = (4 << 29) | (4 << 26) | (LIST_REGISTERS - 1);

// GICH_LR<n>.
const LR_INTID = 0x3ff;
const LR_PHYSICAL_SHIFT = 10;
const LR_PHYSICAL = 0x3ff;
const LR_PRIORITY_SHIFT = 23;
const LR_FLAGS_SHIFT = 28;

/** The view of the PE that makes the access, then, from VIEWS on, that of every PE, VIEW_STRIDE apart (IHI0048B 5.3). */
const VIEWS = 0x1000;
const VIEW_STRIDE = 0x200;

/** GICH: a hypervisor's control of the virtual CPU interfaces (IHI0048B 5.3). Non-secure and Secure accesses are alike. */
export class GicV2Hypervisor implements Device {
  readonly size = 0x2000;
  readonly #interface: VirtualInterface;
  readonly #cpus: number;
  readonly #currentCpu: () => number;
  readonly #reset: () => void;

  constructor(virtual: VirtualInterface, cpus: number, currentCpu: () => number, reset: () => void) {
    this.#interface = virtual;
    this.#cpus = cpus;
    this.#currentCpu = currentCpu;
    this.#reset = reset;
  }

  read(offset: number, bytes: AccessSize): number {
    const cpu = this.#cpu(offset);
    return bytes === 4 && cpu >= 0 ? this.#read(cpu, offset & (VIEW_STRIDE - 1)) >>> 0 : 0;
  }

  write(offset: number, bytes: AccessSize, value: number): void {
    const cpu = this.#cpu(offset);
    if (bytes === 4 && cpu >= 0) this.#write(cpu, offset & (VIEW_STRIDE - 1), value);
  }

  reset(): void {
    this.#reset();
  }

  /** The PE whose registers are at an offset, -1: none's. */
  #cpu(offset: number): number {
    if (offset < VIEW_STRIDE) return this.#currentCpu();
    const cpu = Math.floor((offset - VIEWS) / VIEW_STRIDE);
    return cpu < this.#cpus ? cpu : -1;
  }

  #read(cpu: number, register: number): number {
    const virtual = this.#interface;
    switch (register) {
      case HCR:
        return virtual.control(cpu);
      case VTR:
        return VTR_VALUE;
      case VMCR:
        return virtual.machine(cpu);
      case MISR:
        return virtual.maintenance(cpu);
      case EISR0:
        return virtual.ended(cpu);
      case ELRSR0:
        return virtual.free(cpu);
      case APR:
        return virtual.activePriorities(cpu, GROUP0) | virtual.activePriorities(cpu, GROUP1);
      default: {
        const n = (register - LR0) >> 2;
        return n >= 0 && n < LIST_REGISTERS ? narrow(virtual.listLow(cpu, n), virtual.listHigh(cpu, n)) : 0;
      }
    }
  }

  #write(cpu: number, register: number, value: number): void {
    const virtual = this.#interface;
    switch (register) {
      case HCR:
        virtual.setControl(cpu, value & HCR_BITS);
        break;
      case VMCR:
        virtual.setMachine(cpu, value);
        break;
      case APR:
        setActivePriorities(virtual, cpu, value);
        break;
      default: {
        const n = (register - LR0) >> 2;
        if (n >= 0 && n < LIST_REGISTERS) virtual.setList(cpu, n, value & LR_INTID, wide(value));
      }
    }
  }
}

// GICH_LR has HW, Grp1 and State above Priority, ICH_LR State, HW and Group above it; the rest is alike (IHI0048B 5.3.9, IHI0069 12.4.6).

/** GICH_LR of a list register. */
function narrow(low: number, high: number): number {
  const flags = (high >>> (LR_STATE_SHIFT - 2)) & 15;
  return (
    ((((flags & 3) << 2) | (flags >>> 2)) << LR_FLAGS_SHIFT) |
    (((high >>> 19) & 31) << LR_PRIORITY_SHIFT) |
    ((high & LR_PHYSICAL) << LR_PHYSICAL_SHIFT) |
    (low & LR_INTID)
  );
}

/** The high half of the list register that GICH_LR is of. */
function wide(value: number): number {
  const flags = value >>> LR_FLAGS_SHIFT;
  return (
    ((((flags & 3) << 2) | (flags >>> 2)) << (LR_STATE_SHIFT - 2)) |
    (((value >>> LR_PRIORITY_SHIFT) & 31) << 19) |
    ((value >>> LR_PHYSICAL_SHIFT) & LR_PHYSICAL)
  );
}
