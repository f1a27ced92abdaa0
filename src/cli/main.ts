// The `atoll` command.

import { Command, CommanderError } from "commander";
import { loadPackageFile } from "../hosts/node/files.ts";
import { BadInput } from "../machine/runnable.ts";
import { declareConsole } from "./console.ts";
import { declareCreate } from "./create.ts";
import { declareDown } from "./down.ts";
import { EXIT_STATUS } from "./exit-status.ts";
import { declareFork } from "./fork.ts";
import { declareImage } from "./image.ts";
import { declareInfo } from "./info.ts";
import { declareInspect } from "./inspect.ts";
import { declareIsa } from "./isa.ts";
import { declareLogs } from "./logs.ts";
import { declareLs } from "./ls.ts";
import { declareMigrate } from "./migrate.ts";
import { declareNode } from "./node.ts";
import { declarePause } from "./pause.ts";
import { declarePs } from "./ps.ts";
import { declareRelay } from "./relay.ts";
import { reportError } from "./report.ts";
import { declareRestore } from "./restore.ts";
import { declareResume } from "./resume.ts";
import { declareRm } from "./rm.ts";
import { declareRun } from "./run.ts";
import { declareStart } from "./start.ts";
import { declareStop } from "./stop.ts";
import { declareTop } from "./top.ts";
import { declareUp } from "./up.ts";

/** The commands for machines that last. */
const LASTING = [
  declareCreate,
  declareStart,
  declareStop,
  declarePause,
  declareResume,
  declareConsole,
  declareLogs,
  declareLs,
  declareInfo,
  declareRm,
];

/** The commands for a node and its domains. */
const NODE = [declareUp, declareDown, declarePs, declareTop, declareFork, declareInspect, declareMigrate, declareNode];

async function main(args: readonly string[]): Promise<number> {
  let status: number = EXIT_STATUS.ok;
  const program = new Command("atoll")
    .description("64-bit Arm virtual machines anywhere JavaScript runs.")
    .version(packageVersion())
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({ outputError: () => {} })
    .helpCommand(false);
  const done = (s: number): void => {
    status = s;
  };
  declareRun(program, done);
  declareRestore(program, done);
  declareImage(program, done);
  declareIsa(program, done);
  declareRelay(program, done);
  for (const declare of [...LASTING, ...NODE]) declare(program, done);
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

const status = await main(process.argv.slice(2));
// Not all hosts write to pipes at once: let what was written arrive before leaving.
await new Promise((resolve) => process.stdout.write("", resolve));
process.exit(status);
