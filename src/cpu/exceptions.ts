import { debugToEL2, stepAfterReturn } from "./debug.ts";
import {
  acknowledgeSError,
  interruptTarget,
  LINE_FIQ,
  LINE_IRQ,
  LINE_SERROR,
  LINE_VFIQ,
  LINE_VIRQ,
  LINE_VSERROR,
} from "./interrupts.ts";
import {
  el2Enabled,
  HCR_HIGH_TEA,
  HCR_TGE,
  haveEL,
  hostApplications,
  inHost,
  NV,
  NV2,
  nesting,
  SCR_EA,
  SCR_EEL2,
  SCR_NS,
  sctlrOf,
  securityBelowEL3,
  targetOfEL0,
} from "./levels.ts";
import type { PeState } from "./pe-state.ts";
import { changeStack, DAIF_ALL, packPSTATE, SPSR_AARCH32, SPSR_IL, setNZCV } from "./pstate.ts";
import {
  BRANCH_TBI,
  BTYPE,
  COUNT_EXCEPTIONS,
  COUNT_FIQ,
  COUNT_IRQ,
  COUNT_SERROR,
  DAIF,
  DIT,
  EL,
  EVENT_REGISTER,
  EXC_EC,
  EXC_FAR,
  EXC_IPA,
  EXC_ISS,
  EXC_STAGE2,
  EXC_TARGET,
  FP_TRAP,
  PAN,
  PC,
  PSTATE_IL,
  PSTATE_SS,
  SECURE,
  SPSEL,
  SSBS,
  UAO,
} from "./state-layout.ts";
import {
  adjustedClass,
  EC_DATA_ABORT,
  EC_FP_ACCESS,
  EC_INSTRUCTION_ABORT,
  EC_PC_ALIGNMENT,
  EC_SERROR,
  EC_UNKNOWN,
  EC_WATCHPOINT,
  esr,
  isDebugClass,
  isExternalAbort,
  isNestedAccess,
} from "./syndrome.ts";
import {
  ELR_EL1,
  ELR_EL2,
  ELR_EL3,
  ESR_EL1,
  ESR_EL2,
  ESR_EL3,
  FAR_EL1,
  FAR_EL2,
  FAR_EL3,
  FEATURE_BTI,
  FEATURE_PAN,
  FEATURE_UAO,
  HCR_EL2,
  HPFAR_EL2,
  ID_AA64PFR0_EL1,
  ID_AA64PFR1_EL1,
  PE_FEATURES,
  SCR_EL3,
  SPSR_EL1,
  SPSR_EL2,
  SPSR_EL3,
  VBAR_EL1,
  VBAR_EL2,
  VBAR_EL3,
  VSESR_EL2,
} from "./sysreg-layout.ts";

// Taking exceptions and returning from them (Arm ARM D1.3, aarch64/exceptions and shared/functions/system in the pseudocode).
// 64-bit values are handled in halves. What depends on the new state (the context number and the like) is the caller's to recompute.

/** Banked registers by exception level; index 0 is never used. */
const ELR = [0, ELR_EL1, ELR_EL2, ELR_EL3] as const;
const SPSR = [0, SPSR_EL1, SPSR_EL2, SPSR_EL3] as const;
const ESR = [0, ESR_EL1, ESR_EL2, ESR_EL3] as const;
const FAR = [0, FAR_EL1, FAR_EL2, FAR_EL3] as const;
const VBAR = [0, VBAR_EL1, VBAR_EL2, VBAR_EL3] as const;

const VECTOR_SYNCHRONOUS = 0;
const VECTOR_IRQ = 0x80;
const VECTOR_FIQ = 0x100;
const VECTOR_SERROR = 0x180;

/** EXC_IPA[63]: the Non-secure IPA space, of a fault of Secure EL1&0. */
const IPA_HIGH_NS = 1 << 31;

const SCTLR_SPAN = 1 << 23;
const SCTLR_HIGH_DSSBS = 1 << (44 - 32);

/** ELR_ELx and SPSR_ELx of an exception level 1..3. */
export function elrSlot(el: number): number {
  return ELR[el] as number;
}
export function spsrSlot(el: number): number {
  return SPSR[el] as number;
}

/** What makes an SPSR_EL1.M[3:2] of EL1 one of EL2. */
const SPSR_EL1_AS_EL2 = 3 << 2;

/** An exception from EL1 to EL1: SPSR_EL1 tells a nested hypervisor that it was at EL2, with NV alone, or with NV2 whatever NV1 is. */
function reportsEL2(s: PeState): boolean {
  const nested = nesting(s);
  return nested === NV || (nested & NV2) !== 0;
}

