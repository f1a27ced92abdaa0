// Pointer authentication (FEAT_PAuth; Arm ARM shared/functions/pac and aarch64/functions/pac): AddPAC(), Auth(),
// Strip().

import { EXC_TARGET, EXIT, EXIT_EXCEPTION, PC, SP } from "./state-layout";
import { computePAC, computePACFast } from "./crypto/qarma.as";
import {
  APGAKEYHI_EL1,
  APGAKEYLO_EL1,
  APIAKEYHI_EL1,
  APIAKEYLO_EL1,
  FEATURE_EL3,
  FEATURE_FPAC,
  FEATURE_PAUTH,
  FEATURE_PAUTH_QARMA5,
  HCR_EL2,
  SCR_EL3,
} from "./sysreg-layout";
import { EC_PAUTH_FAILURE, raise } from "../vmsa/fault.as";
import { currentEL, has, hasTwoRanges, ignoresTopByte, isEL2Enabled, isHostUser, regimeOf, sctlr, tcr } from "../vmsa/regime.as";

/** From one key to the next (IA, IB, DA, DB), both halves. */
const KEY_BYTES: usize = 16;
const BIT_55: u64 = (<u64>1) << 55;
/** HCR_EL2.API and SCR_EL3.API. */
const HCR_API: u64 = (<u64>1) << 41;
const SCR_API: u64 = 1 << 17;
const EC_PAUTH: u32 = 0x09;
const TOP_BYTE: u64 = (<u64>0xff) << 56;

/** SCTLR_ELx.EnIA, EnIB, EnDA, EnDB. */
function isEnabled(cpu: usize, regime: i32, key: i32): bool {
  const bit: u64 = key == 0 ? 31 : key == 1 ? 30 : key == 2 ? 27 : 13;
  return ((sctlr(cpu, regime) >> bit) & 1) != 0;
}

/**
 * TrapPACUse(): leaves the trap of an instruction that needs a key pending, for HCR_EL2.API and SCR_EL3.API. One that its SCTLR_ELx bit
 * disables does nothing and does not trap.
 */
function isTrapped(cpu: usize): bool {
  const el = currentEL(cpu);
  let target = 0;
  if (el < 2 && isEL2Enabled(cpu) && (load<u64>(cpu, HCR_EL2) & HCR_API) == 0 && !(el == 0 && isHostUser(cpu))) target = 2;
  else if (el < 3 && has(cpu, FEATURE_EL3) && (load<u64>(cpu, SCR_EL3) & SCR_API) == 0) target = 3;
  if (target == 0) return false;
  raise(cpu, EC_PAUTH, 0, 0);
  store<i32>(cpu, target, EXC_TARGET);
  return true;
}

function code(cpu: usize, pointer: u64, modifier: u64, low: u64, high: u64): u64 {
  return has(cpu, FEATURE_PAUTH_QARMA5)
    ? computePAC(pointer, modifier, low, high)
    : computePACFast(pointer, modifier, low, high);
}

@inline
function codeOf(cpu: usize, pointer: u64, modifier: u64, key: i32): u64 {
  const at = cpu + <usize>key * KEY_BYTES;
  return code(cpu, pointer, modifier, load<u64>(at, APIAKEYLO_EL1), load<u64>(at, APIAKEYHI_EL1));
}

/** CalculateBottomPACBit(). */
function bottomPACBit(cpu: usize, regime: i32, high: bool): u64 {
  const control = tcr(cpu, regime);
  const tsz = <i32>(high && hasTwoRanges(regime) ? control >> 16 : control) & 63;
  return <u64>(64 - max(16, min(39, tsz)));
}

/** The bits that hold the code: from `bottom` up, without bit 55, and without the top byte if it is ignored. */
@inline
function field(bottom: u64, tbi: bool): u64 {
  const mask = ~(((<u64>1) << bottom) - 1) & ~BIT_55;
  return tbi ? mask & ~TOP_BYTE : mask;
}

/** `pointer` with the field, and bit 55, being copies of `sign`. */
@inline
function extended(pointer: u64, fieldMask: u64, sign: bool): u64 {
  const mask = fieldMask | BIT_55;
  return sign ? pointer | mask : pointer & ~mask;
}

