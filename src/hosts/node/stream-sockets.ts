// A guest's vsock on this computer's Unix sockets, as Firecracker has it: what the guest connects to at port N of the host is the socket
// PATH_N, and who connects to PATH and says "CONNECT N" reaches the guest's port N.

import { createConnection, createServer, type Server, type Socket } from "node:net";
import type { OuterStream, StreamEvents, StreamHost } from "../../bus/streams.ts";
import { CID_HOST } from "../../devices/virtio/vsock/packet.ts";
import { InputQueue } from "../library/input-queue.ts";
import { listenAtSocket } from "./listen.ts";

/** No more is read of a socket when so many bytes wait for the guest. */
const HIGH_WATER = 0x4_0000;
/** Connections from outside at a time. */
const MOST_CONNECTIONS = 1024;
/** Of the line that a connection begins with. */
const LINE_BYTES = 32;
const LINE_MILLISECONDS = 10_000;

type Listener = (port: number, stream: OuterStream) => StreamEvents | undefined;

export class StreamSockets implements StreamHost {
  readonly #path: string;
  readonly #wake: () => void;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #listener: Listener = () => undefined;

  private constructor(path: string, wake: () => void) {
    this.#path = path;
    this.#wake = wake;
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#arrive(socket));
    this.#server.maxConnections = MOST_CONNECTIONS;
  }

  /**
   * @param wake called when the guest may have something to do.
   * @throws BadInput when the path cannot be listened at.
   */
  static async listen(path: string, wake: () => void): Promise<StreamSockets> {
    const sockets = new StreamSockets(path, wake);
    await listenAtSocket(sockets.#server, path);
    return sockets;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  connect(port: number, events: StreamEvents, cid: number): OuterStream | undefined {
    if (cid !== CID_HOST) return undefined;
    const socket = createConnection({ path: `${this.#path}_${port}`, allowHalfOpen: true });
    return this.#stream(socket, events);
  }

  onConnection(listener: Listener): void {
    this.#listener = listener;
  }

  #stream(socket: Socket, events: StreamEvents | undefined): SocketStream {
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    const stream = new SocketStream(socket, this.#wake);
    if (events !== undefined) stream.listen(events);
    return stream;
  }

  /** Waits for the line that says which port is wanted. */
  #arrive(socket: Socket): void {
    let line = "";
    const stream = this.#stream(socket, undefined);
    socket.setTimeout(LINE_MILLISECONDS, () => socket.destroy());
    socket.on("error", () => socket.destroy());
    socket.on("end", () => socket.destroy());
    const onData = (bytes: Buffer): void => {
      const end = bytes.indexOf("\n");
      line += bytes.subarray(0, Math.min(end < 0 ? bytes.length : end, LINE_BYTES)).toString("latin1");
      if (end < 0 && line.length < LINE_BYTES) return;
      socket.removeAllListeners();
      socket.on("close", () => this.#sockets.delete(socket));
      socket.setTimeout(0);
      const [, digits] = /^CONNECT (\d{1,10})$/i.exec(line.trimEnd()) ?? [];
      const port = Number(digits ?? -1);
      const events = port >= 0 && port < 2 ** 32 ? this.#listener(port, stream) : undefined;
      if (events === undefined) {
        socket.on("error", () => {});
        socket.destroy();
        return;
      }
      stream.listen(events);
      if (end + 1 < bytes.length) stream.arrived(bytes.subarray(end + 1));
      this.#wake();
    };
    socket.on("data", onData);
  }
}

class SocketStream implements OuterStream {
  readonly #socket: Socket;
  readonly #wake: () => void;
  readonly #queue = new InputQueue();
  #events: StreamEvents | undefined;

  constructor(socket: Socket, wake: () => void) {
    this.#socket = socket;
    this.#wake = wake;
  }

  listen(events: StreamEvents): void {
    this.#events = events;
    const socket = this.#socket;
    socket.on("connect", () => this.#tell((e) => e.connected()));
    socket.on("data", (bytes: Buffer) => this.arrived(bytes));
    socket.on("end", () => this.#tell((e) => e.ended()));
    // "close" follows.
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#tell((e) => e.closed());
      this.#events = undefined;
    });
  }

  arrived(bytes: Buffer): void {
    if (this.#events === undefined) return;
    this.#queue.push(bytes);
    if (this.#queue.length >= HIGH_WATER) this.#socket.pause();
    this.#tell((e) => e.readable());
  }

  #tell(event: (events: StreamEvents) => void): void {
    if (this.#events === undefined) return;
    event(this.#events);
    this.#wake();
  }

  write(bytes: Uint8Array): void {
    const { length } = bytes;
    // A copy: the socket keeps it, and guest memory changes.
    this.#socket.write(Buffer.from(bytes), (error) => {
      if (!error) this.#tell((e) => e.delivered(length));
    });
  }

  read(max: number): Uint8Array {
    const bytes = this.#queue.take(max);
    if (this.#queue.length < HIGH_WATER && this.#socket.isPaused()) this.#socket.resume();
    return bytes;
  }

  get readable(): boolean {
    return this.#queue.length > 0;
  }

  accept(hostPort: number): void {
    this.#socket.write(`OK ${hostPort}\n`);
  }

  end(): void {
    this.#socket.end();
  }

  close(): void {
    this.#events = undefined;
    const socket = this.#socket;
    if (socket.connecting) {
      socket.destroy();
      return;
    }
    // What still arrives is read and forgotten, lest the other end waited for somebody to take it.
    socket.resume();
    socket.end(() => socket.destroy());
  }
}
