import type { Packet } from "../packet.ts";
import type { Stream } from "../ports.ts";
import { FIN, type Segment } from "./header.ts";

/** What the guest may send before the host has taken it. A slice of the machine's at a gigabit in a second is less. */
const BUFFER = 0x100000;
/** Of the window that is told to the guest: 2^6 times 65535 is more than there is of it. */
const SCALE = 6;

/** What a connection gets from the guest: the receive sequence space (RFC 9293, 3.3.1). Numbers are modulo 2^32, signed. */
export class Receiving {
  /** RCV.NXT. */
  expected = 0;
  /** The right edge of the window that the guest was told. */
  #edge = 0;
  #scaled = true;
  /** The guest has sent a FIN. */
  ended = false;

  takeSyn(segment: Segment): void {
    this.expected = (segment.sequence + 1) | 0;
    this.#edge = this.expected;
    this.#scaled = segment.scale !== undefined;
  }

  /** The scale to offer in a SYN; undefined: the guest's has none. */
  get scale(): number | undefined {
    return this.#scaled ? SCALE : undefined;
  }

  /** RCV.WND: what the guest has been told that it may send, and has not sent. */
  get window(): number {
    return (this.#edge - this.expected) | 0;
  }

  /** What may come before the host takes some. @param waiting bytes that it has not taken. @param most that may wait at the moment. */
  room(waiting: number, most: number): number {
    return Math.max(0, Math.min(BUFFER, most) - waiting);
  }

  /** Whether the window has opened by something worth telling (RFC 9293, 3.8.6.2.2). */
  isWorthTelling(room: number, mss: number): boolean {
    return room - this.window >= Math.min(BUFFER / 4, 2 * mss);
  }

  /** The window field. What the guest has been told stays true: the right edge never goes back. */
  advertise(room: number, syn: boolean): number {
    if (this.ended) return 0xffff;
    const shift = syn || !this.#scaled ? 0 : SCALE;
    const told = this.window;
    const field = Math.min(0xffff, Math.max(told, room) >> shift);
    const window = field << shift;
    if (window > told) this.#edge = (this.expected + window) | 0;
    return field;
  }

  /** Gives the host what is new of a segment that begins at RCV.NXT or before. @param skip bytes at its start that are known. */
  take(packet: Packet, segment: Segment, skip: number, host: Stream | undefined): void {
    if (this.ended) return;
    const from = Math.min(segment.to, segment.from + skip);
    const length = Math.min(segment.to - from, this.window);
    if (length > 0) {
      host?.write(packet.bytes.subarray(from, from + length));
      this.expected = (this.expected + length) | 0;
    }
    if (segment.flags & FIN && from + length === segment.to) {
      this.expected = (this.expected + 1) | 0;
      this.#edge = this.expected;
      this.ended = true;
      host?.end();
    }
  }
}
