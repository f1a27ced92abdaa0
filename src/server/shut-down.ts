// How a guest is asked to shut down.

import type { Progress } from "../contract/action.ts";
import { within } from "./within.ts";

/** Milliseconds after which the power key is pressed again: a guest that is still starting does not listen yet. */
const PRESS_AGAIN = 5000;

export interface ShutDown {
  readonly name: string;
  /** Seconds that it may take. */
  readonly timeout: number;
  readonly pressPowerKey: () => void;
  /** Done, or rejected, when it has ended. */
  readonly ended: Promise<unknown>;
  readonly progress: (progress: Progress) => void;
}

/** @returns whether it has ended in time. */
export async function shutDown({ name, timeout, pressPowerKey, ended, progress }: ShutDown): Promise<boolean> {
  const deadline = performance.now() + timeout * 1000;
  let pressed = Number.NEGATIVE_INFINITY;
  for (let left = timeout * 1000; left > 0; left = deadline - performance.now()) {
    if (performance.now() - pressed >= PRESS_AGAIN) {
      pressPowerKey();
      pressed = performance.now();
    }
    progress({ step: `waiting for ${name} to shut down, ${Math.ceil(left / 1000)} s left` });
    if (await within(ended, Math.min(left, 1000))) return true;
  }
  return false;
}
