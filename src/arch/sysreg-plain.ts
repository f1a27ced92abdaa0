import * as slots from "../cpu/sysreg-layout.ts";
import { sysregId } from "./sysreg-names.ts";

/** A system register that is a 64-bit slot and nothing else: no trap control reads or writes of it, no side effect. */
export interface PlainSysreg {
  /** Offset in bytes from the PE's block. */
  readonly offset: number;
  /** The lowest exception level that may access it; below, the access is UNDEFINED. */
  readonly minEL: 0 | 1 | 2 | 3;
  /** MSR stores all 64 bits. When false, only MRS is plain. */
  readonly writable: boolean;
  /** Only where neither EL2 nor EL3 is implemented, since their controls can trap it; at EL1. */
  readonly guarded: boolean;
}

type SlotName = keyof typeof slots & string;

function plain(name: SlotName, minEL: 0 | 1, writable: boolean, guarded = false): [number, PlainSysreg] {
  return [sysregId(name), { offset: slots[name], minEL, writable, guarded }];
}

/**
 * By register id: op0:op1:CRn:CRm:op2 as 16 bits. MRS and MSR of these are decoded to direct accesses; of all others, to calls of
 * the processing element. It holds for every machine of the process. RES0 bits of these keep what was written, as a RES0 bit may.
 */
export const PLAIN_SYSREGS: ReadonlyMap<number, PlainSysreg> = new Map<number, PlainSysreg>([
  plain("TPIDR_EL0", 0, true),
  plain("TPIDRRO_EL0", 0, false),
  plain("TPIDR_EL1", 1, true),
  plain("ELR_EL1", 1, true),
  plain("SPSR_EL1", 1, true),
  plain("PAR_EL1", 1, true),
  ...(["ESR_EL1", "SCTLR_EL1", "TTBR0_EL1", "TTBR1_EL1", "TCR_EL1", "CONTEXTIDR_EL1"] as const).map((name) =>
    plain(name, 1, false, true),
  ),
  plain("FAR_EL1", 1, true, true),
]);
