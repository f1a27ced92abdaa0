// `atoll start`: runs a machine that lasts, in a process of its own or in this one.

import type { Command } from "commander";
import type { RunEnding } from "../contract/machines.ts";
import { BadInput } from "../machine/runnable.ts";
import { EXIT_STATUS } from "./exit-status.ts";
import { declareMachineCommand, ProgressLine, withMachines } from "./machine-command.ts";
import type { OptionRows } from "./option.ts";
import { reportError } from "./report.ts";

const ROWS = {
  cold: {
    kind: "flag",
    flags: "--cold",
    help: "forget the saved state: start as after power-on. What the guest had not written to its disks is lost",
  },
  foreground: {
    kind: "flag",
    flags: "--foreground",
    help: "run in this process, for a service manager: the console goes to stdout, and SIGTERM stops the machine",
  },
} satisfies OptionRows;

export function declareStart(program: Command, done: (status: number) => void): void {
  declareMachineCommand(program, done, {
    usage: "start <NAME...>",
    summary: "run a machine that lasts, from where it was saved; or a domain",
    description:
      "Runs a machine in a process of its own that goes on when this command has ended: from where it was saved, or from power-on.",
    rows: ROWS,
    act: async ({ cold, foreground }, names) => {
      if (foreground) {
        if (names.length > 1) throw new BadInput("--foreground: give one machine");
        return inForeground(names[0] as string, cold);
      }
      return withMachines(async (machines, node) => {
        for (const name of names) {
          if (node.knows(name)) await ProgressLine.during((show) => node.ask("start", { name }, show));
          else await ProgressLine.during((show) => machines.start({ name, cold }, show));
          process.stdout.write(`${name} runs: atoll console ${name} is its console\n`);
        }
        return EXIT_STATUS.ok;
      });
    },
  });
}

const STATUS: Readonly<Record<Exclude<RunEnding, "exit">, number>> = {
  off: EXIT_STATUS.ok,
  saved: EXIT_STATUS.ok,
  forced: EXIT_STATUS.ok,
  reset: EXIT_STATUS.guestReset,
  failed: EXIT_STATUS.internal,
};

async function inForeground(name: string, cold: boolean): Promise<number> {
  const [{ runMachine }, { starter }, { StateDirectory, stateHome }, { asActionError }] = await Promise.all([
    import("../server/machine-process.ts"),
    import("../server/start-process.ts"),
    import("../server/state-directory.ts"),
    import("../server/errors.ts"),
  ]);
  process.title = `atoll: ${name}`;
  process.on("uncaughtException", (error) => process.exit(reportError(error)));
  try {
    const { end, exitStatus } = await runMachine(new StateDirectory(stateHome()), name, {
      cold,
      progress: (progress) => void starter.tell({ progress }),
      ready: (machine) => {
        for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, machine.onSignal);
        if (starter.waits) {
          // The terminal that this came from may go away: the machine stays.
          process.on("SIGHUP", () => {});
          void starter.tell({ result: {} });
        } else {
          process.on("SIGHUP", machine.onSignal);
          process.stdout.write(machine.hub.join((bytes) => process.stdout.write(bytes)));
        }
      },
    });
    return end === "exit" ? (exitStatus ?? EXIT_STATUS.ok) : STATUS[end];
  } catch (error) {
    const { code, message } = asActionError(error);
    await starter.tell({ error: { code, message } });
    throw error;
  }
}
