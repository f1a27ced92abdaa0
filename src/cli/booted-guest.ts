// The snapshot of the booted embedded guest that comes with the package (tools/booted-guest.ts makes it): what `atoll run` starts from
// where the machine is the usual one. The guest waits in it for a line with the time of day and the size of the terminal; it then takes
// new random numbers of the host's, and greets (guests/embedded/root/init).

import { existsSync } from "node:fs";
import { utf8 } from "../base/text.ts";
import type { SerialPort, TerminalSize } from "../bus/device.ts";
import { FirstLine } from "../hosts/library/first-line.ts";
import { packageFile } from "../hosts/node/files.ts";
import { SavedMachine } from "../hosts/node/saved-machine.ts";
import type { Machine } from "../machine/machine.ts";
import type { MachineParts } from "../machine/runnable.ts";
import { SnapshotError } from "../snapshot/error.ts";
import { say } from "./report.ts";
import type { RunOptions } from "./run-options.ts";
import { savedDefinition } from "./saved-definition.ts";

const FILE = ["build", "guest.snapshot"];

/** Whether the machine is the one that the package has booted, and nobody wants to see it boot. */
export function isBootedGuest(options: RunOptions): boolean {
  const { boot, dumpDtb, gdb, profile, semihosting, trace, tier } = options;
  if (boot || tier !== "auto" || [dumpDtb, gdb, profile, semihosting, trace].some((each) => each !== undefined))
    return false;
  // The guest sees nothing of these.
  const { publish, noReboot, ...changed } = savedDefinition(options);
  return Object.keys(changed).length === 0;
}

/** A machine that starts from the snapshot; undefined when there is none, or none of this build. */
export async function startBootedGuest(
  parts: MachineParts,
  terminal: SerialPort & TerminalSize,
): Promise<Machine | undefined> {
  const file = packageFile(...FILE);
  if (!existsSync(file)) return undefined;
  const serial = new FirstLine(terminal);
  try {
    const machine = await (await SavedMachine.open(file)).restore({ ...parts, serial });
    const { rows = "", columns = "" } = terminal.get() ?? {};
    serial.offer(utf8(`${Math.round(parts.wallClock.now() / 1000)} ${rows} ${columns}\n`));
    say("started from a snapshot of the booted guest; --boot boots it");
    return machine;
  } catch (error) {
    if (!(error instanceof SnapshotError)) throw error;
    say(`${error.message}; it boots`);
    return undefined;
  }
}
