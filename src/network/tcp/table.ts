import type { Fields, Saved } from "../../snapshot/fields.ts";
import { isAddress, parseAddress } from "../address.ts";
import type { Icmp } from "../icmp.ts";
import type { Offloads } from "../link.ts";
import { NO_OFFLOADS } from "../link.ts";
import type { Neighbors } from "../neighbors.ts";
import type { Outbox } from "../outbox.ts";
import { type Packet, TCP } from "../packet.ts";
import { destinationOf, GATEWAY4, GUEST4, NETWORK4 } from "../plan.ts";
import type { Listener, NetworkHost, Stream, StreamEvents } from "../ports.ts";
import type { ReadyQueue } from "../ready-queue.ts";
import { leaveChecksum, writeIp } from "../writer.ts";
import { Connection, type ConnectionEnds, type ConnectionOwner } from "./connection.ts";
import { ACK, RST, Segment, SYN, TCP_BYTES, TCP_CHECKSUM } from "./header.ts";
import { Orphans, saveOrphan } from "./orphans.ts";

export const CONNECTIONS_MAX = 1024;
/** What connections may buffer together before each may only little. */
const BUFFERS = 128 * 0x100000;
const BUFFER_MAX = 0x100000;
const BUFFER_MIN = 0x8000;
/** How often the sum of all buffers is taken, in changes of the table or segments. */
const CENSUS = 256;
const FIRST_EPHEMERAL = 49152;

export interface TcpParts {
  readonly host: NetworkHost;
  now(): number;
  readonly ready: ReadyQueue;
  readonly neighbors: Neighbors;
  readonly outbox: Outbox;
  /** Something is to be received. */
  wake(): void;
  arm(deadline: number): void;
  readonly icmp: Icmp;
}

/** All TCP connections of the guest's, each with a stream of the host's. */
export class TcpTable implements ConnectionOwner {
  offloads: Offloads = NO_OFFLOADS;
  bufferMax = BUFFER_MAX;
  readonly #parts: TcpParts;
  readonly #byHash = new Map<number, Connection>();
  readonly #all = new Set<Connection>();
  readonly #segment = new Segment();
  readonly #orphans: Orphans;
  #sinceCensus = 0;
  #ephemeral = FIRST_EPHEMERAL;
  /** RFC 9293, 3.4.1 asks for a number that others do not guess; here the other is the guest itself. */
  #sequence = 1;

  constructor(parts: TcpParts) {
    this.#parts = parts;
    this.#orphans = new Orphans(parts.outbox);
  }

  get size(): number {
    return this.#all.size;
  }

  /** A TCP packet from the guest. */
  receive(packet: Packet): void {
    const segment = this.#segment;
    if (!segment.read(packet)) return;
    this.#census();
    let connection = this.#find(packet, segment);
    const fresh = (segment.flags & (SYN | ACK | RST)) === SYN;
    if (connection?.over && fresh) {
      connection.drop();
      connection = undefined;
    }
    if (connection !== undefined) connection.receive(packet, segment);
    else if (fresh) this.#open(packet, segment);
    else if (!(segment.flags & RST)) this.reset(packet, segment);
  }

  /** Takes connections to a port of the host's for one of the guest's. Rejects as NetworkHost.listen. */
  publish(address: string, port: number, guestPort: number): Promise<Listener> {
    return this.#parts.host.listen(address, port, (stream, peer) => this.#accept(stream, peer, guestPort));
  }

