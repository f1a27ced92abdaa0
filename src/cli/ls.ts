import type { Command } from "commander";
import type { MachineInfo } from "../contract/machines.ts";
import { EXIT_STATUS } from "./exit-status.ts";
import { declareMachineCommand, withMachines } from "./machine-command.ts";

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

/** Bytes of RAM as one would type them. */
export function memoryText(bytes: number): string {
  const [unit, size] = bytes % 2 ** 30 === 0 ? ["G", 2 ** 30] : bytes % 2 ** 20 === 0 ? ["M", 2 ** 20] : ["K", 2 ** 10];
  return `${bytes / (size as number)}${unit}`;
}

/** A moment in this computer's time zone. */
export function timeText(moment: string | undefined): string {
  if (moment === undefined) return "never";
  const date = new Date(moment);
  const two = (n: number): string => String(n).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((cells) => (cells[i] ?? "").length)));
  return rows
    .map((cells) => `${cells.map((cell, i) => cell.padEnd((widths[i] as number) + 2)).join("")}`.trimEnd())
    .map((line) => `${line}\n`)
    .join("");
}
