import type { SerialChannel } from "../../bus/channel.ts";
import { InputQueue } from "./input-queue.ts";

/** A serial port of the guest's that the program itself is connected to. */
export class StreamPort implements SerialChannel {
  readonly connected = true;
  readonly full = false;
  readonly #queue = new InputQueue();
  readonly #emit: (bytes: Uint8Array) => void;
  #taken: (() => void)[] = [];
  #changed = (): void => {};

  constructor(emit: (bytes: Uint8Array) => void) {
    this.#emit = emit;
  }

  write(bytes: Uint8Array): void {
    this.#emit(bytes.slice());
  }

  read(max: number): Uint8Array {
    const bytes = this.#queue.take(max);
    if (this.#queue.length === 0) this.close();
    return bytes;
  }

  onChange(listener: () => void): void {
    this.#changed = listener;
  }

  /** Sends bytes to the guest. Done when it has taken them all. */
  send(bytes: Uint8Array): Promise<void> {
    this.#queue.push(bytes);
    this.#changed();
    return new Promise((resolve) => this.#taken.push(resolve));
  }

  /** Nobody waits any more. */
  close(): void {
    for (const resolve of this.#taken.splice(0)) resolve();
  }
}
