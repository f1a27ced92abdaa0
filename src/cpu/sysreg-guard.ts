import {
  effectiveHcr,
  fineGrainedTraps,
  HCR_HIGH_APK,
  haveEL,
  inHost,
  nesting,
  SCR_APK,
  sctlrOf,
  underEL2,
} from "./levels.ts";
import type { PeState } from "./pe-state.ts";
import { EL } from "./state-layout.ts";
import {
  GUARD_CLEAN,
  GUARD_EL0,
  GUARD_EL1,
  GUARD_EL2,
  GUARD_KEYS,
  GUARD_ZVA,
  HCR_EL2,
  HFGITR_EL2,
  HFGRTR_EL2,
  HFGWTR_EL2,
  SCR_EL3,
  SYSREG_GUARD,
} from "./sysreg-layout.ts";
import {
  FINE_EL0,
  FINE_EL1,
  FINE_KEYS,
  TRAP_CLEAN_HIGH,
  TRAP_CLEAN_LOW,
  TRAP_DC_ZVA,
  TRAP_DCZID,
} from "./sysregs/fine-grained.ts";

// Running code accesses plain system registers by itself (arch/sysreg-plain.ts), unless SYSREG_GUARD has their bit: then the processing
// element does it, which knows of all traps.

// HCR_EL2.TVM and TRVM.
const HCR_VIRTUAL_MEMORY = (1 << 26) | (1 << 30);
const HCR_TDZ = 1 << 28;
const SCTLR_DZE = 1 << 14;
// HCR_EL2.TPCP, TPU and TOCU.
const HCR_CLEAN = (1 << 23) | (1 << 24);
const HCR_HIGH_TOCU = 1 << (52 - 32);
const SCTLR_UCI = 1 << 26;

/** Whether a bit of HFGRTR_EL2 or HFGWTR_EL2 is set, of a mask in halves. */
function isTrapped(s: PeState, [low, high]: readonly [number, number]): boolean {
  const traps = (slot: number): boolean => ((s.word(slot) & low) | (s.high(slot) & high)) !== 0;
  return traps(HFGRTR_EL2) || traps(HFGWTR_EL2);
}

/** DC ZVA is not for the current exception level: it traps. */
export function zeroingTraps(s: PeState): boolean {
  if (s.word(EL) === 0 && !(s.word(sctlrOf(s, 0)) & SCTLR_DZE)) return true;
  if (underEL2(s) && s.word(HCR_EL2) & HCR_TDZ) return true;
  return (s.word(HFGITR_EL2) & TRAP_DC_ZVA) !== 0 && fineGrainedTraps(s);
}

/** One of DC CVAC, CVAU, CVAP, CVADP, CIVAC traps at the current exception level. */
function cleaningTraps(s: PeState): boolean {
  if (s.word(EL) === 0 && !(s.word(sctlrOf(s, 0)) & SCTLR_UCI)) return true;
  if (underEL2(s) && (s.word(HCR_EL2) & HCR_CLEAN) | (s.high(HCR_EL2) & HCR_HIGH_TOCU)) return true;
  return ((s.word(HFGITR_EL2) & TRAP_CLEAN_LOW) | (s.high(HFGITR_EL2) & TRAP_CLEAN_HIGH)) !== 0 && fineGrainedTraps(s);
}

/** SYSREG_GUARD from the registers that it depends on. To be called with Native.contextChanged. */
export function updateGuard(s: PeState): void {
  const el = s.word(EL);
  let guard = el === 0 ? GUARD_EL1 | GUARD_EL2 | GUARD_KEYS : el === 1 ? GUARD_EL2 : inHost(s) ? GUARD_EL1 : 0;
  if (el === 1 && (effectiveHcr(s) & HCR_VIRTUAL_MEMORY || nesting(s) !== 0)) guard |= GUARD_EL1;
  if (underEL2(s) && !(s.high(HCR_EL2) & HCR_HIGH_APK)) guard |= GUARD_KEYS;
  if (el < 3 && haveEL(s, 3) && !(s.word(SCR_EL3) & SCR_APK)) guard |= GUARD_KEYS;
  if (fineGrainedTraps(s)) {
    if (isTrapped(s, FINE_EL0)) guard |= GUARD_EL0;
    if (isTrapped(s, FINE_EL1)) guard |= GUARD_EL1;
    if (isTrapped(s, FINE_KEYS)) guard |= GUARD_KEYS;
    if (s.word(HFGRTR_EL2) & TRAP_DCZID) guard |= GUARD_ZVA;
  }
  if (zeroingTraps(s)) guard |= GUARD_ZVA;
  if (cleaningTraps(s)) guard |= GUARD_CLEAN;
  s.setWord(SYSREG_GUARD, guard);
}
