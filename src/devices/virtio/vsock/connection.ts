import type { OuterStream, StreamEvents } from "../../../bus/streams.ts";
import { OP, type Op, type PacketHeader, SHUTDOWN_RECEIVE, SHUTDOWN_SEND } from "./packet.ts";

/** Bytes that a guest may send before the outside has taken any. */
export const BUFFER_BYTES = 0x4_0000;
/** Bytes that the outside has taken before the guest is told. */
const CREDIT_STEP = BUFFER_BYTES / 4;
/** Data of one packet. */
const DATA_MAX = 0x1_0000;

/** A stream between a port of the guest's and one of the host's, with flow control by credit (virtio 1.2, 5.10.6.3). */
export class Connection implements StreamEvents {
  readonly guestPort: number;
  /** Of the other end: the host's, or another guest's. */
  readonly cid: number;
  readonly hostPort: number;
  /** Called when there may be a packet for the guest. */
  readonly #wake: (connection: Connection) => void;
  readonly #byHost: boolean;
  #stream: OuterStream | undefined;
  /** Both ends have agreed to it. */
  #open = false;
  /** A packet that begins or ends the connection, to be sent before any other. */
  #next: Op | undefined;
  #ended = false;
  #endTold = false;
  /** What the guest has shut down: SHUTDOWN_*. */
  #shutdown = 0;

  // Counters of bytes, modulo 2^32.
  #received = 0;
  #forwarded = 0;
  #forwardedTold = 0;
  #sent = 0;
  #peerBuffer = 0;
  #peerForwarded = 0;

  /** @param byHost who asked for it. */
  constructor(
    guestPort: number,
    cid: number,
    hostPort: number,
    byHost: boolean,
    wake: (connection: Connection) => void,
  ) {
    this.guestPort = guestPort;
    this.cid = cid;
    this.hostPort = hostPort;
    this.#wake = wake;
    this.#byHost = byHost;
    if (byHost) this.#next = OP.request;
  }

  attach(stream: OuterStream): void {
    this.#stream = stream;
  }

  // From the outside.

  connected(): void {
    this.#open = true;
    this.#next = OP.response;
    this.#wake(this);
  }
  readable(): void {
    this.#wake(this);
  }
  delivered(bytes: number): void {
    this.#forwarded = (this.#forwarded + bytes) >>> 0;
    if (this.#owesCredit) this.#wake(this);
  }
  ended(): void {
    this.#ended = true;
    this.#wake(this);
  }
  closed(): void {
    this.#stream = undefined;
    this.reset();
  }

  // From the guest.

  /** The credit that a packet tells. */
  learn(header: PacketHeader): void {
    this.#peerBuffer = header.bufferBytes;
    this.#peerForwarded = header.forwarded;
  }

  /** @returns whether it makes sense; otherwise the connection has to be reset. */
  receive(header: PacketHeader, data: readonly Uint8Array[]): boolean {
    this.learn(header);
    switch (header.op) {
      case OP.response:
        if (!this.#byHost || this.#open || this.#next !== undefined) return false;
        this.#open = true;
        this.#stream?.accept(this.hostPort);
        break;
      case OP.rw:
        if (!this.#open || this.#shutdown & SHUTDOWN_SEND) return false;
        if (!this.#take(data)) return false;
        break;
      case OP.shutdown:
        if (!this.#open) return false;
        this.#shutDown(header.flags);
        break;
      case OP.creditUpdate:
        break;
      case OP.creditRequest:
        this.#forwardedTold = (this.#forwarded - CREDIT_STEP) >>> 0;
        break;
      default:
        return false;
    }
    this.#wake(this);
    return true;
  }

  #take(data: readonly Uint8Array[]): boolean {
    for (const bytes of data) {
      this.#received = (this.#received + bytes.length) >>> 0;
      if ((this.#received - this.#forwarded) >>> 0 > BUFFER_BYTES) return false;
      this.#stream?.write(bytes);
    }
    return true;
  }

  #shutDown(flags: number): void {
    const before = this.#shutdown;
    this.#shutdown |= flags & (SHUTDOWN_RECEIVE | SHUTDOWN_SEND);
    if (this.#shutdown === (SHUTDOWN_RECEIVE | SHUTDOWN_SEND)) this.reset();
    else if (this.#shutdown & ~before & SHUTDOWN_SEND) this.#stream?.end();
  }

  /** Ends it; the guest is told. What it wrote still goes out. */
  reset(): void {
    this.drop();
    this.#open = false;
    this.#next = OP.rst;
    this.#wake(this);
  }

  /** Ends it, as the guest wants or the device's reset. */
  drop(): void {
    this.#stream?.close();
    this.#stream = undefined;
  }

  // To the guest.

  get #owesCredit(): boolean {
    return (this.#forwarded - this.#forwardedTold) >>> 0 >= CREDIT_STEP;
  }

  /** Bytes that the guest has room for. What it claims may make no sense. */
  get #credit(): number {
    return Math.max(0, this.#peerBuffer - ((this.#sent - this.#peerForwarded) >>> 0));
  }

  /**
   * Makes the next packet for the guest. @param room for data. @returns the packet's operation and data; undefined: there is none now.
   */
  packet(header: PacketHeader, cid: number, room: number): { readonly op: Op; readonly data: Uint8Array } | undefined {
    const next = this.#nextOp();
    if (next === undefined) return undefined;
    const data = next === OP.rw ? this.#read(room) : NOTHING;
    header.set(this.cid, cid, this.hostPort, this.guestPort, next);
    header.setLength(data.length);
    if (next === OP.shutdown) header.setFlags(SHUTDOWN_SEND);
    header.setCredit(BUFFER_BYTES, this.#forwarded);
    this.#forwardedTold = this.#forwarded;
    return { op: next, data };
  }

  #nextOp(): Op | undefined {
    const next = this.#next;
    this.#next = undefined;
    if (next !== undefined || !this.#open) return next;
    const stream = this.#stream;
    if (stream?.readable && this.#credit > 0 && !(this.#shutdown & SHUTDOWN_RECEIVE)) return OP.rw;
    if (this.#ended && !this.#endTold && !stream?.readable) {
      this.#endTold = true;
      return OP.shutdown;
    }
    return this.#owesCredit ? OP.creditUpdate : undefined;
  }

  #read(room: number): Uint8Array {
    const data = this.#stream?.read(Math.min(room, this.#credit, DATA_MAX)) ?? NOTHING;
    this.#sent = (this.#sent + data.length) >>> 0;
    return data;
  }
}

const NOTHING = new Uint8Array(0);
