import type { PeState } from "./pe-state.ts";
import { EXC_EC, EXC_ISS, EXC_STAGE2, EXC_TARGET, EXIT, EXIT_EXCEPTION } from "./state-layout.ts";

// Exception syndromes: ESR_ELx (Arm ARM D19.2.37).

// Exception classes, ESR_ELx.EC. Of the classes in pairs, the one that is taken from a lower exception level.
export const EC_UNKNOWN = 0x00;
export const EC_WFX = 0x01;
export const EC_FP_ACCESS = 0x07;
export const EC_PAUTH = 0x09;
export const EC_BRANCH_TARGET = 0x0d;
export const EC_ILLEGAL_STATE = 0x0e;
export const EC_SVC64 = 0x15;
export const EC_HVC64 = 0x16;
export const EC_SMC64 = 0x17;
export const EC_SYSTEM = 0x18;
export const EC_ERET = 0x1a;
export const EC_INSTRUCTION_ABORT = 0x20;
export const EC_PC_ALIGNMENT = 0x22;
export const EC_DATA_ABORT = 0x24;
export const EC_SP_ALIGNMENT = 0x26;
export const EC_SERROR = 0x2f;
export const EC_BREAKPOINT = 0x30;
export const EC_SOFTWARE_STEP = 0x32;
export const EC_WATCHPOINT = 0x34;
export const EC_BRK64 = 0x3c;

export const ESR_IL = 1 << 25;
const ISS_MASK = (1 << 25) - 1;

// ISS of data aborts.
const ISV = 1 << 24;
const VNCR = 1 << 13;
const S1PTW = 1 << 7;
/** ISS of a debug exception: DFSC or IFSC. */
export const FSC_DEBUG = 0x22;
/** ISS of a software step: the syndrome is valid; the instruction was a load-exclusive. */
export const STEP_ISV = 1 << 24;
export const STEP_EX = 1 << 6;
/** ISS of a trapped WFI: CV, COND = AL. */
export const WFX_ISS = 0x1e00000;

/** The 32 bits of ESR_ELx. A64 instructions are of 32 bits, so that IL is always set. */
export function esr(ec: number, iss: number): number {
  return (ec << 26) | ESR_IL | (iss & ISS_MASK);
}

/** The class as ESR_ELx reports it, given whether the exception level stays the same. */
export function adjustedClass(ec: number, sameLevel: boolean): number {
  switch (ec & ~1) {
    case EC_INSTRUCTION_ABORT:
    case EC_DATA_ABORT:
    case EC_BREAKPOINT:
    case EC_SOFTWARE_STEP:
    case EC_WATCHPOINT:
      return (ec & ~1) | (sameLevel ? 1 : 0);
    default:
      return ec;
  }
}

export function isDebugClass(ec: number): boolean {
  const base = ec & ~1;
  return base === EC_BREAKPOINT || base === EC_SOFTWARE_STEP || base === EC_WATCHPOINT || ec === EC_BRK64;
}

/** Whether an abort is external, by its fault status code: synchronous, on a walk, or of parity or ECC. */
export function isExternalAbort(ec: number, iss: number): boolean {
  const base = ec & ~1;
  if (base !== EC_INSTRUCTION_ABORT && base !== EC_DATA_ABORT) return false;
  const status = iss & 0x3f;
  return status === 0x10 || (status >= 0x13 && status <= 0x1f);
}

/** Whether a data abort was on an access by way of VNCR_EL2 (ISS.VNCR). */
export function isNestedAccess(ec: number, iss: number): boolean {
  return (ec & ~1) === EC_DATA_ABORT && (iss & VNCR) !== 0;
}

/** ISS of a trapped MSR, MRS or system instruction (EC 0x18). `id`: op0:op1:CRn:CRm:op2. */
export function systemIss(id: number, rt: number, read: boolean): number {
  const op0 = (id >> 14) & 3;
  const op1 = (id >> 11) & 7;
  const n = (id >> 7) & 15;
  const m = (id >> 3) & 15;
  return (op0 << 20) | ((id & 7) << 17) | (op1 << 14) | (n << 10) | (rt << 5) | (m << 1) | (read ? 1 : 0);
}

/**
 * Leaves a synchronous exception pending for the dispatcher. `target`: the exception level it must go to, 0: by the routing rules.
 * Returns 1, what a host function answers to leave.
 */
export function raise(s: PeState, ec: number, iss: number, target = 0): 1 {
  s.setWord(EXC_EC, ec);
  s.setWord(EXC_ISS, iss);
  s.setWord(EXC_TARGET, target);
  s.setWord(EXC_STAGE2, 0);
  s.setWord(EXIT, EXIT_EXCEPTION);
  return 1;
}

/** LDXR, LDAXR, LDXP, LDAXP of any size. */
export function isLoadExclusive(word: number): boolean {
  if ((word & 0x3fc00000) !== 0x08400000) return false;
  const pair = (word & (1 << 21)) !== 0;
  return !pair || word < 0;
}

/**
 * Bits 24:14 of the ISS of a data abort at stage 2: a valid syndrome for the load or store of one general register without writeback that
 * is no exclusive (Arm ARM, ISS encoding for an exception from a Data Abort, "ISV"); 0 for all others.
 */
export function instructionSyndrome(word: number): number {
  const size = word >>> 30;
  const group = word & 0x3f000000;
  const mode = (word >> 10) & 3;
  const bit21 = (word >> 21) & 1;
  const opc = (word >> 22) & 3;
  // unsigned immediate; unscaled, unprivileged; register offset
  if (group === 0x39000000 || (group === 0x38000000 && (bit21 ? mode === 2 : (mode & 1) === 0))) {
    return ofOpc(word, size, opc, false);
  }
  // LDAPR
  if ((word & 0x3ffffc00) === 0x38bfc000) return valid(word, size, false, size === 3, true);
  // LDAPUR, STLUR
  if (group === 0x19000000 && !bit21 && mode === 0) return ofOpc(word, size, opc, true);
  // LDAR, LDLAR, STLR, STLLR
  if ((word & 0x3fa00000) === 0x08800000) return valid(word, size, false, size === 3, (word & 0x8000) !== 0);
  // LDR (literal)
  if (group === 0x18000000 && size !== 3) return valid(word, size === 1 ? 3 : 2, size === 2, size !== 0, false);
  return 0;
}

/** opc: 0 store, 1 load, 2 load sign-extended to 64 bits (PRFM for doublewords), 3 to 32 bits. */
function ofOpc(word: number, size: number, opc: number, ordered: boolean): number {
  if (opc >= 2 && size === 3) return 0;
  return valid(word, size, opc >= 2, opc >= 2 ? opc === 2 : size === 3, ordered);
}

function valid(word: number, size: number, signed: boolean, wide: boolean, ordered: boolean): number {
  const srt = word & 31;
  return ISV | (size << 22) | (signed ? 1 << 21 : 0) | (srt << 16) | (wide ? 1 << 15 : 0) | (ordered ? 1 << 14 : 0);
}

/**
 * Whether a data abort at stage 2 with this ISS can have a valid instruction syndrome: not when it was on a stage 1 walk, nor when it is
 * external.
 */
export function mayHaveSyndrome(ec: number, iss: number): boolean {
  return (ec & ~1) === EC_DATA_ABORT && (iss & (S1PTW | ISV)) === 0 && !isExternalAbort(ec, iss);
}
