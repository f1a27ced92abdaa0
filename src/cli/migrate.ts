import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { DEFAULT_DOWNTIME, DEFAULT_ROUNDS, NODE_ADDRESS } from "../contract/migration.ts";
import { asBadInput } from "../hosts/node/files.ts";
import { BadInput } from "../machine/runnable.ts";
import { EXIT_STATUS } from "./exit-status.ts";
import { declareMachineCommand, ProgressLine, withMachines } from "./machine-command.ts";
import type { OptionRows } from "./option.ts";
import { count } from "./option-values.ts";

const MIB = 2 ** 20;

const ROWS = {
  to: {
    kind: "value",
    flags: "--to <HOST:PORT>",
    parse: (text: string): string => {
      if (!NODE_ADDRESS.test(text)) throw new BadInput("give HOST:PORT, such as 192.0.2.7:7071");
      return text;
    },
    help: "where the other node takes domains: --migrations of its atoll up",
  },
  tokenFile: {
    kind: "value",
    flags: "--token-file <FILE>",
    parse: readToken,
    help: "the other node's token, a copy of its node/token; without it both have the same",
  },
  downtime: {
    kind: "value",
    flags: "--downtime <MS>",
    parse: count(1, 600_000),
    default: String(DEFAULT_DOWNTIME),
    help: "milliseconds that it may stand still",
  },
  rounds: {
    kind: "value",
    flags: "--rounds <COUNT>",
    parse: count(1, 1000),
    default: String(DEFAULT_ROUNDS),
    help: "of copying what was written meanwhile; after them it stands still for as long as the rest takes",
  },
  takeBack: {
    kind: "flag",
    flags: "--take-back",
    help: "let it go on here, where it is not known whether the other node has it, and that node is gone for good",
  },
} satisfies OptionRows;

export function declareMigrate(program: Command, done: (status: number) => void): void {
  declareMachineCommand(program, done, {
    usage: "migrate <NAME>",
    summary: "move a domain to another node while it runs",
    description:
      "Moves a domain to another node: its memory and its disks are copied while it runs, then it stands still for a moment and goes on there. Whatever fails, exactly one of the two nodes has it.",
    rows: ROWS,
    act: ({ to, tokenFile: token, downtime, rounds, takeBack }, [name = ""]) =>
      withMachines(async (_, node) => {
        if (takeBack) {
          if (to !== undefined) throw new BadInput("give one of --to and --take-back");
          await node.ask("takeBack", { name });
          process.stdout.write(`${name} goes on here\n`);
          return EXIT_STATUS.ok;
        }
        if (to === undefined) throw new BadInput("--to: give the other node's HOST:PORT");
        const input = { name, to, downtime, rounds, ...(token === undefined ? {} : { token }) };
        const moved = await ProgressLine.during((show) => node.ask("migrate", input, show));
        const { pages, blocks, bytes, seconds } = moved;
        const disks = blocks === 0 ? "" : `, ${blocks} blocks of disks`;
        process.stdout.write(
          `${name} runs at ${to}: ${moved.rounds} ${moved.rounds === 1 ? "round" : "rounds"}, ${pages} pages${disks}, ${(bytes / MIB).toFixed(1)} MiB in ${seconds.toFixed(1)} s (${(bytes / MIB / seconds).toFixed(0)} MiB/s); it stood still for ${moved.downtime.toFixed(1)} ms\n`,
        );
        return EXIT_STATUS.ok;
      }),
  });
}

function readToken(path: string): string {
  let token: string;
  try {
    token = readFileSync(path, "latin1").trim();
  } catch (error) {
    throw asBadInput(error, "read", path);
  }
  if (!/^\S{32,256}$/.test(token)) throw new BadInput(`${path} has no token`);
  return token;
}
