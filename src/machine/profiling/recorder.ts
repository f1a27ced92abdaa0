import type { PeState } from "../../cpu/pe-state.ts";
import { EL, PC, X } from "../../cpu/state-layout.ts";
import { VBAR_EL1 } from "../../cpu/sysreg-layout.ts";
import type { GuestMemory } from "../../memory/guest-memory.ts";
import type { Native } from "../../vmsa/native.ts";
import { bits64, GuestView } from "./guest-view.ts";
import type { Recording } from "./recording.ts";
import type { SampleTime } from "./sampler.ts";
import { walkStack } from "./stack.ts";

const FP = X + 8 * 29;
const LR = X + 8 * 30;

/** What puts the stack of a PE into a recording when a sample is due. */
export function stackRecorder(
  recording: Recording,
  states: readonly PeState[],
  memory: GuestMemory,
  native: Pick<Native, "addressTranslate">,
): (cpuIndex: number, sample: SampleTime) => void {
  const views = states.map((state) => new GuestView(state, memory, native));
  return (cpuIndex, sample) => {
    if (!recording.wants(cpuIndex, sample.weight)) return;
    const state = states[cpuIndex] as PeState;
    const view = views[cpuIndex] as GuestView;
    view.forget();
    const stack = walkStack({
      pc: bits64(state, PC),
      fp: bits64(state, FP),
      lr: bits64(state, LR),
      read: view.read,
    });
    recording.add(cpuIndex, { ...sample, stack, level: state.word(EL), vectors: bits64(state, VBAR_EL1) });
  };
}
