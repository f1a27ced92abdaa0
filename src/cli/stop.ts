import type { Command } from "commander";
import { STOP_TIMEOUT } from "../contract/limits.ts";
import { BadInput } from "../machine/runnable.ts";
import { EXIT_STATUS } from "./exit-status.ts";
import { declareMachineCommand, ProgressLine, withMachines } from "./machine-command.ts";
import type { OptionRows } from "./option.ts";
import { seconds } from "./option-values.ts";
import { say } from "./report.ts";

const ROWS = {
  save: {
    kind: "flag",
    flags: "--save",
    help: "save its state, and go on from there at the next start (of machines the default, where all of their devices can be saved)",
  },
  shutdown: {
    kind: "flag",
    flags: "--shutdown",
    help: "press its power key, and stop it by force when it has not shut down in time",
  },
  force: { kind: "flag", flags: "--force", help: "at once, as if power was cut; a process that hangs is killed" },
  timeout: {
    kind: "value",
    flags: "--timeout <SECONDS>",
    parse: seconds,
    help: `the time that it has to shut down: ${STOP_TIMEOUT} where nobody says another`,
  },
} satisfies OptionRows;

export function declareStop(program: Command, done: (status: number) => void): void {
  declareMachineCommand(program, done, {
    usage: "stop <NAME...>",
    summary: "stop a machine that lasts or a domain",
    description: "Stops a machine, and waits until it has stopped. Its state is saved, where that is possible.",
    rows: ROWS,
    act: ({ save, shutdown, force, timeout }, names) =>
      withMachines(async (machines, node) => {
        const wanted = Object.entries({ save, shutdown, force }).filter(([, given]) => given);
        if (wanted.length > 1) throw new BadInput("give one of --save, --shutdown and --force");
        const how = (wanted[0]?.[0] ?? "default") as "save" | "shutdown" | "force" | "default";
        for (const name of names) {
          if (node.knows(name)) {
            const limit = timeout === undefined ? {} : { timeout };
            const { note } = await ProgressLine.during((show) =>
              node.ask("stop", { name, force, save, ...limit }, show),
            );
            if (note !== undefined) say(note);
            process.stdout.write(`${name} is ${save ? "saved" : "off"}\n`);
            continue;
          }
          const { end, note } = await ProgressLine.during((show) =>
            machines.stop({ name, how, timeout: timeout ?? STOP_TIMEOUT }, show),
          );
          if (note !== undefined) say(`${name}: ${note}`);
          process.stdout.write(`${name} is ${end === "saved" ? "saved" : "off"}\n`);
        }
        return EXIT_STATUS.ok;
      }),
  });
}
