// A scripted guest on the user-mode network, and a host whose sockets do what a test says.

import { address } from "../../src/network/address.ts";
import { type Frame, Frame as NetworkFrame } from "../../src/network/frame.ts";
import type { Offloads } from "../../src/network/link.ts";
import { DEFAULT_MAC, GATEWAY_MAC } from "../../src/network/plan.ts";
import type { DatagramEvents, Listener, NetworkHost, Stream, StreamEvents } from "../../src/network/ports.ts";
import { UserNetwork } from "../../src/network/user-network.ts";
import { TestClock } from "./device-doubles.ts";

export const ALL_OFFLOADS: Offloads = { checksum: true, tcp4: true, tcp6: true };

export class TestStream implements Stream {
  readonly address: string;
  readonly port: number;
  events: StreamEvents | undefined;
  written: number[] = [];
  waiting = 0;
  ended = false;
  aborted = false;
  paused = false;

  constructor(to: string, port: number, events?: StreamEvents) {
    this.address = to;
    this.port = port;
    this.events = events;
  }
  write(bytes: Uint8Array): void {
    for (const byte of bytes) this.written.push(byte);
  }
  end(): void {
    this.ended = true;
  }
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
  }
  abort(): void {
    this.aborted = true;
  }
  /** Bytes from the other side. */
  arrive(...bytes: number[]): void {
    this.events?.data(Uint8Array.from(bytes));
  }
}

export class TestHost implements NetworkHost {
  readonly streams: TestStream[] = [];
  readonly sockets: {
    events: DatagramEvents;
    sent: { bytes: Uint8Array; address: string; port: number }[];
    closed: boolean;
  }[] = [];
  readonly queries: { query: Uint8Array; done: (answer: Uint8Array | undefined) => void }[] = [];
  readonly echoes: { address: string; done: (answered: boolean) => void }[] = [];
  nameServer = { address: "192.0.2.53", port: 53 };
  accept: ((stream: TestStream, peer: { address: string; port: number }) => void) | undefined;

  connect(to: string, port: number, events: StreamEvents): Stream {
    const stream = new TestStream(to, port, events);
    this.streams.push(stream);
    return stream;
  }
  async listen(...[, , accept]: Parameters<NetworkHost["listen"]>): Promise<Listener> {
    this.accept = (stream, peer) => {
      stream.events = accept(stream, peer);
    };
    return { close: () => {} };
  }
  datagrams(_version: 4 | 6, events: DatagramEvents) {
    const socket: TestHost["sockets"][number] = { events, sent: [], closed: false };
    this.sockets.push(socket);
    return {
      send: (bytes: Uint8Array, to: string, port: number) =>
        void socket.sent.push({ bytes: bytes.slice(), address: to, port }),
      close: () => {
        socket.closed = true;
      },
    };
  }
  async boundDatagrams(_address: string, _port: number, events: DatagramEvents) {
    return this.datagrams(4, events);
  }
  resolve(query: Uint8Array, done: (answer: Uint8Array | undefined) => void): void {
    this.queries.push({ query, done });
  }
  echo(to: string, done: (answered: boolean) => void): void {
    this.echoes.push({ address: to, done });
  }
}

/** The Internet checksum, word by word. */
export function referenceSum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) {
    sum += ((bytes[i] as number) << 8) | (bytes[i + 1] ?? 0);
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return ~sum & 0xffff;
}

export interface Packet {
  readonly from: string;
  readonly to: string;
  readonly protocol: number;
  readonly payload: Uint8Array;
  readonly ttl: number;
}

export interface TcpSegment {
  readonly from: number;
  readonly to: number;
  readonly seq: number;
  readonly ack: number;
  readonly flags: number;
  readonly window: number;
  readonly options: Uint8Array;
  readonly data: Uint8Array;
}

export const [FIN, SYN, RST, PSH, ACK] = [1, 2, 4, 8, 16];
export const GUEST = "10.0.2.15";
export const GUEST6 = "fec0::5054:ff:fe12:3456";

const be16 = (value: number): number[] => [(value >> 8) & 0xff, value & 0xff];
const be32 = (value: number): number[] => [...be16(value >>> 16), ...be16(value & 0xffff)];

/** Bytes of an IP packet. With `checksumAt` the checksum over pseudo-header and payload is written there. */
export function ip(
  protocol: number,
  to: string,
  payload: Uint8Array,
  {
    from = to.includes(":") ? GUEST6 : GUEST,
    checksumAt,
    pseudo = true,
    ttl = 64,
    fragment = 0,
    id = 7,
  }: {
    from?: string;
    checksumAt?: number | undefined;
    pseudo?: boolean;
    ttl?: number;
    fragment?: number;
    id?: number;
  } = {},
): Uint8Array {
  const addresses = [...address(from), ...address(to)];
  const body = Uint8Array.from(payload);
  if (checksumAt !== undefined) {
    const header = pseudo ? [...addresses, ...be32(body.length), ...be32(protocol)] : [];
    const sum = referenceSum(Uint8Array.from([...header, ...body]));
    body.set(be16(sum === 0 ? 0xffff : sum), checksumAt);
  }
  if (to.includes(":"))
    return Uint8Array.from([0x60, 0, 0, 0, ...be16(body.length), protocol, ttl, ...addresses, ...body]);
  const header = Uint8Array.from([
    0x45,
    0,
    ...be16(20 + body.length),
    ...be16(id),
    ...be16(fragment),
    ttl,
    protocol,
    0,
    0,
    ...addresses,
  ]);
  header.set(be16(referenceSum(header)), 10);
  return Uint8Array.from([...header, ...body]);
}

