// A guest's vsock connected to the program that has the machine: the end that is in the machine's thread.

import type { OuterStream, StreamEvents, StreamHost } from "../../bus/streams.ts";
import { CID_HOST } from "../../devices/virtio/vsock/packet.ts";
import { AtollError } from "./errors.ts";
import { InputQueue } from "./input-queue.ts";

/** Bytes that wait for the guest before no more are taken from the program. */
const HIGH_WATER = 0x4_0000;

/** What the program wants. It numbers the streams that it asks for, odd; those that the guest asks for are even. */
export type StreamCommand =
  /** Done when the guest has taken it. */
  | { readonly kind: "connect"; readonly id: number; readonly port: number }
  | { readonly kind: "listen"; readonly port: number; readonly on: boolean }
  /** Done when there is room for more. */
  | { readonly kind: "send"; readonly id: number; readonly bytes: Uint8Array }
  /** So many bytes of the guest's were read. */
  | { readonly kind: "taken"; readonly id: number; readonly bytes: number }
  /** No more will be sent. */
  | { readonly kind: "end"; readonly id: number }
  /** Nobody reads any more; what was sent still goes out. */
  | { readonly kind: "close"; readonly id: number };

/** What the program is told. */
export type StreamNotice =
  /** The guest has connected to a port of the host's that is listened at. */
  | { readonly kind: "arrived"; readonly id: number; readonly port: number }
  | { readonly kind: "bytes"; readonly id: number; readonly bytes: Uint8Array }
  /** The guest sends no more. */
  | { readonly kind: "ended"; readonly id: number }
  | { readonly kind: "closed"; readonly id: number };

type Listener = Parameters<StreamHost["onConnection"]>[0];

export class ProgramStreams implements StreamHost {
  readonly #streams = new Map<number, ProgramStream>();
  readonly #listening = new Set<number>();
  readonly #tell: (notice: StreamNotice) => void;
  readonly #wake: () => void;
  #listener: Listener = () => undefined;
  #lastId = 0;

  /** @param wake called when the guest may have something to do. */
  constructor(tell: (notice: StreamNotice) => void, wake: () => void) {
    this.#tell = tell;
    this.#wake = wake;
  }

  connect(port: number, events: StreamEvents, cid: number): OuterStream | undefined {
    if (cid !== CID_HOST || !this.#listening.has(port)) return undefined;
    this.#lastId += 2;
    const id = this.#lastId;
    const stream = this.#open(id);
    stream.events = events;
    this.#later(() => {
      // The guest may have given up in the meantime.
      if (stream.events === undefined) return;
      this.#tell({ kind: "arrived", id, port });
      stream.events.connected();
    });
    return stream;
  }

  onConnection(listener: Listener): void {
    this.#listener = listener;
  }

  /** Done as the command says. @throws AtollError "state" when nobody in the guest takes a connection. */
  do(command: StreamCommand): Promise<void> | undefined {
    if (command.kind === "listen") {
      if (command.on) this.#listening.add(command.port);
      else this.#listening.delete(command.port);
      return undefined;
    }
    if (command.kind === "connect") return this.#connect(command.id, command.port);
    const stream = this.#streams.get(command.id);
    switch (command.kind) {
      case "send":
        if (stream?.events === undefined) throw new AtollError("state", "the guest has closed the connection");
        this.#later(() => stream.events?.readable());
        return stream.send(command.bytes);
      case "taken":
        this.#later(() => stream?.events?.delivered(command.bytes));
        break;
      case "end":
        this.#later(() => stream?.events?.ended());
        break;
      case "close":
        this.#later(() => stream?.closeWhenSent());
        break;
    }
    return undefined;
  }

  /** All streams end, and nobody waits any more. */
  close(): void {
    for (const stream of this.#streams.values()) stream.close();
  }

  async #connect(id: number, port: number): Promise<void> {
    const refused = new AtollError("state", `nothing in the guest listens at vsock port ${port}`);
    await new Promise<void>((resolve, reject) => {
      const stream = this.#open(id, (accepted) => (accepted ? resolve() : reject(refused)));
      this.#later(() => {
        stream.events = this.#listener(port, stream);
        if (stream.events === undefined) stream.close();
      });
    });
  }

  #open(id: number, answered?: (accepted: boolean) => void): ProgramStream {
    const stream = new ProgramStream(
      (event) => queueMicrotask(() => this.#tell(event)),
      id,
      () => this.#streams.delete(id),
      answered,
    );
    this.#streams.set(id, stream);
    return stream;
  }

  /** Never within a function of a stream, nor of another device's. */
  #later(act: () => void): void {
    queueMicrotask(() => {
      act();
      this.#wake();
    });
  }
}

class ProgramStream implements OuterStream {
  readonly #tell: (notice: StreamNotice) => void;
  readonly #id: number;
  readonly #forget: () => void;
  /** Of a connection that the program asks for, until the guest has taken or refused it. */
  #answered: ((accepted: boolean) => void) | undefined;
  readonly #queue = new InputQueue();
  #room: (() => void)[] = [];
  #closing = false;
  events: StreamEvents | undefined;

  constructor(
    tell: (notice: StreamNotice) => void,
    id: number,
    forget: () => void,
    answered: ((accepted: boolean) => void) | undefined,
  ) {
    this.#tell = tell;
    this.#id = id;
    this.#forget = forget;
    this.#answered = answered;
  }

  write(bytes: Uint8Array): void {
    this.#tell({ kind: "bytes", id: this.#id, bytes: bytes.slice() });
  }

  read(max: number): Uint8Array {
    const bytes = this.#queue.take(max);
    if (this.#queue.length < HIGH_WATER) for (const resolve of this.#room.splice(0)) resolve();
    if (this.#queue.length === 0 && this.#closing) queueMicrotask(() => this.closeWhenSent());
    return bytes;
  }

  get readable(): boolean {
    return this.#queue.length > 0;
  }

  accept(): void {
    this.#answered?.(true);
    this.#answered = undefined;
  }

  end(): void {
    this.#tell({ kind: "ended", id: this.#id });
  }

  close(): void {
    this.events = undefined;
    this.#forget();
    this.#answered?.(false);
    this.#answered = undefined;
    for (const resolve of this.#room.splice(0)) resolve();
    this.#tell({ kind: "closed", id: this.#id });
  }

  /** For the guest. Done when there is room for more. */
  send(bytes: Uint8Array): Promise<void> | undefined {
    this.#queue.push(bytes);
    return this.#queue.length < HIGH_WATER ? undefined : new Promise((resolve) => this.#room.push(resolve));
  }

  closeWhenSent(): void {
    this.#closing = true;
    const { events } = this;
    if (this.#queue.length === 0) events?.closed();
  }
}
