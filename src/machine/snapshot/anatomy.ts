import type { PeState } from "../../cpu/pe-state.ts";
import type { NativeMemory } from "../../vmsa/native.ts";
import type { Board } from "../board.ts";
import type { MachineClock } from "../clock.ts";
import type { Processors } from "../processors.ts";
import type { MachineParts } from "../runnable.ts";

/** What a machine is to snapshots. */
export interface MachineAnatomy {
  readonly parts: MachineParts;
  readonly board: Board;
  readonly clock: MachineClock;
  readonly processors: Processors;
  readonly states: readonly PeState[];
  /** The linear memory. */
  readonly buffer: ArrayBufferLike;
  readonly native: NativeMemory;
  /** When the power key is let go, by the machine's clock; undefined: it is not pressed. */
  powerKey: number | undefined;
  /** While set, `run` does nothing: what is saved is of one moment. */
  held: boolean;
}
