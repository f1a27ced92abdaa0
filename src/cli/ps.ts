import type { Command } from "commander";
import type { DomainInfo } from "../contract/domains.ts";
import { EXIT_STATUS } from "./exit-status.ts";
import { declareMachineCommand, withMachines } from "./machine-command.ts";
import { memoryText, table } from "./table.ts";

export function declarePs(program: Command, done: (status: number) => void): void {
  declareMachineCommand(program, done, {
    usage: "ps",
    summary: "list the domains of the node",
    description: "Lists the domains of the node, and what each is doing.",
    rows: { json: { kind: "flag", flags: "--json", help: "print JSON" } },
    act: ({ json }) =>
      withMachines(async (_, node) => {
        const list = await node.ask("list", {});
        if (json) process.stdout.write(`${JSON.stringify(list, null, 2)}\n`);
        else printDomains(list.domains);
        return EXIT_STATUS.ok;
      }),
  });
}

const DOWN: readonly DomainInfo["status"][] = ["off", "saved", "failed", "waiting", "moved", "incoming"];
const HEAD = ["NAME", "STATUS", "HEALTH", "RESTARTS", "UP", "CPUS", "MEMORY", "PORTS"];

/** A table of domains, and below it why some do not run. */
export function printDomains(domains: readonly DomainInfo[]): void {
  process.stdout.write(table([HEAD, ...domains.map(row)]));
  for (const { name, status, reason } of domains) {
    if (reason !== undefined) process.stdout.write(`${name} is ${status}: ${reason}\n`);
  }
}

function row({ name, status, health, restarts, started, definition }: DomainInfo): string[] {
  const up = started !== undefined && !DOWN.includes(status);
  const ports = definition.publish.map(
    ({ port, guestPort, protocol }) => `${port}->${guestPort}${protocol === "udp" ? "/udp" : ""}`,
  );
  return [
    ...[name, status, health ?? "-", String(restarts), up ? duration(Date.now() - Date.parse(started)) : "-"],
    ...[String(definition.cpus), memoryText(definition.memory), ports.join(" ") || "-"],
  ];
}

/** Milliseconds, as people say them: 3 d 4 h, 5 m 6 s. */
export function duration(milliseconds: number): string {
  const s = Math.max(0, Math.floor(milliseconds / 1000));
  const units = [
    [Math.floor(s / 86400), "d"],
    [Math.floor(s / 3600) % 24, "h"],
    [Math.floor(s / 60) % 60, "m"],
    [s % 60, "s"],
  ] as const;
  const first = units.findIndex(([count]) => count > 0);
  return (first < 0 ? units.slice(-1) : units.slice(first, first + 2))
    .map(([count, unit]) => `${count} ${unit}`)
    .join(" ");
}
