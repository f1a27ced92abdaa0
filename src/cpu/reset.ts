import {
  HCR_HIGH_API,
  HCR_HIGH_APK,
  HCR_RW,
  haveEL,
  SCR_API,
  SCR_APK,
  SCR_ECVEN,
  SCR_FGTEN,
  SCR_HCE,
  SCR_NS,
  SCR_RW,
} from "./levels.ts";
import type { PeState } from "./pe-state.ts";
import { DAIF_ALL } from "./pstate.ts";
import {
  COUNTERS,
  CPU_INDEX,
  DAIF,
  EL,
  EXCL_ADDR,
  INSTRUCTIONS,
  LINES,
  PC,
  SECURE,
  SPSEL,
  SYSREGS,
  SYSREGS_END,
  X,
  ZF,
} from "./state-layout.ts";
import { CNTHCTL_EL2, HCR_EL2, SCR_EL3 } from "./sysreg-layout.ts";

/** CNTHCTL_EL2.{EL1PCTEN, EL1PCEN}: EL1 may use the physical counter and timer. */
const CNTHCTL_EL1_ACCESS = 3;

/** The highest exception level that the PE has. */
export function highestLevel(s: PeState): 1 | 2 | 3 {
  return haveEL(s, 3) ? 3 : haveEL(s, 2) ? 2 : 1;
}

/** Zeroes the PE's block up to the system registers' end, but for what is wired to it from outside and the counters for people. */
export function clearState(s: PeState): void {
  const index = s.word(CPU_INDEX);
  const lines = s.word(LINES);
  const instructions = s.number(INSTRUCTIONS);
  for (let offset = 0; offset < COUNTERS; offset += 4) s.setWord(offset, 0);
  for (let offset = SYSREGS; offset < SYSREGS_END; offset += 4) s.setWord(offset, 0);
  s.setWord(CPU_INDEX, index);
  s.setWord(LINES, lines);
  s.setNumber(INSTRUCTIONS, instructions);
}

/**
 * AArch64.TakeReset, after the system registers have been reset. Starts at `level`, by default the highest; the levels above a lower
 * one are set up as the firmware of a board would leave them: everything below is Non-secure, AArch64 and may use what there is.
 */
export function resetState(s: PeState, pc: number, level: 1 | 2 | 3 = highestLevel(s), x0Low = 0, x0High = 0): void {
  const el = Math.min(level, highestLevel(s));
  s.setNumber(PC, pc);
  s.set64(X, x0Low, x0High);
  s.setWord(EL, el);
  s.setWord(SPSEL, 1);
  s.setWord(DAIF, DAIF_ALL);
  s.setWord(ZF, 1);
  s.set64(EXCL_ADDR, -1, -1);
  s.setWord(SECURE, el === 3 ? 1 : 0);
  if (haveEL(s, 3) && el < 3) {
    const given = SCR_NS | SCR_RW | SCR_HCE | SCR_API | SCR_APK | SCR_FGTEN | SCR_ECVEN;
    s.setWord(SCR_EL3, s.word(SCR_EL3) | given);
  }
  if (haveEL(s, 2) && el < 2) {
    s.set64(HCR_EL2, s.word(HCR_EL2) | HCR_RW, s.high(HCR_EL2) | HCR_HIGH_API | HCR_HIGH_APK);
    s.setWord(CNTHCTL_EL2, s.word(CNTHCTL_EL2) | CNTHCTL_EL1_ACCESS);
  }
}
