// The guest's serial console on standard input and output: a terminal in raw mode, or pipes and files.

import type { ReadStream, WriteStream } from "node:tty";
import type { SerialPort, TerminalSize } from "../../bus/device.ts";
import { InputQueue } from "../library/input-queue.ts";
import { EscapeKeys } from "./escape-keys.ts";

/** No more input is read when so many bytes wait for the guest. */
const HIGH_WATER = 0x10000;
/** Bytes of output that are gathered: a serial port gives them one at a time, and each write to the host costs as much as some thousand instructions. */
const GATHERED = 0x1000;

const LINE_FEED = 10;
/** Bytes of a line that are kept. */
const LINE_KEPT = 1024;

export interface TerminalEvents {
  /** Input for the guest has arrived. */
  input(): void;
  /** ctrl-a x. */
  quit(): void;
  /** ctrl-a c: what is typed from now on goes to `monitorInput`, or to the guest again. */
  monitor(active: boolean): void;
  monitorInput(bytes: Uint8Array): void;
  /** ctrl-a s. */
  save(): void;
  /** ctrl-a h. */
  help(): void;
  /** Nobody reads the output any more. */
  hangup(): void;
}

export interface TerminalStreams {
  readonly input: NodeJS.ReadableStream & Partial<Pick<ReadStream, "isTTY" | "setRawMode" | "unref">>;
  readonly output: NodeJS.WritableStream & Partial<Pick<WriteStream, "isTTY" | "columns" | "rows">>;
}

export class Terminal implements SerialPort, TerminalSize {
  readonly #input: TerminalStreams["input"];
  readonly #output: TerminalStreams["output"];
  readonly #events: TerminalEvents;
  readonly #escapes: EscapeKeys | undefined;
  readonly #queue = new InputQueue();
  readonly #onData = (bytes: Buffer): void => this.#receive(bytes);
  readonly #gathered = new Uint8Array(GATHERED);
  #gatheredBytes = 0;
  /** What was shown since the last line's end, or the end of that. */
  #lastLine: Buffer = Buffer.alloc(0);
  #monitor = false;
  #readable = (): void => {};

  /** `escapes`: whether ctrl-a is an escape; where input comes from a terminal unless said otherwise. */
  constructor(streams: TerminalStreams, events: TerminalEvents, escapes = streams.input.isTTY === true) {
    this.#input = streams.input;
    this.#output = streams.output;
    this.#events = events;
    this.#escapes = escapes ? new EscapeKeys() : undefined;
    this.#input.on("error", () => this.#input.pause());
    this.#output.on("error", () => events.hangup());
  }

  /** Takes the terminal over and begins to read. */
  open(): void {
    if (this.#input.isTTY) this.#input.setRawMode?.(true);
    this.#input.on("data", this.#onData);
  }

  /** Gives the terminal back as it was. */
  close(): void {
    this.#flush();
    this.#input.off("data", this.#onData);
    this.#input.pause();
    if (this.#input.isTTY) this.#input.setRawMode?.(false);
  }

  /** Output is written when the code that runs returns to the event loop, which the machine does every few milliseconds. */
  write(bytes: Uint8Array): void {
    if (this.#gatheredBytes + bytes.length > GATHERED) this.#flush();
    // Copies: the stream may keep what it gets, and guest memory is shared and changes.
    if (bytes.length > GATHERED) {
      this.#show(Buffer.from(bytes));
      return;
    }
    if (this.#gatheredBytes === 0) queueMicrotask(() => this.#flush());
    this.#gathered.set(bytes, this.#gatheredBytes);
    this.#gatheredBytes += bytes.length;
  }

  #flush(): void {
    if (this.#gatheredBytes === 0) return;
    this.#show(Buffer.from(this.#gathered.subarray(0, this.#gatheredBytes)));
    this.#gatheredBytes = 0;
  }

  #show(bytes: Buffer): void {
    this.#output.write(bytes);
    const end = bytes.lastIndexOf(LINE_FEED);
    this.#lastLine = end < 0 ? Buffer.concat([this.#lastLine, bytes]) : bytes.subarray(end + 1);
    this.#lastLine = this.#lastLine.subarray(-LINE_KEPT);
  }

  /** What the guest has shown of a line that is not ended: a prompt. */
  get lastLine(): Uint8Array {
    this.#flush();
    return this.#lastLine;
  }

  /** Shows what the guest has written at once. */
  show(bytes: Uint8Array): void {
    this.write(bytes);
    this.#flush();
  }

  /** Shows text of our own. Its lines end in \n: Node's raw mode is for input, output is still processed (ONLCR). */
  print(text: string): void {
    this.#flush();
    this.#output.write(text);
  }

  read(max: number): Uint8Array {
    const bytes = this.#queue.take(max);
    if (bytes.length > 0 && this.#queue.length < HIGH_WATER && this.#input.isPaused()) this.#input.resume();
    return bytes;
  }

  /** Of SerialPort and TerminalSize. */
  onReadable(listener: () => void): void {
    this.#readable = listener;
    if (this.#queue.length > 0) listener();
  }

  get(): { readonly columns: number; readonly rows: number } | undefined {
    const { isTTY, columns, rows } = this.#output;
    return isTTY && columns && rows ? { columns, rows } : undefined;
  }

  onChange(listener: () => void): void {
    this.#output.on("resize", listener);
  }

  #receive(bytes: Uint8Array): void {
    for (const key of this.#escapes?.feed(bytes) ?? [{ kind: "input", bytes } as const]) {
      switch (key.kind) {
        case "input":
          if (this.#monitor) this.#events.monitorInput(key.bytes);
          else this.#forGuest(key.bytes);
          break;
        case "monitor":
          this.#monitor = !this.#monitor;
          this.#events.monitor(this.#monitor);
          break;
        case "quit":
          this.#events.quit();
          return;
        case "save":
          this.#events.save();
          break;
        case "help":
          this.#events.help();
          break;
      }
    }
  }

  #forGuest(bytes: Uint8Array): void {
    // With escapes, reading must go on so that ctrl-a x is seen: what is typed at a guest that does not listen is lost.
    if (this.#escapes && this.#queue.length >= HIGH_WATER) return;
    this.#queue.push(bytes);
    if (this.#queue.length >= HIGH_WATER && !this.#escapes) this.#input.pause();
    this.#readable();
    this.#events.input();
  }
}
