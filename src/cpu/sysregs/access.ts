import { modelFeatures } from "../../arch/cpu-models.ts";
import type { Feature } from "../../arch/features.ts";
import type { PeState } from "../pe-state.ts";
import { EL, EXC_EC, EXC_ISS, EXC_STAGE2, EXC_TARGET, EXIT, EXIT_EXCEPTION, SECURE } from "../state-layout.ts";
import type { SysregHost } from "./host.ts";

/** EC of a trapped MSR, MRS or system instruction (ESR_ELx). */
const EC_SYSTEM_TRAP = 0x18;

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
    return this.host.options.el2 && this.state.word(SECURE) === 0;
  }

  /** The highest exception level that is implemented. */
  get highestEL(): number {
    return this.host.options.el3 ? 3 : this.host.options.el2 ? 2 : 1;
  }

  /** Leaves the UNDEFINED exception pending. */
  undefinedInstruction(): false {
    return this.#exception(0, 0, 0);
  }

  /** Leaves the exception of a trapped access pending, for exception level `target` (1: where the routing rules say). */
  trapped(target: number): false {
    const id = this.id;
    const iss =
      (((id >> 14) & 3) << 20) |
      ((id & 7) << 17) |
      (((id >> 11) & 7) << 14) |
      (((id >> 7) & 15) << 10) |
      (this.rt << 5) |
      (((id >> 3) & 15) << 1) |
      (this.write ? 0 : 1);
    return this.#exception(EC_SYSTEM_TRAP, iss, target > 1 ? target : 0);
  }

  #exception(ec: number, iss: number, target: number): false {
    this.state.setWord(EXC_EC, ec);
    this.state.setWord(EXC_ISS, iss);
    this.state.setWord(EXC_TARGET, target);
    this.state.setWord(EXC_STAGE2, 0);
    this.state.setWord(EXIT, EXIT_EXCEPTION);
    return false;
  }
}
