// Stage 1 translation of VMSAv8-64 (Arm ARM D8): the one place that reads translation tables. A walk leaves its result
// in walk*(); it checks no permissions: `attributes` says what is allowed to whom.

import {
  FEATURE_E0PD,
  FEATURE_HAFDBS,
  FEATURE_HPDS,
  ID_AA64MMFR0_EL1,
  MAIR_EL1,
  MAIR_EL2,
  MAIR_EL3,
} from "../cpu/sysreg-layout";
import { isReadable, isWritable, linearOf } from "./physical.as";
import {
  EL10,
  EL3_ALONE,
  HCR_DC,
  SCTLR_WXN,
  effectiveHCR,
  has,
  hasTwoRanges,
  ignoresTopByte,
  isTranslating,
  sctlr,
  tcr,
  ttbr,
} from "./regime.as";

// Fault status codes, to which the level is added (Arm ARM D24.2.37, DFSC).
export const NO_FAULT: i32 = -1;
export const FAULT_ADDRESS_SIZE: i32 = 0x00;
export const FAULT_TRANSLATION: i32 = 0x04;
export const FAULT_ACCESS_FLAG: i32 = 0x08;
export const FAULT_PERMISSION: i32 = 0x0c;
export const FAULT_EXTERNAL: i32 = 0x10;
export const FAULT_EXTERNAL_ON_WALK: i32 = 0x14;
export const FAULT_ALIGNMENT: i32 = 0x21;

// Attributes of a translation. P: privileged, U: unprivileged; what PAN takes away is taken away when permissions are
// checked.
export const PR: u32 = 1 << 0;
export const PW: u32 = 1 << 1;
export const PX: u32 = 1 << 2;
export const UR: u32 = 1 << 3;
export const UW: u32 = 1 << 4;
export const UX: u32 = 1 << 5;
/** Any Device memory type. */
export const DEVICE: u32 = 1 << 6;
/** The GP bit (FEAT_BTI). */
export const GUARDED: u32 = 1 << 7;
/** May be written, but the descriptor says read-only until the first write makes it dirty (FEAT_HAFDBS). */
export const CLEAN: u32 = 1 << 8;
/** For all ASIDs. */
export const GLOBAL: u32 = 1 << 9;
/** Log2 of the bytes of the block or page, and of the contiguous run it belongs to. */
export const BLOCK_SHIFT: u32 = 10;
export const SPAN_SHIFT: u32 = 16;
export const SHIFT_MASK: u32 = 63;

// What an access wants.
export const READ: u32 = 1;
export const WRITE: u32 = 2;
export const EXECUTE: u32 = 4;

const DESC_VALID: u64 = 1 << 0;
const DESC_TABLE: u64 = 1 << 1;
const DESC_AP1: u64 = 1 << 6;
const DESC_AP2: u64 = 1 << 7;
const DESC_AF: u64 = 1 << 10;
const DESC_NG: u64 = 1 << 11;
const DESC_GP: u64 = (<u64>1) << 50;
const DESC_DBM: u64 = (<u64>1) << 51;
const DESC_CONTIGUOUS: u64 = (<u64>1) << 52;
const DESC_PXN: u64 = (<u64>1) << 53;
const DESC_UXN: u64 = (<u64>1) << 54;
const DESC_ADDRESS: u64 = 0x0000fffffffff000;
const TABLE_PXN: u64 = (<u64>1) << 59;
const TABLE_UXN: u64 = (<u64>1) << 60;
const TABLE_AP0: u64 = (<u64>1) << 61;
const TABLE_AP1: u64 = (<u64>1) << 62;

let pa: u64 = 0;
let attributes: u32 = 0;
let level: i32 = 0;
let attr: u32 = 0;
let shareability: u32 = 0;
let descriptorAt: usize = 0;
let pending: u64 = 0;

/** The physical address of the byte at `va`. */
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

/** Bits of a physical address of this PE (PARange), at most 48. */
function implementedPASize(cpu: usize): i32 {
  return paSize(<u32>load<u64>(cpu, ID_AA64MMFR0_EL1) & 15);
}

function paSize(encoding: u32): i32 {
  switch (encoding) {
    case 0: return 32;
    case 1: return 36;
    case 2: return 40;
    case 3: return 42;
    case 4: return 44;
    default: return 48;
  }
}

@inline
function outside(address: u64, bits: i32): bool {
  return address >> <u64>bits != 0;
}

/** AArch64.S1DisabledOutput(): stage 1 is off, so addresses are physical. */
function flat(cpu: usize, regime: i32, va: u64, isPrivileged: bool, fetch: bool): i32 {
  const address = ignoresTopByte(cpu, regime, va, fetch) ? va & 0x00ffffffffffffff : va;
  if (outside(address, implementedPASize(cpu))) return FAULT_ADDRESS_SIZE;
  pa = address;
  level = 0;
  pending = 0;
  const isCacheable = regime == EL10 && (effectiveHCR(cpu) & HCR_DC) != 0;
  attr = isCacheable ? 0xff : 0;
  shareability = isCacheable ? 0 : 2;
  // Not for both at once: PAN must find nothing that EL0 may read.
  attributes = (isPrivileged ? PR | PW | PX : UR | UW | UX) | GLOBAL | (12 << BLOCK_SHIFT) | (12 << SPAN_SHIFT);
  if (!isCacheable) attributes |= DEVICE;
  return NO_FAULT;
}

