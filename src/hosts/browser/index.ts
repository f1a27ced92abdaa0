// `import { Machine } from "atoll"` in a browser.

import type { MachineConfiguration, Source } from "../library/config.ts";
import { LibraryMachine } from "../library/machine.ts";
import { openInWorker } from "./in-worker.ts";

export * from "../library/public.ts";

/** A 64-bit Arm machine. The examples of its members are with those of the one in Node. */
export class Machine extends LibraryMachine {
  /** Makes a machine in a worker of its own, which is paused. The rest is as in Node (docs/library.md). @throws AtollError */
  static async create(configuration: MachineConfiguration = {}): Promise<Machine> {
    return new Machine(await openInWorker({ configuration }));
  }

  /**
   * A machine as it was saved, which is paused.
   *
   * @param configuration what is to be other than it was: disks that were in memory, the network.
   * @throws AtollError "snapshot" when it is damaged, or of another build, and what `create` throws.
   */
  static async restore(snapshot: Source, configuration: MachineConfiguration = {}): Promise<Machine> {
    return new Machine(await openInWorker({ configuration, snapshot }));
  }

  /**
   * Another machine that goes on from where this one is. Disks that are written to are one machine's alone: give the new one its own.
   */
  async fork(configuration: MachineConfiguration = {}): Promise<Machine> {
    return Machine.restore(await this.save(), configuration);
  }
}
