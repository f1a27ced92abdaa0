import type { PeState } from "./pe-state.ts";
import { EL } from "./state-layout.ts";
import {
  FEATURE_EL2,
  FEATURE_EL3,
  HCR_EL2,
  HFGITR_EL2,
  PE_FEATURES,
  SCR_EL3,
  SCTLR_EL1,
  SCTLR_EL2,
  SCTLR_EL3,
} from "./sysreg-layout.ts";

// Which exception levels there are and which controls rule them, under the names of the Arm ARM's shared pseudocode.

// HCR_EL2, low half.
export const HCR_FMO = 1 << 3;
export const HCR_IMO = 1 << 4;
export const HCR_AMO = 1 << 5;
export const HCR_VF = 1 << 6;
export const HCR_VI = 1 << 7;
export const HCR_VSE = 1 << 8;
export const HCR_TWI = 1 << 13;
export const HCR_TWE = 1 << 14;
export const HCR_TSC = 1 << 19;
export const HCR_TGE = 1 << 27;
export const HCR_HCD = 1 << 29;
export const HCR_RW = 1 << 31;
// HCR_EL2, high half.
export const HCR_HIGH_E2H = 1 << (34 - 32);
export const HCR_HIGH_TEA = 1 << (37 - 32);
export const HCR_HIGH_APK = 1 << (40 - 32);
export const HCR_HIGH_API = 1 << (41 - 32);
export const HCR_HIGH_NV = 1 << (42 - 32);
// SCR_EL3.
export const SCR_NS = 1 << 0;
export const SCR_IRQ = 1 << 1;
export const SCR_FIQ = 1 << 2;
export const SCR_EA = 1 << 3;
export const SCR_SMD = 1 << 7;
export const SCR_HCE = 1 << 8;
export const SCR_RW = 1 << 10;
export const SCR_TWI = 1 << 12;
export const SCR_TWE = 1 << 13;
export const SCR_APK = 1 << 16;
export const SCR_API = 1 << 17;
export const SCR_EEL2 = 1 << 18;
export const SCR_FGTEN = 1 << 27;
export const SCR_ECVEN = 1 << 28;

export function haveEL(s: PeState, el: number): boolean {
  if (el < 2) return true;
  return (s.word(PE_FEATURES) & (el === 2 ? FEATURE_EL2 : FEATURE_EL3)) !== 0;
}

/** Whether exception levels below 3 are Secure. */
export function securityBelowEL3(s: PeState): boolean {
  return haveEL(s, 3) && (s.word(SCR_EL3) & SCR_NS) === 0;
}

/** EL2Enabled: EL2 is there in the security state that SCR_EL3 selects. */
export function el2Enabled(s: PeState): boolean {
  const features = s.word(PE_FEATURES);
  if ((features & FEATURE_EL2) === 0) return false;
  return (features & FEATURE_EL3) === 0 || (s.word(SCR_EL3) & (SCR_NS | SCR_EEL2)) !== 0;
}

/** The low half of HCR_EL2, as zero where EL2 does not rule. */
export function effectiveHcr(s: PeState): number {
  return el2Enabled(s) ? s.word(HCR_EL2) : 0;
}

/** HCR_EL2.<NV2,NV1,NV> as `nesting` gives them. */
export const NV = 1;
export const NV1 = 2;
export const NV2 = 4;

/** EffectiveHCR_EL2_NVx: HCR_EL2.<NV2,NV1,NV>, 0 unless NV is set. */
export function nesting(s: PeState): number {
  // HCR_EL2 bits 42, 43 and 45.
  const high = s.high(HCR_EL2) >>> 10;
  if ((high & NV) === 0 || !el2Enabled(s)) return 0;
  return (high & (NV | NV1)) | ((high >>> 1) & NV2);
}

/** Whether a hypervisor runs nested: at EL1, with HCR_EL2.NV, what is for EL2 is another's. */
export function isNested(s: PeState): boolean {
  return s.word(EL) === 1 && nesting(s) !== 0;
}

/** HCR_EL2.E2H and TGE: EL0 is an application of the host at EL2. */
export function hostApplications(s: PeState): boolean {
  return el2Enabled(s) && (s.word(HCR_EL2) & HCR_TGE) !== 0 && (s.high(HCR_EL2) & HCR_HIGH_E2H) !== 0;
}

/** IsInHost: at EL2, or at EL0 of a host at EL2, with HCR_EL2.E2H. */
export function inHost(s: PeState): boolean {
  const el = s.word(EL);
  if (el === 2) return (s.high(HCR_EL2) & HCR_HIGH_E2H) !== 0;
  return el === 0 && hostApplications(s);
}

/** EL1, or EL0 that is no application of a host, under an EL2: where the traps of HCR_EL2 and of FEAT_FGT apply. */
export function underEL2(s: PeState): boolean {
  const el = s.word(EL);
  return el < 2 && el2Enabled(s) && !(el === 0 && hostApplications(s));
}

/** Whether the fine-grained traps of EL2 apply (FEAT_FGT): without it, their registers are 0. */
export function fineGrainedTraps(s: PeState): boolean {
  return underEL2(s) && (!haveEL(s, 3) || (s.word(SCR_EL3) & SCR_FGTEN) !== 0);
}

/** Whether a bit of the high half of HFGITR_EL2 traps an instruction. */
export function instructionTrap(s: PeState, highBit: number): boolean {
  return (s.high(HFGITR_EL2) & highBit) !== 0 && fineGrainedTraps(s);
}

/** The slot of the SCTLR_ELx that rules exception level `el`. */
export function sctlrOf(s: PeState, el: number): number {
  if (el === 3) return SCTLR_EL3;
  if (el === 2 || (el === 0 && hostApplications(s))) return SCTLR_EL2;
  return SCTLR_EL1;
}

/** Where exceptions of EL0 go that EL1 would handle: to EL2 when HCR_EL2.TGE is set. */
export function targetOfEL0(s: PeState): 1 | 2 {
  return effectiveHcr(s) & HCR_TGE ? 2 : 1;
}
