// Who may touch a machine: one process at a time. The lock is the host kernel's, so that it ends with its process, however that ends: a
// machine runs exactly as long as somebody holds it.

import { existsSync, realpathSync, statSync } from "node:fs";
import { ActionError } from "../contract/action.ts";
import { FileLock } from "../hosts/node/file-lock.ts";
import { ImageError } from "../images/error.ts";

/** Milliseconds between two attempts. */
const PAUSE = 10;
/** Attempts, while only those who look have a share of the lock. */
const ATTEMPTS = 100;

/** Milliseconds that a process has to end once it was told to. */
export const END_PATIENCE = 10_000;

export class MachineLock {
  readonly #lock: FileLock;

  private constructor(lock: FileLock) {
    this.#lock = lock;
  }

  /** @param folder of the machine, which must be there. @throws ActionError when somebody has it. */
  static async take(name: string, folder: string): Promise<MachineLock> {
    for (let attempt = 1; ; attempt++) {
      try {
        return new MachineLock(FileLock.exclusive(folder, identity(folder)));
      } catch (error) {
        if (!(error instanceof ImageError)) throw error;
        // Who looks whether it is held has a share of it for a moment.
        if (attempt === ATTEMPTS || isHeld(folder)) {
          throw new ActionError("wrong-state", `${name} is in use: it runs, or another command is at work on it`);
        }
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
  }

  release(): void {
    this.#lock.release();
  }
}

/** Whether somebody has a machine now. */
export function isHeld(folder: string): boolean {
  if (statSync(folder, { throwIfNoEntry: false }) === undefined) return false;
  try {
    FileLock.shared(folder, identity(folder))?.release();
    return false;
  } catch (error) {
    // Its holder may have removed the lock file just now.
    if (error instanceof ImageError) return existsSync(`${realpathSync(folder)}.lock`);
    throw error;
  }
}

/** Done when nobody has a machine any more. @param process in words. @throws ActionError when it takes too long. */
export async function released(folder: string, process: string): Promise<void> {
  const deadline = performance.now() + END_PATIENCE;
  while (isHeld(folder)) {
    if (performance.now() > deadline) throw new ActionError("wrong-state", `${process} does not end`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function identity(folder: string): string {
  const { dev, ino } = statSync(folder, { bigint: true });
  return `${dev}:${ino}`;
}
