// Fragmentation of IPv4 (RFC 791, 3.2) and IPv6 (RFC 8200, 4.5): of what is too large for the link, and of what comes in parts.

import { checksum } from "./checksum.ts";
import { ETHERNET_BYTES, Frame, MTU, WHOLE } from "./frame.ts";
import { ETHERTYPE_IP4, IP6_BYTES, type Packet } from "./packet.ts";

const FRAGMENT_HEADER = 44;
const DATAGRAMS_MAX = 16;
const PAYLOAD_MAX = 65535;
/** RFC 8200's time, in nanoseconds. */
const LIFETIME = 60e9;
/** The least bytes of a fragment but the last: of 8 each, one datagram would be thousands. */
const FRAGMENT_MIN = 256;

interface Datagram {
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly protocol: number;
  readonly identification: number;
  readonly deadline: number;
  /** Ethernet and IP headers, then the payload. */
  readonly bytes: Uint8Array;
  readonly payload: number;
  /** Parts that came, as [from, to). They do not overlap. */
  readonly parts: [number, number][];
  length: number | undefined;
}

/** Puts together what the guest sends in fragments. */
export class Reassembly {
  readonly #datagrams: Datagram[] = [];

  /** The whole packet, read into `packet`, when this was its last part that was missing. */
  receive(packet: Packet, now: number): boolean {
    const from = packet.fragmentOffset;
    const to = from + packet.end - packet.payload;
    const short = packet.moreFragments && (to - from < FRAGMENT_MIN || (to - from) % 8 !== 0);
    const most = packet.addressBytes === 4 ? PAYLOAD_MAX - 20 : PAYLOAD_MAX;
    if (to > most || to === from || short) return false;
    this.#expire(now);
    const index = this.#datagrams.findIndex((d) => belongs(d, packet));
    const datagram = index < 0 ? this.#start(packet, now) : (this.#datagrams[index] as Datagram);
    // RFC 5722: with parts that overlap, all of it is dropped; the same part twice is no overlap.
    if (datagram.parts.some(([a, b]) => a === from && b === to)) return false;
    const known = datagram.length;
    const damaged =
      datagram.parts.some(([a, b]) => from < b && a < to) ||
      (known !== undefined && to > known) ||
      (!packet.moreFragments && (known !== undefined || datagram.parts.some(([, b]) => b > to)));
    if (damaged) {
      this.#remove(datagram);
      return false;
    }
    datagram.bytes.set(packet.bytes.subarray(packet.payload, packet.end), datagram.payload + from);
    datagram.parts.push([from, to]);
    if (!packet.moreFragments) datagram.length = to;
    const length = datagram.length;
    if (length === undefined || datagram.parts.reduce((sum, [a, b]) => sum + b - a, 0) !== length) return false;
    this.#remove(datagram);
    return readWhole(packet, datagram, length);
  }

  clear(): void {
    this.#datagrams.length = 0;
  }

  #start(packet: Packet, now: number): Datagram {
    if (this.#datagrams.length >= DATAGRAMS_MAX) this.#datagrams.shift();
    const { bytes, source, destination, addressBytes, protocol, identification } = packet;
    const headerBytes = addressBytes === 4 ? 20 : IP6_BYTES;
    const payload = ETHERNET_BYTES + headerBytes;
    const whole = new Uint8Array(payload + PAYLOAD_MAX);
    whole.set(bytes.subarray(0, payload));
    const datagram: Datagram = {
      ...{ protocol, identification, deadline: now + LIFETIME, bytes: whole, payload, parts: [], length: undefined },
      source: bytes.slice(source, source + addressBytes),
      destination: bytes.slice(destination, destination + addressBytes),
    };
    this.#datagrams.push(datagram);
    return datagram;
  }

  #remove(datagram: Datagram): void {
    this.#datagrams.splice(this.#datagrams.indexOf(datagram), 1);
  }

  #expire(now: number): void {
    while (this.#datagrams[0] !== undefined && this.#datagrams[0].deadline <= now) this.#datagrams.shift();
  }
}

function belongs(datagram: Datagram, packet: Packet): boolean {
  const same = (address: Uint8Array, at: number): boolean => address.every((byte, i) => packet.bytes[at + i] === byte);
  return (
    datagram.identification === packet.identification &&
    datagram.protocol === packet.protocol &&
    datagram.source.length === packet.addressBytes &&
    same(datagram.source, packet.source) &&
    same(datagram.destination, packet.destination)
  );
}

/** Gives it a header as if it had come in one piece. */
function readWhole(packet: Packet, { bytes, payload, protocol }: Datagram, length: number): boolean {
  const view = new DataView(bytes.buffer);
  const ip = ETHERNET_BYTES;
  if (packet.addressBytes === 4) {
    view.setUint8(ip, 0x45);
    view.setUint16(ip + 2, 20 + length);
    view.setUint16(ip + 6, 0);
    view.setUint16(ip + 10, 0);
    view.setUint16(ip + 10, checksum(view, ip, ip + 20));
  } else {
    view.setUint16(ip + 4, length);
    view.setUint8(ip + 6, protocol);
  }
  return packet.readAt(bytes, view, ip, payload + length, 0) && !packet.fragment;
}

/** Cuts a packet into fragments that the link carries. */
export class Fragmenter {
  readonly #whole = new Frame();
  readonly #part = new Frame();
  #done = 0;
  #active = false;
  #identification = 0;

  /** Whether it has to be cut. */
  static applies(frame: Frame): boolean {
    return frame.segmentation === WHOLE && frame.length > ETHERNET_BYTES + MTU;
  }

  /** @param frame a complete one, checksums and all; it is copied. */
  start(frame: Frame): void {
    this.#whole.copyFrom(frame);
    this.#done = 0;
    this.#active = true;
    this.#identification = (this.#identification + 1) | 0;
  }

  clear(): void {
    this.#active = false;
  }

  next(): Frame | undefined {
    if (!this.#active) return undefined;
    const whole = this.#whole;
    const { bytes, view } = this.#part;
    const ip = ETHERNET_BYTES;
    const four = whole.view.getUint16(12) === ETHERTYPE_IP4;
    const header = ip + (four ? 20 : IP6_BYTES);
    const payload = four ? header : header + 8;
    const left = whole.length - header - this.#done;
    const most = (ip + MTU - payload) & ~7;
    const length = Math.min(left, most);
    const more = length < left;
    bytes.set(whole.bytes.subarray(0, header));
    bytes.set(whole.bytes.subarray(header + this.#done, header + this.#done + length), payload);
    if (four) {
      view.setUint16(ip + 2, 20 + length);
      view.setUint16(ip + 6, (more ? 0x2000 : 0) | (this.#done >> 3));
      view.setUint16(ip + 10, 0);
      view.setUint16(ip + 10, checksum(view, ip, header));
    } else {
      view.setUint16(ip + 4, 8 + length);
      view.setUint8(ip + 6, FRAGMENT_HEADER);
      view.setUint16(header, whole.view.getUint8(ip + 6) << 8);
      view.setUint16(header + 2, this.#done | (more ? 1 : 0));
      view.setInt32(header + 4, this.#identification);
    }
    this.#part.complete(payload + length);
    this.#done += length;
    this.#active = more;
    return this.#part;
  }
}
