import { deferSErrors, deliverableInterrupt, pendingInterrupts } from "./interrupts.ts";
import { effectiveHcr, HCR_TWE, HCR_TWI, haveEL, inHost, SCR_TWE, SCR_TWI, sctlrOf, targetOfEL0 } from "./levels.ts";
import type { PeState } from "./pe-state.ts";
import { advance, resumeAfter } from "./pstate.ts";
import { EL, EVENT_REGISTER, EXIT, EXIT_WAIT, HALTED } from "./state-layout.ts";
import { EC_WFX, raise, WFX_ISS } from "./syndrome.ts";
import { SCR_EL3 } from "./sysreg-layout.ts";

// WFE, WFI, SEV, SEVL, YIELD (Arm ARM D1.6).

// Numbers of the host function waitHint (ir/helpers.ts).
const WFE = 0;
const WFI = 1;
const SEV = 2;
const SEVL = 3;
const ESB = 5;

const SCTLR_NTWI = 1 << 16;
const SCTLR_NTWE = 1 << 18;
/** ISS.TI of a trapped WFE. */
const TI_WFE = 1;

/** Executes a hint. `everyone`: the PEs of the machine. Returns what the host function answers: 1 to leave. */
export function waitHint(s: PeState, everyone: readonly PeState[], hint: number): 0 | 1 {
  switch (hint) {
    case WFI:
      if (pendingInterrupts(s) !== 0) return 0;
      return trapped(s, SCTLR_NTWI, HCR_TWI, SCR_TWI, 0) ? 1 : wait(s, true);
    case WFE:
      if (s.word(EVENT_REGISTER)) {
        s.setWord(EVENT_REGISTER, 0);
        return 0;
      }
      // A PE may leave the wait for any reason: it ends at once, after the other PEs had their turns.
      return trapped(s, SCTLR_NTWE, HCR_TWE, SCR_TWE, TI_WFE) ? 1 : wait(s, false);
    case SEV:
      for (const pe of everyone) pe.setWord(EVENT_REGISTER, 1);
      return 0;
    case SEVL:
      s.setWord(EVENT_REGISTER, 1);
      return 0;
    case ESB:
      deferSErrors(s);
      // Those that are not masked are taken now.
      return deliverableInterrupt(s) === 0 ? 0 : resumeAfter(s);
    default:
      return everyone.length > 1 ? wait(s, false) : 0;
  }
}

/** `halt`: until an interrupt is pending; else only for this turn. */
function wait(s: PeState, halt: boolean): 1 {
  advance(s);
  if (halt) s.setWord(HALTED, 1);
  s.setWord(EXIT, EXIT_WAIT);
  return 1;
}

/** AArch64.CheckForWFxTrap for each exception level that can trap it. */
function trapped(s: PeState, sctlrEnable: number, hcrTrap: number, scrTrap: number, ti: number): boolean {
  const el = s.word(EL);
  let target = 0;
  if (el === 0 && !(s.word(sctlrOf(s, 0)) & sctlrEnable)) target = targetOfEL0(s);
  else if (el < 2 && !inHost(s) && effectiveHcr(s) & hcrTrap) target = 2;
  else if (el < 3 && haveEL(s, 3) && s.word(SCR_EL3) & scrTrap) target = 3;
  if (target === 0) return false;
  raise(s, EC_WFX, WFX_ISS | ti, target);
  return true;
}
