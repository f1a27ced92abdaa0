import { packPSTATE } from "../../cpu/pstate.ts";
import { EL, PC, SP, SPSEL, X } from "../../cpu/state-layout.ts";
import {
  CONTEXTIDR_EL1,
  ELR_EL1,
  ELR_EL2,
  ESR_EL1,
  FAR_EL1,
  MAIR_EL1,
  SCTLR_EL1,
  SP_EL0,
  SP_EL1,
  SPSR_EL1,
  SPSR_EL2,
  TCR_EL1,
  TPIDR_EL0,
  TPIDR_EL1,
  TTBR0_EL1,
  TTBR1_EL1,
  VBAR_EL1,
} from "../../cpu/sysreg-layout.ts";
import type { Vcpu } from "../vcpu.ts";
import { bits64 } from "./address-space.ts";

const SYSTEM = {
  ...{ SCTLR_EL1, TTBR0_EL1, TTBR1_EL1, TCR_EL1, MAIR_EL1, CONTEXTIDR_EL1, VBAR_EL1, ESR_EL1, FAR_EL1, ELR_EL1 },
  ...{ SPSR_EL1, TPIDR_EL0, TPIDR_EL1 },
} as const;

/** Name and value, of 64 bits. */
export type RegisterValue = readonly [name: string, value: bigint];

/** A vCPU's general-purpose registers, PC, PSTATE, and those by which one finds one's way in its system; wherever they are now. */
export function registersOf(vcpu: Vcpu): RegisterValue[] {
  const s = vcpu.registers;
  const general = Array.from({ length: 31 }, (_, n): RegisterValue => [`X${n}`, bits64(s, X + 8 * n)]);
  // In its own exception level on a PE: SP is the selected one. Otherwise the hypervisor has the PE, or the vCPU is on none.
  const own = vcpu.pe !== undefined && s.word(EL) < 2;
  const pstate = own ? BigInt(packPSTATE(s) >>> 0) : bits64(s, SPSR_EL2);
  const selected = own && (s.word(EL) === 0 || s.word(SPSEL) === 0) ? SP_EL0 : own ? SP_EL1 : undefined;
  return [
    ...general,
    ["PC", bits64(s, own ? PC : ELR_EL2)],
    ["PSTATE", pstate],
    ["SP_EL0", bits64(s, selected === SP_EL0 ? SP : SP_EL0)],
    ["SP_EL1", bits64(s, selected === SP_EL1 ? SP : SP_EL1)],
    ...Object.entries(SYSTEM).map(([name, offset]): RegisterValue => [name, bits64(s, offset)]),
  ];
}

/** Where a vCPU is. */
export function programCounter(vcpu: Vcpu): bigint {
  const s = vcpu.registers;
  return bits64(s, vcpu.pe !== undefined && s.word(EL) < 2 ? PC : ELR_EL2);
}
