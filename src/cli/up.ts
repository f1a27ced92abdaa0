import { isIP } from "node:net";
import { resolve } from "node:path";
import type { Command } from "commander";
import { addressText, type TcpAddress } from "../hosts/node/listen.ts";
import { BadInput } from "../machine/runnable.ts";
import { EXIT_STATUS } from "./exit-status.ts";
import { ProgressLine, withMachines } from "./machine-command.ts";
import { declareOptions, type OptionRows, type Parsed, readOptions } from "./option.ts";
import { printDomains } from "./ps.ts";
import { parseTcpAddress } from "./tcp-address.ts";

/** One that clients can be told: a number, and a port that stays. */
export function apiAddress(value: string): TcpAddress {
  const address = parseTcpAddress(value);
  if (address === undefined || isIP(address.host) === 0 || address.port === 0)
    throw new BadInput("give [ADDRESS:]PORT, such as 7070");
  return address;
}

const LISTEN = {
  kind: "value",
  flags: "--listen <[ADDRESS:]PORT>",
  parse: apiAddress,
  help: "serve the HTTP API at a TCP port, too, to those who have the token in the state directory's node/token",
} as const;

const MIGRATIONS = {
  kind: "value",
  flags: "--migrations <[ADDRESS:]PORT>",
  parse: apiAddress,
  help: "take domains from other nodes at a TCP port, from those who have the token in the state directory's node/token",
} as const;

const MIGRATION_TLS = {
  kind: "value",
  flags: "--migration-tls <FOLDER>",
  parse: (folder: string): string => resolve(folder),
  help: "cert.pem and key.pem of this node, and ca.pem, for TLS with the nodes that domains come from and go to",
} as const;

/** Of `atoll node`, too. */
export const NODE_ROWS = { listen: LISTEN, migrations: MIGRATIONS, migrationTls: MIGRATION_TLS } satisfies OptionRows;

const UP_ROWS = {
  ...NODE_ROWS,
  cold: {
    kind: "flag",
    flags: "--cold",
    help: "forget what was saved of the file's domains: they start from power-on. What they had not written to their disks is lost",
  },
  ksm: {
    kind: "flag",
    flags: "--ksm",
    help: "keep pages of the same content once, as node: { sameMemory: true } in the file does",
  },
} satisfies OptionRows;

/** As they are given again, to a process that is elsewhere. */
function argumentsOf({ listen, migrations, migrationTls }: Parsed<typeof NODE_ROWS>): string[] {
  return [
    ...(listen === undefined ? [] : ["--listen", addressText(listen)]),
    ...(migrations === undefined ? [] : ["--migrations", addressText(migrations)]),
    ...(migrationTls === undefined ? [] : ["--migration-tls", migrationTls]),
  ];
}

export function declareUp(program: Command, done: (status: number) => void): void {
  const command = program
    .command("up [FILE]")
    .summary("run the domains of a file, side by side under the hypervisor")
    .description(
      "Makes the node's domains those of a YAML file: new ones are added, changed ones replaced, others removed; their disks stay. Starts the node's process where there is none. Without a file: starts the node with the domains that it had.",
    );
  declareOptions(command, UP_ROWS);
  command.action(async (file: string | undefined, given: Record<string, unknown>) => {
    const options = readOptions(UP_ROWS, given);
    const { loadNodeFile } = await import("./node-file.ts");
    if (options.cold && file === undefined)
      throw new BadInput("--cold: give a file, or start one domain by atoll start --cold NAME");
    if (options.ksm && file === undefined) throw new BadInput("--ksm: give the file, too");
    const inFile = file === undefined ? undefined : loadNodeFile(file);
    const wanted = inFile && { ...inFile, node: { ...inFile.node, sameMemory: inFile.node.sameMemory || options.ksm } };
    const status = await withMachines(async (_, node) => {
      if (wanted === undefined && node.isEmpty && options.migrations === undefined)
        throw new BadInput("there are no domains yet: atoll up FILE adds them");
      const { changes } = await ProgressLine.during((show) =>
        node.up(wanted, options.cold, argumentsOf(options), show),
      );
      for (const { name, change } of changes) process.stdout.write(`${name}: ${change}\n`);
      const { domains } = await node.ask("list", {});
      printDomains(domains);
      return domains.some(({ status: each }) => each === "failed") ? EXIT_STATUS.domainFailed : EXIT_STATUS.ok;
    });
    done(status);
  });
}
