import type { Native } from "../vmsa/native.ts";
import type { PeState } from "./pe-state.ts";
import type { CodeEngine, Firmware, LevelOwner, SemihostingPort } from "./ports.ts";

// What a processing element is made of.

/** What a PE needs of the engine besides running: one instruction at a time, for software step and breakpoints. */
export interface SteppingEngine extends CodeEngine {
  /** Executes the one instruction at PC, with FETCH_VA and FETCH_BASE set, and returns with EXIT set. */
  step(cpu: number): void;
}

/** The system registers of one PE (sysregs/). `id` is op0:op1:CRn:CRm:op2, `rt` the number of the general register, 31 for XZR. */
export interface SystemRegisters {
  /** To the state after reset. */
  reset(): void;
  /** MRS, MSR, SYS and SYSL. False: EXIT is set to an exception, or running code has to leave after the instruction. */
  read(id: number, rt: number): boolean;
  write(id: number, rt: number): boolean;
  system(id: number, rt: number): boolean;
}

/** What system registers tell their PE. */
export interface SysregHooks {
  /** A register changed that the view of running code is derived from. */
  contextChanged(): void;
  /** The same of TTBR0_EL1 and TTBR1_EL1, which have the ASID. */
  spaceChanged(): void;
  /** MDSCR_EL1, the OS lock, or a breakpoint changed. */
  debugChanged(): void;
}

/** What ERETAA and ERETAB need of native.wasm, where pointer authentication is (ir/helpers.ts). */
export interface NativeAuthentication {
  /** PC from the ELR_ELx in the slot at `slot`, by SP and instruction key A (0) or B (1). 0: an exception is pending instead. */
  authenticateReturn?(cpu: number, slot: number, key: number): number;
}

/** The part of native.wasm that takes frequent exceptions by itself (exceptions.as.ts). */
export interface NativeExceptions {
  /**
   * Native.contextChanged after a change of EL, PSTATE.PAN and PSTATE.UAO alone, by what keepContext kept, with SYSREG_GUARD. 0: nothing was
   * kept since a system register changed.
   */
  restoreContext?(cpu: number): number;
  /** Native.contextChanged after such a change, which keeps the result, and SYSREG_GUARD as it is. */
  keepContext?(cpu: number): void;
  /** Native.contextChanged after a change of TTBR0_EL1 and TTBR1_EL1 alone. */
  spaceChanged?(cpu: number): void;
}

/** The performance monitors (pmu.ts): to be brought up to date before the exception level changes. */
export interface PerformanceMonitors {
  readonly active: boolean;
  sync(): void;
  /** How many instructions may retire until there is an interrupt of a counter of them; Infinity: any number. */
  instructionsToOverflow(): number;
}

/** Sees what a PE does, for traces. */
export interface PeObserver {
  /** An exception was taken from exception level `from`. `line`: LINE_* of the interrupt that it is, 0 for a synchronous one. */
  taken(from: number, line: number): void;
  /** An exception return was made at exception level `from`. */
  returned(from: number): void;
  /** The PE says so: the instruction at PC runs alone, so that what reaches the bus is that instruction's. */
  alone: boolean;
  /** The PE says so: instructions run one after the other, and PC is not brought up to date. */
  together: boolean;
  /** Set by whoever refused an access on the bus for that: the instruction is to be run again, alone, and does not abort. */
  putOff: boolean;
}

export interface PeOptions {
  /** The machine's memory. */
  readonly memory: WebAssembly.Memory;
  readonly state: PeState;
  readonly index: number;
  readonly native: Native;
  readonly engine: SteppingEngine;
  readonly sysregs: (hooks: SysregHooks) => SystemRegisters;
  /** The states of all PEs of the machine, this one among them. The list may still grow while the machine is made. */
  readonly everyone: readonly PeState[];
  readonly pmu?: PerformanceMonitors;
  readonly firmware?: Firmware | undefined;
  /** Who owns EL2 natively; absent: guest software may. */
  readonly owner?: LevelOwner | undefined;
  readonly observer?: PeObserver | undefined;
  /** Absent: HLT is UNDEFINED, as halting debug is never allowed. */
  readonly semihosting?: SemihostingPort | undefined;
}
