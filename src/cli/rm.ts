import type { Command } from "commander";
import { EXIT_STATUS } from "./exit-status.ts";
import { declareMachineCommand, ProgressLine, withMachines } from "./machine-command.ts";

export function declareRm(program: Command, done: (status: number) => void): void {
  declareMachineCommand(program, done, {
    usage: "rm <NAME...>",
    summary: "remove a machine that lasts or a domain, with its own disks",
    description:
      "Removes a machine with the disks that were made with it and its saved state. Files that it refers to stay.",
    rows: { force: { kind: "flag", flags: "--force", help: "also one that runs: it is stopped as by stop --force" } },
    act: ({ force }, names) =>
      withMachines(async (machines, node) => {
        for (const name of names) {
          if (node.knows(name)) await ProgressLine.during((show) => node.ask("remove", { name, force }, show));
          else await machines.remove({ name, force });
        }
        return EXIT_STATUS.ok;
      }),
  });
}
