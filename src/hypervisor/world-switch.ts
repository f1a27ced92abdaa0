import { MDSCR_MDE, MDSCR_SS } from "../cpu/debug.ts";
import { CNTV_CTL_EL0, CNTVOFF_EL2, MDSCR_EL1, VMPIDR_EL2, VTTBR_EL2 } from "../cpu/sysreg-layout.ts";
import * as R from "../devices/gic/sysreg-ids.ts";
import { LIST_REGISTERS } from "../devices/gic/virtual-interface.ts";
import type { MachineMemory } from "./machine-memory.ts";
import type { PhysicalPe } from "./physical-pe.ts";
import { CONTEXT, SAVED_AP0R0, SAVED_AP1R0, SAVED_LISTS, SAVED_VMCR, type Vcpu } from "./vcpu.ts";

const MPIDR_RES1 = 1 << 31;

/** Moves the registers of vCPUs between PEs and the vCPUs' blocks. */
export class WorldSwitch {
  readonly #words: Int32Array;

  constructor(memory: MachineMemory) {
    this.#words = memory.words;
  }

  /** The PE's registers are the vCPU's no more. */
  save(pe: PhysicalPe, vcpu: Vcpu): void {
    this.#copy(pe.state.cpu, vcpu.saved.cpu);
    const { saved } = vcpu;
    for (let n = 0; n < LIST_REGISTERS; n++) {
      const low = pe.readInterruptRegister(R.ICH_LR0_EL2 + n);
      saved.set64(SAVED_LISTS + 8 * n, low, pe.interruptRegisterHigh);
      if (low !== 0 || pe.interruptRegisterHigh !== 0) pe.writeInterruptRegister(R.ICH_LR0_EL2 + n, 0, 0);
    }
    saved.setWord(SAVED_VMCR, pe.readInterruptRegister(R.ICH_VMCR_EL2));
    saved.setWord(SAVED_AP0R0, pe.readInterruptRegister(R.ICH_AP0R0_EL2));
    saved.setWord(SAVED_AP1R0, pe.readInterruptRegister(R.ICH_AP1R0_EL2));
    // The timer is the next one's, or nobody's.
    pe.state.setWord(CNTV_CTL_EL0, 0);
    pe.timers.update();
    pe.setTimerActive(false);
    vcpu.pe = undefined;
    pe.vcpu = undefined;
  }

  /** The vCPU's registers are the PE's. */
  load(pe: PhysicalPe, vcpu: Vcpu): void {
    const { state } = pe;
    const { saved, domain } = vcpu;
    this.#beforeDebugChange(pe, vcpu);
    this.#copy(saved.cpu, state.cpu);
    state.set64(VTTBR_EL2, domain.vttbrLow, domain.vttbrHigh);
    state.set64(VMPIDR_EL2, vcpu.affinity | MPIDR_RES1, 0);
    state.set64(CNTVOFF_EL2, domain.counterOffsetLow, domain.counterOffsetHigh);
    for (let n = 0; n < LIST_REGISTERS; n++) {
      const low = saved.word(SAVED_LISTS + 8 * n);
      const high = saved.high(SAVED_LISTS + 8 * n);
      if (low !== 0 || high !== 0) pe.writeInterruptRegister(R.ICH_LR0_EL2 + n, low, high);
    }
    pe.writeInterruptRegister(R.ICH_AP0R0_EL2, saved.word(SAVED_AP0R0));
    pe.writeInterruptRegister(R.ICH_AP1R0_EL2, saved.word(SAVED_AP1R0));
    pe.writeInterruptRegister(R.ICH_VMCR_EL2, saved.word(SAVED_VMCR));
    pe.setTimerActive(domain.gic.timerInFlight(vcpu.index));
    pe.timers.update();
    pe.native.fpUpdateFast(state.cpu);
    // Private translations of another vCPU of the same domain have the same VMID and maybe the same ASID.
    if (pe.lastOfVmid[domain.vmid] !== vcpu.index) {
      if ((pe.lastOfVmid[domain.vmid] as number) >= 0) pe.native.tlbInvalidate(state.cpu, 1, VMID_AT_STAGE1);
      pe.lastOfVmid[domain.vmid] = vcpu.index;
    }
    domain.stolen.tell(vcpu.index, vcpu.stolen);
    vcpu.pe = pe;
    vcpu.lastPe = pe.index;
    vcpu.wakeAt = Number.POSITIVE_INFINITY;
    pe.vcpu = vcpu;
    pe.switches++;
  }

  // Pages with breakpoints and watchpoints stay out of the TLBs that running code looks at: those of another guest may be in them.
  #beforeDebugChange(pe: PhysicalPe, vcpu: Vcpu): void {
    const debug = MDSCR_MDE | MDSCR_SS;
    if (!((pe.state.word(MDSCR_EL1) | vcpu.saved.word(MDSCR_EL1)) & debug)) return;
    pe.native.tlbInvalidateAll(pe.state.cpu);
    pe.native.flushFetch(pe.state.cpu);
  }

  #copy(from: number, to: number): void {
    const words = this.#words;
    for (let i = 0; i < CONTEXT.length; i++) {
      const range = CONTEXT[i] as readonly [number, number];
      words.copyWithin((to + range[0]) >>> 2, (from + range[0]) >>> 2, (from + range[1]) >>> 2);
    }
  }
}

/** Native.tlbInvalidate: all of the current VMID at stage 1. */
const VMID_AT_STAGE1 = 5;