/** AArch64.TakeException, but for the syndrome: ELR_ELx becomes PC. */
function enterException(s: PeState, target: number, vector: number): void {
  const from = s.word(EL);
  const offset = vector + (target > from ? 0x400 : s.word(SPSEL) ? 0x200 : 0);
  s.setWord(
    SPSR[target] as number,
    target === 1 && from === 1 && reportsEL2(s) ? packPSTATE(s) ^ SPSR_EL1_AS_EL2 : packPSTATE(s),
  );
  s.setWord((SPSR[target] as number) + 4, 0);
  s.copy64(ELR[target] as number, PC);
  changeStack(s, target, 1);
  if (target === 3) s.setWord(SECURE, 1);

  const sctlr = sctlrOf(s, target);
  s.setWord(PSTATE_SS, 0);
  s.setWord(PSTATE_IL, 0);
  s.setWord(BTYPE, 0);
  s.setWord(UAO, 0);
  s.setWord(DAIF, DAIF_ALL);
  if (haveSSBS(s)) s.setWord(SSBS, s.high(sctlr) & SCTLR_HIGH_DSSBS ? 1 : 0);
  const spanLevel = target === 1 || (target === 2 && hostApplications(s));
  if (s.word(PE_FEATURES) & FEATURE_PAN && spanLevel && !(s.word(sctlr) & SCTLR_SPAN)) s.setWord(PAN, 1);

  const base = VBAR[target] as number;
  s.set64(PC, (s.word(base) & ~0x7ff) | offset, s.high(base));
}

/** Takes the synchronous exception in EXC_* (AArch64.ReportException and the routing of each class). */
export function takeSynchronous(s: PeState): void {
  let ec = s.word(EXC_EC);
  const iss = s.word(EXC_ISS);
  const from = s.word(EL);
  const target = synchronousTarget(s, ec, iss);
  // AArch64.AdvSIMDFPAccessTrap: what would be EL1's trap is Uncategorized when TGE routes it to EL2.
  if (ec === EC_FP_ACCESS && target === 2 && s.word(FP_TRAP) === 1) ec = EC_UNKNOWN;
  // An access of EL2's regime that EL1 made by VNCR_EL2 counts as EL2's own.
  const reported = adjustedClass(ec, target === from || isNestedAccess(ec, iss));
  s.increment(COUNT_EXCEPTIONS + 8 * (reported & 63));
  s.set64(ESR[target] as number, esr(reported, ec === EC_UNKNOWN ? 0 : iss), 0);
  const base = ec & ~1;
  if (base === EC_INSTRUCTION_ABORT || base === EC_DATA_ABORT || base === EC_WATCHPOINT || ec === EC_PC_ALIGNMENT) {
    s.copy64(FAR[target] as number, EXC_FAR);
  }
  // FIPA is IPA[51:12] in bits 43:4, and NS is where EXC_IPA has it.
  if (target === 2 && s.word(EXC_STAGE2)) {
    const high = s.high(EXC_IPA);
    s.set64(HPFAR_EL2, ((s.word(EXC_IPA) >>> 8) | (high << 24)) & ~0xf, ((high >>> 8) & 0xfff) | (high & IPA_HIGH_NS));
  }
  enterException(s, target, VECTOR_SYNCHRONOUS);
}

/** The exception level that a synchronous exception of this class goes to. */
export function synchronousTarget(s: PeState, ec: number, iss: number): number {
  const from = s.word(EL);
  const forced = s.word(EXC_TARGET);
  if (forced !== 0) return Math.max(forced, from);
  if (from === 3) return 3;
  const external = isExternalAbort(ec, iss);
  if (external && haveEL(s, 3) && s.word(SCR_EL3) & SCR_EA) return 3;
  if (s.word(EXC_STAGE2)) return 2;
  if (external && from < 2 && el2Enabled(s) && s.high(HCR_EL2) & HCR_HIGH_TEA) return 2;
  // FP_TRAP is the exception level that traps.
  if (ec === EC_FP_ACCESS && s.word(FP_TRAP) > 1) return s.word(FP_TRAP);
  if (from === 2) return 2;
  if (isDebugClass(ec)) return debugToEL2(s) ? 2 : 1;
  return from === 0 ? targetOfEL0(s) : 1;
}

