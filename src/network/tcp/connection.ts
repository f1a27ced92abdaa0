import { type Frame, MTU, TCP4, TCP6 } from "../frame.ts";
import { type Packet, TCP } from "../packet.ts";
import type { Stream, StreamEvents, StreamFailure } from "../ports.ts";
import type { Source } from "../ready-queue.ts";
import { type Ends, leaveChecksum, writeIp } from "../writer.ts";
import {
  ACK,
  FIN,
  PSH,
  RST,
  type Segment,
  SYN,
  SYN_OPTIONS_BYTES,
  TCP_BYTES,
  TCP_CHECKSUM,
  writeSynOptions,
} from "./header.ts";
import type { Orphan } from "./orphans.ts";
import { Receiving } from "./receiving.ts";
import { Sending } from "./sending.ts";

/** The host's bytes that wait for the guest; while there are more, the host is not read. */
const SEND_BUFFER = 0x100000;
/** Largest IP packet. */
const PACKET_MAX = 65535;

// Times in nanoseconds.
const SECOND = 1e9;
/** A link loses nothing, but a guest may, and its driver does when it stops. */
const RETRANSMISSION = 1 * SECOND;
const RETRANSMISSIONS_MAX = 8;
/** In place of TIME-WAIT's two maximum segment lifetimes: on this link they are nothing. */
const LINGER = 2 * SECOND;
/** RFC 9293, 3.8.4. */
const KEEPALIVE = 7200 * SECOND;
/** Where the guest has ended its side it may be gone altogether. */
const KEEPALIVE_ENDED = 60 * SECOND;
const KEEPALIVE_INTERVAL = 75 * SECOND;

/** The host connects; nothing was told to the guest. */
const CONNECTING = 0;
const SYN_RECEIVED = 1;
const SYN_SENT = 2;
const OPEN = 3;
/** Both sides have ended and know it. */
const LINGERING = 4;
const CLOSED = 5;

/** What a connection needs of the table that it is in. */
export interface ConnectionOwner {
  now(): number;
  /** It has something to send. */
  ready(connection: Connection): void;
  /** It is over. */
  remove(connection: Connection): void;
  /** Something is due at that time. */
  arm(deadline: number): void;
  /** Whether frames with several segments are taken. */
  segments(version: 4 | 6): boolean;
  /** What is known of where a guest's address is; asks for it where that is nothing. */
  macOf(address: Uint8Array): Uint8Array | undefined;
  /** The guest sent a SYN, and its peer cannot be reached. */
  unreachable(connection: Connection): void;
  /** Answers a segment that fits nothing. */
  reset(packet: Packet, segment: Segment): void;
  /** Most that a connection may buffer each way at the moment. */
  readonly bufferMax: number;
}

export interface ConnectionEnds {
  mac: Uint8Array | undefined;
  readonly guest: Uint8Array;
  readonly guestPort: number;
  readonly peer: Uint8Array;
  readonly peerPort: number;
}

/** A TCP connection (RFC 9293) between the guest and, by a host's stream, somebody else. */
export class Connection implements StreamEvents, Source {
  readonly ends: ConnectionEnds;
  /** Of the table: the next one of the same hash. */
  nextInTable: Connection | undefined = undefined;
  queued = false;
  nextReady: Source | undefined = undefined;
  /** When something is to be done if nothing happens until then. */
  deadline = Number.POSITIVE_INFINITY;

  readonly #owner: ConnectionOwner;
  #stream: Stream | undefined;
  #phase = CONNECTING;
  readonly #send: Sending;
  readonly #receive = new Receiving();

  /** The host is not read for the moment. */
  #paused = false;
  // What is to be sent.
  #synDue = false;
  #ackDue = false;
  #probeDue = false;
  /** A reset, and that is the last. */
  #resetDue = false;
  #retries = 0;

  constructor(owner: ConnectionOwner, ends: ConnectionEnds, initialSequence: number) {
    this.#owner = owner;
    this.ends = ends;
    this.#send = new Sending(initialSequence);
  }

  /** The guest has sent a SYN; `stream` connects. */
  beginFromGuest(segment: Segment, stream: Stream): void {
    this.#stream = stream;
    this.#takeSyn(segment);
  }