export function tcp(
  segment: Partial<Omit<TcpSegment, "data" | "options">> & {
    data?: readonly number[] | Uint8Array;
    options?: readonly number[];
  },
): Uint8Array {
  const { from = 40000, to = 80, seq = 0, ack = 0, flags = ACK, window = 0xffff, data = [], options = [] } = segment;
  const words = 5 + options.length / 4;
  return Uint8Array.from([
    ...be16(from),
    ...be16(to),
    ...be32(seq),
    ...be32(ack),
    words << 4,
    flags,
    ...be16(window),
    0,
    0,
    0,
    0,
    ...options,
    ...data,
  ]);
}

export function udp(from: number, to: number, data: readonly number[] | Uint8Array): Uint8Array {
  return Uint8Array.from([...be16(from), ...be16(to), ...be16(8 + data.length), 0, 0, ...data]);
}

/** A guest with one interface. */
export class TestGuest {
  readonly host = new TestHost();
  readonly clock = new TestClock();
  readonly network = new UserNetwork(this.host);
  readonly #frame = new NetworkFrame();
  readies = 0;

  constructor(offloads: Offloads = ALL_OFFLOADS) {
    this.network.attach({ clock: this.clock, ready: () => void this.readies++, announce: () => {} });
    this.network.setOffloads(offloads);
    // What it says of itself at first.
    this.frames();
  }

  sendFrame(type: number, payload: Uint8Array, to: Uint8Array = GATEWAY_MAC): void {
    const bytes = Uint8Array.from([...to, ...DEFAULT_MAC, ...be16(type), ...payload]);
    this.#frame.bytes.set(bytes);
    this.#frame.complete(bytes.length);
    this.network.transmit(this.#frame);
  }
  sendIp(packet: Uint8Array): void {
    this.sendFrame((packet[0] as number) >> 4 === 4 ? 0x0800 : 0x86dd, packet);
  }
  sendTcp(to: string, segment: Parameters<typeof tcp>[0]): void {
    this.sendIp(ip(6, to, tcp(segment), { checksumAt: 16 }));
  }
  sendUdp(to: string, from: number, port: number, data: readonly number[] | Uint8Array): void {
    this.sendIp(ip(17, to, udp(from, port, data), { checksumAt: 6 }));
  }

  /** All frames that there are for it, with what was left to be done. */
  frames(): Frame[] {
    const all: Frame[] = [];
    for (let frame = this.network.receive(); frame !== undefined; frame = this.network.receive()) {
      const copy = new NetworkFrame();
      copy.copyFrom(frame);
      all.push(copy);
    }
    return all;
  }
  /** All IP packets for it, checksums finished and found right. */
  packets(): Packet[] {
    return this.frames()
      .map(packetOf)
      .filter((packet) => packet !== undefined);
  }
  segments(): TcpSegment[] {
    return this.packets()
      .filter(({ protocol }) => protocol === 6)
      .map(({ payload }) => segmentOf(payload));
  }
}

export function packetOf(frame: Frame): Packet | undefined {
  const bytes = frame.bytes.slice(0, frame.length);
  const view = new DataView(bytes.buffer);
  const type = view.getUint16(12);
  if (type !== 0x0800 && type !== 0x86dd) return undefined;
  const four = type === 0x0800;
  const start = four ? 34 : 54;
  if (frame.checksumStart !== 0) {
    const sum = referenceSum(bytes.subarray(frame.checksumStart));
    view.setUint16(frame.checksumStart + frame.checksumOffset, sum);
  }
  if (four && referenceSum(bytes.subarray(14, 34)) !== 0) throw new Error("the IPv4 header's checksum is wrong");
  const protocol = bytes[four ? 23 : 20] as number;
  const payload = bytes.subarray(start);
  const length = four ? view.getUint16(16) - 20 : view.getUint16(18);
  if (length !== payload.length) throw new Error(`the packet says ${length} bytes and has ${payload.length}`);
  const addresses = four ? bytes.subarray(26, 34) : bytes.subarray(22, 54);
  const fragment = four ? (view.getUint16(20) & 0x3fff) !== 0 : protocol === 44;
  if (!fragment && (protocol === 6 || protocol === 17 || protocol === 58)) {
    const pseudo = Uint8Array.from([...addresses, ...be32(payload.length), ...be32(protocol), ...payload]);
    if (referenceSum(pseudo) !== 0) throw new Error(`the checksum of protocol ${protocol} is wrong`);
  }
  if (!fragment && protocol === 1 && referenceSum(payload) !== 0) throw new Error("the checksum of ICMP is wrong");
  const text = (at: number): string =>
    four ? [...addresses.subarray(at, at + 4)].join(".") : Buffer.from(addresses.subarray(at, at + 16)).toString("hex");
  return { from: text(0), to: text(four ? 4 : 16), protocol, payload, ttl: bytes[four ? 22 : 21] as number };
}

export function segmentOf(payload: Uint8Array): TcpSegment {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  const header = (view.getUint8(12) >> 4) * 4;
  return {
    from: view.getUint16(0),
    to: view.getUint16(2),
    seq: view.getUint32(4),
    ack: view.getUint32(8),
    flags: view.getUint8(13),
    window: view.getUint16(14),
    options: payload.subarray(20, header),
    data: payload.subarray(header),
  };
}
