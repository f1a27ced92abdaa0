// TCP headers (RFC 9293, 3.1).

import type { Packet } from "../packet.ts";

export const TCP_BYTES = 20;
export const TCP_CHECKSUM = 16;

export const FIN = 0x01;
export const SYN = 0x02;
export const RST = 0x04;
export const PSH = 0x08;
export const ACK = 0x10;

const OPTION_END = 0;
const OPTION_NOP = 1;
const OPTION_MSS = 2;
const OPTION_WINDOW_SCALE = 3;
/** RFC 9293, 3.7.1. */
const DEFAULT_MSS4 = 536;
const DEFAULT_MSS6 = 1220;
/** Less than what anybody means, and what would make a segment of each byte. */
const LEAST_MSS = 64;
/** RFC 7323, 2.3. */
const SCALE_MAX = 14;

/** A segment from the guest. Used again for each. Numbers of 32 bits are signed: only their differences mean anything. */
export class Segment {
  sourcePort = 0;
  destinationPort = 0;
  sequence = 0;
  acknowledgement = 0;
  flags = 0;
  /** As it is in the header. */
  window = 0;
  /** The data. */
  from = 0;
  to = 0;
  /** Of a SYN: undefined where it does not have the option. */
  scale: number | undefined = undefined;
  mss = 0;

  /** False where it is no segment. */
  read(packet: Packet): boolean {
    const { view, payload, end } = packet;
    if (payload + TCP_BYTES > end) return false;
    const header = (view.getUint8(payload + 12) >> 4) * 4;
    if (header < TCP_BYTES || payload + header > end) return false;
    if (!packet.checksumRight()) return false;
    this.sourcePort = view.getUint16(payload);
    this.destinationPort = view.getUint16(payload + 2);
    this.sequence = view.getInt32(payload + 4);
    this.acknowledgement = view.getInt32(payload + 8);
    this.flags = view.getUint8(payload + 13);
    this.window = view.getUint16(payload + 14);
    this.from = payload + header;
    this.to = end;
    if (this.flags & SYN) this.#readOptions(view, payload + TCP_BYTES, this.from, packet.addressBytes);
    return true;
  }

  /** What it takes of the sequence space. */
  get length(): number {
    return this.to - this.from + (this.flags & SYN ? 1 : 0) + (this.flags & FIN ? 1 : 0);
  }

  #readOptions(view: DataView, from: number, to: number, addressBytes: 4 | 16): void {
    this.scale = undefined;
    this.mss = addressBytes === 4 ? DEFAULT_MSS4 : DEFAULT_MSS6;
    for (let at = from; at < to; ) {
      const kind = view.getUint8(at);
      if (kind === OPTION_END) return;
      if (kind === OPTION_NOP) {
        at++;
        continue;
      }
      if (at + 2 > to) return;
      const length = view.getUint8(at + 1);
      if (length < 2 || at + length > to) return;
      if (kind === OPTION_MSS && length === 4) this.mss = Math.max(LEAST_MSS, view.getUint16(at + 2));
      if (kind === OPTION_WINDOW_SCALE && length === 3) this.scale = Math.min(SCALE_MAX, view.getUint8(at + 2));
      at += length;
    }
  }
}

/** Bytes of the options that a SYN of ours has. */
export const SYN_OPTIONS_BYTES = 8;

/** Writes MSS and, unless it is undefined, window scale. */
export function writeSynOptions(view: DataView, at: number, mss: number, scale: number | undefined): void {
  view.setUint32(at, (OPTION_MSS << 24) | (4 << 16) | mss);
  view.setUint32(at + 4, scale === undefined ? 0 : (OPTION_NOP << 24) | (OPTION_WINDOW_SCALE << 16) | (3 << 8) | scale);
}
