import { isAddress, parseAddress } from "./address.ts";
import { type Frame, MTU } from "./frame.ts";
import { endsOf, type Icmp } from "./icmp.ts";
import type { Neighbors } from "./neighbors.ts";
import { type Packet, UDP } from "./packet.ts";
import { destinationOf, GATEWAY4, GATEWAY6, GUEST4, NETWORK4 } from "./plan.ts";
import type { Datagrams, Listener, NetworkHost } from "./ports.ts";
import type { ReadyQueue, Source } from "./ready-queue.ts";
import { type Ends, leaveChecksum, writeChecksum, writeIp } from "./writer.ts";

const UDP_BYTES = 8;
const UDP_CHECKSUM = 6;
/** What IPv4 has room for. */
const DATAGRAM_MAX = 65535 - 20 - UDP_BYTES;
export const MAPPINGS_MAX = 512;
/** Nanoseconds (RFC 4787, 4.3 asks for two minutes). */
const LIFETIME = 120e9;
/** Datagrams, and bytes of them, that wait for the guest in one mapping. */
const WAITING_MAX = 256;
const WAITING_BYTES_MAX = 0x40000;

export interface UdpParts {
  readonly host: NetworkHost;
  readonly ready: ReadyQueue;
  readonly neighbors: Neighbors;
  readonly icmp: Icmp;
  now(): number;
  wake(): void;
  arm(deadline: number): void;
}

interface Waiting {
  readonly bytes: Uint8Array;
  readonly peer: Uint8Array;
  readonly port: number;
}

/** An address and port of the guest's, and the host's socket that it speaks with to everybody (RFC 4787's endpoint-independent mapping). */
class Mapping implements Source {
  queued = false;
  nextReady: Source | undefined = undefined;
  deadline = Number.POSITIVE_INFINITY;
  mac: Uint8Array | undefined;
  socket: Datagrams | undefined;
  readonly guest: Uint8Array;
  readonly port: number;
  readonly #parts: UdpParts;
  #waiting: Waiting[] = [];
  #bytes = 0;

  constructor(parts: UdpParts, guest: Uint8Array, port: number, mac: Uint8Array | undefined) {
    this.#parts = parts;
    this.guest = guest;
    this.port = port;
    this.mac = mac;
  }

  /** From the host. Where the guest could not answer to the sender by its own address, that is the gateway. */
  received(bytes: Uint8Array, address: string, port: number): void {
    if (this.#waiting.length >= WAITING_MAX || this.#bytes + bytes.length > WAITING_BYTES_MAX) return;
    const peer = parseAddress(address);
    if (peer === undefined || bytes.length > DATAGRAM_MAX) return;
    this.#waiting.push({ bytes, peer: this.#asSeen(peer), port });
    this.#bytes += bytes.length;
    this.#parts.ready.add(this);
    this.#parts.wake();
  }

  #asSeen(peer: Uint8Array): Uint8Array {
    if (this.guest.length === 4) {
      const plain = peer.length === 4 && peer[0] !== 127 && !isAddress(peer, 0, NETWORK4.subarray(0, 3));
      return plain ? peer : GATEWAY4;
    }
    const plain = peer.length === 16 && ((peer[0] as number) & 0xe0) === 0x20;
    return plain ? peer : GATEWAY6;
  }

  get pending(): boolean {
    return this.#waiting.length > 0;
  }

  emit(frame: Frame): boolean {
    const first = this.#waiting.shift();
    if (first === undefined) return false;
    this.#bytes -= first.bytes.length;
    this.mac ??= this.#parts.neighbors.find(this.guest);
    // Datagrams may be lost; this one's sender finds the guest the next time.
    if (this.mac === undefined) return false;
    writeDatagram(frame, { mac: this.mac, guest: this.guest, peer: first.peer }, first.port, this.port, first.bytes);
    return true;
  }
}

/** UDP (RFC 768) between the guest and sockets of the host's. */
export class UdpTable {
  readonly #parts: UdpParts;
  /** By guest port, then by address: few ports are used by more than one. */
  readonly #mappings = new Map<number, Mapping[]>();
  readonly #published = new Set<Mapping>();
  #count = 0;

  constructor(parts: UdpParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#count;
  }

  /** A datagram whose checksum is right and that goes to nobody on this network. */
  receive(packet: Packet): void {
    const { bytes, view, payload, destination, addressBytes } = packet;
    const to = destinationOf(bytes, destination, addressBytes);
    const port = view.getUint16(payload + 2);
    if (to?.kind !== "host" || port === 0) return;
    const mapping = this.#find(packet) ?? this.#open(packet);
    if (mapping === undefined) return;
    mapping.mac ??= bytes.slice(6, 12);
    this.#keep(mapping);
    mapping.socket?.send(bytes.subarray(payload + UDP_BYTES, payload + view.getUint16(payload + 4)), to.address, port);
  }

