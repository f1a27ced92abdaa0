// The layout of one processing element in linear memory: the only place where its guest-visible state lives.
// Read by TypeScript and AssemblyScript alike, so this file holds integer constants and nothing else, and imports nothing.
// Every offset is in bytes from the address of the PE's block ("cpu" everywhere). 64-bit values are little-endian.

/** Bytes from one PE's block to the next. */
export const CPU_STRIDE = 0x100000;

// General registers: 64-bit slots. Slot 31 always reads as zero (XZR); slot 32 takes writes to XZR; slot 33 is the current SP.
export const X = 0x000;
export const SLOT_ZR = 31;
export const SLOT_DISCARD = 32;
export const SLOT_SP = 33;
export const SP = 0x108;
export const PC = 0x110;

// Condition flags, kept unpacked. NF and VF: the flag is bit 31. ZF: the flag is set iff the word is zero. CF: 0 or 1.
export const NF = 0x120;
export const ZF = 0x124;
export const CF = 0x128;
export const VF = 0x12c;
// While translated code runs, the flags may be pending instead: what set them, with its operands. The engine settles them into the words
// above before anything else looks.
/** i32: a PENDING_* kind, 0 when the words above hold. */
export const PENDING_FLAGS = 0x430;
/** i64 each: the operands, in the low half for 32-bit kinds. */
export const PENDING_A = 0x438;
export const PENDING_B = 0x440;
/** i64: context number of accesses whose natural alignment has been checked, while ALIGN_CHECK is 1. */
export const CTX_CHECKED = 0x448;
// What pointer authentication needs of the translation context.
/** i64 each: the bits of a pointer that hold its code; instruction addresses with bit 55 = 0 and = 1, then data addresses. */
export const PAC_FIELDS = 0x450;
/** i32 each: the bit of a pointer that AddPAC() takes for its range; instruction addresses, data addresses. */
export const PAC_SELECT = 0x470;
/** i32: bit 0 IA, 1 IB, 2 DA, 3 DB: the key is enabled, and its use does not trap. */
export const PAC_ENABLED = 0x478;
/** i32: 1 while native code may take exceptions and return from them: nobody looks on, and no event counter counts. */
export const NATIVE_TAKES = 0x47c;

// The rest of PSTATE, one 32-bit word a field. DAIF keeps D,A,I,F in bits 9:6, where MRS DAIF has them.
export const EL = 0x130;
export const SPSEL = 0x134;
export const DAIF = 0x138;
export const PAN = 0x13c;
export const UAO = 0x140;
export const PSTATE_SS = 0x144;
export const PSTATE_IL = 0x148;
export const BTYPE = 0x14c;
export const DIT = 0x150;
export const SSBS = 0x154;
export const TCO = 0x158;
/** 1 in Secure state, 0 in Non-secure. */
export const SECURE = 0x15c;

export const FPCR = 0x160;
export const FPSR = 0x164;
/** What the host's own floating point may do in the place of Arm's: FP_FAST_* bits, functions of FPCR and FPSR. */
export const FP_FAST = 0x168;
/** FPCR.RMode is RN, FPCR.FZ is 0 and FPSR.IXC is already set: arithmetic may skip the inexact flag. */
export const FP_FAST_ARITHMETIC = 1;
/** FPCR.FZ is 0: denormal numbers count as what they are, and comparisons raise nothing but what NaNs do. */
export const FP_FAST_NO_FLUSH = 2;
/** Nonzero when FP and SIMD instructions trap at the current exception level (CPACR_EL1.FPEN and friends). */
export const FP_TRAP = 0x16c;

