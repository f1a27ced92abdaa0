import { type InterruptSysregs, VIEW_VIRTUAL } from "../../cpu/ports.ts";
import { GicV3Physical } from "./gicv3-physical.ts";
import { GicV3Virtual } from "./gicv3-virtual.ts";
import { GROUP0, GROUP1 } from "./groups.ts";
import type { GicState } from "./state.ts";
import * as R from "./sysreg-ids.ts";
import { LIST_REGISTERS, VACK_CTL, VFIQ_EN, type VirtualInterface } from "./virtual-interface.ts";

/** Enables of the maintenance interrupt, TC, TALL0, TALL1, TDIR, EOIcount. No SEIs, no direct injection. */
const HCR_BITS = (31 << 27) | (1 << 14) | (7 << 10) | 0xff;
/** Five bits of priority and of preemption, 16 bits of INTID, affinity 3, no GICv4, and ICH_HCR_EL2.TDIR. */
const VTR = (4 << 29) | (4 << 26) | (1 << 21) | (1 << 20) | (1 << 19) | (LIST_REGISTERS - 1);

/** The CPU interfaces of all PEs of a GICv3: ICC_*, ICV_* and ICH_* registers. */
export class GicV3Sysregs implements InterruptSysregs {
  low = 0;
  high = 0;
  readonly #state: GicState;
  readonly #virtual: VirtualInterface;
  readonly #icc: GicV3Physical;
  readonly #icv: GicV3Virtual;

  /** @param affinities For every PE Aff3.Aff2.Aff1.Aff0, a byte each. */
  constructor(state: GicState, virtual: VirtualInterface, affinities: Uint32Array) {
    this.#state = state;
    this.#virtual = virtual;
    this.#icc = new GicV3Physical(state, affinities);
    this.#icv = new GicV3Virtual(virtual);
  }

  read(cpu: number, id: number, view: number): boolean {
    if (isHypervisorRegister(id)) return this.#readHypervisor(cpu, id);
    if (view & VIEW_VIRTUAL) {
      const group = virtualGroup(id);
      return group < 0
        ? this.#giveIfThere(this.#icv.read(cpu, id))
        : this.#give(this.#virtual.activePriorities(cpu, group));
    }
    const active = this.#icc.activePriorities(id, view);
    return active === undefined
      ? this.#giveIfThere(this.#icc.read(cpu, id, view))
      : this.#give(this.#state.pe(cpu, active));
  }

  write(cpu: number, id: number, low: number, high: number, view: number): boolean {
    if (isHypervisorRegister(id)) return this.#writeHypervisor(cpu, id, low, high);
    if (view & VIEW_VIRTUAL) {
      const group = virtualGroup(id);
      if (group < 0) return this.#icv.write(cpu, id, low);
      this.#virtual.setActivePriorities(cpu, group, low);
      return true;
    }
    const active = this.#icc.activePriorities(id, view);
    if (active === undefined) return this.#icc.write(cpu, id, low, high, view);
    this.#state.setPe(cpu, active, low);
    this.#state.signal(cpu);
    return true;
  }

  hypervisorControl(cpu: number): number {
    return this.#virtual.control(cpu);
  }

  sreEnabled(cpu: number, el: 2 | 3): boolean {
    return this.#icc.sreEnabled(cpu, el);
  }

  #give(low: number, high = 0): true {
    this.low = low | 0;
    this.high = high | 0;
    return true;
  }

  #giveIfThere(value: number): boolean {
    return value >= 0 && this.#give(value);
  }

  #readHypervisor(cpu: number, id: number): boolean {
    const virtual = this.#virtual;
    switch (id) {
      case R.ICH_HCR_EL2:
        return this.#give(virtual.control(cpu));
      case R.ICH_VTR_EL2:
        return this.#give(VTR);
      case R.ICH_VMCR_EL2:
        return this.#give(virtual.machine(cpu));
      case R.ICH_MISR_EL2:
        return this.#give(virtual.maintenance(cpu));
      case R.ICH_EISR_EL2:
        return this.#give(virtual.ended(cpu));
      case R.ICH_ELRSR_EL2:
        return this.#give(virtual.free(cpu));
      case R.ICH_AP0R0_EL2:
        return this.#give(virtual.activePriorities(cpu, GROUP0));
      case R.ICH_AP1R0_EL2:
        return this.#give(virtual.activePriorities(cpu, GROUP1));
      default: {
        const n = id - R.ICH_LR0_EL2;
        return n >= 0 && n < LIST_REGISTERS && this.#give(virtual.listLow(cpu, n), virtual.listHigh(cpu, n));
      }
    }
  }

  #writeHypervisor(cpu: number, id: number, low: number, high: number): boolean {
    const virtual = this.#virtual;
    switch (id) {
      case R.ICH_HCR_EL2:
        virtual.setControl(cpu, low & HCR_BITS);
        return true;
      case R.ICH_VMCR_EL2:
        virtual.setMachine(cpu, virtualMachine(low));
        return true;
      case R.ICH_AP0R0_EL2:
        virtual.setActivePriorities(cpu, GROUP0, low);
        return true;
      case R.ICH_AP1R0_EL2:
        virtual.setActivePriorities(cpu, GROUP1, low);
        return true;
      default: {
        const n = id - R.ICH_LR0_EL2;
        if (n < 0 || n >= LIST_REGISTERS) return false;
        virtual.setList(cpu, n, low, high);
        return true;
      }
    }
  }
}

/** ICH_VMCR_EL2 where guests have system registers: VFIQEn is RES1, VAckCtl RES0. */
export const virtualMachine = (value: number): number => (value | VFIQ_EN) & ~VACK_CTL;

/** op1 4, but for ICC_SRE_EL2. */
const isHypervisorRegister = (id: number): boolean => ((id >>> 11) & 7) === 4 && id !== R.ICC_SRE_EL2;
/** Of ICV_AP0R0_EL1 and ICV_AP1R0_EL1; -1: another register. */
const virtualGroup = (id: number): number => (id === R.ICC_AP0R0_EL1 ? GROUP0 : id === R.ICC_AP1R0_EL1 ? GROUP1 : -1);