/** Takes the interrupt of a LINE_* bit that `deliverableInterrupt` gave. */
export function takeInterrupt(s: PeState, line: number): void {
  s.increment(counterOf(line));
  switch (line) {
    case LINE_SERROR: {
      const target = interruptTarget(s, line);
      s.set64(ESR[target] as number, esr(EC_SERROR, 0), 0);
      acknowledgeSError(s, line);
      enterException(s, target, VECTOR_SERROR);
      return;
    }
    case LINE_FIQ:
      enterException(s, interruptTarget(s, line), VECTOR_FIQ);
      return;
    case LINE_IRQ:
      enterException(s, interruptTarget(s, line), VECTOR_IRQ);
      return;
    case LINE_VSERROR:
      s.set64(ESR_EL1, esr(EC_SERROR, haveRAS(s) ? s.word(VSESR_EL2) : 0), 0);
      acknowledgeSError(s, line);
      enterException(s, 1, VECTOR_SERROR);
      return;
    case LINE_VFIQ:
      enterException(s, 1, VECTOR_FIQ);
      return;
    case LINE_VIRQ:
      enterException(s, 1, VECTOR_IRQ);
  }
}

function counterOf(line: number): number {
  if (line === LINE_IRQ || line === LINE_VIRQ) return COUNT_IRQ;
  return line === LINE_FIQ || line === LINE_VFIQ ? COUNT_FIQ : COUNT_SERROR;
}

function haveSSBS(s: PeState): boolean {
  return (s.word(ID_AA64PFR1_EL1) & 0xf0) !== 0;
}
function haveDIT(s: PeState): boolean {
  return (s.high(ID_AA64PFR0_EL1) & 0xf0000) !== 0;
}
function haveRAS(s: PeState): boolean {
  return s.word(ID_AA64PFR0_EL1) >>> 28 !== 0;
}

/** IllegalExceptionReturn, for PEs that have AArch64 state only. */
export function illegalReturn(s: PeState, spsr: number): boolean {
  if (spsr & SPSR_AARCH32) return true;
  const el = (spsr >>> 2) & 3;
  if (spsr & 2 || (el === 0 && spsr & 1)) return true;
  if (!haveEL(s, el) || el > s.word(EL)) return true;
  if (el === 2 && haveEL(s, 3) && !(s.word(SCR_EL3) & (SCR_NS | SCR_EEL2))) return true;
  return el === 1 && el2Enabled(s) && (s.word(HCR_EL2) & HCR_TGE) !== 0;
}

/**
 * AArch64.ExceptionReturn to the address in PC with SPSR_ELx of the current exception level. The new context has to be computed by
 * `contextChanged` before the address is final, because its tag may have to go (AArch64.BranchAddr). The caller clears the
 * exclusive monitor.
 */
export function exceptionReturn(s: PeState, contextChanged: (cpu: number) => void): void {
  const from = s.word(EL);
  const spsr = s.word(SPSR[from] as number);
  const illegal = illegalReturn(s, spsr);
  const el = illegal ? from : (spsr >>> 2) & 3;
  s.setWord(PSTATE_SS, stepAfterReturn(s, spsr, el) ? 1 : 0);
  const features = s.word(PE_FEATURES);
  if (illegal) {
    s.setWord(PSTATE_IL, 1);
    s.setWord(BTYPE, 0);
  } else {
    s.setWord(PSTATE_IL, spsr & SPSR_IL ? 1 : 0);
    s.setWord(BTYPE, features & FEATURE_BTI ? (spsr >>> 10) & 3 : 0);
    s.setWord(UAO, features & FEATURE_UAO ? (spsr >>> 23) & 1 : 0);
    if (haveSSBS(s)) s.setWord(SSBS, (spsr >>> 12) & 1);
    if (haveDIT(s)) s.setWord(DIT, (spsr >>> 24) & 1);
    changeStack(s, el, spsr & 1);
    if (from === 3) s.setWord(SECURE, el === 3 || securityBelowEL3(s) ? 1 : 0);
  }
  setNZCV(s, spsr);
  if (features & FEATURE_PAN) s.setWord(PAN, (spsr >>> 22) & 1);
  s.setWord(DAIF, spsr & DAIF_ALL);
  s.setWord(EVENT_REGISTER, 1);
  contextChanged(s.cpu);
  if (!(illegal && spsr & SPSR_AARCH32)) removeTag(s);
}

/** AArch64.BranchAddr: with TBI, the top byte of PC becomes copies of bit 55, or zero where there is one range of addresses. */
function removeTag(s: PeState): void {
  const tbi = s.word(BRANCH_TBI);
  if (tbi === 0) return;
  const high = s.high(PC);
  const upper = (high >>> 23) & 1;
  if (!(tbi & (1 << upper))) return;
  const twoRanges = s.word(EL) < 2 || inHost(s);
  s.set64(PC, s.word(PC), twoRanges ? (high << 8) >> 8 : high & 0xffffff);
}
