// Where the state of an interrupt controller is, in 32-bit words from GIC_STATE. Integer constants only, no imports.

/** INTIDs that exist: 16 SGIs, 16 PPIs, 256 SPIs. */
export const INTIDS = 288;
/** Words of a bitmap with one bit an INTID. Word 0, the private INTIDs, is banked: every PE's block has its own. */
export const WORDS = 9;
/** From one bitmap to the next. */
export const BITMAP_STRIDE = 16;

// Bitmaps: SHARED + field + word for SPIs, the PE's block + field for word 0.
/** 1: Group 1, 0: Group 0. */
export const GROUP = 0;
export const ENABLE = 16;
/** Pending whatever the line's level: an edge seen, a write to ISPENDR, an SGI. */
export const LATCH = 32;
/** Level of the input. */
export const LINE = 48;
export const ACTIVE = 64;
/** 1: edge-triggered, 0: level-sensitive. */
export const EDGE = 80;
/** In a PE's block, words 1 and up: SPIs routed to that PE. In the shared block: SPIs for any one participating PE. */
export const ROUTE = 96;

export const SHARED = 0;
/** Group enables of the distributor: bit 0 Group 0, bit 1 Group 1. */
export const DIST_ENABLE = 112;
/** Indices of the PEs that get 1-of-N interrupts of Group 0 and of Group 1, -1: none. */
export const ONE_OF_N = 113;
/** A byte an INTID, in a PE's block for INTIDs 0..31, in the shared one for the others. */
export const PRIORITY = 128;
/** GICD_ITARGETSR: a byte an INTID. */
export const TARGETS = 256;
/** GICD_IROUTER: two words an INTID. */
export const ROUTER = 384;

export const PE_BLOCKS = 2048;
export const PE_STRIDE = 256;
/** Group enables of the CPU interface, as DIST_ENABLE. */
export const GROUP_ENABLE = 112;
/** GICR_WAKER.ProcessorSleep. */
export const SLEEP = 113;
/** 1: Group 0 is signalled as FIQ, 0: as IRQ. */
export const FIQ_ENABLE = 114;
export const EOI_MODE = 115;
/** Common binary point. */
export const CBPR = 116;
/** GICC_CTLR.AckCtl. */
export const ACK_CTL = 117;
export const PMR = 118;
/** Binary points of Group 0, Group 1. */
export const BPR = 119;
/** Active priorities of Group 0, Group 1: bit n is priority n << 3. */
export const ACTIVE_PRIORITIES = 121;
/** The highest priority pending interrupt that may be forwarded, or SPURIOUS, and its priority. Kept by update(). */
export const BEST = 123;
export const BEST_PRIORITY = 124;
/** What is signalled to the PE: bit 0 IRQ, bit 1 FIQ. */
export const OUTPUT = 125;
/** GICv2, a byte an SGI: the CPU interfaces it is pending from. */
export const SGI_SOURCES = 136;
