import { Frame } from "./frame.ts";
import { decodeFrame, encodeFrame } from "./frame-message.ts";
import type { NetworkLink, Offloads, Station } from "./link.ts";

/** Bytes that wait for the guest; more are dropped, as a switch does. */
const WAITING_MAX = 4 * 0x100000;

/** A machine's end of whatever carries frames as messages. */
export class MessageLink implements NetworkLink {
  readonly mac: Uint8Array;
  readonly #send: (message: Uint8Array<ArrayBuffer>) => void;
  readonly #wake: () => void;
  #received: Uint8Array[] = [];
  #receivedBytes = 0;
  readonly #frame = new Frame();
  #station: Station | undefined;

  /** @param wake called when a frame has come. */
  constructor(mac: Uint8Array, send: (message: Uint8Array<ArrayBuffer>) => void, wake: () => void) {
    this.mac = mac;
    this.#send = send;
    this.#wake = wake;
  }

  /** A message has come. */
  deliver(message: Uint8Array): void {
    if (this.#receivedBytes + message.length > WAITING_MAX) return;
    this.#received.push(message);
    this.#receivedBytes += message.length;
    this.#station?.ready();
    this.#wake();
  }

  /** What is at the other end has changed. */
  announce(): void {
    this.#station?.announce();
    this.#wake();
  }

  attach(station: Station): void {
    this.#station = station;
  }

  /** What the driver does not take over its device does. */
  setOffloads(_offloads: Offloads): void {}

  transmit(frame: Frame): void {
    this.#send(encodeFrame(frame));
  }

  receive(): Frame | undefined {
    for (let message = this.#received.shift(); message !== undefined; message = this.#received.shift()) {
      this.#receivedBytes -= message.length;
      if (decodeFrame(message, this.#frame)) return this.#frame;
    }
    return undefined;
  }

  reset(): void {
    this.#received = [];
    this.#receivedBytes = 0;
  }
}
