import { el2Enabled, HCR_TGE, haveEL, inHost, securityBelowEL3 } from "./levels.ts";
import type { PeState } from "./pe-state.ts";
import { DAIF_D } from "./pstate.ts";
import { DAIF, EL, PC, SECURE } from "./state-layout.ts";
import {
  CONTEXTIDR_EL1,
  CONTEXTIDR_EL2,
  DBGBCR0_EL1,
  DBGBVR0_EL1,
  DBGPRCR_EL1,
  HCR_EL2,
  ID_AA64DFR0_EL1,
  MDCR_EL2,
  MDCR_EL3,
  MDSCR_EL1,
  OSDLR_EL1,
  OSLSR_EL1,
  VTCR_EL2,
  VTTBR_EL2,
} from "./sysreg-layout.ts";

// Self-hosted debug: when debug exceptions are enabled, breakpoints, software step (Arm ARM D2).

export const MDSCR_SS = 1 << 0;
export const MDSCR_KDE = 1 << 13;
export const MDSCR_MDE = 1 << 15;
export const MDCR_EL2_TDE = 1 << 8;
const MDCR_EL3_SDD = 1 << 16;
const OSLSR_OSLK = 1 << 1;
const OSDLR_DLK = 1 << 0;
const DBGPRCR_CORENPDRQ = 1 << 0;
const VTCR_VS = 1 << 19;

/** DebugTarget: debug exceptions of EL0 and EL1 go to EL2. */
export function debugToEL2(s: PeState): boolean {
  return el2Enabled(s) && ((s.word(HCR_EL2) & HCR_TGE) !== 0 || (s.word(MDCR_EL2) & MDCR_EL2_TDE) !== 0);
}

/** AArch64.GenerateDebugExceptionsFrom: `el`, `secure` and `maskD` (PSTATE.D) are of the state in question. */
export function debugExceptionsEnabledFrom(s: PeState, el: number, secure: boolean, maskD: boolean): boolean {
  if (s.word(OSLSR_EL1) & OSLSR_OSLK) return false;
  if (s.word(OSDLR_EL1) & OSDLR_DLK && !(s.word(DBGPRCR_EL1) & DBGPRCR_CORENPDRQ)) return false;
  if (secure && haveEL(s, 3) && s.word(MDCR_EL3) & MDCR_EL3_SDD) return false;
  const target = debugToEL2(s) ? 2 : 1;
  if (el === target) return (s.word(MDSCR_EL1) & MDSCR_KDE) !== 0 && !maskD;
  return target > el;
}

export function debugExceptionsEnabled(s: PeState): boolean {
  return debugExceptionsEnabledFrom(s, s.word(EL), s.word(SECURE) !== 0, (s.word(DAIF) & DAIF_D) !== 0);
}

/** Software step is active: not pending while PSTATE.SS is set, pending once it is clear (Arm ARM D2.12). */
export function stepActive(s: PeState): boolean {
  return (s.word(MDSCR_EL1) & MDSCR_SS) !== 0 && debugExceptionsEnabled(s);
}

/** DebugExceptionReturnSS: PSTATE.SS after an exception return to `el` with `spsr`. Asked before anything is changed. */
export function stepAfterReturn(s: PeState, spsr: number, el: number): boolean {
  if (!(s.word(MDSCR_EL1) & MDSCR_SS) || !(spsr & (1 << 21))) return false;
  const secure = haveEL(s, 3) && (el === 3 || securityBelowEL3(s));
  return !debugExceptionsEnabled(s) && debugExceptionsEnabledFrom(s, el, secure, (spsr & DAIF_D) !== 0);
}

// Breakpoints (Arm ARM D2.8).

/** Whether an enabled breakpoint may match an instruction in PC's page, whatever the exception level. */
export function breakpointInPage(s: PeState): boolean {
  if (!(s.word(MDSCR_EL1) & MDSCR_MDE)) return false;
  const count = breakpoints(s);
  for (let n = 0; n < count; n++) {
    const bcr = s.word(DBGBCR0_EL1 + 8 * n);
    if (!(bcr & 1)) continue;
    const type = (bcr >>> 20) & 15;
    // A linked context breakpoint matches by the address breakpoint that it is linked to.
    if (type === 3 || (type & 1 && type > 5)) continue;
    if (type > 1) return true;
    const bvr = DBGBVR0_EL1 + 8 * n;
    if (((s.word(bvr) ^ s.word(PC)) & ~0xfff) === 0 && sameUpperAddress(s.high(bvr), s.high(PC))) return true;
  }
  return false;
}

/** AArch64.CheckBreakpoint: a breakpoint exception is to be taken instead of the instruction at PC. */
export function breakpointMatches(s: PeState): boolean {
  if (!(s.word(MDSCR_EL1) & MDSCR_MDE) || !debugExceptionsEnabled(s)) return false;
  const count = breakpoints(s);
  for (let n = 0; n < count; n++) {
    if (s.word(DBGBCR0_EL1 + 8 * n) & 1 && stateMatches(s, n) && valueMatches(s, n, false)) return true;
  }
  return false;
}

