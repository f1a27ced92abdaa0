// A machine's serial console with any number of people at it, also none.

import type { SerialPort, TerminalSize } from "../bus/device.ts";
import { InputQueue } from "../hosts/library/input-queue.ts";

/** Bytes of the recent screen that are kept for who comes later. */
const KEPT = 0x10000;
/** Bytes of output that are gathered: a serial port gives them one at a time. */
const GATHERED = 0x1000;
/** Input beyond so many bytes that wait for the guest is lost: it does not listen. */
const INPUT_MAX = 0x10000;

type Size = NonNullable<ReturnType<TerminalSize["get"]>>;

/** Takes the console's output. It is given copies. */
export type ConsoleListener = (bytes: Uint8Array) => void;

export class ConsoleHub implements SerialPort, TerminalSize {
  readonly #wake: () => void;
  readonly #listeners = new Set<ConsoleListener>();
  readonly #input = new InputQueue();
  readonly #gathered = new Uint8Array(GATHERED);
  #gatheredBytes = 0;
  #recent: Uint8Array[] = [];
  #recentBytes = 0;
  #readable = (): void => {};
  #size: Size | undefined;
  #resized = (): void => {};

  /** @param wake called when the guest may have something to do. */
  constructor(wake: () => void) {
    this.#wake = wake;
  }

  /** Begins to listen. @returns what was shown lately. */
  join(listener: ConsoleListener): Uint8Array {
    this.flush();
    this.#listeners.add(listener);
    const recent = Buffer.concat(this.#recent);
    if (this.#recentBytes <= KEPT) return recent;
    // From the beginning of a line, where there is one: not from within an escape sequence or a character.
    const tail = recent.subarray(-KEPT);
    return tail.subarray(tail.indexOf(0x0a) + 1);
  }

  /** What was shown before this machine's process began. */
  recall(bytes: Uint8Array): void {
    this.#keep(bytes);
  }

  leave(listener: ConsoleListener): void {
    this.#listeners.delete(listener);
  }

  /** Somebody types. */
  type(bytes: Uint8Array): void {
    if (this.#input.length >= INPUT_MAX) return;
    this.#input.push(bytes);
    this.#readable();
    this.#wake();
  }

  /** Somebody's terminal has this size: who came or changed it last counts. */
  resize(size: Size): void {
    this.#size = size;
    this.#resized();
    this.#wake();
  }

  /** Gives what is gathered to who listens. */
  flush(): void {
    if (this.#gatheredBytes === 0) return;
    const bytes = this.#gathered.slice(0, this.#gatheredBytes);
    this.#gatheredBytes = 0;
    this.#show(bytes);
  }

  /** Of SerialPort: output of the guest. */
  write(bytes: Uint8Array): void {
    if (this.#gatheredBytes + bytes.length > GATHERED) this.flush();
    // Copied: guest memory is shared and changes.
    if (bytes.length > GATHERED) {
      this.#show(bytes.slice());
      return;
    }
    if (this.#gatheredBytes === 0) queueMicrotask(() => this.flush());
    this.#gathered.set(bytes, this.#gatheredBytes);
    this.#gatheredBytes += bytes.length;
  }

  read(max: number): Uint8Array {
    return this.#input.take(max);
  }

  onReadable(listener: () => void): void {
    this.#readable = listener;
    if (this.#input.length > 0) listener();
  }

  /** Of TerminalSize. */
  get(): Size | undefined {
    return this.#size;
  }

  onChange(listener: () => void): void {
    this.#resized = listener;
  }

  #show(bytes: Uint8Array): void {
    this.#keep(bytes);
    for (const listener of this.#listeners) listener(bytes);
  }

  #keep(bytes: Uint8Array): void {
    this.#recent.push(bytes);
    this.#recentBytes += bytes.length;
    // In one piece again now and then, so that few pieces are kept, and twice what is needed at most.
    if (this.#recentBytes > 2 * KEPT || this.#recent.length > 1024) {
      const tail = Buffer.concat(this.#recent).subarray(-KEPT - 1);
      this.#recent = [tail];
      this.#recentBytes = tail.length;
    }
  }
}
