// Guest physical addresses: which of them are linear memory.

import {
  PHYS_REGIONS,
  PHYS_REGION_BASE,
  PHYS_REGION_BYTES,
  PHYS_REGION_FLAGS,
  PHYS_REGION_NO_READ,
  PHYS_REGION_PA,
  PHYS_REGION_READ_ONLY,
  PHYS_REGION_SECURE,
  PHYS_REGION_SIZE,
} from "../memory/linear-layout";

/** PHYS_REGION_FLAGS of the region that the last successful linearOf() found. */
let regionFlags: u32 = 0;

/** The linear address of physical address `pa`, or 0: no memory is there. */
export function linearOf(pa: u64): usize {
  const end = PHYS_REGIONS + PHYS_REGION_SIZE * (load<i32>(PHYS_REGIONS) + 1);
  for (let r = PHYS_REGIONS + PHYS_REGION_SIZE; r < end; r += PHYS_REGION_SIZE) {
    const offset = pa - load<u64>(r, PHYS_REGION_PA);
    if (offset < load<u64>(r, PHYS_REGION_BYTES)) {
      regionFlags = load<u32>(r, PHYS_REGION_FLAGS);
      return <usize>load<u32>(r, PHYS_REGION_BASE) + <usize>offset;
    }
  }
  return 0;
}

/** After linearOf(): do reads reach the memory? */
@inline
export function isReadable(): bool {
  return (regionFlags & PHYS_REGION_NO_READ) == 0;
}

/** After linearOf(): may an access of this Security state have it? */
@inline
export function isReachable(isNonSecure: bool): bool {
  return (regionFlags & PHYS_REGION_SECURE) == 0 || !isNonSecure;
}

/** After linearOf(): do reads of this Security state reach the memory? */
@inline
export function isReadableBy(isNonSecure: bool): bool {
  return isReadable() && isReachable(isNonSecure);
}

/** After linearOf(): do writes reach the memory? */
@inline
export function isWritable(): bool {
  return (regionFlags & (PHYS_REGION_READ_ONLY | PHYS_REGION_NO_READ)) == 0;
}

/** The physical address of linear address `linear`, which linearOf() gave. */
export function physicalOf(linear: usize): u64 {
  const end = PHYS_REGIONS + PHYS_REGION_SIZE * (load<i32>(PHYS_REGIONS) + 1);
  for (let r = PHYS_REGIONS + PHYS_REGION_SIZE; r < end; r += PHYS_REGION_SIZE) {
    const offset = <u64>linear - <u64>load<u32>(r, PHYS_REGION_BASE);
    if (offset < load<u64>(r, PHYS_REGION_BYTES)) return load<u64>(r, PHYS_REGION_PA) + offset;
  }
  return ~(<u64>0);
}
