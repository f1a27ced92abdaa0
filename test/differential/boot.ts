// Boots the embedded guest with a clock that stands still but for what the guest executes: one nanosecond an instruction, and the time
// that it waits.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { INSTRUCTIONS } from "../../src/cpu/state-layout.ts";
import type { MachineParts, RunState } from "../../src/machine/runnable.ts";
import { makeRig, type Rig } from "./rig.ts";

const GUEST = join(import.meta.dirname, "../../guests/embedded");
const file = (name: string) => ({ name, bytes: new Uint8Array(readFileSync(join(GUEST, name))) });
export const PROMPT = "atoll:~# ";

export interface Boot {
  readonly console: string;
  readonly instructions: number;
  /** Nanoseconds of the guest. */
  readonly time: number;
  readonly end: RunState["kind"];
  readonly rig: Rig;
}

/** Boots, types `commands` at the prompt, and runs until the guest powers off; at most `seconds` of guest time. */
export async function boot(
  { tier, cpus }: Pick<MachineParts, "tier" | "cpus">,
  commands: string,
  seconds: number,
): Promise<Boot> {
  let waited = 0;
  let rig: Rig | undefined;
  const instructions = (): number => rig?.states.reduce((sum, pe) => sum + pe.number(INSTRUCTIONS), 0) ?? 0;
  const now = (): number => waited + instructions();
  const decoder = new TextDecoder("latin1");
  let console = "";
  let input: Uint8Array = new Uint8Array(0);
  let listener = (): void => {};
  rig = await makeRig({
    ...{ tier, cpus, monotonic: now, memory: 256 << 20, append: "console=ttyAMA0" },
    ...{ kernel: file("Image.gz"), initrd: file("initramfs.cpio.gz") },
    serial: {
      write(bytes) {
        console += decoder.decode(bytes);
      },
      read(max) {
        const bytes = input.subarray(0, max);
        input = input.subarray(max);
        return bytes;
      },
      onReadable(l) {
        listener = l;
      },
    },
  });
  let typed = false;
  let state: RunState = { kind: "running" };
  while ((state.kind === "running" || state.kind === "idle") && now() < seconds * 1e9) {
    state = rig.machine.run(10);
    if (state.kind === "idle") {
      if (state.nanoseconds === Number.POSITIVE_INFINITY) break;
      waited += Math.ceil(state.nanoseconds);
    }
    if (!typed && console.includes(PROMPT)) {
      typed = true;
      input = new TextEncoder().encode(commands);
      listener();
    }
  }
  return { console, instructions: instructions(), time: now(), end: state.kind, rig };
}
