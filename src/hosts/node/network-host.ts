import { execFile } from "node:child_process";
import type { DatagramEvents, Datagrams, Listener, NetworkHost, Stream, StreamEvents } from "../../network/ports.ts";
import { ask, hostNameServers, type SocketAddress } from "./name-server.ts";
import { SocketDatagrams } from "./network-datagrams.ts";
import { SocketStream } from "./network-stream.ts";

/** Seconds that somebody has for the answer to an echo request. */
const ECHO_PATIENCE = 3;

/** Node's sockets for the user-mode network. */
export class NodeNetwork implements NetworkHost {
  readonly #wake: () => void;
  readonly #nameServers: readonly SocketAddress[];

  /**
   * @param wake called after each event: the machine may be asleep.
   * @param nameServer asked in place of the host's own.
   */
  constructor(wake: () => void, nameServer?: SocketAddress) {
    this.#wake = wake;
    this.#nameServers = nameServer ? [nameServer] : hostNameServers();
  }

  get nameServer(): SocketAddress | undefined {
    return this.#nameServers[0];
  }

  connect(address: string, port: number, events: StreamEvents): Stream {
    return SocketStream.connect(address, port, events, this.#wake);
  }

  listen(...[address, port, accept]: Parameters<NetworkHost["listen"]>): Promise<Listener> {
    return SocketStream.listen(address, port, accept, this.#wake);
  }

  datagrams(version: 4 | 6, events: DatagramEvents): Datagrams {
    return new SocketDatagrams(version, events, this.#wake);
  }

  boundDatagrams(address: string, port: number, events: DatagramEvents): Promise<Datagrams> {
    return SocketDatagrams.bound(address, port, events, this.#wake);
  }

  resolve(query: Uint8Array, done: (answer: Uint8Array | undefined) => void): void {
    ask(this.#nameServers, query, (answer) => {
      done(answer);
      this.#wake();
    });
  }

  /** Node has no ICMP sockets: the host's `ping` asks, where there is one. */
  echo(address: string, done: (answered: boolean) => void): void {
    const options = { timeout: (ECHO_PATIENCE + 1) * 1000 };
    execFile("ping", ["-n", "-c", "1", "-W", `${ECHO_PATIENCE}`, address], options, (error) => {
      done(error === null);
      this.#wake();
    });
  }
}
