// What a processing element is given from the rooms above it and from the outside.

/** What executes code (engine/). `page` is the address of a page of guest memory in linear memory. */
export interface CodeEngine {
  /** Runs the PE from PC, with FETCH_VA and FETCH_BASE set, until EXIT is set. */
  run(cpu: number, budget: number): void;
  /** The decoded page of the page of guest memory at linear address `page`, made if need be. What FETCH_BASE and ITLB_BASE hold. */
  decodedPage(page: number): number;
  /** IC IVAU: `bytes` from linear address `start` may have changed. */
  invalidateCode(start: number, bytes: number): void;
  /** IC IALLU: any code may have changed. */
  invalidateAllCode(): void;
}

/** The bus, for accesses that are not to memory. Values in unsigned 32-bit halves. */
export interface BusPort {
  /** False: no device answers (external abort). The data goes to `data`, low half first (16 bytes: four words). */
  read(address: number, bytes: number, data: Uint32Array): boolean;
  write(address: number, bytes: number, data: Uint32Array): boolean;
}

/** An interrupt controller's CPU interface by system registers (GICv3: ICC_*, ICV_*). `id`: op0:op1:CRn:CRm:op2 as 16 bits. */
export interface InterruptSysregs {
  /** The value as [low, high]; undefined: no such register (UNDEFINED exception). */
  read(cpuIndex: number, id: number): readonly [number, number] | undefined;
  /** False: no such register. */
  write(cpuIndex: number, id: number, low: number, high: number): boolean;
}

/** Firmware that owns an exception level above the guest's: PSCI and SMCCC calls. */
export interface Firmware {
  /**
   * HVC or SMC by the PE whose block is at `cpu`. True: done, its results are in X0.. ; false: not for this firmware, so that the
   * instruction behaves as the architecture says without it.
   */
  call(cpu: number, conduit: "hvc" | "smc", immediate: number): boolean;
}

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
