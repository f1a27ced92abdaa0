// ICMP (RFC 792) and ICMPv6 (RFC 4443): echo, and that something cannot be reached.

import { checksum } from "./checksum.ts";
import type { Frame } from "./frame.ts";
import type { Outbox } from "./outbox.ts";
import { ICMP, ICMP6, type Packet } from "./packet.ts";
import { destinationOf, isOurs } from "./plan.ts";
import type { NetworkHost } from "./ports.ts";
import { type Ends, writeChecksum, writeIp } from "./writer.ts";

const ECHO_REPLY = 0;
const UNREACHABLE = 3;
const ECHO = 8;
const UNREACHABLE6 = 1;
const ECHO6 = 128;
const ECHO_REPLY6 = 129;
/** Codes of what cannot be reached. */
const PORT = 3;
const HOST = 1;
const PORT6 = 4;
const ADDRESS6 = 3;
/** Of the packet that the message is about. */
const QUOTE_MAX = 512;
/** Hosts that are asked for an echo at the same time. */
const ECHOES_MAX = 16;

export class Icmp {
  readonly #outbox: Outbox;
  readonly #host: NetworkHost;
  readonly #wake: () => void;
  #echoes = 0;

  constructor(outbox: Outbox, host: NetworkHost, wake: () => void) {
    this.#wake = wake;
    this.#outbox = outbox;
    this.#host = host;
  }

  /** An echo request is answered for the network's own addresses; others are asked by the host. */
  receive(packet: Packet): void {
    const { bytes, view, payload, end, addressBytes } = packet;
    if (end - payload < 8 || view.getUint8(payload) !== (addressBytes === 4 ? ECHO : ECHO6) || !checksumRight(packet))
      return;
    const ends = endsOf(packet);
    const message = bytes.slice(payload, end);
    const reply = (): void => this.#outbox.write((frame) => writeMessage(frame, ends, message));
    message[0] = addressBytes === 4 ? ECHO_REPLY : ECHO_REPLY6;
    if (isOurs(bytes, packet.destination, addressBytes)) {
      reply();
      return;
    }
    const to = destinationOf(bytes, packet.destination, addressBytes);
    if (to?.kind !== "host" || this.#echoes >= ECHOES_MAX) return;
    this.#echoes++;
    this.#host.echo(to.address, (answered) => {
      this.#echoes--;
      if (!answered) return;
      reply();
      this.#wake();
    });
  }

  /** About a packet that is at hand. */
  unreachable(packet: Packet, what: "port" | "host"): void {
    const { bytes, header, end } = packet;
    this.#writeUnreachable(endsOf(packet), what, bytes.slice(header, Math.min(end, header + QUOTE_MAX)));
  }

  /** About one of which only the ends are known any more: its headers are made again, with the ports that are all that matters. */
  unreachablePorts(ends: Ends, protocol: number, guestPort: number, peerPort: number): void {
    const four = ends.guest.length === 4;
    const quote = new Uint8Array((four ? 20 : 40) + 8);
    const view = new DataView(quote.buffer);
    if (four) {
      view.setUint32(0, 0x4500_0000 | quote.length);
      view.setUint16(8, (64 << 8) | protocol);
      quote.set(ends.guest, 12);
      quote.set(ends.peer, 16);
      view.setUint16(10, checksum(view, 0, 20));
    } else {
      view.setUint32(0, 0x6000_0000);
      view.setUint32(4, (8 << 16) | (protocol << 8) | 64);
      quote.set(ends.guest, 8);
      quote.set(ends.peer, 24);
    }
    view.setUint16(quote.length - 8, guestPort);
    view.setUint16(quote.length - 6, peerPort);
    this.#writeUnreachable(ends, "host", quote);
  }

  #writeUnreachable(ends: Ends, what: "port" | "host", quote: Uint8Array): void {
    const message = new Uint8Array(8 + quote.length);
    const four = ends.guest.length === 4;
    message[0] = four ? UNREACHABLE : UNREACHABLE6;
    message[1] = four ? (what === "port" ? PORT : HOST) : what === "port" ? PORT6 : ADDRESS6;
    message.set(quote, 8);
    this.#outbox.write((frame) => writeMessage(frame, ends, message));
  }
}

/** To where a packet of the guest's came from, from where it went. */
export function endsOf({ bytes, source, destination, addressBytes }: Packet): Ends {
  return {
    mac: bytes.slice(6, 12),
    guest: bytes.slice(source, source + addressBytes),
    peer: bytes.slice(destination, destination + addressBytes),
  };
}

/** Whether the checksum of an ICMP message is right, ICMPv6's with its pseudo-header. */
export function checksumRight(packet: Packet): boolean {
  return packet.addressBytes === 16
    ? packet.checksumRight()
    : packet.checksumAbsent || checksum(packet.view, packet.payload, packet.end) === 0;
}

/** Writes an ICMP message whose checksum is still to be made. */
export function writeMessage(frame: Frame, ends: Ends, message: Uint8Array, hopLimit?: number): void {
  const four = ends.guest.length === 4;
  const at = writeIp(frame, ends, four ? ICMP : ICMP6, message.length, hopLimit);
  frame.bytes.set(message, at);
  frame.view.setUint16(at + 2, 0);
  if (four) frame.view.setUint16(at + 2, checksum(frame.view, at, frame.length));
  else writeChecksum(frame, at, 2, ICMP6);
}
