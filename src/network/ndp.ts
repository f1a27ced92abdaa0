// IPv6 neighbours and routers (RFC 4861), with the name server (RFC 8106).

import { isAddress } from "./address.ts";
import { checksumRight, writeMessage } from "./icmp.ts";
import type { Outbox } from "./outbox.ts";
import type { Packet } from "./packet.ts";
import { ALL_NODES6, DNS6, GATEWAY_MAC, isOurs, PREFIX6, ROUTER6 } from "./plan.ts";

const ROUTER_SOLICITATION = 133;
const ROUTER_ADVERTISEMENT = 134;
const NEIGHBOR_SOLICITATION = 135;
const NEIGHBOR_ADVERTISEMENT = 136;
/** What comes over a router is no neighbour's (RFC 4861, 6.1 and 7.1). */
const HOP_LIMIT = 255;
const ALL_NODES_MAC = Uint8Array.of(0x33, 0x33, 0, 0, 0, 1);

const ROUTER_SECONDS = 1800;
const PREFIX_SECONDS = 86400;
const PREFERRED_SECONDS = 14400;

export class NeighborDiscovery {
  readonly #outbox: Outbox;

  constructor(outbox: Outbox) {
    this.#outbox = outbox;
  }

  /** An ICMPv6 packet. @returns whether it was one of this protocol. */
  receive(packet: Packet): boolean {
    const { view, bytes, payload, end } = packet;
    if (payload >= end) return true;
    const type = view.getUint8(payload);
    if (type < ROUTER_SOLICITATION || type > NEIGHBOR_ADVERTISEMENT + 1) return false;
    if (packet.hopLimit !== HOP_LIMIT || !checksumRight(packet)) return true;
    if (type === ROUTER_SOLICITATION) this.advertise();
    const about = payload + 8;
    if (type === NEIGHBOR_SOLICITATION && about + 16 <= end && isOurs(bytes, about, 16)) this.#answer(packet, about);
    return true;
  }

  /** Tells everybody of the router, the prefix and the name server. */
  advertise(): void {
    const message = new Uint8Array(16 + 8 + 8 + 32 + 24);
    const view = new DataView(message.buffer);
    message[0] = ROUTER_ADVERTISEMENT;
    message[4] = 64;
    // Other configuration is to be had by DHCPv6.
    message[5] = 0x40;
    view.setUint16(6, ROUTER_SECONDS);
    // Source link-layer address.
    view.setUint16(16, 0x0101);
    message.set(GATEWAY_MAC, 18);
    // MTU.
    view.setUint16(24, 0x0501);
    view.setUint32(28, 1500);
    // Prefix: 64 bits, on the link, and addresses may be made of it.
    view.setUint16(32, 0x0304);
    view.setUint16(34, (64 << 8) | 0xc0);
    view.setUint32(36, PREFIX_SECONDS);
    view.setUint32(40, PREFERRED_SECONDS);
    message.set(PREFIX6, 48);
    // Recursive DNS server.
    view.setUint16(64, 0x1903);
    view.setUint32(68, ROUTER_SECONDS);
    message.set(DNS6, 72);
    const ends = { mac: ALL_NODES_MAC, guest: ALL_NODES6, peer: ROUTER6 };
    this.#outbox.write((frame) => writeMessage(frame, ends, message, HOP_LIMIT));
  }

  #answer({ bytes, source }: Packet, about: number): void {
    const address = bytes.slice(about, about + 16);
    const asker = bytes.slice(source, source + 16);
    // Who looks whether an address is free has none yet, and hears what all hear.
    const nameless = asker.every((byte) => byte === 0);
    const message = new Uint8Array(32);
    message[0] = NEIGHBOR_ADVERTISEMENT;
    // From a router; asked for; and what was known before no longer holds.
    message[4] = (isAddress(address, 0, DNS6) ? 0 : 0x80) | (nameless ? 0 : 0x40) | 0x20;
    message.set(address, 8);
    message.set([2, 1], 24);
    message.set(GATEWAY_MAC, 26);
    const ends = {
      mac: nameless ? ALL_NODES_MAC : bytes.slice(6, 12),
      guest: nameless ? ALL_NODES6 : asker,
      peer: address,
    };
    this.#outbox.write((frame) => writeMessage(frame, ends, message, HOP_LIMIT));
  }
}
