// The frequent exceptions and returns, between EL0 and EL1, without leaving to the host (Arm ARM D1.3; exceptions.ts has all of them). What
// is rare goes to the host: anything of an EL2 that has a say, debug, a pending interrupt, an illegal return.

import {
  ARG0,
  ARG1,
  ARG2,
  ATTENTION,
  BRANCH_TBI,
  BTYPE,
  BUDGET,
  CF,
  COUNT_EXCEPTIONS,
  DAIF,
  DEBUGGER_BREAKS,
  DIT,
  EL,
  EVENT_REGISTER,
  EXC_EC,
  EXC_FAR,
  EXC_ISS,
  EXC_STAGE2,
  EXC_TARGET,
  EXIT,
  EXIT_EXCEPTION,
  EXIT_HOST,
  EXIT_RESUME,
  FETCH_BASE,
  FETCH_VA,
  FP_TRAP,
  HALTED,
  HOST_PSTATE,
  HOST_RETURN,
  HOST_SVC,
  INSTRUCTIONS,
  LINES,
  NATIVE_TAKES,
  NF,
  PAN,
  PC,
  POWER,
  PSTATE_IL,
  PSTATE_SS,
  SP,
  SPSEL,
  SSBS,
  UAO,
  VF,
  ZF,
} from "./state-layout";
import {
  ELR_EL1,
  ESR_EL1,
  FAR_EL1,
  FEATURE_BTI,
  FEATURE_PAN,
  FEATURE_UAO,
  HFGITR_EL2,
  ID_AA64PFR0_EL1,
  ID_AA64PFR1_EL1,
  MDSCR_EL1,
  PE_FEATURES,
  SCTLR_EL1,
  SPSR_EL1,
  SP_EL0,
  SP_EL1,
  VBAR_EL1,
} from "./sysreg-layout";
import { clearExclusive } from "../vmsa/exclusive.as";
import { raise } from "../vmsa/fault.as";
import { enterPage, fetchMiss } from "../vmsa/fetch.as";
import { effectiveHCR } from "../vmsa/regime.as";
import { isContextSaved, restoreContext } from "../vmsa/saved-contexts.as";

// Exception classes (syndrome.ts).
const EC_FP_ACCESS: u32 = 0x07;
const EC_SVC64: u32 = 0x15;
const EC_INSTRUCTION_ABORT: u32 = 0x20;
const EC_PC_ALIGNMENT: u32 = 0x22;
const EC_DATA_ABORT: u32 = 0x24;
/** From here on, the classes are of debug exceptions. */
const EC_BREAKPOINT: u32 = 0x30;
const ESR_IL: u32 = 1 << 25;
const ISS_MASK: u32 = (1 << 25) - 1;
const PAGE_MASK: u64 = 0xfff;

/** MDSCR_EL1.{MDE,SS}. */
const MDSCR_DEBUG: u32 = 0x8001;
/** HCR_EL2.{VF,VI,VSE,TGE,NV}: EL1 takes not all that is EL0's or its own, or gets what is virtual. */
const HCR_RULES: u64 = (1 << 6) | (1 << 7) | (1 << 8) | (1 << 27) | ((<u64>1) << 42);
const SCTLR_SPAN: u64 = 1 << 23;
const SCTLR_DSSBS: u64 = (<u64>1) << 44;
const SPSR_IL: u32 = 1 << 20;
/** M[4], M[3] and M[1]: none of the levels that is EL0 or EL1. */
const SPSR_OTHER: u32 = (1 << 4) | (1 << 3) | (1 << 1);
const DAIF_ALL: u32 = 0x3c0;

/** The host does the instruction at PC. */
function leaveToHost(cpu: usize, what: i32, a: i32, b: i32): i32 {
  store<i32>(cpu, what, ARG0);
  store<i32>(cpu, a, ARG1);
  store<i32>(cpu, b, ARG2);
  store<i32>(cpu, EXIT_HOST, EXIT);
  return 1;
}

