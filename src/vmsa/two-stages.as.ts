// AArch64.FullTranslate(): stage 1, and stage 2 where the EL1&0 regime has it, with the permissions of both.

import {
  BLOCK_SHIFT,
  CLEAN,
  DEVICE,
  DEVICE_BY_STAGE2,
  EXECUTE,
  FAULT_PERMISSION,
  NON_SECURE,
  NO_FAULT,
  READ,
  RIGHTS,
  SHIFT_MASK,
  WRITE,
  isAllowed,
} from "./attributes.as";
import { combined, combinedShareability, combinedWithFWB, effectiveShareability, isDevice } from "./memory-type.as";
import { HCR_CD, HCR_FWB, HCR_ID, effectiveHCR, hasStage2, isSecureBelowEL3 } from "./regime.as";
import {
  stage2,
  stage2Block,
  stage2Commit,
  stage2MemAttr,
  stage2PA,
  stage2PermissionFault,
  stage2Rights,
  stage2Shareability,
  stage2Span,
} from "./stage2.as";
import {
  forbiddenToSecure,
  walk,
  walkAttr,
  walkAttributes,
  walkCommit,
  walkLevel,
  walkPA,
  walkShareability,
} from "./walk.as";

let pa: u64 = 0;
let attributes: u32 = 0;
let attr: u32 = 0;
let shareability: u32 = 0;
let source: u64 = 0;
let isWriteFault: bool = false;

/** The physical address of the byte. */
@inline
export function fullPA(): u64 {
  return pa;
}
@inline
export function fullAttributes(): u32 {
  return attributes;
}
/** Where stage 2 had it from: see SOURCES of tlb-layout.as.ts. */
@inline
export function fullSource(): u64 {
  return source;
}
/** The memory type in MAIR_ELx's encoding. */
@inline
export function fullAttr(): u32 {
  return attr;
}
/** In the encoding of SH. */
@inline
export function fullShareability(): u32 {
  return shareability;
}
/** After a fault: would a mere read not have had it? */
@inline
export function isFaultOfWrite(): bool {
  return isWriteFault;
}

/** What the permission fault of an access is for, when `allowed` does not allow it. */
function notePermissionFault(allowed: u32, isPrivileged: bool, pan: bool, access: u32): void {
  isWriteFault = (access & WRITE) != 0 && ((access & READ) == 0 || isAllowed(allowed, isPrivileged, pan, READ));
}

/** Stage 1, with its permissions, of an access: READ, WRITE, EXECUTE, a union, or 0, which needs none. */
export function firstStage(
  cpu: usize, regime: i32, va: u64, isPrivileged: bool, pan: bool, access: u32, commit: bool,
): i32 {
  isWriteFault = access == WRITE;
  const fault = walk(cpu, regime, va, isPrivileged, access == EXECUTE, commit);
  if (fault != NO_FAULT) return fault;
  attributes = walkAttributes();
  if (!isAllowed(attributes, isPrivileged, pan, access)) {
    notePermissionFault(attributes, isPrivileged, pan, access);
    return FAULT_PERMISSION + walkLevel();
  }
  if (commit) {
    const refused = walkCommit(cpu, regime, (access & WRITE) != 0);
    if (refused != NO_FAULT) return refused;
    attributes = walkAttributes();
  }
  pa = walkPA();
  attr = walkAttr();
  shareability = effectiveShareability(attr, walkShareability());
  return NO_FAULT;
}

/** The memory type and shareability of both stages (Arm ARM D8.6.5). */
function combine(cpu: usize, access: u32): void {
  const hcr = effectiveHCR(cpu);
  const memAttr = stage2MemAttr();
  const isCacheDisabled = (hcr & (access == EXECUTE ? HCR_ID : HCR_CD)) != 0;
  attr = (hcr & HCR_FWB) != 0 ? combinedWithFWB(attr, memAttr) : combined(attr, memAttr, isCacheDisabled);
  shareability = effectiveShareability(attr, combinedShareability(shareability, stage2Shareability()));
}

/** Stage 2 of what firstStage() gave. */
export function secondStage(cpu: usize, isPrivileged: bool, access: u32, commit: bool): i32 {
  const ipa = pa;
  const isNonSecureIPA = (attributes & NON_SECURE) != 0;
  isWriteFault = access == WRITE;
  const fault = stage2(cpu, ipa, isNonSecureIPA);
  if (fault != NO_FAULT) return fault;
  let rights = stage2Rights();
  if ((rights & NON_SECURE) != 0 && isSecureBelowEL3(cpu)) rights &= ~forbiddenToSecure(cpu);
  if (!isAllowed(rights, isPrivileged, false, access)) {
    notePermissionFault(rights, isPrivileged, false, access);
    return stage2PermissionFault(cpu, ipa, isNonSecureIPA);
  }
  if (commit) {
    const refused = stage2Commit(cpu, ipa, isNonSecureIPA, access);
    if (refused != NO_FAULT) return refused;
    rights = (rights & ~CLEAN) | (stage2Rights() & CLEAN);
  }

  combine(cpu, access);
  source = (ipa & ~(<u64>0xfff)) | <u64>stage2Span();
  const block = min((attributes >> BLOCK_SHIFT) & SHIFT_MASK, <u32>stage2Block());
  let result = attributes & (rights | ~RIGHTS) & ~((SHIFT_MASK << BLOCK_SHIFT) | DEVICE | NON_SECURE);
  result |= (block << BLOCK_SHIFT) | (rights & (CLEAN | NON_SECURE));
  if (isDevice(attr)) result |= (attributes & DEVICE) != 0 ? DEVICE : DEVICE | DEVICE_BY_STAGE2;
  attributes = result;
  pa = stage2PA();
  return NO_FAULT;
}

/**
 * Translates `va` for an access: READ, WRITE, EXECUTE, a union, or 0, which needs no permission. NO_FAULT with the
 * result in full*(), or a fault. With `commit` the descriptors get their access flags and dirty state.
 */
export function fullTranslate(
  cpu: usize, regime: i32, va: u64, isPrivileged: bool, pan: bool, access: u32, commit: bool,
): i32 {
  source = 0;
  const fault = firstStage(cpu, regime, va, isPrivileged, pan, access, commit);
  if (fault != NO_FAULT || !hasStage2(cpu, regime)) return fault;
  return secondStage(cpu, isPrivileged, access, commit);
}
