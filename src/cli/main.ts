// The `atoll` command.

import { Command, CommanderError } from "commander";
import { loadPackageFile } from "../hosts/node/files.ts";
import { growNewSpace } from "../hosts/node/heaps.ts";
import { BadInput } from "../machine/runnable.ts";
import { EXIT_STATUS } from "./exit-status.ts";
import { reportError } from "./report.ts";

// For what starts this (bin/atoll.js).
export { withStartFlags } from "../hosts/node/v8-flags.ts";

type Declare = (program: Command, done: (status: number) => void) => void;

/** The verbs in the order of their help. Each is loaded when it is asked for: all of them take longer than a machine that starts. */
const COMMANDS: Readonly<Record<string, () => Promise<Declare>>> = {
  run: async () => (await import("./run.ts")).declareRun,
  restore: async () => (await import("./restore.ts")).declareRestore,
  image: async () => (await import("./image.ts")).declareImage,
  isa: async () => (await import("./isa.ts")).declareIsa,
  relay: async () => (await import("./relay.ts")).declareRelay,
  // For machines that last.
  create: async () => (await import("./create.ts")).declareCreate,
  start: async () => (await import("./start.ts")).declareStart,
  stop: async () => (await import("./stop.ts")).declareStop,
  pause: async () => (await import("./pause.ts")).declarePause,
  resume: async () => (await import("./resume.ts")).declareResume,
  console: async () => (await import("./console.ts")).declareConsole,
  logs: async () => (await import("./logs.ts")).declareLogs,
  ls: async () => (await import("./ls.ts")).declareLs,
  info: async () => (await import("./info.ts")).declareInfo,
  rm: async () => (await import("./rm.ts")).declareRm,
  // For a node and its domains.
  up: async () => (await import("./up.ts")).declareUp,
  down: async () => (await import("./down.ts")).declareDown,
  ps: async () => (await import("./ps.ts")).declarePs,
  top: async () => (await import("./top.ts")).declareTop,
  fork: async () => (await import("./fork.ts")).declareFork,
  migrate: async () => (await import("./migrate.ts")).declareMigrate,
  save: async () => (await import("./save.ts")).declareSave,
  load: async () => (await import("./save.ts")).declareLoad,
  inspect: async () => (await import("./inspect.ts")).declareInspect,
  node: async () => (await import("./node.ts")).declareNode,
};

/** Verbs whose guest somebody waits for, in this process. */
const AWAITED = ["run", "restore"];

async function main(args: readonly string[]): Promise<number> {
  if (AWAITED.includes(args[0] ?? "")) growNewSpace();
  let status: number = EXIT_STATUS.ok;
  const program = new Command("atoll")
    .description("64-bit Arm virtual machines anywhere JavaScript runs.")
    .version(packageVersion())
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({ outputError: () => {} })
    .helpCommand(false);
  const named = Object.hasOwn(COMMANDS, args[0] ?? "") ? COMMANDS[args[0] as string] : undefined;
  for (const declare of await Promise.all((named ? [named] : Object.values(COMMANDS)).map((load) => load())))
    declare(program, (s) => {
      status = s;
    });
  try {
    if (args.length === 0) throw new BadInput("give a command: atoll run boots a machine, atoll --help tells more");
    await program.parseAsync(args, { from: "user" });
    return status;
  } catch (error) {
    if (!(error instanceof CommanderError)) return reportError(error);
    return error.exitCode === 0
      ? EXIT_STATUS.ok
      : reportError(new BadInput(inOurWords(error, program.commands.find((each) => each.name() === args[0])?.name())));
  }
}

/** Commander's messages begin with "error:", and suggestions are on a second line. */
function inOurWords(error: CommanderError, command: string | undefined): string {
  const message = error.message
    .replace(/^error: /, "")
    .replace(/\.$/, "")
    .replace(/\s*\n\s*/g, " ");
  return `${message}; atoll ${command === undefined ? "" : `${command} `}--help lists what there is`;
}

function packageVersion(): string {
  const text = new TextDecoder().decode(loadPackageFile("package.json"));
  return (JSON.parse(text) as { version: string }).version;
}

// Help that nobody reads to its end (atoll run --help | head) is no failure. While a machine runs, the terminal sees this first.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
});

void main(process.argv.slice(2)).then((status) =>
  // Not all hosts write to pipes at once: let what was written arrive before leaving.
  process.stdout.write("", () => process.exit(status)),
);
