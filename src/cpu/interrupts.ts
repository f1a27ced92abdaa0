import {
  effectiveHcr,
  HCR_AMO,
  HCR_FMO,
  HCR_IMO,
  HCR_TGE,
  HCR_VF,
  HCR_VI,
  HCR_VSE,
  haveEL,
  hostApplications,
  SCR_EA,
  SCR_FIQ,
  SCR_IRQ,
  securityBelowEL3,
} from "./levels.ts";
import type { PeState } from "./pe-state.ts";
import { LINE_FIQ, LINE_IRQ, LINE_NONSECURE_GROUP1, LINE_SECURE_GROUP1, LINE_VFIQ, LINE_VIRQ } from "./ports.ts";
import { DAIF_A, DAIF_F, DAIF_I } from "./pstate.ts";
import { DAIF, EL, LINES } from "./state-layout.ts";
import { DISR_EL1, HCR_EL2, SCR_EL3, VDISR_EL2, VSESR_EL2 } from "./sysreg-layout.ts";

// Asynchronous exceptions: which are pending, where they go and what masks them (Arm ARM D1.3.6).

// Bits of LINES; the interrupt controller's are its port's.
export { LINE_FIQ, LINE_IRQ, LINE_VFIQ, LINE_VIRQ };
export const LINE_SERROR = 1 << 2;
export const LINE_VSERROR = 1 << 6;

const PHYSICAL = LINE_IRQ | LINE_FIQ | LINE_SERROR;
const GROUP1 = LINE_SECURE_GROUP1 | LINE_NONSECURE_GROUP1;

/** The LINE_* bits of everything that is pending, physical and virtual, without regard to masks. What ends WFI. */
export function pendingInterrupts(s: PeState): number {
  return physicalInterrupts(s) | virtualInterrupts(s);
}

/** LINE_IRQ, LINE_FIQ and LINE_SERROR as they are pending in the Security state that the PE is in. */
export function physicalInterrupts(s: PeState): number {
  const lines = s.word(LINES);
  return (lines & GROUP1 ? group1Line(s, lines) : 0) | (lines & PHYSICAL);
}

/** A GICv3's Group 1 of a Security state is IRQ in that state, FIQ in the other one and at EL3 (IHI0069 4.6.2). */
function group1Line(s: PeState, lines: number): number {
  const own = securityBelowEL3(s) ? LINE_SECURE_GROUP1 : LINE_NONSECURE_GROUP1;
  return s.word(EL) < 3 && lines & own ? LINE_IRQ : LINE_FIQ;
}

/** Virtual interrupts are pending at EL0 and EL1 of a guest, of the kinds that HCR_EL2.{IMO,FMO,AMO} enables. */
function virtualInterrupts(s: PeState): number {
  if (s.word(EL) > 1) return 0;
  const hcr = effectiveHcr(s);
  if (hcr & HCR_TGE || (hcr & (HCR_IMO | HCR_FMO | HCR_AMO)) === 0) return 0;
  const lines = s.word(LINES);
  return (
    (hcr & HCR_IMO && (hcr & HCR_VI || lines & LINE_VIRQ) ? LINE_VIRQ : 0) |
    (hcr & HCR_FMO && (hcr & HCR_VF || lines & LINE_VFIQ) ? LINE_VFIQ : 0) |
    (hcr & HCR_AMO && (hcr & HCR_VSE || lines & LINE_VSERROR) ? LINE_VSERROR : 0)
  );
}

/** The exception level that a physical interrupt goes to. */
export function interruptTarget(s: PeState, line: number): 1 | 2 | 3 {
  const toEL3 = line === LINE_IRQ ? SCR_IRQ : line === LINE_FIQ ? SCR_FIQ : SCR_EA;
  if (haveEL(s, 3) && s.word(SCR_EL3) & toEL3) return 3;
  const toEL2 = line === LINE_IRQ ? HCR_IMO : line === LINE_FIQ ? HCR_FMO : HCR_AMO;
  return effectiveHcr(s) & (toEL2 | HCR_TGE) ? 2 : 1;
}

/** Whether an interrupt that goes to `target` is held back: for a lower exception level, or by its bit of PSTATE.DAIF. */
function masked(s: PeState, target: number, bit: number): boolean {
  const el = s.word(EL);
  if (target < el) return true;
  // From below, EL2 and EL3 cannot be kept from their interrupts, unless EL0 belongs to the host at EL2.
  if (target > el && (target === 3 || (target === 2 && !hostApplications(s)))) return false;
  return (s.word(DAIF) & bit) !== 0;
}

/** The LINE_* bit of the interrupt to take now, 0 if there is none. */
export function deliverableInterrupt(s: PeState): number {
  const lines = physicalInterrupts(s);
  if (lines & LINE_SERROR && !masked(s, interruptTarget(s, LINE_SERROR), DAIF_A)) return LINE_SERROR;
  if (lines & LINE_FIQ && !masked(s, interruptTarget(s, LINE_FIQ), DAIF_F)) return LINE_FIQ;
  if (lines & LINE_IRQ && !masked(s, interruptTarget(s, LINE_IRQ), DAIF_I)) return LINE_IRQ;
  const virtual = virtualInterrupts(s);
  if (virtual === 0) return 0;
  if (virtual & LINE_VSERROR && !masked(s, 1, DAIF_A)) return LINE_VSERROR;
  if (virtual & LINE_VFIQ && !masked(s, 1, DAIF_F)) return LINE_VFIQ;
  if (virtual & LINE_VIRQ && !masked(s, 1, DAIF_I)) return LINE_VIRQ;
  return 0;
}

/** An SError is taken once: it is pending no longer. */
export function acknowledgeSError(s: PeState, line: number): void {
  s.setWord(LINES, s.word(LINES) & ~line);
  if (line === LINE_VSERROR) s.setWord(HCR_EL2, s.word(HCR_EL2) & ~HCR_VSE);
}

// DISR_EL1 and VDISR_EL2: an SError has been deferred; IDS and ISS.
const DISR_A = 1 << 31;
const DISR_SYNDROME = 0x1ffffff;

/** ESB: AArch64.ESBOperation and AArch64.vESBOperation. SErrors that are pending but masked are recorded and pending no more. */
export function deferSErrors(s: PeState): void {
  if (s.word(LINES) & LINE_SERROR && masked(s, interruptTarget(s, LINE_SERROR), DAIF_A)) {
    s.set64(DISR_EL1, DISR_A, 0);
    acknowledgeSError(s, LINE_SERROR);
  }
  if (virtualInterrupts(s) & LINE_VSERROR && masked(s, 1, DAIF_A)) {
    s.set64(VDISR_EL2, DISR_A | (s.word(VSESR_EL2) & DISR_SYNDROME), 0);
    acknowledgeSError(s, LINE_VSERROR);
  }
}
