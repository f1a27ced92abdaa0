// Stage 2 translation of the EL1&0 regime (Arm ARM D8.2, D8.3.2): from intermediate to physical addresses. A walk
// leaves its result in stage2*(); what it allows is for the caller to check, before stage2Commit().

import {
  FEATURE_HAFDBS,
  ID_AA64MMFR1_EL1,
  VSTCR_EL2,
  VSTTBR_EL2,
  VTCR_EL2,
  VTTBR_EL2,
} from "../cpu/sysreg-layout";
import {
  CLEAN,
  FAULT_ACCESS_FLAG,
  FAULT_ADDRESS_SIZE,
  FAULT_EXTERNAL_ON_WALK,
  FAULT_PERMISSION,
  FAULT_S1PTW,
  FAULT_STAGE2,
  FAULT_TRANSLATION,
  NO_FAULT,
  NON_SECURE,
  PR,
  PW,
  PX,
  UR,
  UW,
  UX,
  WRITE,
  isAllowed,
} from "./attributes.as";
import {
  BASE_ADDRESS,
  DESC_ADDRESS,
  DESC_AF,
  DESC_CONTIGUOUS,
  DESC_DBM,
  DESC_TABLE,
  DESC_VALID,
  contiguousShift,
  granuleOf,
  implementedPASize,
  isLeaf,
  outside,
  paSize,
} from "./descriptor.as";
import { isReadableBy, isWritable, linearOf } from "./physical.as";
import { note } from "./walk-notes.as";
import { HCR_FWB, HCR_PTW, effectiveHCR, has, isSecureBelowEL3 } from "./regime.as";

const DESC_S2AP1: u64 = 1 << 7;
// VTCR_EL2 and VSTCR_EL2.
const VTCR_HA: u64 = 1 << 21;
const VTCR_HD: u64 = 1 << 22;
const NSW: u64 = 1 << 29;
const NSA: u64 = 1 << 30;
const SW: u64 = 1 << 29;
const SA: u64 = 1 << 30;
/** T0SZ at its largest, without FEAT_TTST. */
const MAX_TSZ: i32 = 39;
/** EXC_IPA: the address is of the Non-secure IPA space, though the fault is of Secure EL1&0 (HPFAR_EL2.NS). */
const IPA_NON_SECURE: u64 = (<u64>1) << 63;

let pa: u64 = 0;
let rights: u32 = 0;
let level: i32 = 0;
let block: i32 = 0;
let span: i32 = 0;
let memAttr: u32 = 0;
let shareability: u32 = 0;
let nonSecure: bool = false;
let descriptorPA: u64 = 0;
let isTableNonSecure: bool = false;
let pending: u64 = 0;
let faultIPA: u64 = 0;

/** The physical address of the byte. */
@inline
export function stage2PA(): u64 {
  return pa;
}
/** PR.. of both exception levels, CLEAN, NON_SECURE. */
@inline
export function stage2Rights(): u32 {
  return rights;
}
@inline
export function stage2Level(): i32 {
  return level;
}
/** Log2 of the bytes of the block or page. */
@inline
export function stage2Block(): i32 {
  return block;
}
/** Log2 of the bytes of the block, page or contiguous run. */
@inline
export function stage2Span(): i32 {
  return span;
}
@inline
export function stage2MemAttr(): u32 {
  return memAttr;
}
@inline
export function stage2Shareability(): u32 {
  return shareability;
}
/** The address of the last fault at stage 2, as EXC_IPA has it. */
@inline
export function stage2FaultIPA(): u64 {
  return faultIPA;
}

/** FEAT_XNX: execution is denied to EL1 and EL0 each. */
@inline
function hasXNX(cpu: usize): bool {
  return ((load<u64>(cpu, ID_AA64MMFR1_EL1) >> 28) & 15) != 0;
}

/**
 * AArch64.S2InvalidTxSZ(), S2InvalidSL() and S2InconsistentSL(): can a walk that begins at level `first` not resolve addresses of
 * `inputSize` bits?
 */
