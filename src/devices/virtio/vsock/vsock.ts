import type { Clock, Dma } from "../../../bus/device.ts";
import type { StreamHost } from "../../../bus/streams.ts";
import type { Fields, Saved } from "../../../snapshot/fields.ts";
import { type Chain, pieces } from "../chain.ts";
import { VirtioDevice } from "../device.ts";
import type { Queue } from "../queue.ts";
import { Connection } from "./connection.ts";
import { Connections } from "./connections.ts";
import { CID_HOST, HEADER_BYTES, OP, PacketHeader, TYPE_STREAM } from "./packet.ts";

const DEVICE_ID_SOCKET = 19;
const F_STREAM = 1 << 0;
const RECEIVEQ = 0;
const TRANSMITQ = 1;
const EVENTQ = 2;
const QUEUE_SIZE = 256;
const CONFIG_BYTES = 8;

/** Connections at a time: what a guest makes the host keep is bounded. */
export const CONNECTIONS_MAX = 1024;
/** Refusals that wait for the guest's buffers; beyond them its packets wait. */
const REFUSALS_MAX = 128;
/** An event (5.10.6.7): all connections are gone. */
const EVENT_TRANSPORT_RESET = Uint8Array.of(0, 0, 0, 0);
/** Where ports begin that the host's own connections come from. */
const FIRST_HOST_PORT = 2 ** 30;

/** Socket device (virtio 1.2, 5.10) with stream sockets, between the guest and what the host connects them to. */
export class VirtioVsock extends VirtioDevice {
  readonly id = DEVICE_ID_SOCKET;
  readonly #cid: number;
  readonly #host: StreamHost;
  readonly #connections = new Connections();
  /** Those that may have a packet for the guest, the longest waiting first. */
  readonly #ready = new Set<Connection>();
  /** Connections that there are not: the guest is told so. */
  #refusals: { readonly cid: number; readonly hostPort: number; readonly guestPort: number }[] = [];
  #lastHostPort = FIRST_HOST_PORT;
  /** The guest is to be told that its connections are gone. */
  #resetDue = false;
  readonly #in = new PacketHeader();
  readonly #out = new PacketHeader();

