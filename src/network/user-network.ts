import type { Fields, Saved } from "../snapshot/fields.ts";
import { DHCP_SERVER_PORT, DhcpServer } from "./dhcp.ts";
import { answerDhcp6, DHCP6_SERVER_PORT } from "./dhcp6.ts";
import { DNS_PORT, DnsProxy } from "./dns.ts";
import { Fragmenter, Reassembly } from "./fragments.ts";
import { Frame } from "./frame.ts";
import { Icmp } from "./icmp.ts";
import type { NetworkLink, Offloads, Station } from "./link.ts";
import { NeighborDiscovery } from "./ndp.ts";
import { Neighbors } from "./neighbors.ts";
import { Outbox } from "./outbox.ts";
import { ETHERTYPE_ARP, ETHERTYPE_IP4, ETHERTYPE_IP6, ICMP, ICMP6, Packet, TCP, UDP } from "./packet.ts";
import { DEFAULT_MAC, destinationOf, GATEWAY_MAC } from "./plan.ts";
import type { Listener, NetworkHost } from "./ports.ts";
import { ReadyQueue } from "./ready-queue.ts";
import { CONNECTIONS_MAX, TcpTable } from "./tcp/table.ts";
import { isDatagram, UdpTable } from "./udp.ts";

/** The least time between two looks at what is due, in nanoseconds: no time here is finer. */
const TICK = 100e6;

/** Where the host takes connections or datagrams for the guest. */
export interface Publication {
  readonly protocol: "tcp" | "udp";
  readonly address: string;
  readonly port: number;
  readonly guestPort: number;
}

/**
 * A network of the guest's own behind a router that there is not: what the guest sends to others goes through sockets of the host's, as
 * the host's own would. It needs no rights, and nobody out there sees more of the guest than what it asked for or was published.
 */
export class UserNetwork implements NetworkLink {
  readonly mac: Uint8Array;
  readonly #ready = new ReadyQueue();
  readonly #outbox = new Outbox(this.#ready);
  readonly #neighbors = new Neighbors(this.#outbox);
  readonly #discovery = new NeighborDiscovery(this.#outbox);
  readonly #reassembly = new Reassembly();
  readonly #fragmenter = new Fragmenter();
  readonly #icmp: Icmp;
  readonly #dhcp: DhcpServer;
  readonly #dns: DnsProxy;
  readonly #tcp: TcpTable;
  readonly #udp: UdpTable;
  readonly #packet = new Packet();
  readonly #frame = new Frame();
  #station: Station | undefined;
  /** When the next look at what is due is planned. */
  #alarm = Number.POSITIVE_INFINITY;
  #cancelAlarm = (): void => {};
  readonly #listeners: Listener[] = [];

  constructor(host: NetworkHost, mac: Uint8Array = DEFAULT_MAC) {
    this.mac = mac;
    const wake = (): void => this.#station?.ready();
    const now = (): number => this.#station?.clock.now() ?? 0;
    const arm = (deadline: number): void => this.#arm(deadline);
    this.#icmp = new Icmp(this.#outbox, host, wake);
    this.#dhcp = new DhcpServer(this.#outbox, this.#neighbors, mac);
    this.#dns = new DnsProxy(this.#outbox, host, wake);
    const shared = { host, ready: this.#ready, neighbors: this.#neighbors, now, wake, arm };
    this.#udp = new UdpTable({ ...shared, icmp: this.#icmp });
    this.#tcp = new TcpTable({ ...shared, outbox: this.#outbox, icmp: this.#icmp });
  }

  /** Connections and mappings that there are. */
  get usage(): { readonly connections: number; readonly mappings: number } {
    return { connections: this.#tcp.size, mappings: this.#udp.size };
  }

  /** Rejects with the host's reason when the port cannot be had. */
  async publish({ protocol, address, port, guestPort }: Publication): Promise<void> {
    const table = protocol === "tcp" ? this.#tcp : this.#udp;
    this.#listeners.push(await table.publish(address, port, guestPort));
  }

  /** Ends all that the host has opened for it. */
  close(): void {
    for (const listener of this.#listeners.splice(0)) listener.close();
    this.reset();
  }

  attach(station: Station): void {
    this.#station = station;
  }

  setOffloads(offloads: Offloads): void {
    this.#tcp.offloads = offloads;
    this.#discovery.advertise();
  }

  reset(): void {
    this.#tcp.clear();
    this.#udp.clear();
    this.#reassembly.clear();
    this.#fragmenter.clear();
    this.#outbox.clear();
    this.#ready.clear();
    this.#neighbors.clear();
  }

  save(): Saved {
    return { tcp: this.#tcp.save() };
  }

  restore(state: Fields): void {
    this.#tcp.restore(state.list("tcp", CONNECTIONS_MAX));
  }

  receive(): Frame | undefined {
    const fragment = this.#fragmenter.next();
    if (fragment !== undefined) return fragment;
    if (!this.#ready.emit(this.#frame)) return undefined;
    if (!Fragmenter.applies(this.#frame)) return this.#frame;
    this.#fragmenter.start(this.#frame);
    return this.#fragmenter.next();
  }

  transmit(frame: Frame): void {
    const { bytes, view } = frame;
    // Frames for others than the router are nobody's; those for all are for it, too.
    if (!((bytes[0] as number) & 1) && !GATEWAY_MAC.every((byte, i) => bytes[i] === byte)) return;
    const type = view.getUint16(12);
    if (type === ETHERTYPE_ARP) this.#neighbors.receiveArp(frame);
    else if (type === ETHERTYPE_IP4 || type === ETHERTYPE_IP6) {
      const packet = this.#packet;
      if (packet.read(frame) && (packet.addressBytes === 4) === (type === ETHERTYPE_IP4)) this.#receivePacket(packet);
    }
  }

  #receivePacket(packet: Packet): void {
    if (packet.fragment && !this.#reassembly.receive(packet, this.#now())) return;
    switch (packet.protocol) {
      case TCP:
        this.#tcp.receive(packet);
        break;
      case UDP:
        if (isDatagram(packet)) this.#receiveDatagram(packet);
        break;
      case ICMP:
        if (packet.addressBytes === 4) this.#icmp.receive(packet);
        break;
      case ICMP6:
        if (packet.addressBytes === 16 && !this.#discovery.receive(packet)) this.#icmp.receive(packet);
        break;
    }
  }

  #receiveDatagram(packet: Packet): void {
    const { bytes, view, payload, destination, addressBytes } = packet;
    const port = view.getUint16(payload + 2);
    if (port === DHCP_SERVER_PORT && addressBytes === 4) this.#dhcp.receive(packet);
    else if (port === DHCP6_SERVER_PORT && addressBytes === 16) answerDhcp6(packet, this.#outbox);
    else if (destinationOf(bytes, destination, addressBytes)?.kind !== "dns") this.#udp.receive(packet);
    else if (port === DNS_PORT) this.#dns.receive(packet);
    else this.#icmp.unreachable(packet, "port");
  }

  #now(): number {
    return this.#station?.clock.now() ?? 0;
  }

  #arm(deadline: number): void {
    const station = this.#station;
    if (station === undefined || deadline >= this.#alarm || deadline === Number.POSITIVE_INFINITY) return;
    this.#cancelAlarm();
    this.#alarm = Math.max(deadline, station.clock.now() + TICK);
    this.#cancelAlarm = station.clock.at(this.#alarm, () => this.#expire());
  }

  #expire(): void {
    this.#alarm = Number.POSITIVE_INFINITY;
    const now = this.#now();
    this.#arm(Math.min(this.#tcp.expire(now), this.#udp.expire(now)));
  }
}
