// Offsets of GICC and GICV, which are alike (IHI0048B 4.4, 5.5).

export const CPU_INTERFACE_SIZE = 0x2000;

export const CTLR = 0x0;
export const PMR = 0x4;
export const BPR = 0x8;
export const IAR = 0xc;
export const EOIR = 0x10;
export const RPR = 0x14;
export const HPPIR = 0x18;
export const ABPR = 0x1c;
export const AIAR = 0x20;
export const AEOIR = 0x24;
export const AHPPIR = 0x28;
/** With 32 levels one word: of Group 0, and of Group 1. */
export const APR0 = 0xd0;
export const NSAPR0 = 0xe0;
export const IIDR = 0xfc;
export const DIR = 0x1000;

/** Architecture version 2, implementer Arm. */
export const IIDR_VALUE = (2 << 16) | 0x43b;
/** Read of a register that is not the highest pending interrupt's group's (IHI0048B 3.2.4). */
export const OTHER_GROUP = 1022;
export const INTID_MASK = 0x3ff;
