import type { CpuModel, ModelOptions } from "../../arch/cpu-models.ts";
import type { EntropySource } from "../../bus/device.ts";
import type { Native } from "../../vmsa/native.ts";
import type { PeState } from "../pe-state.ts";
import type { Pmu } from "../pmu.ts";
import type { CodeEngine, InterruptSysregs } from "../ports.ts";
import type { Timers } from "../timers.ts";

export interface SysregOptions extends ModelOptions {
  /** PEs in the machine. */
  readonly cpus: number;
  /** MPIDR_EL1, without its RES1 bit 31. */
  readonly mpidr: number;
  /** Where execution begins after reset, as RVBAR_ELx tells. */
  readonly resetVector?: number;
}

/** What the system registers and system instructions of one PE work on. */
export interface SysregHost {
  readonly state: PeState;
  readonly index: number;
  readonly native: Native;
  readonly engine: CodeEngine;
  /** Absent: ICC_* and ICH_* registers are UNDEFINED. */
  readonly interrupts?: InterruptSysregs | undefined;
  readonly model: CpuModel;
  readonly options: SysregOptions;
  readonly timers: Timers;
  readonly pmu: Pmu;
  readonly entropy: EntropySource;
  /** All PEs of the machine, this one among them, for maintenance that is broadcast. */
  allTlbs(): Iterable<PeState>;
  /**
   * A register changed that the view of running code is derived from (Native.contextChanged), or that decides what is taken: the PE
   * leaves running code after the instruction. That an interrupt has become deliverable the PE finds by itself after every write.
   */
  contextChanged(): void;
  /** The same of TTBR0_EL1 or TTBR1_EL1, which have the ASID. */
  spaceChanged(): void;
  /** A register of self-hosted debug changed (MDSCR_EL1, OS lock, breakpoints, watchpoints), besides `contextChanged`. */
  debugChanged?(): void;
}
