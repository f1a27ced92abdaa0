import type { Command } from "commander";
import { EXIT_STATUS } from "./exit-status.ts";
import { declareMachineCommand, withMachines } from "./machine-command.ts";

export function declarePause(program: Command, done: (status: number) => void): void {
  declareMachineCommand(program, done, {
    usage: "pause <NAME...>",
    summary: "stop the processors and the clock of a machine or a domain, in memory",
    description: "Stops a machine's processors and its clock; it stays in memory, and atoll resume lets it go on.",
    rows: {},
    act: (_, names) =>
      withMachines(async (machines, node) => {
        for (const name of names) await (node.knows(name) ? node.ask("pause", { name }) : machines.pause({ name }));
        return EXIT_STATUS.ok;
      }),
  });
}
