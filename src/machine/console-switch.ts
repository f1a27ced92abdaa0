import type { SerialPort } from "../bus/device.ts";

export interface SwitchedConsole extends SerialPort {
  /** What is typed goes here, until another console writes: for one that says when it reads. */
  take(): void;
}

/**
 * Puts several consoles of a guest on one serial port of the host: all may write, and what is typed goes to the console that wrote last,
 * which is the one whose output its user answers.
 */
export class ConsoleSwitch {
  readonly #port: SerialPort;
  readonly #listeners: (() => void)[] = [];
  #active = 0;

  constructor(port: SerialPort) {
    this.#port = port;
    port.onReadable(() => this.#listeners[this.#active]?.());
  }

  /** Which console has the input, counted from 0 in the order of `connect`. */
  get active(): number {
    return this.#active;
  }

  set active(index: number) {
    if (index < this.#listeners.length) this.#active = index;
  }

  /** One more console. The first one has the input until another writes. */
  connect(): SwitchedConsole {
    const index = this.#listeners.length;
    this.#listeners.push(() => {});
    const take = (): void => {
      if (this.#active === index) return;
      this.#active = index;
      // What has come and was not read yet is for this one now.
      this.#listeners[index]?.();
    };
    return {
      take,
      write: (bytes) => {
        this.#port.write(bytes);
        if (bytes.length > 0) take();
      },
      read: (max) => (this.#active === index ? this.#port.read(max) : new Uint8Array(0)),
      onReadable: (listener) => {
        this.#listeners[index] = listener;
      },
    };
  }
}
