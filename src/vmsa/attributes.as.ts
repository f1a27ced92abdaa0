// What a translation says: a fault status code, or attributes of the page.

// Fault status codes, to which the level is added (Arm ARM D24.2.37, DFSC).
export const NO_FAULT: i32 = -1;
export const FAULT_ADDRESS_SIZE: i32 = 0x00;
export const FAULT_TRANSLATION: i32 = 0x04;
export const FAULT_ACCESS_FLAG: i32 = 0x08;
export const FAULT_PERMISSION: i32 = 0x0c;
export const FAULT_EXTERNAL: i32 = 0x10;
export const FAULT_EXTERNAL_ON_WALK: i32 = 0x14;
export const FAULT_ALIGNMENT: i32 = 0x21;
/** With a status code: at stage 2 of the translation of a stage 1 descriptor's address, where ISS.S1PTW is. */
export const FAULT_S1PTW: i32 = 1 << 7;
/** With a status code: at stage 2. No part of the ISS. */
export const FAULT_STAGE2: i32 = 1 << 30;

/** The status code of a fault, its level included. */
@inline
export function statusOf(fault: i32): i32 {
  return fault & 0x3f;
}

// Attributes of a translation. P: privileged, U: unprivileged; what PAN takes away is taken away when permissions are
// checked.
export const PR: u32 = 1 << 0;
export const PW: u32 = 1 << 1;
export const PX: u32 = 1 << 2;
export const UR: u32 = 1 << 3;
export const UW: u32 = 1 << 4;
export const UX: u32 = 1 << 5;
export const RIGHTS: u32 = 63;
/** Any Device memory type. */
export const DEVICE: u32 = 1 << 6;
/** The GP bit (FEAT_BTI). */
export const GUARDED: u32 = 1 << 7;
/** May be written, but a descriptor says read-only until the first write makes it dirty (FEAT_HAFDBS). */
export const CLEAN: u32 = 1 << 8;
/** For all ASIDs. */
export const GLOBAL: u32 = 1 << 9;
/** Log2 of the bytes of the block or page, and of the contiguous run it belongs to at stage 1. */
export const BLOCK_SHIFT: u32 = 10;
export const SPAN_SHIFT: u32 = 16;
export const SHIFT_MASK: u32 = 63;
/** The output address is Non-secure. */
export const NON_SECURE: u32 = 1 << 22;
/** Device by stage 2 alone. */
export const DEVICE_BY_STAGE2: u32 = 1 << 23;

// What an access wants.
export const READ: u32 = 1;
export const WRITE: u32 = 2;
export const EXECUTE: u32 = 4;

/** Is an access allowed by `attributes`? `access`: READ, WRITE, EXECUTE or a union; 0 is always allowed. */
export function isAllowed(attributes: u32, isPrivileged: bool, pan: bool, access: u32): bool {
  if (!isPrivileged) attributes >>= 3;
  // Stage 2 may have taken away the reading of what EL0 can write.
  else if (pan && (attributes & (UR | UW)) != 0) attributes &= PX;
  return (attributes & access) == access;
}
