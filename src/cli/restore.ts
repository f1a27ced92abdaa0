// `atoll restore`: goes on with a machine that was saved.

import type { Command } from "commander";
import type { MachineDefinition } from "../contract/definition.ts";
import { artifactsOf } from "../hosts/library/parts.ts";
import { nodeBindings, nodePackageFile } from "../hosts/node/bindings.ts";
import { ESCAPE_HELP } from "../hosts/node/escape-keys.ts";
import { SavedMachine } from "../hosts/node/saved-machine.ts";
import { BadInput } from "../machine/runnable.ts";
import { EXIT_STATUS } from "./exit-status.ts";
import { declareOptions, readOptions } from "./option.ts";
import { RUN_OPTIONS } from "./run-options.ts";
import { readDefinition } from "./saved-definition.ts";

/** What the guest does not see, or sees without harm. */
const { disk, net, publish, share, vsock, serialPort, noReboot, timeout, save, stats, profile, symbols, gdb, tier } =
  RUN_OPTIONS;
const RESTORE_OPTIONS = {
  ...{ disk, net, publish, share, vsock, serialPort, noReboot, timeout, save, stats, profile, symbols, gdb, tier },
  info: { kind: "flag", flags: "--info", help: "show what the machine is made of, and do not restore it" },
} as const;

export function declareRestore(program: Command, done: (status: number) => void): void {
  const command = program
    .command("restore <FILE>")
    .summary("go on with a machine that was saved")
    .description(
      "Goes on with a machine that --save, ctrl-a s or the monitor's save has saved. Options take the place of what it was made of.",
    )
    .addHelpText("after", `\nKeys, when input comes from a terminal:\n${ESCAPE_HELP.replace(/^/gm, "  ")}`);
  declareOptions(command, RESTORE_OPTIONS);
  command.action(async (file: string, given: Record<string, unknown>) => {
    const { info, ...options } = readOptions(RESTORE_OPTIONS, given);
    // Other threads read the file and compile while this one loads the rest of the program.
    const opening = SavedMachine.open(file);
    if (!info) artifactsOf(nodeBindings, nodePackageFile).catch(() => {});
    const [saved, { run }] = await Promise.all([opening, import("./run.ts")]);
    if (info) {
      process.stdout.write(`${JSON.stringify(saved.definition, undefined, 2)}\n`);
      done(EXIT_STATUS.ok);
      return;
    }
    const definition = await readDefinition(saved.definition);
    const replaced = Object.entries(options).filter(([name]) => command.getOptionValueSource(name) === "cli");
    if (options.disk.length === 0) saved.checkDisks();
    const before = { ...readOptions(RUN_OPTIONS, {}), ...definition };
    const all = { ...before, ...Object.fromEntries(replaced) } as Parameters<typeof run>[0];
    if (options.net.length > 0) await checkInterfaces(before as typeof all, all);
    done(await run(all, saved));
  });
}

/** The guest has as many interfaces as it had, whatever they are plugged into. @throws BadInput */
async function checkInterfaces(before: MachineDefinition, now: MachineDefinition): Promise<void> {
  const { pluggedOf } = await import("../hosts/node/guest-network.ts");
  const count = pluggedOf(before).length;
  if (count === pluggedOf(now).length) return;
  if (count === 0) throw new BadInput("--net: the guest has no network interface: give none");
  throw new BadInput(`--net: the guest has ${count} network interface${count === 1 ? "" : "s"}: give as many`);
}
