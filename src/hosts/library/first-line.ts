import type { SerialPort } from "../../bus/device.ts";

/**
 * A serial port on which the guest first reads a line of the host's. What comes from outside waits until the guest has written something after that:
 * it might show what is typed in another way before.
 */
export class FirstLine implements SerialPort {
  readonly #port: SerialPort;
  #line: Uint8Array | undefined;
  #answered = false;
  #readable = (): void => {};

  constructor(port: SerialPort) {
    this.#port = port;
  }

  /** The machine is there, and reads for its guest: until then there is nothing to be read. */
  offer(line: Uint8Array): void {
    this.#line = line;
    this.#readable();
  }

  write(bytes: Uint8Array): void {
    this.#port.write(bytes);
    if (this.#answered || this.#line?.length !== 0) return;
    this.#answered = true;
    this.#readable();
  }

  read(max: number): Uint8Array {
    if (this.#answered) return this.#port.read(max);
    const bytes = this.#line?.subarray(0, max) ?? new Uint8Array(0);
    this.#line = this.#line?.subarray(bytes.length);
    return bytes;
  }

  onReadable(listener: () => void): void {
    this.#readable = listener;
    this.#port.onReadable(listener);
  }
}
