// Translation regimes (Arm ARM D8.1.2): which registers control one, and their fields.

import { EL, SECURE } from "../cpu/state-layout";
import {
  FEATURE_ASID16,
  FEATURE_EL2,
  FEATURE_EL3,
  FEATURE_VHE,
  FEATURE_VMID16,
  HCR_EL2,
  PE_FEATURES,
  SCR_EL3,
  SCTLR_EL1,
  SCTLR_EL2,
  SCTLR_EL3,
  TCR_EL1,
  TCR_EL2,
  TCR_EL3,
  TTBR0_EL1,
  TTBR0_EL2,
  TTBR0_EL3,
  TTBR1_EL1,
  TTBR1_EL2,
  VTCR_EL2,
  VTTBR_EL2,
} from "../cpu/sysreg-layout";

// The regimes. EL2&0 is EL2's regime with HCR_EL2.E2H set.
export const EL10: i32 = 1;
export const EL2_ALONE: i32 = 2;
export const EL3_ALONE: i32 = 3;
export const EL20: i32 = 4;

// SCTLR_ELx.
export const SCTLR_M: u64 = 1 << 0;
export const SCTLR_A: u64 = 1 << 1;
export const SCTLR_SA: u64 = 1 << 3;
export const SCTLR_SA0: u64 = 1 << 4;
export const SCTLR_DZE: u64 = 1 << 14;
export const SCTLR_WXN: u64 = 1 << 19;

// HCR_EL2.
export const HCR_VM: u64 = 1 << 0;
export const HCR_PTW: u64 = 1 << 2;
export const HCR_DC: u64 = 1 << 12;
export const HCR_TGE: u64 = 1 << 27;
export const HCR_TDZ: u64 = 1 << 28;
export const HCR_CD: u64 = (<u64>1) << 32;
export const HCR_ID: u64 = (<u64>1) << 33;
export const HCR_E2H: u64 = (<u64>1) << 34;
export const HCR_NV: u64 = (<u64>1) << 42;
export const HCR_NV1: u64 = (<u64>1) << 43;
export const HCR_FWB: u64 = (<u64>1) << 46;

// SCR_EL3.
const SCR_NS: u64 = 1 << 0;
const SCR_EEL2: u64 = 1 << 18;
export const SCR_SIF: u64 = 1 << 9;

@inline
export function has(cpu: usize, feature: u32): bool {
  return (load<u32>(cpu, PE_FEATURES) & feature) != 0;
}

/** Are exception levels below 3 Secure? While EL3 runs, SCR_EL3 says what AT and TLBI are about. */
@inline
export function isSecureBelowEL3(cpu: usize): bool {
  if (has(cpu, FEATURE_EL3) && load<i32>(cpu, EL) == 3) return (load<u64>(cpu, SCR_EL3) & SCR_NS) == 0;
  return load<u32>(cpu, SECURE) != 0;
}

/** Does the regime translate Secure accesses? */
@inline
export function isSecureRegime(cpu: usize, regime: i32): bool {
  return regime == EL3_ALONE || isSecureBelowEL3(cpu);
}

/** EL2Enabled(): is there an EL2 in the Security state below EL3? */
export function isEL2Enabled(cpu: usize): bool {
  return has(cpu, FEATURE_EL2) && (!isSecureBelowEL3(cpu) || (load<u64>(cpu, SCR_EL3) & SCR_EEL2) != 0);
}

/** HCR_EL2 as it counts: 0 where there is no EL2 in the current Security state. */
export function effectiveHCR(cpu: usize): u64 {
  return isEL2Enabled(cpu) ? load<u64>(cpu, HCR_EL2) : 0;
}

/** HCR_EL2 as it counts for the EL1&0 regime: a host that owns EL0 has neither VM nor DC. */
export function guestHCR(cpu: usize): u64 {
  const hcr = effectiveHCR(cpu);
  return (hcr & (HCR_E2H | HCR_TGE)) == (HCR_E2H | HCR_TGE) ? hcr & ~(HCR_VM | HCR_DC) : hcr;
}

/** Does stage 2 translate what stage 1 of the regime gives? */
@inline
export function hasStage2(cpu: usize, regime: i32): bool {
  return regime == EL10 && (guestHCR(cpu) & (HCR_VM | HCR_DC)) != 0;
}

