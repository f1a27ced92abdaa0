// What the descriptors of both stages have in common (Arm ARM D8.3).

import { ID_AA64MMFR0_EL1 } from "../cpu/sysreg-layout";

export const DESC_VALID: u64 = 1 << 0;
export const DESC_TABLE: u64 = 1 << 1;
export const DESC_AF: u64 = 1 << 10;
export const DESC_DBM: u64 = (<u64>1) << 51;
export const DESC_CONTIGUOUS: u64 = (<u64>1) << 52;
export const DESC_ADDRESS: u64 = 0x0000fffffffff000;
/** BADDR of a TTBR. */
export const BASE_ADDRESS: u64 = 0x0000fffffffffffe;

/** Bits of a physical address of this PE (PARange), at most 48. */
export function implementedPASize(cpu: usize): i32 {
  return paSize(<u32>load<u64>(cpu, ID_AA64MMFR0_EL1) & 15);
}

/** Bits of an address by PARange, IPS or PS. */
export function paSize(encoding: u32): i32 {
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
export function outside(address: u64, bits: i32): bool {
  return address >> <u64>bits != 0;
}

/** Log2 of the granule by a TG0 field. The reserved value means 4 KB. */
@inline
export function granuleOf(tg0: u32): i32 {
  return tg0 == 1 ? 16 : tg0 == 2 ? 14 : 12;
}

/** Is `desc`, which is no table, a block or page that there may be at level `at`? */
@inline
export function isLeaf(desc: u64, at: i32, grain: i32): bool {
  if (at == 3) return (desc & DESC_TABLE) != 0;
  return at == 2 || (at == 1 && grain == 12);
}

/** Log2 of the bytes that a contiguous run at `level` spans. */
export function contiguousShift(grain: i32, blockShift: i32): i32 {
  if (grain == 12) return blockShift + 4;
  if (grain == 16) return blockShift + 5;
  return blockShift == 14 ? 21 : 30;
}
