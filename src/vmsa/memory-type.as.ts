// How stage 2 changes the memory type and the shareability that stage 1 gives (Arm ARM D8.6.5, D8.6.6). Types are in
// MAIR_ELx's encoding, shareability in that of SH.

/** Normal Non-cacheable, inner and outer. */
export const NON_CACHEABLE: u32 = 0x44;
/** Normal Write-Back with all allocation hints, inner and outer. */
export const WRITE_BACK: u32 = 0xff;
export const OUTER_SHAREABLE: u32 = 2;
export const INNER_SHAREABLE: u32 = 3;

// Cacheability, as MemAttr has it.
const NC: u32 = 1;
const WT: u32 = 2;

@inline
export function isDevice(attr: u32): bool {
  return (attr & 0xf0) == 0;
}

/** Device and Normal Non-cacheable memory are Outer Shareable, whatever a descriptor says. SH 0b01 is reserved: none. */
@inline
export function effectiveShareability(attr: u32, sh: u32): u32 {
  if (isDevice(attr) || attr == NON_CACHEABLE) return OUTER_SHAREABLE;
  return sh == 1 ? 0 : sh;
}

/** Half of a Normal type of stage 1, limited to a cacheability. The hints are those of stage 1. */
function limited(half: u32, cacheability: u32): u32 {
  if (half == 4 || cacheability == NC) return 4;
  return cacheability == WT ? half & ~4 : half;
}

/** Half of a Normal type of stage 1, made Write-Back. */
@inline
function forced(half: u32): u32 {
  return half == 4 ? 15 : half | 4;
}

/** HCR_EL2.FWB is 0. `memAttr`: MemAttr[3:0] of the stage 2 descriptor. `isCacheDisabled`: HCR_EL2.CD, or ID for a fetch. */
export function combined(attr: u32, memAttr: u32, isCacheDisabled: bool): u32 {
  const outer = memAttr >> 2;
  // The types of Device memory are in the order of their strength, the strongest first.
  if (outer == 0) return isDevice(attr) ? min(attr & 0xc, memAttr << 2) : memAttr << 2;
  if (isDevice(attr)) return attr & 0xc;
  if (isCacheDisabled) return NON_CACHEABLE;
  // Inner 0b00 is reserved.
  const inner = max(memAttr & 3, NC);
  return (limited(attr >> 4, outer) << 4) | limited(attr & 15, inner);
}

/** HCR_EL2.FWB is 1. */
export function combinedWithFWB(attr: u32, memAttr: u32): u32 {
  if ((memAttr & 4) == 0) {
    const device = (memAttr & 3) << 2;
    return isDevice(attr) ? min(attr & 0xc, device) : device;
  }
  switch (memAttr & 3) {
    case 3: return attr;
    case 2: return isDevice(attr) ? WRITE_BACK : (forced(attr >> 4) << 4) | forced(attr & 15);
    // 0b00 is reserved.
    default: return isDevice(attr) ? attr & 0xc : NON_CACHEABLE;
  }
}

/** The stronger of two effective shareabilities. */
export function combinedShareability(a: u32, b: u32): u32 {
  if (a == OUTER_SHAREABLE || b == OUTER_SHAREABLE) return OUTER_SHAREABLE;
  return a == INNER_SHAREABLE || b == INNER_SHAREABLE ? INNER_SHAREABLE : 0;
}