/** Log2 of the granule: TG0 and TG1 have encodings of their own. Reserved ones mean 4 KB. */
function granule(control: u64, high: bool): i32 {
  if (high) {
    const tg1 = <u32>(control >> 30) & 3;
    return tg1 == 1 ? 14 : tg1 == 3 ? 16 : 12;
  }
  const tg0 = <u32>(control >> 14) & 3;
  return tg0 == 1 ? 16 : tg0 == 2 ? 14 : 12;
}

/** Log2 of the bytes that a contiguous run at `level` spans. */
function contiguousShift(grain: i32, blockShift: i32): i32 {
  if (grain == 12) return blockShift + 4;
  if (grain == 16) return blockShift + 5;
  return blockShift == 14 ? 21 : 30;
}

/** The permissions of a leaf descriptor under what the tables above it deny (Arm ARM D8.4). */
function permissions(desc: u64, tables: u64, twoRanges: bool, wxn: bool, dirtyManaged: bool): u32 {
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
 * Translates `va`: NO_FAULT with the result in walk*(), or a fault status code. Changes no descriptor: see
 * walkCommit().
 */
export function walk(cpu: usize, regime: i32, va: u64, isPrivileged: bool, fetch: bool): i32 {
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
  let base = ttbr(cpu, regime, high) & 0x0000fffffffffffe;
  base &= ~(((<u64>8) << <u64>(inputSize - bottom)) - 1);
  if (outside(base, size)) return FAULT_ADDRESS_SIZE;
  let index = (va & (((<u64>1) << <u64>inputSize) - 1)) >> <u64>bottom;
  let tables: u64 = 0;

  while (true) {
    level = at;
    // Stage 2 of the EL1&0 regime will translate `base + index * 8` here.
    descriptorAt = linearOf(base + (index << 3));
    if (!descriptorAt || !isReadable()) return FAULT_EXTERNAL_ON_WALK + at;
    const desc = load<u64>(descriptorAt);
    if ((desc & DESC_VALID) == 0) return FAULT_TRANSLATION + at;
    const isTable = (desc & DESC_TABLE) != 0 && at < 3;
    if (!isTable) {
      const isPage = at == 3;
      if (isPage ? (desc & DESC_TABLE) == 0 : !(at == 2 || (at == 1 && grain == 12))) return FAULT_TRANSLATION + at;
      const mask = ((<u64>1) << <u64>bottom) - 1;
      const output = desc & DESC_ADDRESS & ~mask;
      if (outside(output, size)) return FAULT_ADDRESS_SIZE + at;
      const address = output | (va & mask);
      return leaf(cpu, regime, desc, address, tables, bottom, grain, accessFlagByHardware, dirtyByHardware);
    }
    base = desc & DESC_ADDRESS & ~(((<u64>1) << <u64>grain) - 1);
    if (outside(base, size)) return FAULT_ADDRESS_SIZE + at;
    if (isHierarchical) tables |= desc;
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
  let result = permissions(desc, tables, twoRanges, (sctlr(cpu, regime) & SCTLR_WXN) != 0, dirtyByHardware);
  if (dirtyByHardware && (desc & (DESC_AP2 | DESC_DBM)) == (DESC_AP2 | DESC_DBM) && (result & PW) != 0) result |= CLEAN;
  if (desc & DESC_GP) result |= GUARDED;
  if (!twoRanges || (desc & DESC_NG) == 0) result |= GLOBAL;
  const span = desc & DESC_CONTIGUOUS ? contiguousShift(grain, bottom) : bottom;
  result |= ((<u32>bottom) << BLOCK_SHIFT) | ((<u32>span) << SPAN_SHIFT);
  attr = <u32>(mair(cpu, regime) >> (((desc >> 2) & 7) << 3)) & 0xff;
  if ((attr & 0xf0) == 0) result |= DEVICE;
  shareability = <u32>(desc >> 8) & 3;
  // Stage 2 of the EL1&0 regime will translate `output` and combine the attributes here.
  pa = output;
  attributes = result;
  return NO_FAULT;
}

/** Is an access allowed by `attributes`? `access`: READ, WRITE, EXECUTE or a union. */
export function isAllowed(attributes: u32, isPrivileged: bool, pan: bool, access: u32): bool {
  if (!isPrivileged) attributes >>= 3;
  else if (pan && (attributes & UR) != 0) attributes &= PX;
  return (attributes & access) == access;
}

/**
 * Writes the access flag, and the dirty state if the access is a write, into the descriptor of the last walk, after the
 * access has been found to be allowed (Arm ARM D8.5). No fault, or an external abort if the table cannot be written.
 */
export function walkCommit(isWrite: bool): i32 {
  const makeDirty = isWrite && (attributes & CLEAN) != 0;
  if (pending == 0 && !makeDirty) return NO_FAULT;
  const desc = load<u64>(descriptorAt) | pending;
  // The region that linearOf() found last is the descriptor's.
  if (!isWritable()) return FAULT_EXTERNAL_ON_WALK + level;
  store<u64>(descriptorAt, makeDirty ? desc & ~DESC_AP2 : desc);
  pending = 0;
  if (makeDirty) attributes &= ~CLEAN;
  return NO_FAULT;
}
