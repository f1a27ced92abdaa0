// TCP connections of the user-mode network: streams over Node's sockets.

import { createServer, Socket } from "node:net";
import type { Listener, Stream, StreamEvents, StreamFailure } from "../../network/ports.ts";

/** How an error of a socket's looks from outside. */
const FAILURES: Readonly<Record<string, StreamFailure>> = {
  ECONNREFUSED: "refused",
  ECONNRESET: "reset",
  EPIPE: "reset",
};

/** A socket's events go on to whoever the connection is for; `wake` comes after each. */
export class SocketStream implements Stream {
  readonly #socket: Socket;
  #events: StreamEvents | undefined;
  #failure: StreamFailure | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  static connect(address: string, port: number, events: StreamEvents, wake: () => void): SocketStream {
    const socket = new Socket({ allowHalfOpen: true });
    const stream = new SocketStream(socket);
    stream.#attach(events, wake);
    socket.setNoDelay(true);
    socket.connect({ host: address, port, autoSelectFamily: false });
    return stream;
  }

  /** Takes connections, paused, until it is closed. Rejects as Node's `listen`. */
  static listen(
    address: string,
    port: number,
    accept: (stream: Stream, peer: { readonly address: string; readonly port: number }) => StreamEvents | undefined,
    wake: () => void,
  ): Promise<Listener> {
    return new Promise((resolve, reject) => {
      const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, (socket) => {
        const stream = new SocketStream(socket);
        const events = accept(stream, { address: plain(socket.remoteAddress ?? ""), port: socket.remotePort ?? 0 });
        stream.#attach(events, wake);
        if (events === undefined) stream.abort();
        wake();
      });
      server.once("error", reject);
      server.listen({ host: address, port }, () => {
        server.off("error", reject);
        server.on("error", () => {});
        resolve({ close: () => server.close() });
      });
    });
  }

  #attach(events: StreamEvents | undefined, wake: () => void): void {
    this.#events = events;
    const pass = (what: (events: StreamEvents) => void): void => {
      if (this.#events === undefined) return;
      what(this.#events);
      wake();
    };
    const socket = this.#socket;
    socket.on("connect", () => pass((to) => to.connected()));
    socket.on("data", (bytes: Buffer) => pass((to) => to.data(bytes)));
    socket.on("end", () => pass((to) => to.ended()));
    socket.on("drain", () => pass((to) => to.sent()));
    socket.on("error", (error: NodeJS.ErrnoException) => {
      this.#failure = FAILURES[error.code ?? ""] ?? (socket.connecting ? "unreachable" : "reset");
      if (this.#failure === "reset" && socket.bytesRead === 0 && error.syscall === "connect")
        this.#failure = "unreachable";
    });
    socket.on("close", () => {
      pass((to) => to.closed(this.#failure));
      this.#events = undefined;
    });
    // Listening to data starts them; what was accepted is to stay paused.
    if (!socket.connecting && socket.remoteAddress !== undefined) socket.pause();
  }

  get waiting(): number {
    return this.#socket.writableLength;
  }

  write(bytes: Uint8Array): void {
    if (this.#socket.writable) this.#socket.write(Buffer.from(bytes));
  }

  end(): void {
    this.#socket.end();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  abort(): void {
    this.#events = undefined;
    if (this.#socket.connecting) this.#socket.destroy();
    else this.#socket.resetAndDestroy();
  }
}

/** An IPv4 address that an IPv6 socket shows (RFC 4291, 2.5.5.2) is one. */
export function plain(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, "");
}