  /** Ends all connections. */
  clear(): void {
    for (const connection of [...this.#all]) connection.drop();
    this.#orphans.clear();
  }

  /** The connections that a restored guest will have, and nobody else. */
  save(): Saved[] {
    const own = [...this.#all].flatMap(({ orphan }) => orphan ?? []);
    return [...own, ...this.#orphans.left].slice(0, CONNECTIONS_MAX).map(saveOrphan);
  }

  /** What `save` gave: each is reset. */
  restore(connections: readonly Fields[]): void {
    this.#orphans.restore(connections);
  }

  /** Does what is due. @returns when the next is. */
  expire(now: number): number {
    let next = Number.POSITIVE_INFINITY;
    for (const connection of this.#all) {
      if (connection.deadline <= now) connection.expire();
      if (this.#all.has(connection)) next = Math.min(next, connection.deadline);
    }
    return next;
  }

  // Of ConnectionOwner.

  now(): number {
    return this.#parts.now();
  }

  ready(connection: Connection): void {
    this.#parts.ready.add(connection);
    this.#parts.wake();
  }

  arm(deadline: number): void {
    this.#parts.arm(deadline);
  }

  segments(version: 4 | 6): boolean {
    return version === 4 ? this.offloads.tcp4 : this.offloads.tcp6;
  }

  macOf(address: Uint8Array): Uint8Array | undefined {
    return this.#parts.neighbors.find(address);
  }

  unreachable({ ends }: Connection): void {
    const { mac, guest, peer, guestPort, peerPort } = ends;
    if (mac) this.#parts.icmp.unreachablePorts({ mac, guest, peer }, TCP, guestPort, peerPort);
  }

  remove(connection: Connection): void {
    if (!this.#all.delete(connection)) return;
    const hash = hashOf(connection.ends);
    let at = this.#byHash.get(hash);
    if (at === connection) {
      if (connection.nextInTable) this.#byHash.set(hash, connection.nextInTable);
      else this.#byHash.delete(hash);
      return;
    }
    while (at !== undefined && at.nextInTable !== connection) at = at.nextInTable;
    if (at !== undefined) at.nextInTable = connection.nextInTable;
  }

  /** RFC 9293, 3.5.2, group 1. */
  reset(packet: Packet, segment: Segment): void {
    const { bytes, source, destination, addressBytes } = packet;
    const ends = {
      mac: bytes.slice(6, 12),
      guest: bytes.slice(source, source + addressBytes),
      peer: bytes.slice(destination, destination + addressBytes),
    };
    const { flags, sourcePort, destinationPort, acknowledgement, sequence, length } = segment;
    this.#parts.outbox.write((frame) => {
      const tcp = writeIp(frame, ends, TCP, TCP_BYTES);
      const { view } = frame;
      view.setUint16(tcp, destinationPort);
      view.setUint16(tcp + 2, sourcePort);
      view.setInt32(tcp + 4, flags & ACK ? acknowledgement : 0);
      view.setInt32(tcp + 8, flags & ACK ? 0 : (sequence + length) | 0);
      view.setUint16(tcp + 12, (TCP_BYTES << 10) | (flags & ACK ? RST : RST | ACK));
      view.setUint16(tcp + 14, 0);
      view.setUint32(tcp + 16, 0);
      leaveChecksum(frame, tcp, TCP_CHECKSUM, TCP);
    });
  }

  #open(packet: Packet, segment: Segment): void {
    const { bytes, source, destination, addressBytes } = packet;
    const { host } = this.#parts;
    const to = destinationOf(bytes, destination, addressBytes);
    const target =
      to === undefined
        ? undefined
        : to.kind === "host"
          ? { address: to.address, port: segment.destinationPort }
          : dnsTarget(host, segment);
    if (target === undefined || segment.destinationPort === 0 || this.#all.size >= CONNECTIONS_MAX) {
      this.reset(packet, segment);
      return;
    }
    const connection = this.#add({
      mac: bytes.slice(6, 12),
      guest: bytes.slice(source, source + addressBytes),
      guestPort: segment.sourcePort,
      peer: bytes.slice(destination, destination + addressBytes),
      peerPort: segment.destinationPort,
    });
    connection.beginFromGuest(segment, host.connect(target.address, target.port, connection));
  }

  /** The guest sees who calls, where it could answer by itself; others seem to be its gateway. */
  #accept(
    stream: Stream,
    peer: { readonly address: string; readonly port: number },
    guestPort: number,
  ): StreamEvents | undefined {
    if (this.#all.size >= CONNECTIONS_MAX) return undefined;
    const address = parseAddress(peer.address);
    const plain =
      address?.length === 4 && address[0] !== 127 && !isAddress(address, 0, NETWORK4.subarray(0, 3))
        ? address
        : GATEWAY4;
    const ends = (peerPort: number): ConnectionEnds => ({
      mac: undefined,
      guest: GUEST4,
      guestPort,
      peer: plain,
      peerPort,
    });
    let own = ends(peer.port);
    for (let tries = 0; this.#lookUp(own) !== undefined; tries++) {
      if (tries > CONNECTIONS_MAX) return undefined;
      this.#ephemeral = this.#ephemeral === 65535 ? FIRST_EPHEMERAL : this.#ephemeral + 1;
      own = ends(this.#ephemeral);
    }
    const connection = this.#add(own);
    connection.beginFromHost(stream);
    return connection;
  }

  #add(ends: ConnectionEnds): Connection {
    this.#sequence = (this.#sequence + 0x10_0001) | 0;
    const connection = new Connection(this, ends, this.#sequence);
    const hash = hashOf(ends);
    connection.nextInTable = this.#byHash.get(hash);
    this.#byHash.set(hash, connection);
    this.#all.add(connection);
    return connection;
  }

  #lookUp(ends: ConnectionEnds): Connection | undefined {
    for (let at = this.#byHash.get(hashOf(ends)); at !== undefined; at = at.nextInTable) {
      const { guest, peer, guestPort, peerPort } = at.ends;
      const same = guestPort === ends.guestPort && peerPort === ends.peerPort && guest.length === ends.guest.length;
      if (same && isAddress(guest, 0, ends.guest) && isAddress(peer, 0, ends.peer)) return at;
    }
    return undefined;
  }

  #find(
    { bytes, source, destination, addressBytes }: Packet,
    { sourcePort, destinationPort }: Segment,
  ): Connection | undefined {
    const hash = hashOfPacket(bytes, source, destination, addressBytes, sourcePort, destinationPort);
    for (let at = this.#byHash.get(hash); at !== undefined; at = at.nextInTable) {
      const { guest, peer, guestPort, peerPort } = at.ends;
      const same = guestPort === sourcePort && peerPort === destinationPort && guest.length === addressBytes;
      if (same && isAddress(bytes, source, guest) && isAddress(bytes, destination, peer)) return at;
    }
    return undefined;
  }