function isReserved(inputSize: i32, sl0: i32, first: i32, grain: i32, implemented: i32): bool {
  if (inputSize < 64 - MAX_TSZ || inputSize > implemented || sl0 == 3) return true;
  if (sl0 == 2 && implemented < (grain == 14 ? 42 : 44)) return true;
  const stride = grain - 3;
  const least = (3 - first) * stride + grain + 1;
  // Up to 16 tables of the first level may be concatenated.
  return inputSize < least || inputSize > least + stride - 1 + 4;
}

/** Translates `ipa` of the Secure or the Non-secure IPA space: NO_FAULT or a fault status code. Changes no descriptor. */
function walkStage2(cpu: usize, ipa: u64, isNonSecureIPA: bool): i32 {
  const control = load<u64>(cpu, VTCR_EL2);
  const secureControl = load<u64>(cpu, VSTCR_EL2);
  const isSecure = isSecureBelowEL3(cpu);
  const isOwn = isSecure && !isNonSecureIPA;
  const geometry = isOwn ? secureControl : control;
  if (isSecure) {
    // AArch64.SS2InitialTTWState(), SS2OutputPASpace().
    isTableNonSecure = (secureControl & SW) != 0 || (!isOwn && (control & NSW) != 0);
    nonSecure = (secureControl & (SW | SA)) != 0 || (!isOwn && (control & (NSW | NSA)) != 0);
  } else {
    isTableNonSecure = true;
    nonSecure = true;
  }

  const grain = granuleOf(<u32>(geometry >> 14) & 3);
  const stride = grain - 3;
  const implemented = implementedPASize(cpu);
  const inputSize = 64 - (<i32>geometry & 63);
  const sl0 = <i32>(geometry >> 6) & 3;
  let at = (grain == 12 ? 2 : 3) - sl0;
  level = 0;
  if (isReserved(inputSize, sl0, at, grain, implemented) || outside(ipa, inputSize)) return FAULT_TRANSLATION;

  const size = min(implemented, paSize(<u32>(control >> 16) & 7));
  let bottom = (3 - at) * stride + grain;
  let base = (isOwn ? load<u64>(cpu, VSTTBR_EL2) : load<u64>(cpu, VTTBR_EL2)) & BASE_ADDRESS;
  base &= ~(((<u64>8) << <u64>(inputSize - bottom)) - 1);
  if (outside(base, size)) return FAULT_ADDRESS_SIZE;
  let index = ipa >> <u64>bottom;
  let desc: u64 = 0;
  while (true) {
    level = at;
    descriptorPA = base + (index << 3);
    const host = linearOf(descriptorPA);
    if (!host || !isReadableBy(isTableNonSecure)) return FAULT_EXTERNAL_ON_WALK + at;
    desc = load<u64>(host);
    note(2, at, descriptorPA, descriptorPA, desc);
    if ((desc & DESC_VALID) == 0) return FAULT_TRANSLATION + at;
    if ((desc & DESC_TABLE) == 0 || at == 3) break;
    base = desc & DESC_ADDRESS & ~(((<u64>1) << <u64>grain) - 1);
    if (outside(base, size)) return FAULT_ADDRESS_SIZE + at;
    at += 1;
    bottom -= stride;
    index = (ipa >> <u64>bottom) & ((1 << stride) - 1);
  }

  if (!isLeaf(desc, at, grain)) return FAULT_TRANSLATION + at;
  const mask = ((<u64>1) << <u64>bottom) - 1;
  const output = desc & DESC_ADDRESS & ~mask;
  if (outside(output, size)) return FAULT_ADDRESS_SIZE + at;
  const accessFlagByHardware = (control & VTCR_HA) != 0 && has(cpu, FEATURE_HAFDBS);
  pending = 0;
  if ((desc & DESC_AF) == 0) {
    if (!accessFlagByHardware) return FAULT_ACCESS_FLAG + at;
    pending = DESC_AF;
  }
  pa = output | (ipa & mask);
  block = bottom;
  span = (desc & DESC_CONTIGUOUS) != 0 ? contiguousShift(grain, bottom) : bottom;
  memAttr = <u32>(desc >> 2) & 15;
  shareability = <u32>(desc >> 8) & 3;
  rights = permissions(desc, hasXNX(cpu), accessFlagByHardware && (control & VTCR_HD) != 0);
  if (nonSecure) rights |= NON_SECURE;
  return NO_FAULT;
}

