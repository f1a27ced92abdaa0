// UDP of the user-mode network.

import { createSocket, type Socket } from "node:dgram";
import type { DatagramEvents, Datagrams } from "../../network/ports.ts";
import { plain } from "./network-stream.ts";

/** Addresses are literal: nothing is to be looked up. */
function literal(address: string, options: unknown, done: (error: null, address: string, family: 4 | 6) => void): void {
  void options;
  done(null, address, address.includes(":") ? 6 : 4);
}

export class SocketDatagrams implements Datagrams {
  readonly #socket: Socket;
  #open = true;

  constructor(version: 4 | 6, events: DatagramEvents, wake: () => void) {
    this.#socket = createSocket({
      type: version === 4 ? "udp4" : "udp6",
      lookup: literal as unknown as NonNullable<Parameters<typeof createSocket>[0] & object>["lookup"],
    } as Parameters<typeof createSocket>[0] & object);
    this.#socket.on("message", (bytes, { address, port }) => {
      if (!this.#open) return;
      events.received(bytes, plain(address.replace(/%.*$/, "")), port);
      wake();
    });
    // What cannot be sent is lost.
    this.#socket.on("error", () => {});
  }

  /** Rejects as Node's `bind`. */
  static bound(address: string, port: number, events: DatagramEvents, wake: () => void): Promise<SocketDatagrams> {
    return new Promise((resolve, reject) => {
      const datagrams = new SocketDatagrams(address.includes(":") ? 6 : 4, events, wake);
      const socket = datagrams.#socket;
      socket.once("error", reject);
      socket.bind({ address, port }, () => {
        socket.off("error", reject);
        resolve(datagrams);
      });
    });
  }

  send(bytes: Uint8Array, address: string, port: number): void {
    if (this.#open) this.#socket.send(Buffer.from(bytes), port, address, () => {});
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#socket.close();
  }
}