/** Bits 48:32: those above are copies of bit 48 in a breakpoint's value. */
function sameUpperAddress(a: number, b: number): boolean {
  return ((a ^ b) & 0x1ffff) === 0;
}

function breakpoints(s: PeState): number {
  return ((s.word(ID_AA64DFR0_EL1) >>> 12) & 15) + 1;
}

/** Breakpoints from this number on can compare contexts. */
function firstContextAware(s: PeState): number {
  return breakpoints(s) - (((s.word(ID_AA64DFR0_EL1) >>> 28) & 15) + 1);
}

/** AArch64.StateMatch for breakpoints, with the linked breakpoint. */
function stateMatches(s: PeState, n: number): boolean {
  const bcr = s.word(DBGBCR0_EL1 + 8 * n);
  const pmc = (bcr >>> 1) & 3;
  const hmc = (bcr >>> 13) & 1;
  const ssc = (bcr >>> 14) & 3;
  if (reservedState(s, hmc, ssc, pmc)) return false;
  switch (s.word(EL)) {
    case 3:
      if (!(hmc === 1 && (ssc & 1) === 0)) return false;
      break;
    case 2:
      if (!((hmc === 1 && !(ssc === 2 && pmc === 0)) || ssc === 3)) return false;
      break;
    case 1:
      if (!(pmc & 1)) return false;
      break;
    default:
      if (!(pmc & 2)) return false;
  }
  const secure = s.word(SECURE) !== 0;
  if (ssc === 1 && secure) return false;
  if (ssc === 2 && !secure) return false;
  if (ssc === 3 && hmc === 0 && !secure) return false;
  if (((bcr >>> 20) & 15) !== 1) return true;
  const linked = (bcr >>> 16) & 15;
  return linked >= firstContextAware(s) && linked < breakpoints(s) && valueMatches(s, linked, true);
}

/** Reserved combinations of HMC, SSC and PMC (Arm ARM table D2-9) disable the breakpoint. */
function reservedState(s: PeState, hmc: number, ssc: number, pmc: number): boolean {
  const key = (hmc << 4) | (ssc << 2) | pmc;
  switch (key) {
    case 0b01100:
    case 0b01101:
    case 0b01110:
    case 0b01111:
    case 0b10000:
    case 0b10010:
    case 0b10100:
    case 0b10110:
    case 0b11010:
    case 0b11101:
    case 0b11110:
    case 0b11111:
      return true;
  }
  if (hmc === 0 && pmc === 0) return true;
  const el3 = haveEL(s, 3);
  const el2 = haveEL(s, 2);
  if ((ssc === 1 || ssc === 2) && !el3) return true;
  if ((hmc !== 0 || ssc !== 0) && !(hmc === 1 && ssc === 3) && !el3 && !el2) return true;
  return key === 0b11100 && !el2;
}

/** AArch64.BreakpointValueMatch. */
function valueMatches(s: PeState, n: number, linkedTo: boolean): boolean {
  const bcr = s.word(DBGBCR0_EL1 + 8 * n);
  const bvr = DBGBVR0_EL1 + 8 * n;
  if (!(bcr & 1)) return false;
  const type = (bcr >>> 20) & 15;
  // Address mismatch exists in AArch32 only: here it is a match.
  if (type === 0 || type === 1 || type === 4 || type === 5) {
    if (linkedTo) return false;
    return ((s.word(bvr) ^ s.word(PC)) & ~3) === 0 && sameUpperAddress(s.high(bvr), s.high(PC));
  }
  if (n < firstContextAware(s)) return false;
  // Linked types match only through the breakpoint that names them.
  if (((type & 1) !== 0) !== linkedTo) return false;
  const low = s.word(EL) < 2;
  switch (type >> 1) {
    case 1: // context
      if (inHost(s)) return s.word(CONTEXTIDR_EL2) === s.word(bvr);
      return low && s.word(CONTEXTIDR_EL1) === s.word(bvr);
    case 3: // CONTEXTIDR_EL1
      return low && !inHost(s) && s.word(CONTEXTIDR_EL1) === s.word(bvr);
    case 4: // VMID
      return vmidMatches(s, bvr);
    case 5: // VMID and context
      return vmidMatches(s, bvr) && s.word(CONTEXTIDR_EL1) === s.word(bvr);
    case 6: // CONTEXTIDR_EL2
      return el2Enabled(s) && s.word(EL) < 3 && s.word(CONTEXTIDR_EL2) === s.high(bvr);
    default: // both
      return (
        el2Enabled(s) &&
        low &&
        !inHost(s) &&
        s.word(CONTEXTIDR_EL1) === s.word(bvr) &&
        s.word(CONTEXTIDR_EL2) === s.high(bvr)
      );
  }
}

function vmidMatches(s: PeState, bvr: number): boolean {
  if (s.word(EL) > 1 || !el2Enabled(s) || inHost(s)) return false;
  // VTCR_EL2.VS is RES0 without FEAT_VMID16.
  const bits = s.word(VTCR_EL2) & VTCR_VS ? 0xffff : 0xff;
  return (((s.high(VTTBR_EL2) >>> 16) ^ s.high(bvr)) & bits) === 0;
}
