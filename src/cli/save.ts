import { resolve } from "node:path";
import type { Command } from "commander";
import type { Publication } from "../contract/definition.ts";
import { BadInput } from "../machine/runnable.ts";
import { EXIT_STATUS } from "./exit-status.ts";
import { ProgressLine, withMachines } from "./machine-command.ts";
import { publication } from "./network-values.ts";
import { declareOptions, type OptionRows, readOptions } from "./option.ts";

const MIB = 2 ** 20;

export function declareSave(program: Command, done: (status: number) => void): void {
  program
    .command("save <NAME> <FILE>")
    .summary("save a domain, with its disks, in a file")
    .description(
      "Saves a domain in a file: memory, CPUs, devices, what its disks hold and what it boots from. It stands still meanwhile, and goes on. atoll load makes a domain of the file.",
    )
    .action(async (name: string, file: string) => {
      const status = await withMachines(async (_, node) => {
        const target = resolve(file);
        const { bytes, seconds } = await ProgressLine.during((show) => node.ask("save", { name, file: target }, show));
        process.stdout.write(
          `${name} is in ${file}, ${(bytes / MIB).toFixed(1)} MiB; it stood still for ${seconds.toFixed(1)} s\n`,
        );
        return EXIT_STATUS.ok;
      });
      done(status);
    });
}

const LOAD_ROWS = {
  publish: {
    kind: "list",
    flags: "--publish <[ADDRESS:]PORT:GUEST-PORT[/udp] | none>",
    parse: (text: string): Publication | "none" => (text === "none" ? text : publication(text)),
    help: "its ports, in place of those that it had; none: it has none; may be repeated",
  },
} satisfies OptionRows;

export function declareLoad(program: Command, done: (status: number) => void): void {
  const command = program
    .command("load <FILE> [NAME]")
    .summary("add a domain that was saved in a file")
    .description(
      "Adds a domain to the node that atoll save has saved, by that name or another one; it goes on from where it was.",
    );
  declareOptions(command, LOAD_ROWS);
  command.action(async (file: string, name: string | undefined, given: Record<string, unknown>) => {
    const { publish: all } = readOptions(LOAD_ROWS, given);
    const publish = all.filter((each) => each !== "none");
    if (publish.length > 0 && publish.length < all.length) throw new BadInput("--publish: give ports, or none");
    const status = await withMachines(async (_, node) => {
      const input = {
        file: resolve(file),
        ...(name === undefined ? {} : { name }),
        ...(all.length === 0 ? {} : { publish }),
      };
      const loaded = await ProgressLine.during((show) => node.ask("load", input, show));
      process.stdout.write(`${loaded.name} runs: atoll console ${loaded.name} is its console\n`);
      return EXIT_STATUS.ok;
    });
    done(status);
  });
}
