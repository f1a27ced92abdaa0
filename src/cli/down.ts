import type { Command } from "commander";
import { EXIT_STATUS } from "./exit-status.ts";
import { ProgressLine, withMachines } from "./machine-command.ts";
import { declareOptions, type OptionRows, readOptions } from "./option.ts";

const ROWS = {
  force: { kind: "flag", flags: "--force", help: "stop them at once, as if power was cut" },
} satisfies OptionRows;

export function declareDown(program: Command, done: (status: number) => void): void {
  const command = program
    .command("down")
    .summary("stop all domains, and the node")
    .description(
      "Stops all domains by their power keys, those first that others do not depend on, and ends the node's process. Definitions and disks stay: atoll up goes on with them.",
    );
  declareOptions(command, ROWS);
  command.action(async (given: Record<string, unknown>) => {
    const { force } = readOptions(ROWS, given);
    await withMachines((_, node) => ProgressLine.during((show) => node.down(force, show)));
    process.stdout.write("the node is down\n");
    done(EXIT_STATUS.ok);
  });
}
