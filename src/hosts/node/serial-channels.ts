// What a guest's serial ports are connected to: a Unix socket, or a file.

import { closeSync, openSync, writeSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import type { SerialChannel } from "../../bus/channel.ts";
import { InputQueue } from "../library/input-queue.ts";
import { asBadInput } from "./files.ts";
import { listenAtSocket } from "./listen.ts";

/** No more is read of a socket when so many bytes wait for the guest. */
const HIGH_WATER = 0x1_0000;

/** A Unix socket that takes one client at a time. */
export class SocketChannel implements SerialChannel {
  readonly #server: Server;
  readonly #queue = new InputQueue();
  readonly #wake: () => void;
  #client: Socket | undefined;
  #listener = (): void => {};

  private constructor(wake: () => void) {
    this.#wake = wake;
    this.#server = createServer((socket) => this.#arrive(socket));
  }

  /** @param wake called when the guest may have something to do. @throws BadInput when the path cannot be listened at. */
  static async listen(path: string, wake: () => void): Promise<SocketChannel> {
    const channel = new SocketChannel(wake);
    await listenAtSocket(channel.#server, path);
    return channel;
  }

  close(): void {
    this.#server.close();
    this.#client?.destroy();
  }

  #arrive(socket: Socket): void {
    socket.on("error", () => {});
    if (this.#client !== undefined) {
      socket.destroy();
      return;
    }
    this.#client = socket;
    socket.on("data", (bytes: Buffer) => {
      this.#queue.push(bytes);
      if (this.#queue.length >= HIGH_WATER) socket.pause();
      this.#changed();
    });
    socket.on("drain", () => this.#changed());
    socket.on("close", () => {
      this.#client = undefined;
      this.#changed();
    });
    this.#changed();
  }

  #changed(): void {
    this.#listener();
    this.#wake();
  }

  get connected(): boolean {
    return this.#client !== undefined;
  }

  get full(): boolean {
    return this.#client?.writableNeedDrain === true;
  }

  write(bytes: Uint8Array): void {
    // A copy: the socket keeps it, and guest memory changes.
    if (this.#client?.writable) this.#client.write(Buffer.from(bytes));
  }

  read(max: number): Uint8Array {
    const bytes = this.#queue.take(max);
    if (this.#queue.length < HIGH_WATER && this.#client?.isPaused()) this.#client.resume();
    return bytes;
  }

  onChange(listener: () => void): void {
    this.#listener = listener;
  }
}

/** A file that holds what the guest has written, and that gives nothing. */
export class FileChannel implements SerialChannel {
  readonly full = false;
  #fd: number | undefined;

  /** @throws BadInput when it cannot be written. */
  constructor(path: string) {
    try {
      this.#fd = openSync(path, "w");
    } catch (error) {
      throw asBadInput(error, "write", path);
    }
  }

  get connected(): boolean {
    return this.#fd !== undefined;
  }

  write(bytes: Uint8Array): void {
    try {
      for (let done = 0; this.#fd !== undefined && done < bytes.length; ) done += writeSync(this.#fd, bytes, done);
    } catch {
      // A host that takes no more is one that is not there.
      this.close();
    }
  }

  read(): Uint8Array {
    return new Uint8Array(0);
  }

  onChange(): void {}

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}
