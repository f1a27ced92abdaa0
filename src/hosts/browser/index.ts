// `import { Machine } from "atoll"` in a browser.

import type { MachineConfiguration } from "../library/config.ts";
import { LibraryMachine } from "../library/machine.ts";
import { openInWorker } from "./in-worker.ts";

export type { Statistic } from "../../machine/runnable.ts";
export type { MachineConfiguration } from "../library/config.ts";
export type { ConsoleStreams } from "../library/console-streams.ts";
export { AtollError, type ErrorCode } from "../library/errors.ts";
export type { MachineEvents } from "../library/machine.ts";
export type { MachineEnd, MachineState } from "../library/session.ts";

export class Machine extends LibraryMachine {
  /** Makes a machine in a worker of its own, which is paused. The rest is as in Node (docs/library.md). @throws AtollError */
  static async create(configuration: MachineConfiguration = {}): Promise<Machine> {
    return new Machine(await openInWorker(configuration));
  }
}
