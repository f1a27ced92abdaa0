// `atoll console`: a terminal at the console of a machine that lasts.

import type { Command } from "commander";
import { ActionError } from "../contract/action.ts";
import { Terminal } from "../hosts/node/terminal.ts";
import { EXIT_STATUS } from "./exit-status.ts";
import { declareMachineCommand, withMachines } from "./machine-command.ts";
import { say } from "./report.ts";

const KEYS = [
  "ctrl-a x      leave the console; the machine goes on",
  "ctrl-a h      list these keys",
  "ctrl-a ctrl-a send ctrl-a to the guest (ctrl-a a does, too)",
].join("\n");

export function declareConsole(program: Command, done: (status: number) => void): void {
  declareMachineCommand(program, done, {
    usage: "console <NAME>",
    summary: "be at the console of a machine that lasts or a domain",
    description: `Puts this terminal at a machine's console, and shows what was there lately. Several may be there at once.\n\nKeys:\n${KEYS.replace(/^/gm, "  ")}`,
    rows: {},
    act: (_, [name]) =>
      withMachines(async (machines, node) => {
        // Loaded only now: schemas take a third of the time in which atoll run starts.
        const [{ DOMAIN_CONSOLE_PATH }, { CONSOLE_PATH }] = await Promise.all([
          import("../contract/domains.ts"),
          import("../contract/machines.ts"),
        ]);
        return node.knows(name as string)
          ? attach(name as string, node.socket, DOMAIN_CONSOLE_PATH)
          : attach(name as string, machines.socketOf(name as string), CONSOLE_PATH);
      }),
  });
}

type End = "left" | "closed" | "interrupted";

async function attach(name: string, socketPath: string, path: string): Promise<number> {
  const { WebSocket } = await import("ws");
  const socket = new WebSocket(`ws+unix:${socketPath}:${path.replace("{name}", name)}`, {
    perMessageDeflate: false,
  });
  const ended = Promise.withResolvers<End>();
  let why = "";
  const terminal = new Terminal(
    { input: process.stdin, output: process.stdout },
    {
      input: () => {},
      quit: () => ended.resolve("left"),
      monitor: (active) => terminal.print(active ? "\n(no monitor here: ctrl-a c goes back to the console)\n" : ""),
      monitorInput: () => {},
      save: () => terminal.print(`\n(atoll stop --save ${name} saves it)\n`),
      help: () => terminal.print(`\n${KEYS}\n`),
      hangup: () => ended.resolve("interrupted"),
    },
  );
  socket.on("error", (error) =>
    ended.reject(new ActionError("wrong-state", `${name} does not answer: ${error.message}`)),
  );
  socket.on("close", (_, reason) => {
    why = reason.toString();
    ended.resolve("closed");
  });
  socket.on("message", (bytes) => terminal.write(bytes as Buffer));
  const resize = (): void => {
    const size = terminal.get();
    if (size !== undefined) socket.send(JSON.stringify(size));
  };
  socket.on("open", () => {
    resize();
    terminal.onChange(resize);
    terminal.onReadable(() => {
      for (let bytes = terminal.read(INPUT); bytes.length > 0; bytes = terminal.read(INPUT)) socket.send(bytes);
    });
    terminal.open();
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => ended.resolve("interrupted"));
  process.on("exit", () => terminal.close());
  try {
    const end = await ended.promise;
    terminal.close();
    if (end === "interrupted") return EXIT_STATUS.interrupted;
    // The shell's prompt belongs on a line of its own.
    terminal.print("\n");
    if (end === "closed")
      say(why === "" ? `${name} went away` : why === "too slow" ? TOO_SLOW : `${name} has stopped: ${why}`);
    return EXIT_STATUS.ok;
  } finally {
    terminal.close();
    socket.terminate();
  }
}

/** Bytes of one message. */
const INPUT = 0x10000;
const TOO_SLOW = "this terminal is too slow for what the guest writes: the console is closed, and the machine goes on";
