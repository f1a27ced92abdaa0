import {
  effectiveHcr,
  el2Enabled,
  HCR_HCD,
  HCR_TSC,
  haveEL,
  instructionTrap,
  nesting,
  SCR_HCE,
  SCR_SMD,
} from "./levels.ts";
import type { PeState } from "./pe-state.ts";
import type { Firmware } from "./ports.ts";
import { advance } from "./pstate.ts";
import { EL, EXIT, EXIT_RESUME, PC, PSTATE_SS } from "./state-layout.ts";
import { EC_HVC64, EC_SMC64, EC_SVC64, EC_UNKNOWN, raise } from "./syndrome.ts";
import { SCR_EL3 } from "./sysreg-layout.ts";
import { TRAP_SVC_EL0, TRAP_SVC_EL1 } from "./sysregs/fine-grained.ts";

// SVC, HVC and SMC (Arm ARM D1.3.2, AArch64.CallSupervisor and its relatives). Each returns what the host function answers: 1 to leave.

/** The instruction is done when the exception is taken: ELR is the next address, and a software step is over (SSAdvance). */
function call(s: PeState, ec: number, immediate: number, target: number): 1 {
  advance(s);
  s.setWord(PSTATE_SS, 0);
  return raise(s, ec, immediate & 0xffff, target);
}

export function supervisorCall(s: PeState, immediate: number): 1 {
  // AArch64.CheckForSVCTrap: the instruction has not been executed.
  const el = s.word(EL);
  if (el < 2 && instructionTrap(s, el === 0 ? TRAP_SVC_EL0 : TRAP_SVC_EL1))
    return raise(s, EC_SVC64, immediate & 0xffff, 2);
  return call(s, EC_SVC64, immediate, 0);
}

export function hypervisorCall(s: PeState, immediate: number, firmware: Firmware | undefined): 1 {
  const el = s.word(EL);
  if (el === 0) return raise(s, EC_UNKNOWN, 0);
  if (firmware && answered(s, firmware, "hvc", immediate)) return 1;
  if (!haveEL(s, 2) || (el === 1 && !el2Enabled(s))) return raise(s, EC_UNKNOWN, 0);
  const enabled = haveEL(s, 3) ? s.word(SCR_EL3) & SCR_HCE : ~effectiveHcr(s) & HCR_HCD;
  if (!enabled) return raise(s, EC_UNKNOWN, 0);
  return call(s, EC_HVC64, immediate, 2);
}

export function secureMonitorCall(s: PeState, immediate: number, firmware: Firmware | undefined): 1 {
  const el = s.word(EL);
  if (el === 0) return raise(s, EC_UNKNOWN, 0);
  // A trap, not a call: the instruction has not been executed. Without EL3, and anything in its place, it is UNDEFINED but for FEAT_NV.
  const somewhere = haveEL(s, 3) || firmware !== undefined || nesting(s) !== 0;
  if (el === 1 && somewhere && effectiveHcr(s) & HCR_TSC) return raise(s, EC_SMC64, immediate & 0xffff, 2);
  if (firmware && answered(s, firmware, "smc", immediate)) return 1;
  if (!haveEL(s, 3) || s.word(SCR_EL3) & SCR_SMD) return raise(s, EC_UNKNOWN, 0);
  return call(s, EC_SMC64, immediate, 3);
}

/** The firmware sees PC behind the instruction and may send the PE anywhere. */
function answered(s: PeState, firmware: Firmware, conduit: "hvc" | "smc", immediate: number): boolean {
  const low = s.word(PC);
  const high = s.high(PC);
  advance(s);
  if (!firmware.call(s.cpu, conduit, immediate & 0xffff)) {
    s.set64(PC, low, high);
    return false;
  }
  s.setWord(PSTATE_SS, 0);
  s.setWord(EXIT, EXIT_RESUME);
  return true;
}