// What translated and interpreted code needs of the current translation context.
/** i64: context number (12 bits, 1..4095) of the current regime, EL, PAN and ASID; the low bits of every TLB tag. */
export const CTX = 0x170;
/** i64: the context that LDTR and STTR use (EL0's view when not UAO). */
export const CTX_UNPRIV = 0x178;
/** i64: virtual address of the page that is being executed. */
export const FETCH_VA = 0x180;
/** i32: address of the decoded page that is being executed (see engine). */
export const FETCH_BASE = 0x188;
/**
 * i32: 1 while an unaligned access faults (SCTLR_ELx.A, or translation is off and all memory is Device), else 0. Pages are then in
 * the data TLB under CTX_CHECKED only, for code that looks at the alignment first.
 */
export const ALIGN_CHECK = 0x18c;
/** i32: nonzero while SP alignment checks are on at the current EL (SCTLR_ELx.SA/SA0). */
export const SP_CHECK = 0x190;
/** i32: nonzero while TBI/TBID make branch targets lose their top byte, bit 0: for bit 55 = 0, bit 1: for bit 55 = 1. */
export const BRANCH_TBI = 0x194;

// Ways out of running code.
/** i32: an EXIT_* reason, 0 while code runs. Set before code returns to the dispatcher. */
export const EXIT = 0x198;
/** i32: instructions that may still run in this slice when code returned. */
export const BUDGET = 0x19c;
/** i32: set (to 1) by anything that may have made an interrupt deliverable or wants the dispatcher soon. */
export const ATTENTION = 0x1a0;
/** i32: 1 while the PE waits in WFI/WFE. */
export const HALTED = 0x1a4;
/** i32: the event register of WFE/SEV. */
export const EVENT_REGISTER = 0x1a8;
/** i32: PSCI power state: 0 on, 1 off, 2 on pending. */
export const POWER = 0x1ac;
/** i32: pending physical lines into this PE: bit 0 IRQ, bit 1 FIQ, bit 2 SError; bits 4, 5, 6: virtual ones. */
export const LINES = 0x1b0;
/** i32: index of this PE. */
export const CPU_INDEX = 0x1b4;
/** i64: retired instructions. */
export const INSTRUCTIONS = 0x1b8;

// A pending synchronous exception, filled in by whoever found it, taken by the dispatcher (EXIT_EXCEPTION).
/** i32: exception class, ESR_ELx.EC. */
export const EXC_EC = 0x1c0;
/** i32: ESR_ELx.ISS, as if the exception went to EL1. */
export const EXC_ISS = 0x1c4;
/** i64: faulting virtual address for FAR_ELx, where the class has one. */
export const EXC_FAR = 0x1c8;
/** i64: faulting intermediate physical address, for HPFAR_EL2. */
export const EXC_IPA = 0x1d0;
/** i32: target exception level if forced (HVC 2, SMC 3), else 0 = by the routing rules. */
export const EXC_TARGET = 0x1d8;
/** i32: 1 for a stage 2 fault. */
export const EXC_STAGE2 = 0x1dc;

// Local exclusive monitor (Arm ARM B2.9). EXCL_ADDR is the physical address, -1 when open.
export const EXCL_ADDR = 0x1e0;
export const EXCL_SIZE = 0x1e8;
/** The 16 bytes that were loaded. */
export const EXCL_VALUE = 0x1f0;

/** SIMD and FP registers, 32 of 16 bytes. */
export const V = 0x200;

/** Scratch through which 64-bit and 128-bit values pass between WebAssembly and the host without BigInt. */
export const ARG0 = 0x400;
export const ARG1 = 0x408;
export const ARG2 = 0x410;
export const ARG3 = 0x418;
export const RESULT = 0x420;
export const RESULT_HI = 0x428;

