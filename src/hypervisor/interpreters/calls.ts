import { X } from "../../cpu/state-layout.ts";
import { skipInstruction } from "../inject.ts";
import type { PhysicalPe } from "../physical-pe.ts";
import type { Vcpu } from "../vcpu.ts";

/** SMCCC 2.9, and PSCI: what nobody answers. */
const NOT_SUPPORTED = -1;

/** HVC: PSCI, SMCCC and the services of the hypervisor. ELR_EL2 is behind the instruction already. */
export function hypervisorCall(pe: PhysicalPe, vcpu: Vcpu, immediate: number): void {
  if (immediate === 0 && vcpu.domain.firmware.call(pe.state.cpu, "hvc", 0)) return;
  pe.state.set64(X, NOT_SUPPORTED, NOT_SUPPORTED);
}

/** SMC: the domain's firmware is called by HVC; behind this instruction is nobody. It has trapped, so that ELR_EL2 is its own address. */
export function monitorCall(pe: PhysicalPe, vcpu: Vcpu): void {
  vcpu.domain.refuse(vcpu, "monitor call", pe.state.word(X) >>> 0);
  pe.state.set64(X, NOT_SUPPORTED, NOT_SUPPORTED);
  skipInstruction(pe.state);
}