@inline
function hasSSBS(cpu: usize): bool {
  return (load<u32>(cpu, ID_AA64PFR1_EL1) & 0xf0) != 0;
}

/** May all that happens at EL0 and EL1 happen here, as far as registers of EL2 and of debug go? */
@inline
function isPlain(cpu: usize): bool {
  if (load<i32>(cpu, NATIVE_TAKES) == 0 || (load<u32>(cpu, MDSCR_EL1) & MDSCR_DEBUG) != 0) return false;
  return load<u32>(cpu, EL) <= 1 && (effectiveHCR(cpu) & HCR_RULES) == 0 && load<u64>(cpu, HFGITR_EL2) == 0;
}

/** See packPSTATE() of pstate.ts. */
function packPSTATE(cpu: usize): u32 {
  return (
    (load<u32>(cpu, NF) & 0x80000000) |
    (<u32>(load<u32>(cpu, ZF) == 0) << 30) |
    (load<u32>(cpu, CF) << 29) |
    ((load<u32>(cpu, VF) >> 31) << 28) |
    (load<u32>(cpu, DIT) << 24) |
    (load<u32>(cpu, UAO) << 23) |
    (load<u32>(cpu, PAN) << 22) |
    (load<u32>(cpu, PSTATE_SS) << 21) |
    (load<u32>(cpu, PSTATE_IL) << 20) |
    (load<u32>(cpu, SSBS) << 12) |
    (load<u32>(cpu, BTYPE) << 10) |
    load<u32>(cpu, DAIF) |
    (load<u32>(cpu, EL) << 2) |
    load<u32>(cpu, SPSEL)
  );
}

/** See changeStack() of pstate.ts; to EL0 or EL1. */
function changeStack(cpu: usize, el: u32, spsel: u32): void {
  const from = load<u32>(cpu, EL) != 0 && load<u32>(cpu, SPSEL) != 0;
  const to = el != 0 && spsel != 0;
  if (from != to) {
    store<u64>(cpu + (from ? SP_EL1 : SP_EL0), load<u64>(cpu, SP));
    store<u64>(cpu, load<u64>(cpu + (to ? SP_EL1 : SP_EL0)), SP);
  }
  store<u32>(cpu, el, EL);
  store<u32>(cpu, spsel, SPSEL);
}

/** Takes the synchronous exception in EXC_* to EL1, with EL2 having no say (isPlain()). False: it is not one of the frequent ones. */
function takeToEL1(cpu: usize): bool {
  let ec = load<u32>(cpu, EXC_EC);
  if (load<u32>(cpu, EXC_TARGET) != 0 || load<u32>(cpu, EXC_STAGE2) != 0 || ec >= EC_BREAKPOINT || ec == EC_FP_ACCESS) return false;
  const iss = load<u32>(cpu, EXC_ISS);
  const base = ec & ~1;
  const isAbort = base == EC_INSTRUCTION_ABORT || base == EC_DATA_ABORT;
  // External aborts may be EL2's or EL3's.
  if (isAbort && (iss & 0x30) == 0x10) return false;
  const sctlr = load<u64>(cpu, SCTLR_EL1);
  const setsPAN = (load<u32>(cpu, PE_FEATURES) & FEATURE_PAN) != 0 && (sctlr & SCTLR_SPAN) == 0;
  if (!isContextSaved(cpu, 1, setsPAN ? 1 : load<i32>(cpu, PAN), 0)) return false;

  const from = load<u32>(cpu, EL);
  if (isAbort) ec = base | <u32>(from == 1);
  const counter = cpu + (ec << 3);
  store<u64>(counter, load<u64>(counter, COUNT_EXCEPTIONS) + 1, COUNT_EXCEPTIONS);
  store<u64>(cpu, (ec << 26) | ESR_IL | (ec == 0 ? 0 : iss & ISS_MASK), ESR_EL1);
  if (isAbort || ec == EC_PC_ALIGNMENT) store<u64>(cpu, load<u64>(cpu, EXC_FAR), FAR_EL1);

  const offset: u64 = from == 0 ? 0x400 : load<u32>(cpu, SPSEL) != 0 ? 0x200 : 0;
  store<u64>(cpu, packPSTATE(cpu), SPSR_EL1);
  store<u64>(cpu, load<u64>(cpu, PC), ELR_EL1);
  changeStack(cpu, 1, 1);
  store<u32>(cpu, 0, PSTATE_SS);
  store<u32>(cpu, 0, PSTATE_IL);
  store<u32>(cpu, 0, BTYPE);
  store<u32>(cpu, 0, UAO);
  store<u32>(cpu, DAIF_ALL, DAIF);
  if (hasSSBS(cpu)) store<u32>(cpu, <u32>((sctlr & SCTLR_DSSBS) != 0), SSBS);
  if (setsPAN) store<u32>(cpu, 1, PAN);
  store<u64>(cpu, (load<u64>(cpu, VBAR_EL1) & ~0x7ff) | offset, PC);
  restoreContext(cpu);
  return true;
}