/** HCR_EL2.{NV,NV1} are {1,1}: descriptors of the EL1&0 regime are as those of EL2's (Arm ARM D8.4.6). */
@inline
export function isNV1(cpu: usize, regime: i32): bool {
  return regime == EL10 && (effectiveHCR(cpu) & (HCR_NV | HCR_NV1)) == (HCR_NV | HCR_NV1);
}

/** The current VMID: 0 where there is no EL2. */
export function vmidOf(cpu: usize): u32 {
  if (!isEL2Enabled(cpu)) return 0;
  const wide = has(cpu, FEATURE_VMID16) && (load<u64>(cpu, VTCR_EL2) & (1 << 19)) != 0;
  const vmid = <u32>(load<u64>(cpu, VTTBR_EL2) >> 48);
  return wide ? vmid : vmid & 0xff;
}

/** ELIsInHost(EL2). */
export function isHost(cpu: usize): bool {
  return has(cpu, FEATURE_VHE) && (effectiveHCR(cpu) & HCR_E2H) != 0;
}

/** ELIsInHost(EL0). */
export function isHostUser(cpu: usize): bool {
  return isHost(cpu) && (effectiveHCR(cpu) & HCR_TGE) != 0;
}

/** TranslationRegime() of exception level `el`. */
export function regimeOf(cpu: usize, el: i32): i32 {
  switch (el) {
    case 0: return isHostUser(cpu) ? EL20 : EL10;
    case 1: return EL10;
    case 2: return isHost(cpu) ? EL20 : EL2_ALONE;
    default: return EL3_ALONE;
  }
}

@inline
export function currentEL(cpu: usize): i32 {
  return load<i32>(cpu, EL);
}

/** Does the regime have two VA ranges (and an unprivileged side)? */
@inline
export function hasTwoRanges(regime: i32): bool {
  return regime == EL10 || regime == EL20;
}

export function sctlr(cpu: usize, regime: i32): u64 {
  if (regime == EL10) return load<u64>(cpu, SCTLR_EL1);
  return regime == EL3_ALONE ? load<u64>(cpu, SCTLR_EL3) : load<u64>(cpu, SCTLR_EL2);
}

export function tcr(cpu: usize, regime: i32): u64 {
  if (regime == EL10) return load<u64>(cpu, TCR_EL1);
  return regime == EL3_ALONE ? load<u64>(cpu, TCR_EL3) : load<u64>(cpu, TCR_EL2);
}

/** TTBR0 or TTBR1 (`high`) of the regime. */
export function ttbr(cpu: usize, regime: i32, high: bool): u64 {
  if (regime == EL10) return high ? load<u64>(cpu, TTBR1_EL1) : load<u64>(cpu, TTBR0_EL1);
  if (regime == EL3_ALONE) return load<u64>(cpu, TTBR0_EL3);
  return high ? load<u64>(cpu, TTBR1_EL2) : load<u64>(cpu, TTBR0_EL2);
}

/** Is stage 1 translation on? HCR_EL2.DC, and TGE without E2H, make SCTLR_EL1.M count as 0. */
export function isTranslating(cpu: usize, regime: i32): bool {
  if ((sctlr(cpu, regime) & SCTLR_M) == 0) return false;
  return regime != EL10 || (effectiveHCR(cpu) & (HCR_DC | HCR_TGE)) == 0;
}

/** The bits that ASIDs of a regime with two ranges have. */
export function asidMask(cpu: usize, regime: i32): u32 {
  return has(cpu, FEATURE_ASID16) && (tcr(cpu, regime) & ((<u64>1) << 36)) != 0 ? 0xffff : 0xff;
}

/** The current ASID of a regime with two ranges; 0 for the others. */
export function asidOf(cpu: usize, regime: i32): u32 {
  if (!hasTwoRanges(regime)) return 0;
  const a1 = (tcr(cpu, regime) & (1 << 22)) != 0;
  return <u32>(ttbr(cpu, regime, a1) >> 48) & asidMask(cpu, regime);
}

/**
 * EffectiveTBI(): is the top byte of `va` ignored? For instruction addresses TBID undoes it (FEAT_PAuth, of which the
 * caller knows: the bits are RES0 without).
 */
export function ignoresTopByte(cpu: usize, regime: i32, va: u64, fetch: bool): bool {
  const control = tcr(cpu, regime);
  if (!hasTwoRanges(regime)) {
    return (control & (1 << 20)) != 0 && !(fetch && (control & (1 << 29)) != 0);
  }
  const high = <u64>(va >> 55) & 1;
  return ((control >> (37 + high)) & 1) != 0 && !(fetch && ((control >> (51 + high)) & 1) != 0);
}