  /** Gives what arrives at a port of the host's to one of the guest's. Rejects as NetworkHost.boundDatagrams. */
  async publish(address: string, port: number, guestPort: number): Promise<Listener> {
    const mapping = new Mapping(this.#parts, GUEST4, guestPort, undefined);
    mapping.socket = await this.#parts.host.boundDatagrams(address, port, mapping);
    this.#published.add(mapping);
    this.#add(mapping);
    return {
      close: () => {
        this.#published.delete(mapping);
        this.#remove(mapping);
      },
    };
  }

  /** Forgets all but what is published. */
  clear(): void {
    for (const mappings of [...this.#mappings.values()]) {
      for (const mapping of [...mappings]) {
        if (this.#published.has(mapping)) mapping.mac = undefined;
        else this.#remove(mapping);
      }
    }
  }

  expire(now: number): number {
    let next = Number.POSITIVE_INFINITY;
    for (const mappings of [...this.#mappings.values()]) {
      for (const mapping of [...mappings]) {
        if (mapping.deadline <= now) this.#remove(mapping);
        else next = Math.min(next, mapping.deadline);
      }
    }
    return next;
  }

  #keep(mapping: Mapping): void {
    if (this.#published.has(mapping)) return;
    mapping.deadline = this.#parts.now() + LIFETIME;
    this.#parts.arm(mapping.deadline);
  }

  #find({ bytes, view, payload, source, addressBytes }: Packet): Mapping | undefined {
    const mappings = this.#mappings.get(view.getUint16(payload));
    return mappings?.find(({ guest }) => guest.length === addressBytes && isAddress(bytes, source, guest));
  }

  #open(packet: Packet): Mapping | undefined {
    if (this.#count >= MAPPINGS_MAX) this.#removeOldest();
    const { mac, guest } = endsOf(packet);
    const mapping = new Mapping(this.#parts, guest, packet.view.getUint16(packet.payload), mac);
    mapping.socket = this.#parts.host.datagrams(guest.length === 4 ? 4 : 6, mapping);
    if (mapping.socket === undefined) {
      this.#parts.icmp.unreachable(packet, "host");
      return undefined;
    }
    this.#add(mapping);
    return mapping;
  }

  #add(mapping: Mapping): void {
    const mappings = this.#mappings.get(mapping.port);
    if (mappings) mappings.unshift(mapping);
    else this.#mappings.set(mapping.port, [mapping]);
    this.#count++;
  }

  #remove(mapping: Mapping): void {
    const mappings = this.#mappings.get(mapping.port);
    const index = mappings?.indexOf(mapping) ?? -1;
    if (mappings === undefined || index < 0) return;
    mappings.splice(index, 1);
    if (mappings.length === 0) this.#mappings.delete(mapping.port);
    this.#count--;
    mapping.socket?.close();
  }

  #removeOldest(): void {
    let oldest: Mapping | undefined;
    for (const mappings of this.#mappings.values()) {
      for (const mapping of mappings)
        if (mapping.deadline < (oldest?.deadline ?? Number.POSITIVE_INFINITY)) oldest = mapping;
    }
    if (oldest) this.#remove(oldest);
  }
}

/** Whether there is a datagram at the packet's payload, with the right checksum or none (which only IPv4 allows). */
export function isDatagram(packet: Packet): boolean {
  const { view, payload, end, addressBytes } = packet;
  if (payload + UDP_BYTES > end) return false;
  const length = view.getUint16(payload + 4);
  if (length < UDP_BYTES || payload + length > end) return false;
  if (view.getUint16(payload + UDP_CHECKSUM) === 0 && !packet.checksumAbsent) return addressBytes === 4;
  return packet.checksumRight();
}

/** The payload of a datagram. */
export function datagramPayload({ bytes, view, payload }: Packet): Uint8Array {
  return bytes.subarray(payload + UDP_BYTES, payload + view.getUint16(payload + 4));
}

/** Makes `frame` a UDP datagram between two ports. Its checksum is still to be made, but where it will be cut into fragments. */
export function writeDatagram(frame: Frame, ends: Ends, from: number, to: number, bytes: Uint8Array): void {
  const total = UDP_BYTES + bytes.length;
  const udp = writeIp(frame, ends, UDP, total);
  const { view } = frame;
  view.setUint16(udp, from);
  view.setUint16(udp + 2, to);
  view.setUint16(udp + 4, total);
  view.setUint16(udp + UDP_CHECKSUM, 0);
  frame.bytes.set(bytes, udp + UDP_BYTES);
  // Of what will be cut into fragments nobody but us can make it.
  if (total > MTU - 40) writeChecksum(frame, udp, UDP_CHECKSUM, UDP);
  else leaveChecksum(frame, udp, UDP_CHECKSUM, UDP);
}