/**
 * After running code has left: takes the exception that it has left with, and enters the page of PC. 1: code runs on from PC, with BUDGET.
 * 0: the processing element has to look.
 */
export function proceed(cpu: usize): i32 {
  const exit = load<i32>(cpu, EXIT);
  if (exit != EXIT_EXCEPTION && exit != EXIT_RESUME) return 0;
  const budget = load<i32>(cpu, BUDGET);
  if (budget <= 1 || (load<i32>(cpu, ATTENTION) | load<i32>(cpu, LINES) | load<i32>(cpu, POWER) | load<i32>(cpu, HALTED)) != 0) return 0;
  if (load<i32>(cpu, DEBUGGER_BREAKS) != 0 || !isPlain(cpu)) return 0;
  if (exit == EXIT_EXCEPTION) {
    if (!takeToEL1(cpu)) return 0;
    // Whatever a guest's vectors do, a slice ends; the exception is no instruction.
    store<i32>(cpu, budget - 1, BUDGET);
    store<u64>(cpu, load<u64>(cpu, INSTRUCTIONS) - 1, INSTRUCTIONS);
    store<i32>(cpu, EXIT_RESUME, EXIT);
  }
  const pc = load<u64>(cpu, PC);
  if ((load<u32>(cpu, PSTATE_IL) | load<u32>(cpu, BTYPE)) != 0 || (pc & 3) != 0) return 0;
  if (enterPage(cpu)) return 1;
  const page = fetchMiss(cpu, pc);
  if (page == 0) return 0;
  store<u64>(cpu, pc & ~PAGE_MASK, FETCH_VA);
  store<u32>(cpu, page, FETCH_BASE);
  return 1;
}

// Functions in the place of host functions (ir/helpers.ts): 0 = done, on to the next instruction; 1 = leave, EXIT and PC are set.

export function svc(cpu: usize, immediate: i32): i32 {
  if (!isPlain(cpu)) return leaveToHost(cpu, HOST_SVC, immediate, 0);
  store<u64>(cpu, load<u64>(cpu, PC) + 4, PC);
  store<u32>(cpu, 0, PSTATE_SS);
  raise(cpu, EC_SVC64, immediate & 0xffff, 0);
  return 1;
}