/** The bit of `pointer` that says which range it is in, in AddPAC(). */
function selectBit(cpu: usize, regime: i32, pointer: u64, tbi: bool, data: bool): bool {
  let isTagged = tbi;
  if (hasTwoRanges(regime)) {
    isTagged = ignoresTopByte(cpu, regime, 0, !data) || ignoresTopByte(cpu, regime, BIT_55, !data);
  }
  return ((pointer >> (isTagged ? 55 : 63)) & 1) != 0;
}

/** `key`: 0 IA, 1 IB, 2 DA, 3 DB. */
export function addPAC(cpu: usize, pointer: u64, modifier: u64, key: i32): u64 {
  if (!has(cpu, FEATURE_PAUTH)) return pointer;
  const regime = regimeOf(cpu, currentEL(cpu));
  if (!isEnabled(cpu, regime, key) || isTrapped(cpu)) return pointer;
  const data = key >= 2;
  const tbi = ignoresTopByte(cpu, regime, pointer, !data);
  const sign = selectBit(cpu, regime, pointer, tbi, data);
  const bits = field(bottomPACBit(cpu, regime, sign), tbi);
  const original = extended(pointer, bits, sign);
  let pac = codeOf(cpu, original, modifier, key);
  const select = sign ? BIT_55 : 0;
  // FEAT_FPAC comes with FEAT_PAuth2, where the code is added to what was there.
  if (has(cpu, FEATURE_FPAC)) return ((pointer ^ (pac & bits)) & ~BIT_55) | select;
  const extension = pointer & (bits | BIT_55);
  if (extension != 0 && extension != (bits | BIT_55)) pac ^= (<u64>1) << (tbi ? 54 : 62);
  return (pointer & ~(bits | BIT_55)) | (pac & bits) | select;
}

export function authPAC(cpu: usize, pointer: u64, modifier: u64, key: i32): u64 {
  if (!has(cpu, FEATURE_PAUTH)) return pointer;
  const regime = regimeOf(cpu, currentEL(cpu));
  if (!isEnabled(cpu, regime, key) || isTrapped(cpu)) return pointer;
  const tbi = ignoresTopByte(cpu, regime, pointer, key < 2);
  const sign = (pointer & BIT_55) != 0;
  const bits = field(bottomPACBit(cpu, regime, sign), tbi);
  const original = extended(pointer, bits, sign);
  const pac = codeOf(cpu, original, modifier, key);
  if (has(cpu, FEATURE_FPAC)) {
    const result = pointer ^ (pac & bits);
    if (result != original) raise(cpu, EC_PAUTH_FAILURE, key, 0);
    return result;
  }
  if (((pac ^ pointer) & bits) == 0) return original;
  const error: u64 = (key & 1) != 0 ? 2 : 1;
  const at: u64 = tbi ? 53 : 61;
  return (original & ~((<u64>3) << at)) | (error << at);
}

/** ERETAA and ERETAB: PC from the ELR_ELx at `slot`, by SP. 0: an exception is pending instead. */
export function authenticateReturn(cpu: usize, slot: usize, key: i32): bool {
  const address = authPAC(cpu, load<u64>(cpu + slot), load<u64>(cpu, SP), key);
  if (load<i32>(cpu, EXIT) == EXIT_EXCEPTION) return false;
  store<u64>(cpu, address, PC);
  return true;
}

/** XPACI, and XPACD (`data` 1). */
export function stripPAC(cpu: usize, pointer: u64, data: i32): u64 {
  if (!has(cpu, FEATURE_PAUTH)) return pointer;
  const regime = regimeOf(cpu, currentEL(cpu));
  const tbi = ignoresTopByte(cpu, regime, pointer, data == 0);
  const sign = (pointer & BIT_55) != 0;
  return extended(pointer, field(bottomPACBit(cpu, regime, sign), tbi), sign);
}

/** PACGA. */
export function pacGeneric(cpu: usize, value: u64, modifier: u64): u64 {
  if (!has(cpu, FEATURE_PAUTH) || isTrapped(cpu)) return 0;
  const pac = code(cpu, value, modifier, load<u64>(cpu, APGAKEYLO_EL1), load<u64>(cpu, APGAKEYHI_EL1));
  return pac & 0xffffffff00000000;
}
