import type { Command } from "commander";
import type { DomainInfo } from "../contract/domains.ts";
import type { MachineInfo } from "../contract/machines.ts";
import { EXIT_STATUS } from "./exit-status.ts";
import { declareMachineCommand, withMachines } from "./machine-command.ts";
import { memoryText, table, timeText } from "./table.ts";

export function declareInfo(program: Command, done: (status: number) => void): void {
  declareMachineCommand(program, done, {
    usage: "info <NAME>",
    summary: "show a machine that lasts or a domain",
    description: "Shows what a machine is made of, what it is doing, and where its files are.",
    rows: { json: { kind: "flag", flags: "--json", help: "print JSON" } },
    act: ({ json }, [name]) =>
      withMachines(async (machines, node) => {
        if (node.knows(name as string)) {
          const domain = await node.ask("info", { name: name as string });
          process.stdout.write(json ? `${JSON.stringify(domain, null, 2)}\n` : table(linesOfDomain(domain)));
          return EXIT_STATUS.ok;
        }
        const info = await machines.info({ name: name as string });
        process.stdout.write(json ? `${JSON.stringify(info, null, 2)}\n` : table(linesOf(info)));
        return EXIT_STATUS.ok;
      }),
  });
}

/** What a run's end is called. */
const ENDS = {
  off: "powered off",
  exit: "ended by the guest",
  reset: "reset, and told not to start again",
  watchdog: "ended, as its watchdog expired",
  saved: "saved",
  forced: "stopped by force",
  failed: "failed",
} as const;

function linesOf({ name, status, pid, created, folder, lastRun, definition }: MachineInfo): string[][] {
  const { memory, cpus, cpu, ...others } = definition;
  const end = lastRun?.end === undefined ? "" : `, ${ENDS[lastRun.end]} ${timeText(lastRun.ended)}`;
  return [
    ["name", name],
    ["status", pid === undefined ? status : `${status}, process ${pid}`],
    ["created", timeText(created)],
    ["last run", lastRun === undefined ? "never" : `${timeText(lastRun.started)}${end}`],
    ["folder", folder],
    ["memory", memoryText(memory)],
    ["cpus", `${cpus} (${cpu})`],
    ...linesOfFields(others),
  ];
}

function linesOfDomain({
  name,
  status,
  reason,
  health,
  restarts,
  started,
  statistics,
  definition,
  forkedFrom,
  display,
  channels,
}: DomainInfo): string[][] {
  const { memory, cpus, ...others } = definition;
  return [
    ["name", name],
    ["status", reason === undefined ? status : `${status} (${reason})`],
    ...(health === undefined ? [] : [["health", health]]),
    ...(forkedFrom === undefined ? [] : [["copy of", forkedFrom]]),
    ...(display === undefined ? [] : [["VNC", `${display.host} port ${display.port}`]]),
    ...channels.map(({ name, size, readOnly }) => [
      "channel",
      `${name}, ${size / 1024} KiB${readOnly ? ", read-only" : ""}`,
    ]),
    ["started", `${timeText(started)}${restarts === 0 ? "" : `, ${restarts} restarts`}`],
    ["memory", memoryText(memory)],
    ["cpus", String(cpus)],
    ...linesOfFields(others),
    ...(statistics === undefined
      ? []
      : [
          ["cpu time", `${statistics.cpuTime.toFixed(2)} s, ${statistics.stolen.toFixed(2)} s stolen`],
          ["resident", `${(statistics.memory.resident / 2 ** 20).toFixed(1)} MiB`],
          ...Object.entries(statistics.exits).map(([kind, count]) => ["exits", `${kind}: ${count}`]),
          ...Object.entries(statistics.refusals).map(([kind, count]) => ["refused", `${kind}: ${count}`]),
        ]),
  ];
}

/** What was left to its default is not said, except for what everybody asks for. */
function linesOfFields(fields: Readonly<Record<string, unknown>>): string[][] {
  return Object.entries(fields)
    .filter(([, value]) => value !== undefined && value !== false && !(Array.isArray(value) && value.length === 0))
    .flatMap(([key, value]) => (Array.isArray(value) ? value : [value]).map((each) => [key, textOf(each)]));
}

/** A value of a definition for people: `file=a.img,serial=x`. */
function textOf(value: unknown): string {
  if (typeof value !== "object" || value === null) return String(value);
  return Object.entries(value)
    .filter(([, part]) => part !== undefined && part !== false)
    .map(([key, part]) => (part === true ? key : `${key}=${textOf(part)}`))
    .join(",");
}