/** `kind`: 0 ERET, 1 ERETAA, 2 ERETAB. */
export function exceptionReturn(cpu: usize, kind: i32): i32 {
  const spsr = load<u32>(cpu, SPSR_EL1);
  const el = (spsr >> 2) & 1;
  const features = load<u32>(cpu, PE_FEATURES);
  const pan = (features & FEATURE_PAN) != 0 ? (spsr >> 22) & 1 : load<u32>(cpu, PAN);
  const uao = (features & FEATURE_UAO) != 0 ? (spsr >> 23) & 1 : 0;
  if (
    kind != 0 || !isPlain(cpu) || load<u32>(cpu, EL) != 1 || (spsr & (SPSR_OTHER | SPSR_IL)) != 0 || (el == 0 && (spsr & 1) != 0) ||
    !isContextSaved(cpu, el, pan, uao)
  ) {
    return leaveToHost(cpu, HOST_RETURN, kind, 0);
  }
  store<u32>(cpu, 0, PSTATE_SS);
  store<u32>(cpu, 0, PSTATE_IL);
  store<u32>(cpu, (features & FEATURE_BTI) != 0 ? (spsr >> 10) & 3 : 0, BTYPE);
  store<u32>(cpu, uao, UAO);
  if (hasSSBS(cpu)) store<u32>(cpu, (spsr >> 12) & 1, SSBS);
  if ((load<u64>(cpu, ID_AA64PFR0_EL1) & ((<u64>0xf) << 48)) != 0) store<u32>(cpu, (spsr >> 24) & 1, DIT);
  changeStack(cpu, el, spsr & 1);
  store<u32>(cpu, spsr, NF);
  store<u32>(cpu, ~(spsr >> 30) & 1, ZF);
  store<u32>(cpu, (spsr >> 29) & 1, CF);
  store<u32>(cpu, spsr << 3, VF);
  store<u32>(cpu, pan, PAN);
  store<u32>(cpu, spsr & DAIF_ALL, DAIF);
  store<u32>(cpu, 1, EVENT_REGISTER);
  restoreContext(cpu);
  // AArch64.BranchAddr.
  const pc = load<u64>(cpu, ELR_EL1);
  const tbi = (load<u32>(cpu, BRANCH_TBI) >> (<u32>(pc >> 55) & 1)) & 1;
  store<u64>(cpu, tbi != 0 ? <u64>(<i64>(pc << 8) >> 8) : pc, PC);
  clearExclusive(cpu);
  store<i32>(cpu, EXIT_RESUME, EXIT);
  return 1;
}

// op1:op2 of MSR (immediate).
const FIELD_PAN: i32 = 0o04;
const DAIFSET: i32 = 0o36;
const DAIFCLR: i32 = 0o37;
/** HCR_EL2.{VF,VI,VSE}. */
const HCR_VIRTUAL: u64 = (1 << 6) | (1 << 7) | (1 << 8);

/** Is there nothing that PSTATE.DAIF may keep out? */
function isQuiet(cpu: usize): bool {
  if (load<i32>(cpu, LINES) != 0 || (load<u32>(cpu, MDSCR_EL1) & MDSCR_DEBUG) != 0) return false;
  return load<u32>(cpu, EL) > 1 || (effectiveHCR(cpu) & HCR_VIRTUAL) == 0;
}

export function pstateWrite(cpu: usize, field: i32, value: i32): i32 {
  const el = load<i32>(cpu, EL);
  if (el != 0 && (field == DAIFSET || (field == DAIFCLR && isQuiet(cpu)))) {
    const bits = <u32>(value & 15) << 6;
    const old = load<u32>(cpu, DAIF);
    store<u32>(cpu, field == DAIFSET ? old | bits : old & ~bits, DAIF);
    return 0;
  }
  if (el != 0 && field == FIELD_PAN) {
    const pan = value & 1;
    if (load<i32>(cpu, PAN) == pan) return 0;
    if (isContextSaved(cpu, el, pan, load<i32>(cpu, UAO))) {
      store<i32>(cpu, pan, PAN);
      restoreContext(cpu);
      store<u64>(cpu, load<u64>(cpu, PC) + 4, PC);
      store<i32>(cpu, EXIT_RESUME, EXIT);
      return 1;
    }
  }
  return leaveToHost(cpu, HOST_PSTATE, field, value);
}
