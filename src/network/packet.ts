// An IP packet inside of a buffer: where its parts are.

import { checksum, sumWords } from "./checksum.ts";
import { ETHERNET_BYTES, type Frame } from "./frame.ts";

export const ETHERTYPE_IP4 = 0x0800;
export const ETHERTYPE_ARP = 0x0806;
export const ETHERTYPE_IP6 = 0x86dd;

export const ICMP = 1;
export const TCP = 6;
export const UDP = 17;
export const ICMP6 = 58;

const IP4_BYTES = 20;
export const IP6_BYTES = 40;
const MORE_FRAGMENTS = 0x2000;
const FRAGMENT_OFFSET = 0x1fff;

// Extension headers of IPv6 (RFC 8200, 4).
const HOP_BY_HOP = 0;
const ROUTING = 43;
const FRAGMENT = 44;
const DESTINATION_OPTIONS = 60;
/** More than anybody needs. */
const EXTENSIONS_MAX = 8;

/** A packet that was found well-formed. Used again for each. */
export class Packet {
  bytes: Uint8Array = new Uint8Array(0);
  view: DataView = new DataView(this.bytes.buffer);
  /** Bytes of an address: which version it is. */
  addressBytes: 4 | 16 = 4;
  /** Where the IP header, the addresses and the payload start. */
  header = 0;
  source = 0;
  destination = 0;
  payload = 0;
  /** Where the payload ends. */
  end = 0;
  protocol = 0;
  hopLimit = 0;
  /** The checksum of the payload's protocol is not there, by agreement. */
  checksumAbsent = false;
  /** A part of a packet: its place in the payload, whether more follow, and the number that all parts have. */
  fragment = false;
  fragmentOffset = 0;
  moreFragments = false;
  identification = 0;

  /** Looks at the frame's packet. False: it is none of ours, or damaged. */
  read(frame: Frame): boolean {
    return this.readAt(frame.bytes, frame.view, ETHERNET_BYTES, frame.length, frame.checksumStart);
  }

  /** @param checksumStart as in Frame. */
  readAt(bytes: Uint8Array, view: DataView, start: number, end: number, checksumStart: number): boolean {
    this.bytes = bytes;
    this.view = view;
    this.header = start;
    this.fragment = this.moreFragments = false;
    this.fragmentOffset = 0;
    if (start >= end) return false;
    const version = view.getUint8(start) >> 4;
    const whole = version === 4 ? this.#read4(end) : version === 6 && this.#read6(end);
    this.checksumAbsent = checksumStart === this.payload;
    return whole;
  }

  /** Of source, destination, protocol and length (RFC 9293, 3.1; RFC 8200, 8.1). */
  pseudoSum(): number {
    const addresses = sumWords(this.view, this.source, this.source + 2 * this.addressBytes);
    return addresses + this.protocol + (this.end - this.payload);
  }

  /** Whether the checksum of a payload whose protocol includes the pseudo-header is right, or need not be there. */
  checksumRight(): boolean {
    return this.checksumAbsent || checksum(this.view, this.payload, this.end, this.pseudoSum()) === 0;
  }

  #read4(end: number): boolean {
    const { view, header } = this;
    if (header + IP4_BYTES > end) return false;
    const headerBytes = (view.getUint8(header) & 15) * 4;
    const total = view.getUint16(header + 2);
    if (headerBytes < IP4_BYTES || total < headerBytes || header + total > end) return false;
    if (checksum(view, header, header + headerBytes) !== 0) return false;
    const fragment = view.getUint16(header + 6);
    this.addressBytes = 4;
    this.source = header + 12;
    this.destination = header + 16;
    this.payload = header + headerBytes;
    this.end = header + total;
    this.protocol = view.getUint8(header + 9);
    this.hopLimit = view.getUint8(header + 8);
    this.moreFragments = (fragment & MORE_FRAGMENTS) !== 0;
    this.fragmentOffset = (fragment & FRAGMENT_OFFSET) * 8;
    this.fragment = this.moreFragments || this.fragmentOffset > 0;
    this.identification = view.getUint16(header + 4);
    return true;
  }

  #read6(end: number): boolean {
    const { view, header } = this;
    if (header + IP6_BYTES > end) return false;
    this.addressBytes = 16;
    this.source = header + 8;
    this.destination = header + 24;
    this.hopLimit = view.getUint8(header + 7);
    this.end = header + IP6_BYTES + view.getUint16(header + 4);
    if (this.end > end) return false;
    this.protocol = view.getUint8(header + 6);
    this.payload = header + IP6_BYTES;
    return this.#skipExtensions();
  }

  #skipExtensions(): boolean {
    const { view } = this;
    for (let count = 0; count < EXTENSIONS_MAX; count++) {
      const { protocol, payload } = this;
      if (protocol !== HOP_BY_HOP && protocol !== ROUTING && protocol !== DESTINATION_OPTIONS && protocol !== FRAGMENT)
        return true;
      if (payload + 8 > this.end) return false;
      this.protocol = view.getUint8(payload);
      if (protocol === FRAGMENT) {
        const fragment = view.getUint16(payload + 2);
        this.fragmentOffset = fragment & 0xfff8;
        this.moreFragments = (fragment & 1) !== 0;
        this.fragment = this.moreFragments || this.fragmentOffset > 0;
        this.identification = view.getUint32(payload + 4);
        this.payload += 8;
        // What follows is part of something, not headers.
        if (this.fragment) return true;
      } else {
        this.payload += (view.getUint8(payload + 1) + 1) * 8;
        if (this.payload > this.end) return false;
      }
    }
    return false;
  }
}