// Counters for people, i64 each. They survive a reset, and no guest sees them. Hot paths count nothing.
export const COUNTERS = 0x480;
/** Accesses that the data TLB did not have, or that were unaligned across a page or to a device. */
export const COUNT_DATA_MISSES = 0x480;
/** Fetches that the instruction TLB did not have. */
export const COUNT_FETCH_MISSES = 0x488;
/** Walks of the translation tables for accesses and fetches that the second-level TLB did not have. */
export const COUNT_WALKS = 0x490;
/** Interrupts taken, by the physical line: IRQ, FIQ, SError; virtual ones count like them. */
export const COUNT_IRQ = 0x498;
export const COUNT_FIQ = 0x4a0;
export const COUNT_SERROR = 0x4a8;
/** Instructions that translated code has executed, where the engine was told to count them. */
export const COUNT_TRANSLATED = 0x4b0;
/** Synchronous exceptions taken: 64 counters, by ESR_ELx.EC. */
export const COUNT_EXCEPTIONS = 0x500;

// Break- and watchpoints of a debugger outside of the guest (machine/gdb/). They survive a reset, and no guest sees them.
/** i32: 1 while there are breakpoints, so that the host looks at each page that is entered. */
export const DEBUGGER_BREAKS = 0x3000;
/** i32: how many of the watchpoints that follow there are. */
export const DEBUGGER_WATCHES = 0x3004;
/** Each: i64 first address, i64 last address, i32 what it watches for: 1 reads, 2 writes, 3 both. */
export const DEBUGGER_WATCH = 0x3008;
export const DEBUGGER_WATCH_BYTES = 24;
export const DEBUGGER_WATCH_MAX = 16;
/**
 * EXC_EC of an access that such a watchpoint stops, which is no exception: the address is in EXC_FAR, the watchpoint's number in EXC_ISS.
 */
export const EXC_DEBUGGER = 0x40;

/** System registers: 64-bit slots, named in sysreg-layout.ts. */
export const SYSREGS = 0x1000;
export const SYSREGS_END = 0x3000;

// Data TLB: direct-mapped, DTLB_ENTRIES entries of 32 bytes.
// An access of n bytes at va hits when the entry's tag equals (page of (va + n - 1)) | CTX, so an access across a page misses.
export const DTLB = 0x80000;
export const DTLB_ENTRIES = 16384;
export const DTLB_ENTRY_SHIFT = 5;
/** i64: tag for reads. 0 never matches: context numbers start at 1. */
export const DTLB_READ = 0;
/** i64: tag for writes. */
export const DTLB_WRITE = 8;
/** i32: what to add to the low 32 bits of va to get the address in linear memory. */
export const DTLB_ADDEND = 16;

// Instruction TLB: direct-mapped, 16 bytes an entry.
export const ITLB = 0x24000;
export const ITLB_ENTRIES = 1024;
export const ITLB_ENTRY_SHIFT = 4;
/** i64: page | CTX. */
export const ITLB_TAG = 0;
/** i32: decoded page. */
export const ITLB_BASE = 8;
/** i32: bit 0: guarded page (BTI). */
export const ITLB_FLAGS = 12;

// Second-level TLB, kept by vmsa (layout there).
export const TLB2 = 0x28000;
export const TLB2_END = 0x7f000;

// EXIT reasons.
/** The slice's budget is used up, or ATTENTION was set. PC is right. */
export const EXIT_BUDGET = 1;
/** A synchronous exception is pending in EXC_*; PC is the preferred return address that ELR will get. */
export const EXIT_EXCEPTION = 2;
/** The PE waits (WFI, WFE). */
export const EXIT_WAIT = 3;
/** An instruction that the host executes (ERET, system instruction) asked for the dispatcher to look again. PC is right. */
export const EXIT_RESUME = 4;
/** Reserved for debugging: the one instruction of a step is done. */
export const EXIT_STEP = 5;
/** The page at PC must be fetched and decoded by the host. */
export const EXIT_FETCH = 6;
/**
 * Native code leaves the instruction at PC to the host: ARG0 (i32) is one of HOST_*, ARG1 and ARG2 (i32) are what the host function is
 * called with.
 */
export const EXIT_HOST = 7;
export const HOST_RETURN = 0;
export const HOST_PSTATE = 1;
export const HOST_SVC = 2;
