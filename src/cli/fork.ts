import type { Command } from "commander";
import { EXIT_STATUS } from "./exit-status.ts";
import { declareMachineCommand, ProgressLine, withMachines } from "./machine-command.ts";
import type { OptionRows } from "./option.ts";
import { say } from "./report.ts";
import { RUN_OPTIONS } from "./run-options.ts";

const ROWS = {
  publish: { ...RUN_OPTIONS.publish, help: "publish a port of the copy's, as for atoll run" },
} satisfies OptionRows;

export function declareFork(program: Command, done: (status: number) => void): void {
  declareMachineCommand(program, done, {
    usage: "fork <DOMAIN> [NEW-NAME]",
    summary: "make a copy of a running domain, which goes on from where that is",
    description:
      "Makes a copy of a running domain: it goes on from the same moment, with the same memory and disks, which either changes for itself alone. It has other network addresses, and other random numbers. Without NEW-NAME it is called DOMAIN-1, DOMAIN-2 and so on.",
    rows: ROWS,
    act: ({ publish }, [name = "", newName]) =>
      withMachines(async (_, node) => {
        const answer = await ProgressLine.during((show) => node.ask("fork", { name, newName, publish }, show));
        for (const note of answer.notes) say(`${answer.name}: ${note}`);
        process.stdout.write(
          `${answer.name} is a copy of ${name}, which stood still for ${(1000 * answer.pause).toFixed(1)} ms\n`,
        );
        return EXIT_STATUS.ok;
      }),
  });
}
