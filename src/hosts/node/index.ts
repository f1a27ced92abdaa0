// `import { Machine } from "atoll"` in Node.

import type { MachineConfiguration, Source } from "../library/config.ts";
import { openInThread } from "../library/in-thread.ts";
import { LibraryMachine } from "../library/machine.ts";
import { nodePlatform } from "./platform.ts";

export * from "../library/public.ts";

/**
 * A 64-bit Arm machine.
 *
 * @example
 * const machine = await Machine.create({ memory: "256M", consoleSize: { columns: 80, rows: 25 } });
 * await machine.start();
 * await machine.waitFor("~# ");
 * await machine.type("echo $((6 * 7)) answers\n");
 * await machine.waitFor("42 answers");
 * await machine.close();
 */
export class Machine extends LibraryMachine {
  /**
   * Makes a machine, which is paused. Without a kernel or firmware it boots the embedded Linux.
   *
   * @throws AtollError "configuration", "memory", "load", "image" or "image-corrupt"
   * @example
   * const machine = await Machine.create({ cpus: 2, memory: "128M" });
   * await machine.start();
   * await machine.waitFor("~# ");
   * await machine.type("nproc\n");
   * await machine.waitFor(/^2/m);
   * await machine.close();
   */
  static async create(configuration: MachineConfiguration = {}): Promise<Machine> {
    return new Machine(await openInThread({ configuration }, nodePlatform));
  }

  /**
   * A machine as it was saved, which is paused.
   *
   * @param configuration what is to be other than it was: disks that were in memory, the network.
   * @throws AtollError "snapshot" when it is damaged, or of another build, and what `create` throws.
   * @example
   * const machine = await Machine.create({ memory: "64M" });
   * const snapshot = await machine.save();
   * await machine.close();
   * const restored = await Machine.restore(snapshot);
   * assert.equal(restored.state, "paused");
   * await restored.close();
   * await assert.rejects(Machine.restore(new Blob(["no snapshot"])), { code: "snapshot" });
   */
  static async restore(snapshot: Source, configuration: MachineConfiguration = {}): Promise<Machine> {
    return new Machine(await openInThread({ configuration, snapshot }, nodePlatform));
  }

  /**
   * Another machine that goes on from where this one is. Disks that are written to are one machine's alone: give the new one its own.
   *
   * @example
   * const machine = await Machine.create({ memory: "64M" });
   * const twin = await machine.fork();
   * assert.equal(await twin.registers(), await machine.registers());
   * await twin.close();
   * await machine.close();
   */
  async fork(configuration: MachineConfiguration = {}): Promise<Machine> {
    return Machine.restore(await this.save(), configuration);
  }
}
