import { isIP } from "node:net";
import type { Command } from "commander";
import { BadInput } from "../machine/runnable.ts";
import type { TcpAddress } from "../server/domains/daemon.ts";
import { EXIT_STATUS } from "./exit-status.ts";
import { ProgressLine, withMachines } from "./machine-command.ts";
import { declareOptions, type OptionRows, readOptions } from "./option.ts";
import { printDomains } from "./ps.ts";

/** `[ADDRESS:]PORT`, IPv6 addresses in brackets. */
export function tcpAddress(value: string): TcpAddress {
  const [, bracketed, plain, digits] = /^(?:(?:\[([^\]]*)\]|([^:]*)):)?(\d{1,5})$/.exec(value) ?? [];
  const address = bracketed ?? plain ?? "127.0.0.1";
  const port = Number(digits ?? -1);
  if (isIP(address) === 0 || !(port > 0 && port < 65536)) throw new BadInput("give [ADDRESS:]PORT, such as 7070");
  return { address, port };
}

export const LISTEN = {
  kind: "value",
  flags: "--listen <[ADDRESS:]PORT>",
  parse: tcpAddress,
  help: "serve the HTTP API at a TCP port, too, to those who have the token in the state directory's node/token",
} as const;

const ROWS = { listen: LISTEN } satisfies OptionRows;

export function declareUp(program: Command, done: (status: number) => void): void {
  const command = program
    .command("up [FILE]")
    .summary("run the domains of a file, side by side under the hypervisor")
    .description(
      "Makes the node's domains those of a YAML file: new ones are added, changed ones replaced, others removed; their disks stay. Starts the node's process where there is none. Without a file: starts the node with the domains that it had.",
    );
  declareOptions(command, ROWS);
  command.action(async (file: string | undefined, given: Record<string, unknown>) => {
    const { listen } = readOptions(ROWS, given);
    const { loadNodeFile } = await import("./node-file.ts");
    const wanted = file === undefined ? undefined : loadNodeFile(file);
    const status = await withMachines(async (_, node) => {
      if (wanted === undefined && node.isEmpty) throw new BadInput("there are no domains yet: atoll up FILE adds them");
      const address = listen && `${isIP(listen.address) === 6 ? `[${listen.address}]` : listen.address}:${listen.port}`;
      const { changes } = await ProgressLine.during((show) => node.up(wanted, address, show));
      for (const { name, change } of changes) process.stdout.write(`${name}: ${change}\n`);
      const { domains } = await node.ask("list", {});
      printDomains(domains);
      return domains.some(({ status: each }) => each === "failed") ? EXIT_STATUS.domainFailed : EXIT_STATUS.ok;
    });
    done(status);
  });
}
