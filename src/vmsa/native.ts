/**
 * What TypeScript calls in native.wasm. `cpu` is the address of a PE's block. Built from the AssemblyScript sources; generated code calls the
 * functions of ir/helpers.ts and the slow paths (docs/architecture.md) besides.
 */
export interface Native {
  /**
   * Recomputes what is derived from PSTATE and the system registers: CTX, CTX_UNPRIV, ALIGN_CHECK, SP_CHECK, BRANCH_TBI, FP_TRAP, PAC_*. To be
   * called after every change of EL, PAN, UAO, SCTLR, TCR, TTBR (ASID), CONTEXTIDR, CPACR, HCR, SCR and the like. Flushes no TLB.
   */
  contextChanged(cpu: number): void;
  /** Sets FETCH_VA and FETCH_BASE for PC from the instruction TLB. 0: not there. */
  enterPage(cpu: number): number;
  /**
   * Translates PC for execution. The linear address of its page of memory, with the guarded bit (BTI) in RESULT; or 0 with the instruction
   * abort (or PC alignment fault) in EXC_*, EXIT = EXIT_EXCEPTION.
   */
  translateFetch(cpu: number): number;
  /** Fills the instruction TLB for PC's page and sets FETCH_VA and FETCH_BASE. */
  fillFetch(cpu: number, decodedPage: number, guarded: number): void;
  /** Drops every entry of the instruction TLB: decoded pages have moved. */
  flushFetch(cpu: number): void;
  /** TLBI by everything. */
  tlbInvalidateAll(cpu: number): void;
  /**
   * TLBI on this PE: `regime` 1 (EL1&0), 2 (EL2), 3 (EL3); `what` 0 all, of every VMID, 1 by ASID (ASID in ARG1), 2 by VA and ASID (VA in
   * ARG0, ASID in ARG1), 3 by VA, all ASIDs (VA in ARG0), 4 a range of VAs (ARG0 first, ARG2 bytes, ARG1 ASID or -1), 5 all of the current
   * VMID at stage 1, 6 at stage 2, 7 by IPA (ARG0 first, ARG2 bytes), of which both stages' translations go. `by`: the PE that executes it,
   * absent for this one: its are the operands, the VMID, the Security state, and the HCR_EL2.{E2H,TGE} that make `regime` 1 (but for 0, 6
   * and 7) and 2 stand for EL2&0.
   */
  tlbInvalidate(cpu: number, regime: number, what: number, by?: number): void;
  /**
   * AT: translates the VA in ARG0 as EL `el` of `regime` would for a read (0) or write (1), with PAN checks if `pan`; `stages`: 1, or 2 for
   * stage 2 as well. Result in PAR_EL1, or, where the architecture wants an exception, that in EXC_* and EXIT. With 0: both
   * stages, and nothing but PAR_EL1 is ever changed.
   */
  addressTranslate(cpu: number, regime: number, el: number, write: number, pan: number, stages: number): void;
  /**
   * The linear address of the byte at the VA in ARG0 for cache maintenance by VA (DC, IC IVAU), 0 when it is no memory. `access`: 0 read,
   * 1 write. A fault is left in EXC_*, EXIT (with ISS.CM set), and -1 returned.
   */
  maintain(cpu: number, access: number): number;
  /**
   * A register in memory (FEAT_NV2): reads the 8 bytes at the VA in ARG0 into RESULT, or, with `write` 1, writes them from ARG1, as EL2.
   * 1: the data abort is in EXC_*, for EL2.
   */
  nestedAccess(cpu: number, write: number): number;
  /** Ticks of the physical (0) or virtual (1) counter, in RESULT. */
  readCounter(cpu: number, kind: number): void;
  /** Clears the local exclusive monitor. */
  clearExclusive(cpu: number): void;
  /** FP_FAST from FPCR and FPSR. */
  fpUpdateFast(cpu: number): void;
}
/** What native.wasm imports from the host, module "host". */
export interface NativeHost {
  /** Reads `bytes` at the physical address in ARG0 into RESULT (and RESULT_HI). `nonSecure`: 0 or 1. 1: external abort. */
  busRead(cpu: number, bytes: number, nonSecure: number): number;
  /** Writes `bytes` from ARG1 (and ARG2) to the physical address in ARG0. `nonSecure`: 0 or 1. 1: external abort. */
  busWrite(cpu: number, bytes: number, nonSecure: number): number;
  /** Nanoseconds since power-on. */
  now(): number;
}

/** What snapshots call in native.wasm. */
export interface NativeMemory {
  /** How many of the pages of 4 KiB from linear address `at` hold nothing but zeros, up to the first that does not. */
  zeroPages(at: number, pages: number): number;
}

/** What a debugger and semihosting call in native.wasm. */
export interface NativeOutside {
  /**
   * The physical address of the byte at the VA in ARG0 in the PE's current regime, in RESULT. 0: there is none; nothing is pending then.
   * `access` 0: whatever the permissions, and no guest notices; 1, 2: as for a read or a write of the PE's, and
   * only where there is memory.
   */
  outsideAddress(cpu: number, access: number): number;
  /** Begins (1) or ends (0) to take notes of the descriptors that walks read; how many there are. */
  noteWalk(on: number): number;
  /**
   * Where the notes are in linear memory, 32 bytes each: i32 stage, i32 level, then i64 each: the descriptor's address before stage 2, its
   * physical address, the descriptor.
   */
  walkNotes(): number;
}
