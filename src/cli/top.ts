// `atoll top`: what the domains of the node do, as a table that is drawn again and again.

import type { Command } from "commander";
import type { DomainInfo, DomainOutput } from "../contract/domains.ts";
import { EXIT_STATUS } from "./exit-status.ts";
import { declareMachineCommand, withMachines } from "./machine-command.ts";
import type { OptionRows } from "./option.ts";
import { count, seconds } from "./option-values.ts";
import { table } from "./table.ts";

const ROWS = {
  interval: {
    kind: "value",
    flags: "--interval <SECONDS>",
    parse: seconds,
    default: "1",
    help: "time between two looks",
  },
  count: {
    kind: "value",
    flags: "--count <N>",
    parse: count(1, 1e9 - 1),
    help: "end after so many tables; where the output is no terminal: 1 where nobody says another",
  },
} satisfies OptionRows;

type Sample = DomainOutput<"list"> & { readonly at: number };

export function declareTop(program: Command, done: (status: number) => void): void {
  declareMachineCommand(program, done, {
    usage: "top",
    summary: "watch what the domains of the node do",
    description: "Shows CPU, memory, exits and device accesses of each domain, again and again, until ctrl-c.",
    rows: ROWS,
    act: ({ interval, count: tables }, _names) =>
      withMachines(async (_, node) => {
        const live = process.stdout.isTTY;
        const sample = async (): Promise<Sample> => ({ ...(await node.ask("list", {})), at: performance.now() });
        const ended = Promise.withResolvers<"ended">();
        for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
          process.once(signal, () => ended.resolve("ended"));
        let before = await sample();
        for (let left = tables ?? (live ? Number.POSITIVE_INFINITY : 1); left > 0; left--) {
          const pause = new Promise((resolve) => setTimeout(resolve, interval * 1000));
          if ((await Promise.race([pause, ended.promise])) === "ended") break;
          const now = await sample();
          // Cursor home, and each line cleared to its end: nothing flickers.
          const text = draw(before, now);
          process.stdout.write(live ? `\x1b[H${text.replaceAll("\n", "\x1b[K\n")}\x1b[J` : text);
          before = now;
        }
        return EXIT_STATUS.ok;
      }),
  });
}

const HEAD = [
  "NAME",
  "STATUS",
  "CPU%",
  "STOLEN%",
  "RESIDENT",
  "PRIVATE",
  "BALLOON",
  "EXITS/s",
  "MOST OF THEM",
  "DEVICES/s",
  "REFUSED",
];

function draw(before: Sample, now: Sample): string {
  const elapsed = (now.at - before.at) / 1000;
  const { node } = now;
  const busy = node.busy.map(
    (each, cpu) => `${((100 * (each - (before.node.busy[cpu] ?? 0))) / elapsed).toFixed(0)} %`,
  );
  const { size, free } = node.memory;
  const switches = ((node.worldSwitches - before.node.worldSwitches) / elapsed).toFixed(0);
  const head = `CPUs ${busy.join(", ")} busy; memory ${mebibytes(size - free)} of ${mebibytes(size)}; ${switches} world switches/s\n\n`;
  const rows = now.domains.map((domain) =>
    row(
      before.domains.find(({ name }) => name === domain.name),
      domain,
      elapsed,
    ),
  );
  return head + table([HEAD, ...rows]);
}

function row(before: DomainInfo | undefined, { name, status, statistics: now }: DomainInfo, elapsed: number): string[] {
  if (now === undefined) return [name, status, ...HEAD.slice(2).map(() => "-")];
  // A domain that was started again begins to count anew.
  const old =
    before?.statistics !== undefined && before.statistics.cpuTime <= now.cpuTime ? before.statistics : undefined;
  const rate = (value: (of: NonNullable<DomainInfo["statistics"]>) => number): number =>
    (value(now) - (old === undefined ? 0 : value(old))) / elapsed;
  const exits = Object.keys(now.exits).map((kind) => [kind, rate((of) => of.exits[kind] ?? 0)] as const);
  const most = exits
    .filter(([, each]) => each > 0)
    .sort(([, a], [, b]) => b - a)
    .slice(0, 2);
  return [
    ...[
      name,
      status,
      (100 * rate(({ cpuTime }) => cpuTime)).toFixed(1),
      (100 * rate(({ stolen }) => stolen)).toFixed(1),
    ],
    ...[mebibytes(now.memory.resident), mebibytes(now.memory.private), mebibytes(now.memory.balloon)],
    exits.reduce((sum, [, each]) => sum + each, 0).toFixed(0),
    most.map(([kind, each]) => `${kind} ${each.toFixed(0)}`).join(", ") || "-",
    rate(({ deviceAccesses }) => deviceAccesses).toFixed(0),
    String(Object.values(now.refusals).reduce((sum, each) => sum + each, 0)),
  ];
}

const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
