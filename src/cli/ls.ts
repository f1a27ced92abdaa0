import type { Command } from "commander";
import type { MachineInfo } from "../contract/machines.ts";
import { EXIT_STATUS } from "./exit-status.ts";
import { declareMachineCommand, withMachines } from "./machine-command.ts";
import { memoryText, table, timeText } from "./table.ts";

export function declareLs(program: Command, done: (status: number) => void): void {
  declareMachineCommand(program, done, {
    usage: "ls",
    summary: "list the machines that last",
    description: "Lists the machines that last, and what each is doing.",
    rows: { json: { kind: "flag", flags: "--json", help: "print JSON" } },
    act: ({ json }) =>
      withMachines(async (machines) => {
        const { machines: all } = await machines.list();
        if (json) process.stdout.write(`${JSON.stringify(all, null, 2)}\n`);
        else process.stdout.write(table([HEAD, ...all.map(row)]));
        return EXIT_STATUS.ok;
      }),
  });
}

const HEAD = ["NAME", "STATUS", "CPUS", "MEMORY", "DISKS", "LAST STARTED"];

function row({ name, status, definition, lastRun }: MachineInfo): string[] {
  const { cpus, memory, disk } = definition;
  return [name, status, String(cpus), memoryText(memory), String(disk.length), timeText(lastRun?.started)];
}
