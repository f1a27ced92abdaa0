import { modelFeatures } from "../../arch/cpu-models.ts";
import type { Feature } from "../../arch/features.ts";
import { el2Enabled, underEL2 } from "../levels.ts";
import type { PeState } from "../pe-state.ts";
import { EL } from "../state-layout.ts";
import { EC_SYSTEM, EC_UNKNOWN, raise, systemIss } from "../syndrome.ts";
import type { SysregHost } from "./host.ts";

/** Marks the number of a SYSL instruction. */
export const SYSL = 0x10000;

/** One access to a system register, or one system instruction, while it is done: its number, its level, its value. */
export class Access {
  readonly host: SysregHost;
  readonly state: PeState;
  readonly features: ReadonlySet<Feature>;
  /** op0:op1:CRn:CRm:op2 as 16 bits. */
  id = 0;
  /** Rt, 31 for XZR. */
  rt = 0;
  write = false;
  /** Exception level of the access. */
  el = 0;
  /** The value, in signed halves: what a read gives. */
  low = 0;
  high = 0;

  constructor(host: SysregHost) {
    this.host = host;
    this.state = host.state;
    this.features = modelFeatures(host.model, host.options);
  }

  begin(id: number, rt: number, write: boolean): void {
    this.id = id;
    this.rt = rt;
    this.write = write;
    this.el = this.state.word(EL);
  }

  give(low: number, high = 0): void {
    this.low = low | 0;
    this.high = high | 0;
  }

  giveSlot(slot: number): void {
    this.low = this.state.word(slot);
    this.high = this.state.high(slot);
  }

  /** Bit `n` (0..63) of a slot. */
  bit(slot: number, n: number): boolean {
    const word = n < 32 ? this.state.word(slot) : this.state.high(slot);
    return ((word >>> n) & 1) === 1;
  }

  /** EL2Enabled(): EL2 is implemented, and enabled in the current security state. */
  get el2Enabled(): boolean {
    return el2Enabled(this.state);
  }

  /** The access is under an EL2 whose HCR_EL2 traps it may fall into: not from an application of a host. */
  get underEL2(): boolean {
    return underEL2(this.state);
  }

  /** The highest exception level that is implemented. */
  get highestEL(): number {
    return this.host.options.el3 ? 3 : this.host.options.el2 ? 2 : 1;
  }

  /** Leaves the UNDEFINED exception pending. */
  undefinedInstruction(): false {
    raise(this.state, EC_UNKNOWN, 0);
    return false;
  }

  /** Leaves the exception of a trapped access pending, for exception level `target` (1: where the routing rules say). */
  trapped(target: number): false {
    raise(this.state, EC_SYSTEM, systemIss(this.id, this.rt, !this.write), target > 1 ? target : 0);
    return false;
  }
}
