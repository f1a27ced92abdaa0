// What a processing element is given from the rooms above it and from the outside.

/** What executes code (engine/). `page` is the address of a page of guest memory in linear memory. */
export interface CodeEngine {
  /** Runs the PE from PC, with FETCH_VA and FETCH_BASE set, until EXIT is set. */
  run(cpu: number, budget: number): void;
  /** The decoded page of the page of guest memory at linear address `page`, made if need be. What FETCH_BASE and ITLB_BASE hold. */
  decodedPage(page: number): number;
  /** IC IVAU: `bytes` from linear address `start` may have changed. */
  invalidateCode(start: number, bytes: number): void;
  /** IC IALLU: any code may have changed. False: none of what is in use has, and what runs may go on. */
  invalidateAllCode(): boolean;
}

/** The bus, for accesses that are not to memory. Values in unsigned 32-bit halves. */
export interface BusPort {
  /** False: no device answers (external abort). The data goes to `data`, low half first (16 bytes: four words). */
  read(address: number, bytes: number, data: Uint32Array): boolean;
  write(address: number, bytes: number, data: Uint32Array): boolean;
}

// The lines from an interrupt controller into a PE: bits of LINES.
export const LINE_IRQ = 1 << 0;
export const LINE_FIQ = 1 << 1;
export const LINE_VIRQ = 1 << 4;
export const LINE_VFIQ = 1 << 5;
/** Interrupts of a GICv3's Secure and Non-secure Group 1: IRQ in their own Security state, FIQ in the other and at EL3 (IHI0069 4.6.2). */
export const LINE_SECURE_GROUP1 = 1 << 8;
export const LINE_NONSECURE_GROUP1 = 1 << 9;
/** All that an interrupt controller drives. */
export const CONTROLLER_LINES =
  LINE_IRQ | LINE_FIQ | LINE_VIRQ | LINE_VFIQ | LINE_SECURE_GROUP1 | LINE_NONSECURE_GROUP1;

// What an access to the CPU interface is: of ICV_* registers, not ICC_*; at EL3; with the banked registers of Non-secure state (always
// without EL3); with SCR_EL3.FIQ and SCR_EL3.IRQ set.
export const VIEW_VIRTUAL = 1 << 0;
export const VIEW_EL3 = 1 << 1;
export const VIEW_NONSECURE = 1 << 2;
export const VIEW_FIQ_TO_EL3 = 1 << 3;
export const VIEW_IRQ_TO_EL3 = 1 << 4;

/**
 * An interrupt controller's CPU interface by system registers (GICv3: ICC_*, ICV_*, ICH_*). `id`: op0:op1:CRn:CRm:op2 as 16 bits;
 * `view`: VIEW_* bits. It does not know of exception levels: what may be accessed from where is the PE's matter.
 */
export interface InterruptSysregs {
  /** Halves of what was read last. */
  readonly low: number;
  readonly high: number;
  /** False: no such register (UNDEFINED exception). */
  read(cpuIndex: number, id: number, view: number): boolean;
  /** False: no such register. */
  write(cpuIndex: number, id: number, low: number, high: number, view: number): boolean;
  /** ICH_HCR_EL2, whose trap bits are for the PE. */
  hypervisorControl(cpuIndex: number): number;
  /** ICC_SRE_EL2.Enable, ICC_SRE_EL3.Enable. */
  sreEnabled(cpuIndex: number, el: 2 | 3): boolean;
}

/** Firmware that owns an exception level above the guest's: PSCI and SMCCC calls. */
export interface Firmware {
  /**
   * HVC or SMC by the PE whose block is at `cpu`. True: done, its results are in X0.. ; false: not for this firmware, so that the
   * instruction behaves as the architecture says without it.
   */
  call(cpu: number, conduit: "hvc" | "smc", immediate: number): boolean;
}

/**
 * TypeScript that owns EL2 (a native exception level). It is called whenever the PE is at EL2: an exception was taken to it, or the PE has
 * been reset there, or was woken where the owner had left it to wait. No code is ever executed at EL2.
 */
export interface LevelOwner {
  /**
   * Handles what the registers of EL2 say, by PC (VBAR_EL2 is 0, so that it is the vector's offset), ESR_EL2 and the like, on the PE
   * `index`. Returns how the PE goes on: OWNER_RETURN, OWNER_SWITCH or OWNER_WAIT.
   */
  enter(index: number): number;
}
/** By an exception return with ELR_EL2 and SPSR_EL2; no register changed that a translation depends on. */
export const OWNER_RETURN = 0;
/** By an exception return into another context: system registers changed. */
export const OWNER_SWITCH = 1;
/** At EL2, waiting for a physical interrupt as in WFI. */
export const OWNER_WAIT = 2;

/** Time for counters. */
export interface CounterClock {
  /** Nanoseconds since power-on, never going back. */
  now(): number;
}

/** Levels of the lines out of a PE into the interrupt controller: PPIs of its timers and PMU. `ppi` is the INTID, 16..31. */
export interface PpiPort {
  set(cpuIndex: number, ppi: number, level: boolean): void;
}

/** The breakpoints of a debugger outside of the guest. Addresses in signed halves. */
export interface OutsideBreakpoints {
  /** Whether there is one in the page of an address. */
  inPage(low: number, high: number): boolean;
  at(low: number, high: number): boolean;
}

/** Arm semihosting: what HLT #0xF000 calls. */
export interface SemihostingPort {
  /** False: what it waits for is not there. The PE waits as in WFI, then executes the instruction again. */
  call(index: number): boolean;
}
