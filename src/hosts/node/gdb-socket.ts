// Where a GDB client connects: a TCP socket that serves one at a time.

import { createServer, type Server, type Socket } from "node:net";
import type { Debugger } from "../../machine/gdb/debugger.ts";
import { GdbSession } from "../../machine/gdb/session.ts";
import { listenAt, type TcpAddress } from "./listen.ts";

export interface GdbEvents {
  /** PEs may run that did not. */
  resumed(): void;
  /** Executes a line of the monitor's. */
  monitor(line: string): string;
  /** The client ends the machine. */
  kill(): void;
}

/** What a client begins with: + or - (an acknowledgement), $ (a packet), or an interrupt. */
const FIRST_BYTES: ReadonlySet<number> = new Set([0x2b, 0x2d, 0x24, 0x03]);
/** Connections at a time; all but one are of those that have not said anything. */
const MOST_CONNECTIONS = 8;
/** Milliseconds that the last reply has to get to the client. */
const PARTING = 500;

export class GdbSocket {
  readonly #server: Server;
  /** Where clients connect. */
  readonly port: number;
  readonly #debugger: Debugger;
  readonly #events: GdbEvents;
  #client: { readonly socket: Socket; readonly session: GdbSession } | undefined;

  private constructor(server: Server, port: number, target: Debugger, events: GdbEvents) {
    this.#server = server;
    this.port = port;
    this.#debugger = target;
    this.#events = events;
    server.on("connection", (socket) => this.#connect(socket));
  }

  /** @throws BadInput when the address cannot be listened at. */
  static async listen(address: TcpAddress, target: Debugger, events: GdbEvents): Promise<GdbSocket> {
    const server = createServer({ noDelay: true });
    server.maxConnections = MOST_CONNECTIONS;
    return new GdbSocket(server, await listenAt(server, address), target, events);
  }

  /** The machine has ended, and the process will with this status. */
  async close(status: number): Promise<void> {
    this.#server.close();
    const client = this.#client;
    if (client === undefined) return;
    client.session.exited(status);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, PARTING);
      client.socket.end(() => {
        clearTimeout(timer);
        resolve();
      });
    });
    client.socket.destroy();
  }

  /** A client is one that says something of the protocol: what else connects, such as a web page, does not even stop the machine. */
  #connect(socket: Socket): void {
    socket.on("error", () => socket.destroy());
    socket.once("data", (bytes: Uint8Array) => {
      if (this.#client !== undefined || !FIRST_BYTES.has(bytes[0] as number)) socket.destroy();
      else this.#serve(socket).receive(bytes);
    });
  }

  #serve(socket: Socket): GdbSession {
    const session = new GdbSession(this.#debugger, {
      write: (bytes) => {
        const goOn = socket.destroyed || socket.write(bytes);
        if (!goOn) socket.pause();
        return goOn;
      },
      resumed: () => this.#events.resumed(),
      monitor: (line) => this.#events.monitor(line),
      kill: () => this.#events.kill(),
    });
    this.#client = { socket, session };
    socket.on("data", (bytes: Uint8Array) => session.receive(bytes));
    socket.on("drain", () => {
      session.drained();
      if (!socket.writableNeedDrain) socket.resume();
    });
    socket.on("close", () => {
      session.closed();
      this.#client = undefined;
    });
    return session;
  }
}
