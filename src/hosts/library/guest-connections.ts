// A guest's vsock connected to the program that has the machine: the program's end.

import { AtollError } from "./errors.ts";
import type { StreamCommand, StreamNotice } from "./program-streams.ts";

/** A connection to a guest's vsock socket, as web streams of bytes. */
export class GuestConnection {
  /** What the guest sends. Ends when it sends no more. Cancel it to close the connection; the guest sends no more than it has room for. */
  readonly readable: ReadableStream<Uint8Array>;
  /** What the guest receives. Closing it tells the guest that no more comes; aborting it closes the connection. */
  readonly writable: WritableStream<Uint8Array>;
  /** Of the guest's port, or of the host's, where it was the guest that connected. */
  readonly port: number;
  readonly #waiting: Uint8Array[] = [];
  #wanted = (): void => {};
  #ended = false;

  /** @internal */
  constructor(port: number, id: number, command: (command: StreamCommand) => Promise<void>) {
    this.port = port;
    const close = (): Promise<void> => command({ kind: "close", id });
    this.readable = new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          if (this.#waiting.length === 0 && !this.#ended) {
            await new Promise<void>((resolve) => {
              this.#wanted = resolve;
            });
          }
          const bytes = this.#waiting.shift();
          if (bytes === undefined) return controller.close();
          controller.enqueue(bytes);
          void command({ kind: "taken", id, bytes: bytes.length }).catch(() => {});
        },
        cancel: close,
      },
      { highWaterMark: 0 },
    );
    this.writable = new WritableStream<Uint8Array>({
      write: (bytes) => command({ kind: "send", id, bytes }),
      close: () => command({ kind: "end", id }),
      abort: close,
    });
  }

  /** @internal */
  arrived(bytes: Uint8Array): void {
    this.#waiting.push(bytes);
    this.#wanted();
  }

  /** @internal No more will arrive. */
  end(): void {
    this.#ended = true;
    this.#wanted();
  }
}

/** Takes a connection that the guest has made. */
export type ConnectionListener = (connection: GuestConnection) => void;

/** The connections of a machine. */
export class GuestConnections {
  readonly #command: (command: StreamCommand) => Promise<void>;
  readonly #open = new Map<number, GuestConnection>();
  readonly #listeners = new Map<number, ConnectionListener>();
  #lastId = -1;

  constructor(command: (command: StreamCommand) => Promise<void>) {
    this.#command = command;
  }

  async connect(port: number): Promise<GuestConnection> {
    checkPort(port);
    this.#lastId += 2;
    const id = this.#lastId;
    const connection = this.#add(port, id);
    try {
      await this.#command({ kind: "connect", id, port });
    } catch (error) {
      this.#open.delete(id);
      throw error;
    }
    return connection;
  }

  async listen(port: number, listener: ConnectionListener): Promise<() => Promise<void>> {
    checkPort(port);
    if (this.#listeners.has(port)) throw new AtollError("state", `vsock port ${port} is listened at already`);
    this.#listeners.set(port, listener);
    try {
      await this.#command({ kind: "listen", port, on: true });
    } catch (error) {
      this.#listeners.delete(port);
      throw error;
    }
    return async () => {
      if (this.#listeners.get(port) !== listener) return;
      this.#listeners.delete(port);
      await this.#command({ kind: "listen", port, on: false });
    };
  }

  heard(notice: StreamNotice): void {
    const { id } = notice;
    switch (notice.kind) {
      case "arrived": {
        const connection = this.#add(notice.port, id);
        const listener = this.#listeners.get(notice.port);
        // It may have been taken away in the meantime.
        if (listener === undefined) void connection.readable.cancel().catch(() => {});
        else listener(connection);
        break;
      }
      case "bytes":
        this.#open.get(id)?.arrived(notice.bytes);
        break;
      case "ended":
        this.#open.get(id)?.end();
        break;
      case "closed":
        this.#open.get(id)?.end();
        this.#open.delete(id);
        break;
    }
  }

  /** The machine is closed. */
  end(): void {
    for (const connection of this.#open.values()) connection.end();
    this.#open.clear();
  }

  #add(port: number, id: number): GuestConnection {
    const connection = new GuestConnection(port, id, this.#command);
    this.#open.set(id, connection);
    return connection;
  }
}

function checkPort(port: number): void {
  if (Number.isInteger(port) && port >= 0 && port < 2 ** 32 - 1) return;
  throw new AtollError("configuration", "vsock ports are numbers from 0 to 4294967294");
}