  /** `stream` is connected and paused: the guest is to be called. */
  beginFromHost(stream: Stream): void {
    this.#stream = stream;
    this.#paused = true;
    this.#phase = SYN_SENT;
    this.#synDue = true;
    this.#owner.ready(this);
  }

  get over(): boolean {
    return this.#phase === LINGERING || this.#phase === CLOSED;
  }

  /** What the guest has of it, where its ends have agreed to it or may have. */
  get orphan(): Orphan | undefined {
    const { mac, guest, peer, guestPort, peerPort } = this.ends;
    const known = this.#phase === OPEN || this.#phase === LINGERING || this.#phase === SYN_RECEIVED;
    if (!known || mac === undefined) return undefined;
    return { mac, guest, peer, guestPort, peerPort, sequence: this.#send.next, expected: this.#receive.expected };
  }

  /** Bytes of memory that it takes. */
  get buffered(): number {
    return this.#send.data.capacity + (this.#stream?.waiting ?? 0);
  }

  // Of the host's stream.

  connected(): void {
    if (this.#phase !== CONNECTING) return;
    this.#phase = SYN_RECEIVED;
    this.#synDue = true;
    this.#owner.ready(this);
  }

  data(bytes: Uint8Array): void {
    if (this.#phase === CLOSED || this.#send.ended) return;
    this.#send.data.push(bytes);
    if (!this.#paused && this.#send.data.length >= Math.min(SEND_BUFFER, this.#owner.bufferMax)) {
      this.#paused = true;
      this.#stream?.pause();
    }
    if (this.pending) this.#owner.ready(this);
    else this.#armIdle();
  }

  ended(): void {
    this.#send.ended = true;
    if (this.pending) this.#owner.ready(this);
  }

  sent(): void {
    if (this.#phase !== OPEN || this.#receive.ended) return;
    if (this.#receive.isWorthTelling(this.#room, this.#send.mss)) this.#acknowledge();
  }

  closed(reason?: StreamFailure): void {
    if (this.#phase === CLOSED) return;
    this.#stream = undefined;
    if (this.#phase === CONNECTING) {
      this.#phase = CLOSED;
      if (reason === "unreachable") this.#owner.unreachable(this);
      else this.#resetDue = true;
      this.#owner.ready(this);
      this.#owner.remove(this);
    } else if (reason !== undefined) this.#abortGuest();
    else this.ended();
  }

  // Of the guest.

  receive(packet: Packet, segment: Segment): void {
    this.#retries = 0;
    switch (this.#phase) {
      case CONNECTING:
        if (segment.flags & RST) this.#abortHost();
        return;
      case SYN_RECEIVED:
        this.#receiveInSynReceived(packet, segment);
        return;
      case SYN_SENT:
        this.#receiveInSynSent(packet, segment);
        return;
      case OPEN:
      case LINGERING:
        this.#receiveOpen(packet, segment);
        return;
    }
  }

  #receiveInSynReceived(packet: Packet, segment: Segment): void {
    if (segment.flags & RST) {
      if (segment.sequence === this.#receive.expected) this.#abortHost();
    } else if (segment.flags & SYN) {
      this.#synDue = true;
      this.#owner.ready(this);
    } else if (segment.flags & ACK) {
      if (segment.acknowledgement !== ((this.#send.unacknowledged + 1) | 0)) {
        this.#owner.reset(packet, segment);
        return;
      }
      this.#open();
      this.#receiveOpen(packet, segment);
    }
  }

  #receiveInSynSent(packet: Packet, segment: Segment): void {
    const { flags } = segment;
    if (!(flags & ACK)) return;
    if (segment.acknowledgement !== this.#send.next || this.#send.flight === 0) {
      if (!(flags & RST)) this.#owner.reset(packet, segment);
    } else if (flags & RST) this.#abortHost();
    else if (flags & SYN) {
      this.#takeSyn(segment);
      this.#open();
      this.#ackDue = true;
      this.#paused = false;
      this.#stream?.resume();
      this.#owner.ready(this);
    }
  }

  #open(): void {
    this.#phase = OPEN;
    this.#send.synAcknowledged();
    this.#synDue = false;
    this.#armIdle();
  }

  #takeSyn(segment: Segment): void {
    this.#receive.takeSyn(segment);
    this.#send.takeSyn(segment, this.#ownMss);
  }

  #receiveOpen(packet: Packet, segment: Segment): void {
    const { flags } = segment;
    const ahead = (segment.sequence - this.#receive.expected) | 0;
    if (flags & RST) {
      // RFC 5961, 3.2: exact, or it has to be sent again in answer to an acknowledgement.
      if (ahead === 0) this.#abortHost();
      else if (ahead > 0 && ahead < this.#receive.window) this.#acknowledge();
      return;
    }
    // RFC 5961, 4.2.
    const syn = (flags & SYN) !== 0;
    if (!syn && !(flags & ACK)) return;
    // What is old was acknowledged, maybe to deaf ears (and keep-alives look like that); what is ahead had something lost before it.
    const known = ahead < 0 && ahead + segment.length <= 0;
    if (syn || ahead > 0 || known || !this.#send.takeAcknowledgement(segment)) {
      this.#acknowledge();
      return;
    }
    this.#resumeHost();
    if (segment.length > 0) {
      this.#ackDue = true;
      this.#receive.take(packet, segment, -ahead, this.#stream);
    }
    if (this.#send.finAcknowledged && this.#receive.ended && this.#phase === OPEN) {
      this.#phase = LINGERING;
      this.#send.data.clear();
    }
    if (this.pending) this.#owner.ready(this);
    this.#armIdle();
  }

  #resumeHost(): void {
    if (!this.#paused || this.#send.data.length > Math.min(SEND_BUFFER, this.#owner.bufferMax) / 2) return;
    this.#paused = false;
    this.#stream?.resume();
  }

  #acknowledge(): void {
    this.#ackDue = true;
    this.#owner.ready(this);
  }

  // To the guest.

  get pending(): boolean {
    if (this.#resetDue || this.#ackDue || this.#synDue) return true;
    return this.#phase === OPEN && (this.#probeDue || this.#send.sendable > 0 || this.#send.finAfter(0));
  }

  emit(frame: Frame): boolean {
    const { ends } = this;
    ends.mac ??= this.#owner.macOf(ends.guest);
    if (ends.mac === undefined) {
      // Its address is asked for: the answer comes as soon as there is somebody.
      this.#synDue = false;
      this.#arm(this.#owner.now() + RETRANSMISSION);
      return false;
    }
    if (this.#resetDue) {
      this.#resetDue = this.#ackDue = this.#synDue = false;
      this.#write(frame, RST | ACK, this.#send.next, 0);
      return true;
    }
    if (this.#phase === SYN_RECEIVED || this.#phase === SYN_SENT) return this.#emitSyn(frame);
    if (this.#phase !== OPEN && this.#phase !== LINGERING) {
      this.#ackDue = this.#synDue = false;
      return false;
    }
    return this.#emitData(frame);
  }

  #emitSyn(frame: Frame): boolean {
    this.#ackDue = false;
    if (!this.#synDue) return false;
    this.#synDue = false;
    this.#write(frame, this.#phase === SYN_SENT ? SYN : SYN | ACK, this.#send.unacknowledged, 0);
    this.#send.synSent();
    this.#arm(this.#owner.now() + RETRANSMISSION * 2 ** this.#retries);
    return true;
  }

  #emitData(frame: Frame): boolean {
    const probe = this.#probeDue;
    this.#probeDue = false;
    const send = this.#send;
    const unsent = send.data.length - send.flight;
    let length = this.#phase === OPEN ? Math.min(send.sendable, this.#segmentMax()) : 0;
    if (length === 0 && probe && unsent > 0) length = 1;
    const last = length > 0 && length === unsent;
    const fin = this.#phase === OPEN && send.finAfter(length);
    if (length === 0 && !fin && !this.#ackDue && !probe) return false;
    // A keep-alive is of the byte before (RFC 9293, 3.8.4).
    const sequence = length === 0 && !fin && probe ? (send.next - 1) | 0 : send.next;
    this.#write(frame, ACK | (last ? PSH : 0) | (fin ? FIN : 0), sequence, length);
    if (length > 0 || fin) {
      send.sent(length, fin);
      this.#arm(this.#owner.now() + RETRANSMISSION * 2 ** this.#retries);
    }
    return true;
  }

  /** With so many bytes of what is at `sequence`. */
  #write(frame: Frame, flags: number, sequence: number, length: number): void {
    const { ends } = this;
    const { view } = frame;
    const options = flags & SYN ? SYN_OPTIONS_BYTES : 0;
    const tcp = writeIp(frame, ends as Ends, TCP, TCP_BYTES + options + length);
    view.setUint16(tcp, ends.peerPort);
    view.setUint16(tcp + 2, ends.guestPort);
    view.setInt32(tcp + 4, sequence);
    view.setInt32(tcp + 8, flags & ACK ? this.#receive.expected : 0);
    view.setUint16(tcp + 12, ((TCP_BYTES + options) << 10) | flags);
    view.setUint16(tcp + 14, this.#receive.advertise(this.#room, (flags & SYN) !== 0));
    view.setUint32(tcp + 16, 0);
    if (options > 0) writeSynOptions(view, tcp + TCP_BYTES, this.#ownMss, this.#receive.scale);
    if (length > 0) {
      const data = tcp + TCP_BYTES;
      this.#send.data.copy((sequence - this.#send.unacknowledged) | 0, length, frame.bytes, data);
      if (length > this.#send.mss) {
        frame.segmentation = ends.guest.length === 4 ? TCP4 : TCP6;
        frame.segmentBytes = this.#send.mss;
      }
    }
    leaveChecksum(frame, tcp, TCP_CHECKSUM, TCP);
    if (flags & ACK) this.#ackDue = false;
  }

  /** What may come from the guest before the host takes some. */
  get #room(): number {
    return this.#receive.room(this.#stream?.waiting ?? 0, this.#owner.bufferMax);
  }

  get #ownMss(): number {
    return MTU - TCP_BYTES - (this.ends.guest.length === 4 ? 20 : 40);
  }

  #segmentMax(): number {
    if (!this.#owner.segments(this.ends.guest.length === 4 ? 4 : 6)) return this.#send.mss;
    const room = PACKET_MAX - TCP_BYTES - 40;
    return room - (room % this.#send.mss);
  }

  // Time.

  #arm(deadline: number): void {
    this.deadline = deadline;
    this.#owner.arm(deadline);
  }

  /** For when nothing is on its way, or some of that arrived. */
  #armIdle(): void {
    const now = this.#owner.now();
    if (this.#phase === LINGERING) this.#arm(now + LINGER);
    else if (this.#send.flight !== 0 || this.#send.data.length > 0) this.#arm(now + RETRANSMISSION);
    else this.#arm(now + (this.#receive.ended ? KEEPALIVE_ENDED : KEEPALIVE));
  }

  /** Its deadline has passed. */
  expire(): void {
    const now = this.#owner.now();
    if (this.#phase === LINGERING || this.#phase === CLOSED) {
      this.#close();
      return;
    }
    this.#retries++;
    if (this.#retries > RETRANSMISSIONS_MAX) {
      this.#stream?.abort();
      this.#abortGuest();
      return;
    }
    if (this.#phase !== OPEN) {
      this.#synDue = this.#phase !== CONNECTING;
      this.#arm(now + RETRANSMISSION * 2 ** this.#retries);
    } else if (this.#send.flight !== 0 || this.#send.finAfter(0)) {
      this.#send.goBack();
      this.#probeDue = this.#send.window === 0;
      this.#arm(now + RETRANSMISSION * 2 ** this.#retries);
    } else {
      // The window is closed, or nothing has happened for long.
      this.#probeDue = true;
      this.#arm(now + (this.#send.data.length > 0 ? RETRANSMISSION * 2 ** this.#retries : KEEPALIVE_INTERVAL));
    }
    if (this.pending) this.#owner.ready(this);
  }

  /** Ends it at once, with nothing said to the guest. */
  drop(): void {
    this.#abortHost();
  }

  #abortHost(): void {
    this.#stream?.abort();
    this.#close();
  }

  #abortGuest(): void {
    this.#close();
    this.#resetDue = true;
    this.#owner.ready(this);
  }

  #close(): void {
    if (this.#phase !== CLOSED) {
      this.#phase = CLOSED;
      this.#send.data.clear();
      this.#stream = undefined;
      this.#synDue = this.#ackDue = false;
    }
    this.#owner.remove(this);
  }
}
