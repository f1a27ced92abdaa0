import { formatAddress, isAddress } from "./address.ts";
import { ETHERNET_BYTES, type Frame } from "./frame.ts";
import type { Outbox } from "./outbox.ts";
import { ETHERTYPE_ARP } from "./packet.ts";
import { BROADCAST_MAC, GATEWAY_MAC, GATEWAY4, isOurs, NETWORK4 } from "./plan.ts";
import { writeEthernet } from "./writer.ts";

/** Stations behind one link: a guest may be a switch itself. */
const NEIGHBORS_MAX = 64;
const ARP_BYTES = 28;
const ETHERNET_IP4 = 0x0001_0800;
const REQUEST = 1;
const REPLY = 2;

/** Which IPv4 address has which MAC address, and the Address Resolution Protocol (RFC 826). */
export class Neighbors {
  readonly #outbox: Outbox;
  readonly #macs = new Map<string, Uint8Array>();

  constructor(outbox: Outbox) {
    this.#outbox = outbox;
  }

  clear(): void {
    this.#macs.clear();
  }

  /** Remembers it, and forgets what it has known for longest. */
  learn(bytes: Uint8Array, at: number, mac: Uint8Array): void {
    if (!isAddress(bytes, at, NETWORK4.subarray(0, 3)) || isOurs(bytes, at, 4) || (mac[0] as number) & 1) return;
    const key = formatAddress(bytes, at, 4);
    this.#macs.delete(key);
    this.#macs.set(key, mac.slice());
    const oldest = this.#macs.size > NEIGHBORS_MAX ? this.#macs.keys().next().value : undefined;
    if (oldest !== undefined) this.#macs.delete(oldest);
  }

  /** Where it is not known it is asked for, of IPv4 addresses. */
  find(address: Uint8Array): Uint8Array | undefined {
    if (address.length !== 4) return undefined;
    const mac = this.#macs.get(formatAddress(address, 0, 4));
    if (mac === undefined) this.#outbox.write((frame) => writeArp(frame, REQUEST, BROADCAST_MAC, GATEWAY4, address));
    return mac;
  }

  /** An ARP packet from the guest. */
  receiveArp({ bytes, view, length }: Frame): void {
    const arp = ETHERNET_BYTES;
    if (length < arp + ARP_BYTES || view.getUint32(arp) !== ETHERNET_IP4 || view.getUint16(arp + 4) !== 0x0604) return;
    const sender = bytes.slice(arp + 8, arp + 14);
    this.learn(bytes, arp + 14, sender);
    if (view.getUint16(arp + 6) !== REQUEST || !isOurs(bytes, arp + 24, 4)) return;
    // Somebody who looks whether an address is free asks from 0.0.0.0 (RFC 5227).
    const source = bytes.slice(arp + 14, arp + 18);
    const target = bytes.slice(arp + 24, arp + 28);
    this.#outbox.write((frame) => writeArp(frame, REPLY, sender, target, source));
  }
}

function writeArp(frame: Frame, operation: number, to: Uint8Array, from: Uint8Array, about: Uint8Array): void {
  const arp = ETHERNET_BYTES;
  writeEthernet(frame, to, ETHERTYPE_ARP);
  frame.view.setUint32(arp, ETHERNET_IP4);
  frame.view.setUint16(arp + 4, 0x0604);
  frame.view.setUint16(arp + 6, operation);
  frame.bytes.set(GATEWAY_MAC, arp + 8);
  frame.bytes.set(from, arp + 14);
  if (operation === REPLY) frame.bytes.set(to, arp + 18);
  else frame.bytes.fill(0, arp + 18, arp + 24);
  frame.bytes.set(about, arp + 24);
  frame.complete(arp + ARP_BYTES);
}
