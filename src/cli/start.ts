// `atoll start`: runs a machine that lasts, in a process of its own or in this one.

import type { Command } from "commander";
import type { RunEnding } from "../contract/machines.ts";
import { STARTED_FROM_SNAPSHOT } from "../hosts/library/booted-guest.ts";
import { BadInput } from "../machine/runnable.ts";
import { EXIT_STATUS } from "./exit-status.ts";
import { declareMachineCommand, ProgressLine, withMachines } from "./machine-command.ts";
import type { OptionRows } from "./option.ts";
import { say } from "./report.ts";
import { runService } from "./service.ts";

const ROWS = {
  cold: {
    kind: "flag",
    flags: "--cold",
    help: "forget the saved state: start as after power-on. What the guest had not written to its disks is lost",
  },
  boot: {
    kind: "flag",
    flags: "--boot",
    help: "boot the embedded Linux, in place of starting from the snapshot of the booted one",
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
    act: async ({ cold, boot, foreground }, names) => {
      if (foreground) {
        if (names.length > 1) throw new BadInput("--foreground: give one machine");
        return inForeground(names[0] as string, cold, boot);
      }
      return withMachines(async (machines, node) => {
        for (const name of names) {
          if (node.knows(name)) await ProgressLine.during((show) => node.ask("start", { name, cold }, show));
          else {
            const steps = new Set<string>();
            await ProgressLine.during((show) =>
              machines.start({ name, cold, boot }, (progress) => {
                steps.add(progress.step);
                show(progress);
              }),
            );
            if (steps.has(STARTED_FROM_SNAPSHOT)) say(`${name} ${STARTED_FROM_SNAPSHOT}`);
          }
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
  watchdog: EXIT_STATUS.watchdog,
  failed: EXIT_STATUS.internal,
};

function inForeground(name: string, cold: boolean, boot: boolean): Promise<number> {
  return runService(name, async ({ ready, progress }) => {
    const [{ runMachine }, { StateDirectory, stateHome }] = await Promise.all([
      import("../server/machine-process.ts"),
      import("../server/state-directory.ts"),
    ]);
    const { end, exitStatus } = await runMachine(new StateDirectory(stateHome()), name, {
      cold,
      boot,
      progress,
      ready: ({ hub, onSignal }) => {
        const inBackground = ready(onSignal);
        if (!inBackground) process.stdout.write(hub.join((bytes) => process.stdout.write(bytes)));
      },
    });
    return end === "exit" ? (exitStatus ?? EXIT_STATUS.ok) : STATUS[end];
  });
}
