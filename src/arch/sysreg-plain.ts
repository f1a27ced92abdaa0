import { ELR_EL1, PAR_EL1, SPSR_EL1, TPIDR_EL0, TPIDR_EL1, TPIDRRO_EL0 } from "../cpu/sysreg-layout.ts";
import { sysregId } from "./sysreg-names.ts";

/** A system register that is a 64-bit slot and nothing else: no trap control reads or writes of it, no side effect. */
export interface PlainSysreg {
  /** Offset in bytes from the PE's block. */
  readonly offset: number;
  /** The lowest exception level that may access it; below, the access is UNDEFINED. */
  readonly minEL: 0 | 1 | 2 | 3;
  /** MSR stores all 64 bits. When false, only MRS is plain. */
  readonly writable: boolean;
}

/**
 * By register id: op0:op1:CRn:CRm:op2 as 16 bits. MRS and MSR of these are decoded to direct accesses; of all others, to calls of
 * the processing element. It holds for every machine of the process, so it has no register that a trap of EL2 concerns
 * (HCR_EL2.TVM, TRVM: ESR_EL1 and FAR_EL1 among others). RES0 bits of these keep what was written, as a RES0 bit may.
 */
export const PLAIN_SYSREGS: ReadonlyMap<number, PlainSysreg> = new Map<number, PlainSysreg>([
  [sysregId("TPIDR_EL0"), { offset: TPIDR_EL0, minEL: 0, writable: true }],
  [sysregId("TPIDRRO_EL0"), { offset: TPIDRRO_EL0, minEL: 0, writable: false }],
  [sysregId("TPIDR_EL1"), { offset: TPIDR_EL1, minEL: 1, writable: true }],
  [sysregId("ELR_EL1"), { offset: ELR_EL1, minEL: 1, writable: true }],
  [sysregId("SPSR_EL1"), { offset: SPSR_EL1, minEL: 1, writable: true }],
  [sysregId("PAR_EL1"), { offset: PAR_EL1, minEL: 1, writable: true }],
]);