/** S2AP, XN and DBM of a leaf descriptor (Arm ARM D8.4.2). */
function permissions(desc: u64, separate: bool, dirtyByHardware: bool): u32 {
  const s2ap = <u32>(desc >> 6) & 3;
  let result: u32 = (s2ap & 1) != 0 ? PR | UR : 0;
  if ((s2ap & 2) != 0) result |= PW | UW;
  else if (dirtyByHardware && (desc & DESC_DBM) != 0) result |= PW | UW | CLEAN;
  const xn = <u32>(desc >> 53) & 3;
  if (!separate) return (xn & 2) != 0 ? result : result | PX | UX;
  switch (xn) {
    case 0: return result | PX | UX;
    case 1: return result | UX;
    case 2: return result;
    default: return result | PX;
  }
}

function fault(status: i32, ipa: u64, isNonSecureIPA: bool, isSecure: bool): i32 {
  faultIPA = isNonSecureIPA && isSecure ? ipa | IPA_NON_SECURE : ipa;
  return status | FAULT_STAGE2;
}

/** A fault at stage 2 of the last address that stage2() translated. */
export function stage2PermissionFault(cpu: usize, ipa: u64, isNonSecureIPA: bool): i32 {
  return fault(FAULT_PERMISSION + level, ipa, isNonSecureIPA, isSecureBelowEL3(cpu));
}

/** Translates `ipa`: NO_FAULT with the result in stage2*(), or a fault with FAULT_STAGE2. Changes no descriptor. */
export function stage2(cpu: usize, ipa: u64, isNonSecureIPA: bool): i32 {
  const status = walkStage2(cpu, ipa, isNonSecureIPA);
  return status == NO_FAULT ? NO_FAULT : fault(status, ipa, isNonSecureIPA, isSecureBelowEL3(cpu));
}

/** Is the memory Device by the last stage2() alone? */
@inline
function isDeviceAtStage2(cpu: usize): bool {
  return (effectiveHCR(cpu) & HCR_FWB) != 0 ? (memAttr & 4) == 0 : (memAttr & 12) == 0;
}

/**
 * Translates the address of a descriptor of stage 1, to be read or written (READ, WRITE), and with `commit` writes the
 * flags of stage 2. HCR_EL2.PTW makes Device memory a permission fault.
 */
export function stage2OfWalk(cpu: usize, ipa: u64, isNonSecureIPA: bool, access: u32, commit: bool): i32 {
  let result = stage2(cpu, ipa, isNonSecureIPA);
  if (result == NO_FAULT) {
    const isDenied = !isAllowed(rights, true, false, access);
    if (isDenied || ((effectiveHCR(cpu) & HCR_PTW) != 0 && isDeviceAtStage2(cpu))) {
      result = stage2PermissionFault(cpu, ipa, isNonSecureIPA);
    } else {
      if (!commit) return NO_FAULT;
      result = stage2Commit(cpu, ipa, isNonSecureIPA, access);
    }
  }
  return result == NO_FAULT ? NO_FAULT : result | FAULT_S1PTW;
}

/** Writes the access flag, and the dirty state for a write, of the last stage2() of an access that is allowed. */
export function stage2Commit(cpu: usize, ipa: u64, isNonSecureIPA: bool, access: u32): i32 {
  const makeDirty = (access & WRITE) != 0 && (rights & CLEAN) != 0;
  if (pending == 0 && !makeDirty) return NO_FAULT;
  const host = linearOf(descriptorPA);
  if (!isReadableBy(isTableNonSecure) || !isWritable()) {
    return fault(FAULT_EXTERNAL_ON_WALK + level, ipa, isNonSecureIPA, isSecureBelowEL3(cpu));
  }
  const desc = load<u64>(host) | pending;
  store<u64>(host, makeDirty ? desc | DESC_S2AP1 : desc);
  pending = 0;
  if (makeDirty) rights &= ~CLEAN;
  return NO_FAULT;
}
