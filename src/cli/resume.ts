import type { Command } from "commander";
import { EXIT_STATUS } from "./exit-status.ts";
import { declareMachineCommand, withMachines } from "./machine-command.ts";

export function declareResume(program: Command, done: (status: number) => void): void {
  declareMachineCommand(program, done, {
    usage: "resume <NAME...>",
    summary: "let a paused machine or domain go on",
    description:
      "Lets a paused machine go on. It does not see the time in which it was paused, except on its real-time clock.",
    rows: {},
    act: (_, names) =>
      withMachines(async (machines, node) => {
        for (const name of names) await (node.knows(name) ? node.ask("resume", { name }) : machines.resume({ name }));
        return EXIT_STATUS.ok;
      }),
  });
}