  /** Bounds what all connections buffer together: when that is much, each may have less. */
  #census(): void {
    if (++this.#sinceCensus < CENSUS) return;
    this.#sinceCensus = 0;
    let total = 0;
    for (const connection of this.#all) total += connection.buffered;
    const left = BUFFERS - total;
    this.bufferMax = left > BUFFERS / 2 ? BUFFER_MAX : left > BUFFERS / 4 ? BUFFER_MAX / 4 : BUFFER_MIN;
  }
}

function dnsTarget(host: NetworkHost, { destinationPort }: Segment): { address: string; port: number } | undefined {
  return destinationPort === 53 ? host.nameServer : undefined;
}

function hashOf({ guest, peer, guestPort, peerPort }: ConnectionEnds): number {
  let hash = (guestPort << 16) ^ peerPort;
  for (const byte of guest) hash = Math.imul(hash ^ byte, 0x01000193);
  for (const byte of peer) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash;
}

function hashOfPacket(
  bytes: Uint8Array,
  source: number,
  destination: number,
  length: number,
  from: number,
  to: number,
): number {
  let hash = (from << 16) ^ to;
  for (let i = 0; i < length; i++) hash = Math.imul(hash ^ (bytes[source + i] as number), 0x01000193);
  for (let i = 0; i < length; i++) hash = Math.imul(hash ^ (bytes[destination + i] as number), 0x01000193);
  return hash;
}
