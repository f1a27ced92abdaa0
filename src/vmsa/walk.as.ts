// Stage 1 translation of VMSAv8-64 (Arm ARM D8). A walk leaves its result in walk*(); it checks no permissions:
// `attributes` says what is allowed to whom. Of the EL1&0 regime, stage 2 translates the addresses of the descriptors
// (stage2.as.ts).

import {
  FEATURE_E0PD,
  FEATURE_HAFDBS,
  FEATURE_HPDS,
  MAIR_EL1,
  MAIR_EL2,
  MAIR_EL3,
  SCR_EL3,
} from "../cpu/sysreg-layout";
import {
  BLOCK_SHIFT,
  CLEAN,
  DEVICE,
  FAULT_ACCESS_FLAG,
  FAULT_ADDRESS_SIZE,
  FAULT_EXTERNAL_ON_WALK,
  FAULT_TRANSLATION,
  GLOBAL,
  GUARDED,
  NON_SECURE,
  NO_FAULT,
  PR,
  PW,
  PX,
  READ,
  SPAN_SHIFT,
  UR,
  UW,
  UX,
  WRITE,
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
import { WRITE_BACK, isDevice } from "./memory-type.as";
import { isReadableBy, isWritable, linearOf } from "./physical.as";
import {
  EL10,
  EL3_ALONE,
  HCR_DC,
  SCR_SIF,
  SCTLR_WXN,
  guestHCR,
  has,
  hasStage2,
  hasTwoRanges,
  ignoresTopByte,
  isNV1,
  isSecureRegime,
  isTranslating,
  sctlr,
  tcr,
  ttbr,
} from "./regime.as";
import { stage2OfWalk, stage2PA } from "./stage2.as";
import { note } from "./walk-notes.as";

const DESC_NS: u64 = 1 << 5;
const DESC_AP1: u64 = 1 << 6;
const DESC_AP2: u64 = 1 << 7;
const DESC_NG: u64 = 1 << 11;
const DESC_GP: u64 = (<u64>1) << 50;
const DESC_PXN: u64 = (<u64>1) << 53;
const DESC_UXN: u64 = (<u64>1) << 54;
const TABLE_PXN: u64 = (<u64>1) << 59;
const TABLE_UXN: u64 = (<u64>1) << 60;
const TABLE_AP0: u64 = (<u64>1) << 61;
const TABLE_AP1: u64 = (<u64>1) << 62;
const TABLE_NS: u64 = (<u64>1) << 63;

let pa: u64 = 0;
let attributes: u32 = 0;
let level: i32 = 0;
let attr: u32 = 0;
let shareability: u32 = 0;
// Of the descriptor: where it is, by stage 1 and physically.
let descriptorIPA: u64 = 0;
let descriptorPA: u64 = 0;
let isTableNonSecure: bool = false;
let pending: u64 = 0;

/** The address of the byte at `va`: physical, or intermediate where there is stage 2. */
@inline
export function walkPA(): u64 {
  return pa;
}
@inline
export function walkAttributes(): u32 {
  return attributes;
}
/** Level of the descriptor that gave the translation. */
@inline
export function walkLevel(): i32 {
  return level;
}
/** The memory attribute in MAIR_ELx's encoding. */
@inline
export function walkAttr(): u32 {
  return attr;
}
/** SH of the descriptor. */
@inline
export function walkShareability(): u32 {
  return shareability;
}

/** AArch64.S1DisabledOutput(): stage 1 is off. */
function flat(cpu: usize, regime: i32, va: u64, isPrivileged: bool, fetch: bool): i32 {
  const address = ignoresTopByte(cpu, regime, va, fetch) ? va & 0x00ffffffffffffff : va;
  if (outside(address, implementedPASize(cpu))) return FAULT_ADDRESS_SIZE;
  pa = address;
  level = 0;
  pending = 0;
  const isCacheable = regime == EL10 && (guestHCR(cpu) & HCR_DC) != 0;
  attr = isCacheable ? WRITE_BACK : 0;
  shareability = isCacheable ? 0 : 2;
  // Not for both at once: PAN must find nothing that EL0 may read.
  attributes = (isPrivileged ? PR | PW | PX : UR | UW | UX) | GLOBAL | (12 << BLOCK_SHIFT) | (12 << SPAN_SHIFT);
  if (!isCacheable) attributes |= DEVICE;
  if (!isSecureRegime(cpu, regime)) attributes |= NON_SECURE;
  return NO_FAULT;
}

/** Log2 of the granule: TG0 and TG1 have encodings of their own. Reserved ones mean 4 KB. */
function granule(control: u64, high: bool): i32 {
  if (!high) return granuleOf(<u32>(control >> 14) & 3);
  const tg1 = <u32>(control >> 30) & 3;
  return tg1 == 1 ? 14 : tg1 == 3 ? 16 : 12;
}

/** The permissions of a leaf descriptor under what the tables above it deny (Arm ARM D8.4). */
function permissions(desc: u64, tables: u64, twoRanges: bool, wxn: bool, dirtyManaged: bool, nv1: bool): u32 {
  // EL1 has EL2's tables, which EL0 has no part in: XN and XNTable are PXN and PXNTable (Arm ARM D8.4.6).
  if (nv1) {
    desc &= ~(DESC_AP1 | DESC_PXN);
    tables &= ~(TABLE_AP0 | TABLE_PXN);
    if ((desc & DESC_UXN) != 0) desc = (desc & ~DESC_UXN) | DESC_PXN;
    if ((tables & TABLE_UXN) != 0) tables = (tables & ~TABLE_UXN) | TABLE_PXN;
  }
  const readOnly = ((desc & DESC_AP2) != 0 && !(dirtyManaged && (desc & DESC_DBM) != 0)) || (tables & TABLE_AP1) != 0;
  const uxn = (desc & DESC_UXN) != 0 || (tables & TABLE_UXN) != 0;
  if (!twoRanges) {
    let allowed = PR;
    if (!readOnly) allowed |= PW;
    if (!uxn && !(wxn && !readOnly)) allowed |= PX;
    return allowed;
  }
  let allowed = PR;
  const user = (desc & DESC_AP1) != 0 && (tables & TABLE_AP0) == 0;
  const pxn = (desc & DESC_PXN) != 0 || (tables & TABLE_PXN) != 0;
  if (!readOnly) allowed |= PW;
  if (user) allowed |= readOnly ? UR : UR | UW;
  if (!uxn && !(wxn && (allowed & UW) != 0)) allowed |= UX;
  // What EL0 can write, EL1 does not execute.
  if (!pxn && (allowed & UW) == 0 && !(wxn && !readOnly)) allowed |= PX;
  return allowed;
}

/**
 * Translates `va`: NO_FAULT with the result in walk*(), or a fault. Changes no descriptor of stage 1: see walkCommit().
 * `commit`: may those of stage 2 be changed?
 */
export function walk(cpu: usize, regime: i32, va: u64, isPrivileged: bool, fetch: bool, commit: bool): i32 {
  if (!isTranslating(cpu, regime)) return flat(cpu, regime, va, isPrivileged, fetch);

  const control = tcr(cpu, regime);
  const twoRanges = hasTwoRanges(regime);
  const high = twoRanges && ((va >> 55) & 1) != 0;
  const which = <u64>high;
  const grain = granule(control, high);
  const stride = grain - 3;

  // TnSZ outside its range counts as the nearest value in it: 16 (no FEAT_LVA) to 39 (no FEAT_TTST).
  let tsz = <i32>(high ? control >> 16 : control) & 63;
  tsz = max(16, min(39, tsz));
  const inputSize = 64 - tsz;
  const extended = ignoresTopByte(cpu, regime, va, fetch) ? <i64>(va << 8) >> 8 : <i64>va;
  if (extended >> inputSize != (high ? -1 : 0)) return FAULT_TRANSLATION;

  let isHierarchical = true;
  let accessFlagByHardware = false;
  let dirtyByHardware = false;
  let size = implementedPASize(cpu);
  if (twoRanges) {
    // EPDn.
    if ((high ? control >> 23 : control >> 7) & 1) return FAULT_TRANSLATION;
    if (!isPrivileged && has(cpu, FEATURE_E0PD) && ((control >> (55 + which)) & 1) != 0) return FAULT_TRANSLATION;
    size = min(size, paSize(<u32>(control >> 32) & 7));
    accessFlagByHardware = ((control >> 39) & 1) != 0;
    dirtyByHardware = ((control >> 40) & 1) != 0;
    isHierarchical = ((control >> (41 + which)) & 1) == 0;
  } else {
    size = min(size, paSize(<u32>(control >> 16) & 7));
    accessFlagByHardware = ((control >> 21) & 1) != 0;
    dirtyByHardware = ((control >> 22) & 1) != 0;
    isHierarchical = ((control >> 24) & 1) == 0;
  }
  if (!has(cpu, FEATURE_HPDS)) isHierarchical = true;
  accessFlagByHardware = accessFlagByHardware && has(cpu, FEATURE_HAFDBS);
  dirtyByHardware = dirtyByHardware && accessFlagByHardware;

  let at = 4 - (inputSize - grain + stride - 1) / stride;
  let bottom = (3 - at) * stride + grain;
  // The first table may be smaller than a granule: it has 2^(inputSize - bottom) descriptors, and its base that
  // alignment.
  let base = ttbr(cpu, regime, high) & BASE_ADDRESS;
  base &= ~(((<u64>8) << <u64>(inputSize - bottom)) - 1);
  if (outside(base, size)) return FAULT_ADDRESS_SIZE;
  let index = (va & (((<u64>1) << <u64>inputSize) - 1)) >> <u64>bottom;
  let tables: u64 = 0;
  const isNested = hasStage2(cpu, regime);
  const isSecure = isSecureRegime(cpu, regime);
  isTableNonSecure = !isSecure;

  while (true) {
    level = at;
    descriptorIPA = base + (index << 3);
    descriptorPA = descriptorIPA;
    if (isNested) {
      const fault = stage2OfWalk(cpu, descriptorIPA, isTableNonSecure, READ, commit);
      if (fault != NO_FAULT) return fault;
      descriptorPA = stage2PA();
    }
    const host = linearOf(descriptorPA);
    if (!host || !isReadableBy(isTableNonSecure)) return FAULT_EXTERNAL_ON_WALK + at;
    const desc = load<u64>(host);
    note(1, at, descriptorIPA, descriptorPA, desc);
    if ((desc & DESC_VALID) == 0) return FAULT_TRANSLATION + at;
    if ((desc & DESC_TABLE) == 0 || at == 3) {
      if (!isLeaf(desc, at, grain)) return FAULT_TRANSLATION + at;
      const mask = ((<u64>1) << <u64>bottom) - 1;
      const output = desc & DESC_ADDRESS & ~mask;
      if (outside(output, size)) return FAULT_ADDRESS_SIZE + at;
      const address = output | (va & mask);
      return leaf(cpu, regime, desc, address, tables, bottom, grain, accessFlagByHardware, dirtyByHardware);
    }
    base = desc & DESC_ADDRESS & ~(((<u64>1) << <u64>grain) - 1);
    if (outside(base, size)) return FAULT_ADDRESS_SIZE + at;
    if (isHierarchical) tables |= desc;
    if ((desc & TABLE_NS) != 0) isTableNonSecure = true;
    at += 1;
    bottom -= stride;
    index = (va >> <u64>bottom) & ((1 << stride) - 1);
  }
}

function mair(cpu: usize, regime: i32): u64 {
  if (regime == EL10) return load<u64>(cpu, MAIR_EL1);
  return regime == EL3_ALONE ? load<u64>(cpu, MAIR_EL3) : load<u64>(cpu, MAIR_EL2);
}

/** The block or page descriptor `desc` gives physical address `output`. `tables`: what the tables above it deny. */
function leaf(
  cpu: usize, regime: i32, desc: u64, output: u64, tables: u64, bottom: i32, grain: i32,
  accessFlagByHardware: bool, dirtyByHardware: bool,
): i32 {
  pending = 0;
  if ((desc & DESC_AF) == 0) {
    if (!accessFlagByHardware) return FAULT_ACCESS_FLAG + level;
    pending = DESC_AF;
  }
  const twoRanges = hasTwoRanges(regime);
  const wxn = (sctlr(cpu, regime) & SCTLR_WXN) != 0;
  let result = permissions(desc, tables, twoRanges, wxn, dirtyByHardware, isNV1(cpu, regime));
  if (dirtyByHardware && (desc & (DESC_AP2 | DESC_DBM)) == (DESC_AP2 | DESC_DBM) && (result & PW) != 0) result |= CLEAN;
  if (desc & DESC_GP) result |= GUARDED;
  if (!twoRanges || (desc & DESC_NG) == 0) result |= GLOBAL;
  const span = desc & DESC_CONTIGUOUS ? contiguousShift(grain, bottom) : bottom;
  result |= ((<u32>bottom) << BLOCK_SHIFT) | ((<u32>span) << SPAN_SHIFT);
  attr = <u32>(mair(cpu, regime) >> (((desc >> 2) & 7) << 3)) & 0xff;
  if (isDevice(attr)) result |= DEVICE;
  shareability = <u32>(desc >> 8) & 3;
  if (isTableNonSecure || (desc & DESC_NS) != 0) {
    result |= NON_SECURE;
    if (isSecureRegime(cpu, regime)) result &= ~forbiddenToSecure(cpu);
  }
  pa = output;
  attributes = result;
  return NO_FAULT;
}

/** What Secure state may not do with Non-secure memory: fetch from it, with SCR_EL3.SIF. */
@inline
export function forbiddenToSecure(cpu: usize): u32 {
  return (load<u64>(cpu, SCR_EL3) & SCR_SIF) != 0 ? PX | UX : 0;
}

/**
 * Writes the access flag, and the dirty state if the access is a write, into the descriptor of the last walk, after the
 * access has been found to be allowed (Arm ARM D8.5). No fault, or one of the write: an external abort, or at stage 2.
 */
export function walkCommit(cpu: usize, regime: i32, isWrite: bool): i32 {
  const makeDirty = isWrite && (attributes & CLEAN) != 0;
  if (pending == 0 && !makeDirty) return NO_FAULT;
  if (hasStage2(cpu, regime)) {
    const fault = stage2OfWalk(cpu, descriptorIPA, isTableNonSecure, WRITE, true);
    if (fault != NO_FAULT) return fault;
  }
  const host = linearOf(descriptorPA);
  if (!isWritable()) return FAULT_EXTERNAL_ON_WALK + level;
  const desc = load<u64>(host) | pending;
  store<u64>(host, makeDirty ? desc & ~DESC_AP2 : desc);
  pending = 0;
  if (makeDirty) attributes &= ~CLEAN;
  return NO_FAULT;
}
