// What `atoll run` starts from where the machine is the usual one.

import { existsSync } from "node:fs";
import { bootedGuestOf, STARTED_FROM_SNAPSHOT, startBootedGuest as start } from "../hosts/library/booted-guest.ts";
import { packageFile } from "../hosts/node/files.ts";
import { SavedMachine } from "../hosts/node/saved-machine.ts";
import type { Terminal } from "../hosts/node/terminal.ts";
import type { Machine } from "../machine/machine.ts";
import type { MachineParts } from "../machine/runnable.ts";
import { SnapshotError } from "../snapshot/error.ts";
import { say } from "./report.ts";
import type { RunOptions } from "./run-options.ts";
import { savedDefinition } from "./saved-definition.ts";

/** The snapshot of the machine where the package has booted it and nobody wants to see it boot; undefined, too, where it is damaged. */
export async function openBootedGuest(options: RunOptions): Promise<SavedMachine | undefined> {
  const { boot, dumpDtb, gdb, profile, semihosting, trace, tier } = options;
  if (boot || tier !== "auto" || [dumpDtb, gdb, profile, semihosting, trace].some((each) => each !== undefined))
    return undefined;
  const name = bootedGuestOf(savedDefinition(options), {}, "user");
  const file = name && packageFile(...name.split("/"));
  if (file === undefined || !existsSync(file)) return undefined;
  return orSay(() => SavedMachine.open(file));
}

/** A machine that starts from the snapshot; undefined when it is none of this build. */
export async function startBootedGuest(
  saved: SavedMachine,
  parts: MachineParts,
  terminal: Terminal,
): Promise<Machine | undefined> {
  const machine = await orSay(() => start(parts, terminal, (all) => saved.restore(all)));
  if (machine !== undefined) say(STARTED_FROM_SNAPSHOT);
  return machine;
}

async function orSay<T>(action: () => Promise<T>): Promise<T | undefined> {
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof SnapshotError)) throw error;
    say(`${error.message}; it boots`);
    return undefined;
  }
}
