import * as slots from "../cpu/sysreg-layout.ts";
import { sysregId } from "./sysreg-names.ts";

/** A system register that is a 64-bit slot and nothing else, as long as SYSREG_GUARD says so: no side effect. */
export interface PlainSysreg {
  /** Offset in bytes from the PE's block. */
  readonly offset: number;
  /** The lowest exception level that may access it: the bit of SYSREG_GUARD with which the processing element does it. */
  readonly minEL: 0 | 1 | 2;
  /** MSR stores all 64 bits. When false, only MRS is plain. */
  readonly writable: boolean;
}

type SlotName = keyof typeof slots & string;

function plain(name: SlotName, minEL: 0 | 1 | 2, writable: boolean): [number, PlainSysreg] {
  return [sysregId(name), { offset: slots[name], minEL, writable }];
}

/**
 * By register id: op0:op1:CRn:CRm:op2 as 16 bits. MRS and MSR of these are decoded to direct accesses; of all others, to calls of
 * the processing element. It holds for every machine of the process. RES0 bits of these keep what was written, as a RES0 bit may.
 */
export const PLAIN_SYSREGS: ReadonlyMap<number, PlainSysreg> = new Map<number, PlainSysreg>([
  plain("TPIDR_EL0", 0, true),
  // EL0 may only read it.
  plain("TPIDRRO_EL0", 0, false),
  ...(["TPIDR_EL1", "ELR_EL1", "SPSR_EL1", "PAR_EL1", "FAR_EL1"] as const).map((name) => plain(name, 1, true)),
  ...(["ESR_EL1", "SCTLR_EL1", "TTBR0_EL1", "TTBR1_EL1", "TCR_EL1", "CONTEXTIDR_EL1"] as const).map((name) =>
    plain(name, 1, false),
  ),
  ...(["TPIDR_EL2", "ELR_EL2", "SPSR_EL2", "FAR_EL2"] as const).map((name) => plain(name, 2, true)),
  ...(["ESR_EL2", "HPFAR_EL2", "HCR_EL2", "VTTBR_EL2"] as const).map((name) => plain(name, 2, false)),
]);
