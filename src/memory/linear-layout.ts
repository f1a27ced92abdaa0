// Where things are in the one linear memory. Read by TypeScript and AssemblyScript alike: integer constants only, no imports.
// [0, 1024) is never used, so that a zero address is never valid; AssemblyScript's static data follows from 1024.

/** Table of guest physical regions backed by linear memory (RAM, ROM, flash): see the offsets below. */
export const PHYS_REGIONS = 0x80000;
/** i32 at PHYS_REGIONS: how many entries are used; the entries follow from PHYS_REGIONS + PHYS_REGION_SIZE. */
/** i32: address of the engine's map from pages of linear memory to decoded pages: an i32 for each 4 KiB page, 0 for none. */
export const CODE_MAP = 0x80008;
export const PHYS_REGION_MAX = 30;
export const PHYS_REGION_SIZE = 32;
/** u64: first guest physical address, page aligned. */
export const PHYS_REGION_PA = 0;
/** u64: bytes, page aligned. */
export const PHYS_REGION_BYTES = 8;
/** u32: address of its first byte in linear memory. */
export const PHYS_REGION_BASE = 16;
/** u32: bit 0: writes do not reach it (they go to the bus, as to a device). bit 1: reads too (flash in a command mode). bit 2: only Secure accesses reach it. */
export const PHYS_REGION_FLAGS = 20;
export const PHYS_REGION_READ_ONLY = 1;
export const PHYS_REGION_NO_READ = 2;
export const PHYS_REGION_SECURE = 4;

/** Interrupt controller state, laid out by devices/. */
export const GIC_STATE = 0x90000;
export const GIC_STATE_END = 0x100000;

/** First PE's block; the others follow at CPU_STRIDE (cpu/state-layout.ts). Decoded pages and guest RAM follow those. */
export const CPU_BASE = 0x100000;