  /** @param cid of the guest, CID_MIN to CID_MAX (contract/limits.ts). */
  constructor(dma: Dma, clock: Clock, host: StreamHost, cid: number) {
    super(dma, F_STREAM, [QUEUE_SIZE, QUEUE_SIZE, QUEUE_SIZE], CONFIG_BYTES, clock);
    this.#cid = cid;
    this.#host = host;
    this.config.setUint32(0, cid, true);
    host.onConnection((port, stream, from) => {
      if (!this.running || this.#connections.count >= CONNECTIONS_MAX) return undefined;
      const peer = from ?? { cid: CID_HOST, port: this.#freeHostPort(port) };
      if (this.#connections.find(peer.cid, peer.port, port) !== undefined) return undefined;
      const connection = this.#add(port, peer.cid, peer.port, true);
      connection.attach(stream);
      this.#wake(connection);
      return connection;
    });
  }

  override reset(): void {
    super.reset();
    for (const connection of this.#connections.clear()) connection.drop();
    this.#ready.clear();
    this.#refusals = [];
    this.#resetDue = false;
  }

  /** Connections do not come along: a restored guest is told that they are gone. */
  override save(): Saved {
    return { ...super.save(), cid: this.#cid };
  }

  override restore(state: Fields): void {
    super.restore(state);
    // 5.10.6.7 lets the CID change with the event.
    this.config.setUint32(0, this.#cid, true);
    this.#resetDue = this.running;
  }

  override resumed(): void {
    this.#tellReset();
  }

  #tellReset(): void {
    if (!this.#resetDue) return;
    this.serve(this.queues[EVENTQ] as Queue, (chain) => {
      if (!this.#resetDue) return undefined;
      this.#resetDue = false;
      return chain.write(0, EVENT_TRANSPORT_RESET);
    });
  }

  protected override notified(_queue: Queue, index: number): void {
    if (index === RECEIVEQ) this.#send();
    if (index === TRANSMITQ) this.#receive();
    if (index === EVENTQ) this.#tellReset();
  }

  /** What the guest has sent. */
  #receive(): void {
    this.serve(this.queues[TRANSMITQ] as Queue, (chain) => {
      if (this.#refusals.length >= REFUSALS_MAX) return undefined;
      if (chain.read(0, this.#in.bytes) < HEADER_BYTES) {
        this.fail();
        return undefined;
      }
      this.#packet(this.#in, chain);
      return 0;
    });
    this.#send();
  }

  #packet(header: PacketHeader, chain: Chain): void {
    const { op, length, sourcePort: guestPort, destinationPort: hostPort } = header;
    const whole = chain.readableBytes - HEADER_BYTES >= length;
    const cid = header.destinationCid;
    const ours = header.sourceCid === this.#cid && cid !== this.#cid && header.type === TYPE_STREAM;
    const connection = this.#connections.find(cid, hostPort, guestPort);
    if (ours && connection !== undefined) {
      if (op === OP.rst) this.#remove(connection);
      else if (!whole || !connection.receive(header, pieces(chain.readable, HEADER_BYTES, length))) connection.reset();
      return;
    }
    if (op === OP.rst) return;
    if (!ours || op !== OP.request || this.#connections.count >= CONNECTIONS_MAX) {
      this.#refusals.push({ cid, hostPort, guestPort });
      return;
    }
    const fresh = this.#add(guestPort, cid, hostPort, false);
    const stream = this.#host.connect(hostPort, fresh, cid, guestPort);
    if (stream === undefined) {
      this.#connections.remove(fresh);
      this.#refusals.push({ cid, hostPort, guestPort });
      return;
    }
    fresh.attach(stream);
    fresh.learn(header);
  }

  /** Fills the buffers that wait. */
  #send(): void {
    const receive = this.queues[RECEIVEQ] as Queue;
    const crowded = this.#refusals.length >= REFUSALS_MAX;
    if (this.#refusals.length > 0 || this.#ready.size > 0) {
      this.serve(receive, (chain) => {
        if (chain.writableBytes < HEADER_BYTES) {
          this.fail();
          return undefined;
        }
        return this.#refuse(chain) ?? this.#next(chain);
      });
    }
    if (crowded && this.#refusals.length < REFUSALS_MAX) this.notify(TRANSMITQ);
  }

  #refuse(chain: Chain): number | undefined {
    const refusal = this.#refusals.shift();
    if (refusal === undefined) return undefined;
    this.#out.set(refusal.cid, this.#cid, refusal.hostPort, refusal.guestPort, OP.rst);
    return chain.write(0, this.#out.bytes);
  }

  #next(chain: Chain): number | undefined {
    for (const connection of this.#ready) {
      const packet = connection.packet(this.#out, this.#cid, chain.writableBytes - HEADER_BYTES);
      // Those that come after have their turn first.
      this.#ready.delete(connection);
      if (packet === undefined) continue;
      this.#ready.add(connection);
      if (packet.op === OP.rst) this.#remove(connection);
      return chain.write(0, this.#out.bytes) + chain.write(HEADER_BYTES, packet.data);
    }
    return undefined;
  }

  #wake(connection: Connection): void {
    // It may have been ended by what woke it.
    const { cid, hostPort, guestPort } = connection;
    if (this.#connections.find(cid, hostPort, guestPort) !== connection) return;
    this.#ready.add(connection);
    this.#send();
  }

  #add(guestPort: number, cid: number, hostPort: number, byHost: boolean): Connection {
    const connection = new Connection(guestPort, cid, hostPort, byHost, (c) => this.#wake(c));
    this.#connections.add(connection);
    return connection;
  }

  #remove(connection: Connection): void {
    connection.drop();
    this.#ready.delete(connection);
    this.#connections.remove(connection);
  }

  #freeHostPort(guestPort: number): number {
    do {
      this.#lastHostPort = this.#lastHostPort === 2 ** 31 - 1 ? FIRST_HOST_PORT : this.#lastHostPort + 1;
    } while (this.#connections.find(CID_HOST, this.#lastHostPort, guestPort) !== undefined);
    return this.#lastHostPort;
  }
}
