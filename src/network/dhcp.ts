// DHCP (RFC 2131): gives addresses to whoever is behind the link.

import { isAddress } from "./address.ts";
import type { Neighbors } from "./neighbors.ts";
import type { Outbox } from "./outbox.ts";
import type { Packet } from "./packet.ts";
import { BROADCAST_MAC, BROADCAST4, DNS4, GATEWAY4, GUEST4, NETMASK4 } from "./plan.ts";
import { datagramPayload, writeDatagram } from "./udp.ts";

export const DHCP_SERVER_PORT = 67;
const CLIENT_PORT = 68;
const REQUEST = 1;
const REPLY = 2;
const COOKIE = 0x63825363;
const OPTIONS = 240;
/** RFC 1542, 2.1: some clients take no message that is shorter. */
const MESSAGE_BYTES = 300;

// Message types (RFC 2132, 9.6).
const DISCOVER = 1;
const OFFER = 2;
const DHCP_REQUEST = 3;
const ACKNOWLEDGE = 5;
const REFUSE = 6;
const INFORM = 8;

// Options (RFC 2132).
const PAD = 0;
const SUBNET_MASK = 1;
const ROUTER = 3;
const NAME_SERVER = 6;
const REQUESTED_ADDRESS = 50;
const LEASE_TIME = 51;
const MESSAGE_TYPE = 53;
const SERVER = 54;
const END = 255;

const LEASE_SECONDS = 86400;
/** Addresses from GUEST4 on: a guest's own guests may ask, too. */
const LEASES_MAX = 16;

export class DhcpServer {
  readonly #outbox: Outbox;
  readonly #neighbors: Neighbors;
  /** MAC addresses, as text; the first one has GUEST4, the next ones what follows. */
  readonly #leases: string[] = [];

  constructor(outbox: Outbox, neighbors: Neighbors, mac: Uint8Array) {
    this.#outbox = outbox;
    this.#neighbors = neighbors;
    // Whoever else asks, the guest's own interface has the address that is known.
    this.#leases.push(keyOf(mac));
  }

  /** A datagram to DHCP_SERVER_PORT. */
  receive(packet: Packet): void {
    const message = datagramPayload(packet).slice();
    if (message.length < OPTIONS || message[0] !== REQUEST || message[1] !== 1 || message[2] !== 6) return;
    const view = new DataView(message.buffer);
    if (view.getUint32(236) !== COOKIE) return;
    const options = readOptions(message);
    const server = options.get(SERVER);
    if (server !== undefined && !(server.length === 4 && isAddress(server, 0, GATEWAY4))) return;
    const mac = message.slice(28, 34);
    switch (options.get(MESSAGE_TYPE)?.[0]) {
      case DISCOVER: {
        const address = this.#lease(mac);
        if (address) this.#answer(message, OFFER, mac, address);
        break;
      }
      case DHCP_REQUEST:
        this.#request(message, mac, options.get(REQUESTED_ADDRESS));
        break;
      case INFORM:
        this.#answer(message, ACKNOWLEDGE, mac, undefined);
        break;
    }
  }

  #request(message: Uint8Array, mac: Uint8Array, requested: Uint8Array | undefined): void {
    const address = this.#lease(mac);
    // What it renews, it has as its own (RFC 2131, 4.3.2).
    const wanted = requested?.length === 4 ? requested : message.slice(12, 16);
    if (address !== undefined && isAddress(wanted, 0, address)) {
      this.#neighbors.learn(address, 0, mac);
      this.#answer(message, ACKNOWLEDGE, mac, address);
    } else this.#answer(message, REFUSE, mac, undefined);
  }

  #lease(mac: Uint8Array): Uint8Array | undefined {
    const key = keyOf(mac);
    let index = this.#leases.indexOf(key);
    if (index < 0 && this.#leases.length < LEASES_MAX) index = this.#leases.push(key) - 1;
    if (index < 0) return undefined;
    const address = GUEST4.slice();
    address[3] = (GUEST4[3] as number) + index;
    return address;
  }

  /** With an address and how long it may be kept; without one, only what else there is to know. */
  #answer(request: Uint8Array, type: number, mac: Uint8Array, address: Uint8Array | undefined): void {
    const reply = new Uint8Array(MESSAGE_BYTES);
    // htype, hlen, hops; xid; flags; ciaddr and giaddr; chaddr.
    reply.set(request.subarray(0, 16));
    reply[0] = REPLY;
    reply.fill(0, 8, 10);
    reply.set(request.subarray(24, 44), 24);
    if (type === REFUSE) reply.fill(0, 12, 16);
    if (address !== undefined) reply.set(address, 16);
    reply.set(GATEWAY4, 20);
    const view = new DataView(reply.buffer);
    view.setUint32(236, COOKIE);
    const options: [number, Uint8Array][] = [
      [MESSAGE_TYPE, Uint8Array.of(type)],
      [SERVER, GATEWAY4],
    ];
    if (type !== REFUSE) options.push([SUBNET_MASK, NETMASK4], [ROUTER, GATEWAY4], [NAME_SERVER, DNS4]);
    if (address !== undefined) options.push([LEASE_TIME, seconds(LEASE_SECONDS)]);
    let at = OPTIONS;
    for (const [code, value] of options) {
      reply[at] = code;
      reply[at + 1] = value.length;
      reply.set(value, at + 2);
      at += 2 + value.length;
    }
    reply[at] = END;
    // RFC 2131, 4.1: to the client's address where it has one; where it cannot take that yet, to everybody.
    const client = request.slice(12, 16);
    const has = type !== REFUSE && client.some((byte) => byte !== 0);
    const broadcast = type === REFUSE || ((request[10] as number) & 0x80) !== 0 || (!has && address === undefined);
    const guest = has ? client : broadcast || address === undefined ? BROADCAST4 : address;
    const to = guest === BROADCAST4 ? BROADCAST_MAC : mac;
    this.#outbox.write((frame) => {
      writeDatagram(frame, { mac: to, guest, peer: GATEWAY4 }, DHCP_SERVER_PORT, CLIENT_PORT, reply);
    });
  }
}

function readOptions(message: Uint8Array): Map<number, Uint8Array> {
  const options = new Map<number, Uint8Array>();
  for (let at = OPTIONS; at < message.length; ) {
    const code = message[at] as number;
    if (code === END) break;
    if (code === PAD) {
      at++;
      continue;
    }
    const length = message[at + 1];
    if (length === undefined || at + 2 + length > message.length) break;
    options.set(code, message.subarray(at + 2, at + 2 + length));
    at += 2 + length;
  }
  return options;
}

function keyOf(mac: Uint8Array): string {
  return mac.join();
}

function seconds(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}
