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
 * the processing element, which fills this table before anything is decoded. It must hold for every machine of the process.
 */
export const PLAIN_SYSREGS = new Map<number, PlainSysreg>();
