// `atoll relay`: a network for machines in web pages.

import type { Command } from "commander";
import { entropy } from "../hosts/library/clocks.ts";
import type { TcpAddress } from "../hosts/node/listen.ts";
import { BadInput } from "../machine/runnable.ts";
import { EXIT_STATUS } from "./exit-status.ts";
import { declareOptions, type OptionRows, readOptions, type ValueRow } from "./option.ts";
import { say } from "./report.ts";
import { parseTcpAddress } from "./tcp-address.ts";

const FIRST_PORT = 8765;

const RELAY_OPTIONS = {
  listen: {
    kind: "value",
    flags: "--listen <[ADDRESS:]PORT>",
    help: "where machines connect: this computer alone, unless an address is given",
    parse: listenAddress,
    default: String(FIRST_PORT),
  } satisfies ValueRow<TcpAddress>,
  token: {
    kind: "value",
    flags: "--token <TOKEN>",
    help: "what machines have to know; without it, one by chance",
    parse: token,
  } satisfies ValueRow<string>,
} satisfies OptionRows;

function listenAddress(value: string): TcpAddress {
  const address = parseTcpAddress(value);
  if (address === undefined) throw new BadInput("give a port, or ADDRESS:PORT");
  return address;
}

function token(value: string): string {
  if (!/^[\w-]{8,128}$/.test(value)) throw new BadInput("give 8 to 128 letters, digits, _ and -");
  return value;
}

export function declareRelay(program: Command, done: (status: number) => void): void {
  const command = program
    .command("relay")
    .summary("a network for machines in web pages")
    .description(
      "Gives machines in web pages what --net user gives to those of atoll run: a network through this computer's sockets.\n" +
        "Who knows the token reaches what this computer reaches.",
    );
  declareOptions(command, RELAY_OPTIONS);
  command.action(async (given: Record<string, unknown>) => {
    const { listen, token } = readOptions(RELAY_OPTIONS, given);
    const chosen = token ?? randomToken();
    const [{ serveRelay }, { addressText }] = await Promise.all([
      import("../hosts/node/relay.ts"),
      import("../hosts/node/listen.ts"),
    ]);
    const relay = await serveRelay({ ...listen, token: chosen });
    say(`the relay is at ws://${addressText({ ...listen, port: relay.port })}/ and its token is ${chosen}`);
    await new Promise<void>((resolve) => {
      for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => resolve());
    });
    relay.close();
    done(EXIT_STATUS.interrupted);
  });
}

function randomToken(): string {
  const bytes = new Uint8Array(16);
  entropy.fill(bytes);
  return Buffer.from(bytes).toString("base64url");
}
