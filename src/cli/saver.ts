// Saving the machine that runs on a terminal.

import type { RunLoop } from "../hosts/library/run-loop.ts";
import { saveToFile } from "../hosts/node/saved-machine.ts";
import type { Terminal } from "../hosts/node/terminal.ts";
import type { Machine } from "../machine/machine.ts";
import { BadInput } from "../machine/runnable.ts";
import type { RunOptions } from "./run-options.ts";
import { savedDefinition } from "./saved-definition.ts";

const DEFAULT_FILE = "atoll.snapshot";
/** Milliseconds after which something is shown, and between that and the next. */
const PROGRESS = 1000;
const MIB = 2 ** 20;

export class Saver {
  readonly #machine: Machine;
  readonly #options: RunOptions;
  readonly #terminal: Terminal;
  readonly #loop: RunLoop;

  constructor(machine: Machine, options: RunOptions, terminal: Terminal, loop: RunLoop) {
    this.#machine = machine;
    this.#options = options;
    this.#terminal = terminal;
    this.#loop = loop;
  }

  /** While the guest runs: it goes on afterwards, whether it could be saved or not. */
  async save(file = this.#options.save ?? DEFAULT_FILE): Promise<void> {
    try {
      await this.#save(file);
      if (this.#options.disk.some(({ readOnly }) => !readOnly)) {
        const advice =
          "it can be restored until the guest writes to its disks again: leave now, or keep copies of them";
        this.#terminal.print(`atoll: ${advice}\n`);
      }
    } catch (error) {
      if (!(error instanceof BadInput)) throw error;
      this.#terminal.print(`\natoll: ${error.message}\n`);
    }
    this.#loop.wake();
  }

  /** @throws BadInput when it cannot be saved. */
  saveAtEnd(file: string): Promise<void> {
    return this.#save(file);
  }

  async #save(file: string): Promise<void> {
    const started = performance.now();
    let shown = started;
    const { bytes } = await saveToFile(this.#machine, file, {
      definition: savedDefinition(this.#options),
      disks: this.#options.disk,
      lastLine: this.#terminal.lastLine,
      progress: (done, total) => {
        if (performance.now() - shown < PROGRESS) return;
        shown = performance.now();
        this.#terminal.print(`\ratoll: saving, ${Math.floor((100 * done) / total)} %`);
      },
    });
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    this.#terminal.print(`\natoll: saved ${file}, ${(bytes / MIB).toFixed(1)} MiB, in ${seconds} s\n`);
  }
}
