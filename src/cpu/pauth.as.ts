// Pointer authentication (FEAT_PAuth; Arm ARM shared/functions/pac and aarch64/functions/pac): AddPAC(), Auth(),
// Strip().

import { EXC_TARGET, EXIT, EXIT_EXCEPTION, PAC_ENABLED, PAC_FIELDS, PAC_SELECT, PC, SP } from "./state-layout";
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

/** The exception level that TrapPACUse() traps to, for HCR_EL2.API and SCR_EL3.API; 0: it does not. */
function trapTarget(cpu: usize): i32 {
  const el = currentEL(cpu);
  if (el < 2 && isEL2Enabled(cpu) && (load<u64>(cpu, HCR_EL2) & HCR_API) == 0 && !(el == 0 && isHostUser(cpu))) return 2;
  return el < 3 && has(cpu, FEATURE_EL3) && (load<u64>(cpu, SCR_EL3) & SCR_API) == 0 ? 3 : 0;
}

/** Leaves the trap of an instruction that needs a key pending, if it has one. */
function isTrapped(cpu: usize): bool {
  const target = trapTarget(cpu);
  if (target == 0) return false;
  raise(cpu, EC_PAUTH, 0, 0);
  store<i32>(cpu, target, EXC_TARGET);
  return true;
}

@inline
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

/** Sets PAC_*: part of Native.contextChanged(). */
export function authenticationChanged(cpu: usize): void {
  store<i32>(cpu, 0, PAC_ENABLED);
  if (!has(cpu, FEATURE_PAUTH)) return;
  const regime = regimeOf(cpu, currentEL(cpu));
  const low = bottomPACBit(cpu, regime, false);
  const high = bottomPACBit(cpu, regime, true);
  for (let data = 0; data < 2; data++) {
    const tbi0 = ignoresTopByte(cpu, regime, 0, data == 0);
    const tbi1 = ignoresTopByte(cpu, regime, BIT_55, data == 0);
    store<u64>(cpu + (data << 4), field(low, tbi0), PAC_FIELDS);
    store<u64>(cpu + (data << 4), field(high, tbi1), PAC_FIELDS + 8);
    store<i32>(cpu + (data << 2), tbi0 || tbi1 ? 55 : 63, PAC_SELECT);
  }
  let enabled = 0;
  for (let key = 0; key < 4; key++) enabled |= <i32>isEnabled(cpu, regime, key) << key;
  if (trapTarget(cpu) == 0) store<i32>(cpu, enabled, PAC_ENABLED);
}

@inline
function isReady(cpu: usize, key: i32): bool {
  return ((load<i32>(cpu, PAC_ENABLED) >> key) & 1) != 0;
}

/** The trap of a key that is not ready. One that its SCTLR_ELx bit disables does nothing and does not trap. */
function refuse(cpu: usize, key: i32): void {
  if (has(cpu, FEATURE_PAUTH) && isEnabled(cpu, regimeOf(cpu, currentEL(cpu)), key)) isTrapped(cpu);
}

/** The bits for the code in a pointer with bit 55 = `sign`. */
@inline
function fieldOf(cpu: usize, sign: bool, data: bool): u64 {
  return load<u64>(cpu + (<usize>data << 4) + (<usize>sign << 3), PAC_FIELDS);
}

@inline
function hasTBI(bits: u64): bool {
  return (bits & TOP_BYTE) == 0;
}

/** `key`: 0 IA, 1 IB, 2 DA, 3 DB. */
export function addPAC(cpu: usize, pointer: u64, modifier: u64, key: i32): u64 {
  if (!isReady(cpu, key)) {
    refuse(cpu, key);
    return pointer;
  }
  const data = key >= 2;
  const sign = ((pointer >> load<u32>(cpu + (<usize>data << 2), PAC_SELECT)) & 1) != 0;
  const bits = fieldOf(cpu, sign, data);
  let pac = codeOf(cpu, extended(pointer, bits, sign), modifier, key);
  const select = sign ? BIT_55 : 0;
  // FEAT_FPAC comes with FEAT_PAuth2, where the code is added to what was there.
  if (has(cpu, FEATURE_FPAC)) return ((pointer ^ (pac & bits)) & ~BIT_55) | select;
  const extension = pointer & (bits | BIT_55);
  if (extension != 0 && extension != (bits | BIT_55)) pac ^= (<u64>1) << (hasTBI(bits) ? 54 : 62);
  return (pointer & ~(bits | BIT_55)) | (pac & bits) | select;
}

export function authPAC(cpu: usize, pointer: u64, modifier: u64, key: i32): u64 {
  if (!isReady(cpu, key)) {
    refuse(cpu, key);
    return pointer;
  }
  const sign = (pointer & BIT_55) != 0;
  const bits = fieldOf(cpu, sign, key >= 2);
  const original = extended(pointer, bits, sign);
  const pac = codeOf(cpu, original, modifier, key);
  if (has(cpu, FEATURE_FPAC)) {
    const result = pointer ^ (pac & bits);
    if (result != original) raise(cpu, EC_PAUTH_FAILURE, key, 0);
    return result;
  }
  if (((pac ^ pointer) & bits) == 0) return original;
  const error: u64 = (key & 1) != 0 ? 2 : 1;
  const at: u64 = hasTBI(bits) ? 53 : 61;
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
  const sign = (pointer & BIT_55) != 0;
  return extended(pointer, fieldOf(cpu, sign, data != 0), sign);
}

/** PACGA. */
export function pacGeneric(cpu: usize, value: u64, modifier: u64): u64 {
  if (!has(cpu, FEATURE_PAUTH) || isTrapped(cpu)) return 0;
  const pac = code(cpu, value, modifier, load<u64>(cpu, APGAKEYLO_EL1), load<u64>(cpu, APGAKEYHI_EL1));
  return pac & 0xffffffff00000000;
}
