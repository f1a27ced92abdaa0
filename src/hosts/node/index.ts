// `import { Machine } from "atoll"` in Node.

import type { MachineConfiguration } from "../library/config.ts";
import { openInThread } from "../library/in-thread.ts";
import { LibraryMachine } from "../library/machine.ts";
import { nodePlatform } from "./platform.ts";

export type { Statistic } from "../../machine/runnable.ts";
export type { MachineConfiguration } from "../library/config.ts";
export type { ConsoleStreams } from "../library/console-streams.ts";
export { AtollError, type ErrorCode } from "../library/errors.ts";
export type { MachineEvents } from "../library/machine.ts";
export type { MachineEnd, MachineState } from "../library/session.ts";

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
    return new Machine(await openInThread(configuration, nodePlatform));
  }
}
