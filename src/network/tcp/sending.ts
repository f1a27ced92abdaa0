import { ByteRing } from "../byte-ring.ts";
import type { Segment } from "./header.ts";

/** What a connection sends to the guest: the send sequence space (RFC 9293, 3.3.1), and the data in it. Numbers are modulo 2^32, signed. */
export class Sending {
  /** SND.UNA, SND.NXT, and the highest that ever was SND.NXT. */
  unacknowledged: number;
  next: number;
  #highest: number;
  /** SND.WND, in bytes. */
  window = 0;
  #scale = 0;
  /** The largest segment for the guest. */
  mss = 0;
  /** Data from SND.UNA on. */
  readonly data = new ByteRing();
  /** No more data comes: a FIN follows what there is. */
  ended = false;
  finAcknowledged = false;
  #duplicates = 0;

  constructor(initialSequence: number) {
    this.unacknowledged = this.next = this.#highest = initialSequence;
  }

  /** What the guest's SYN says of how to send. */
  takeSyn(segment: Segment, mssMax: number): void {
    this.#scale = segment.scale ?? 0;
    this.window = segment.window;
    this.mss = Math.min(segment.mss, mssMax);
  }

  /** A SYN goes out, for the first time or again. */
  synSent(): void {
    this.next = this.#highest = (this.unacknowledged + 1) | 0;
  }

  /** The SYN is acknowledged. */
  synAcknowledged(): void {
    this.unacknowledged = (this.unacknowledged + 1) | 0;
    this.next = this.#highest = this.unacknowledged;
  }

  /** Sequence numbers that are on their way. */
  get flight(): number {
    return (this.next - this.unacknowledged) | 0;
  }

  /** Bytes that may be sent now. */
  get sendable(): number {
    const { flight } = this;
    const unsent = this.data.length - flight;
    if (unsent <= 0) return 0;
    const usable = this.window - flight;
    if (usable >= unsent) return unsent;
    // RFC 9293, 3.8.6.2.1: no small pieces because the window is nearly full, unless nothing would ever make it larger.
    return usable >= this.mss || (flight === 0 && usable > 0) ? usable : 0;
  }

  /** Whether a FIN is to follow `length` bytes more. */
  finAfter(length: number): boolean {
    return this.ended && !this.finAcknowledged && this.flight + length === this.data.length;
  }

  /** Bytes from SND.NXT on, and a FIN behind them, have gone out. */
  sent(length: number, fin: boolean): void {
    this.next = (this.next + length + (fin ? 1 : 0)) | 0;
    if (((this.next - this.#highest) | 0) > 0) this.#highest = this.next;
  }

  /** All that is not acknowledged is to be sent again. */
  goBack(): void {
    this.next = this.unacknowledged;
  }

  /** False: it is of what was never sent. */
  takeAcknowledgement(segment: Segment): boolean {
    const acknowledged = (segment.acknowledgement - this.unacknowledged) | 0;
    if (acknowledged > ((this.#highest - this.unacknowledged) | 0)) return false;
    if (acknowledged < 0) return true;
    const window = segment.window << this.#scale;
    if (acknowledged === 0) {
      const pure = segment.length === 0 && window === this.window && this.next !== this.unacknowledged;
      this.#duplicates = pure ? this.#duplicates + 1 : 0;
      // RFC 5681, 3.2, with all that follows sent again, too.
      if (this.#duplicates === 3) this.goBack();
      // What probed the closed window was not taken.
      if (this.window === 0 && window > 0) this.goBack();
    } else {
      this.#duplicates = 0;
      const data = Math.min(acknowledged, this.data.length);
      if (data > 0) this.data.drop(data);
      if (acknowledged > data) this.finAcknowledged = true;
      this.unacknowledged = segment.acknowledgement;
      if (this.flight < 0) this.goBack();
    }
    this.window = window;
    return true;
  }
}
