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

/** With GROUP 0 (IHI0069 4.6, GICD_IGRPMODR): 1: Secure Group 1, 0: Group 0. Zero in a single Security state. */
export const MODIFIER = 208;
/** GICD_NSACR: two bits an INTID, 16 to a word, from word 0 in the PE's block for INTIDs 0..31, in the shared one for the others. */
export const NS_ACCESS = 224;

export const SHARED = 0;
/** Group enables of the distributor: bit n is group n of state.ts. */
export const DIST_ENABLE = 112;
/** Indices of the PEs that get 1-of-N interrupts of each group, -1: none. */
export const ONE_OF_N = 113;
/** GICD_CTLR.DS: there is a single Security state. */
export const SINGLE_STATE = 116;
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
/** EOI does not deactivate: bit 0 Non-secure, or the only state; bit 1 Secure; bit 2 EL3. */
export const EOI_MODE = 115;
/** Common binary point: bit 0 of Group 1, bit 1 of Secure Group 1. */
export const CBPR = 116;
/** GICC_CTLR.AckCtl. */
export const ACK_CTL = 117;
export const PMR = 118;
/** ICC_SRE_ELx.Enable: bit 0 EL2, bit 1 EL3. */
export const SRE_ENABLE = 119;
/** Binary points of the groups. */
export const BPR = 120;
/** Active priorities of the groups: bit n is priority n << 3. */
export const ACTIVE_PRIORITIES = 123;
/** The highest priority pending interrupt that may be forwarded, or SPURIOUS, and its priority. Kept by update(). */
export const BEST = 126;
export const BEST_PRIORITY = 127;
/** GICv2, a byte an SGI: the CPU interfaces it is pending from. */
export const SGI_SOURCES = 136;
/** What is signalled to the PE: LINE_* bits (cpu/ports.ts). */
export const OUTPUT = 140;

// The virtual CPU interface, in a PE's block.
/** ICH_HCR_EL2. */
export const VIRTUAL_CONTROL = 144;
/** ICH_VMCR_EL2. */
export const VIRTUAL_MACHINE = 145;
/** ICH_AP0R0_EL2, ICH_AP1R0_EL2. */
export const VIRTUAL_ACTIVE_PRIORITIES = 146;
/** Number of the list register with the highest priority pending virtual interrupt of an enabled group, -1: none. */
export const VIRTUAL_BEST = 148;
/** Halves of ICH_LR<n>_EL2. */
export const LIST_LOW = 160;
export const LIST_HIGH = 176;
