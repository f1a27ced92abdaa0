// `atoll create`: defines a machine that lasts. Its options are those of `atoll run` that say what a machine is.

import { resolve } from "node:path";
import type { Command } from "commander";
import type { Disk, MachineDefinition, NewDisk } from "../contract/definition.ts";
import { MAX_DISK, MIN_DISK } from "../contract/limits.ts";
import { mapPaths } from "../contract/paths.ts";
import { BadInput } from "../machine/runnable.ts";
import { EXIT_STATUS } from "./exit-status.ts";
import { diskBytes } from "./image-options.ts";
import { declareMachineCommand, withMachines } from "./machine-command.ts";
import type { ListRow } from "./option.ts";
import { disk } from "./option-values.ts";
import { RUN_OPTIONS, type RunOptions } from "./run-options.ts";

/** Options of `atoll run` that look into a run, or bound it: no part of a machine. */
const OF_A_RUN = [
  "boot",
  "dumpDtb",
  "timeout",
  "stats",
  "profile",
  "trace",
  "traceFile",
  "symbols",
  "gdb",
  "gdbWait",
  "semihosting",
  "tier",
  "save",
] as const satisfies readonly (keyof RunOptions)[];

type OfARun = (typeof OF_A_RUN)[number];
/** Where this is an error, a new option of `atoll run` belongs into OF_A_RUN or into the schema `machineDefinition`. */
const SORTED: Exclude<keyof RunOptions, OfARun> extends keyof MachineDefinition ? true : never = true;

export function definitionRows(): Omit<typeof RUN_OPTIONS, OfARun | "disk"> & { disk: ListRow<Disk | NewDisk> } {
  const rows = Object.entries(RUN_OPTIONS).filter(([name]) => SORTED && !OF_A_RUN.some((other) => other === name));
  return {
    ...(Object.fromEntries(rows) as Omit<typeof RUN_OPTIONS, OfARun>),
    disk: {
      kind: "list",
      flags: "--disk <FILE[,PROPERTY] | new:SIZE>",
      parse: newOrExistingDisk,
      help: `new:SIZE[,serial=TEXT]: a new disk of the machine's own, such as new:8G; or a ${RUN_OPTIONS.disk.help}`,
    },
  };
}

/** `new:SIZE[,serial=TEXT]`, or as for `atoll run`. */
export function newOrExistingDisk(value: string): Disk | NewDisk {
  const [, text] = /^new:(.*)$/s.exec(value) ?? [];
  if (text === undefined) return disk(value);
  // As the name of a file, so that properties are read in one way.
  const { file: size, serial, format, readOnly, snapshot } = disk(text);
  if (format !== undefined || readOnly || snapshot) throw new BadInput("a new disk has one property: ,serial=TEXT");
  const bytes = diskBytes(size);
  if (bytes < MIN_DISK || bytes > MAX_DISK) throw new BadInput("give a size such as new:8G");
  return { bytes, serial };
}

export function declareCreate(program: Command, done: (status: number) => void): void {
  declareMachineCommand(program, done, {
    usage: "create <NAME>",
    summary: "define a machine that lasts",
    description:
      "Defines a machine that lasts, and makes its new disks. atoll start NAME runs it, atoll console NAME is its console. Files are referred to, not copied.",
    rows: definitionRows(),
    act: (options, [name]) =>
      withMachines(async (machines) => {
        const definition = mapPaths(options, (path) => resolve(path));
        await machines.create({ name: name as string, definition });
        process.stdout.write(`${name} is defined: atoll start ${name} runs it\n`);
        return EXIT_STATUS.ok;
      }),
  });
}
