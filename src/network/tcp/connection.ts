import { ByteRing } from "../byte-ring.ts";
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

/** What the guest may send before the host has taken it. A slice of the machine's at a gigabit in a second is less. */
const RECEIVE_BUFFER = 0x100000;
/** Of the window that is told to the guest: 2^6 times 65535 is more than there is of it. */
const SCALE = 6;
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

  // What is sent to the guest: SND.UNA, SND.NXT, and the highest that ever was SND.NXT.
  #unacknowledged: number;
  #next: number;
  #highest: number;
  #peerWindow = 0;
  #peerScale = 0;
  #mss = 0;
  /** Data from SND.UNA on. */
  readonly #out = new ByteRing();
  #paused = false;
  #hostEnded = false;
  #finAcknowledged = false;
  #synDue = false;
  #probeDue = false;
  #duplicates = 0;
  #retries = 0;

  // What comes from the guest: RCV.NXT, and the right edge of the window that it was told.
  #expected = 0;
  #edge = 0;
  #scaled = true;
  #guestEnded = false;
  #ackDue = false;

  constructor(owner: ConnectionOwner, ends: ConnectionEnds, initialSequence: number) {
    this.#owner = owner;
    this.ends = ends;
    this.#unacknowledged = this.#next = this.#highest = initialSequence;
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
    return { mac, guest, peer, guestPort, peerPort, sequence: this.#next, expected: this.#expected };
  }

  /** Bytes of memory that it takes. */
  get buffered(): number {
    return this.#out.capacity + (this.#stream?.waiting ?? 0);
  }

  // Of the host's stream.

  connected(): void {
    if (this.#phase !== CONNECTING) return;
    this.#phase = SYN_RECEIVED;
    this.#synDue = true;
    this.#owner.ready(this);
  }

  data(bytes: Uint8Array): void {
    if (this.#phase === CLOSED || this.#hostEnded) return;
    this.#out.push(bytes);
    if (!this.#paused && this.#out.length >= Math.min(SEND_BUFFER, this.#owner.bufferMax)) {
      this.#paused = true;
      this.#stream?.pause();
    }
    if (this.pending) this.#owner.ready(this);
    else this.#armIdle();
  }

  ended(): void {
    this.#hostEnded = true;
    if (this.pending) this.#owner.ready(this);
  }

  sent(): void {
    if (this.#phase !== OPEN || this.#guestEnded) return;
    // RFC 9293, 3.8.6.2.2: only when that opens the window by something worth telling.
    const told = (this.#edge - this.#expected) | 0;
    if (this.#window() - told >= Math.min(RECEIVE_BUFFER / 4, 2 * this.#mss)) {
      this.#ackDue = true;
      this.#owner.ready(this);
    }
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
      if (segment.sequence === this.#expected) this.#abortHost();
    } else if (segment.flags & SYN) {
      this.#synDue = true;
      this.#owner.ready(this);
    } else if (segment.flags & ACK) {
      if (segment.acknowledgement !== ((this.#unacknowledged + 1) | 0)) {
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
    if (segment.acknowledgement !== this.#next || this.#next === this.#unacknowledged) {
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
    this.#unacknowledged = (this.#unacknowledged + 1) | 0;
    this.#next = this.#highest = this.#unacknowledged;
    this.#synDue = false;
    this.#armIdle();
  }

  #takeSyn(segment: Segment): void {
    this.#expected = (segment.sequence + 1) | 0;
    this.#edge = this.#expected;
    this.#scaled = segment.scale !== undefined;
    this.#peerScale = segment.scale ?? 0;
    this.#peerWindow = segment.window;
    this.#mss = Math.min(segment.mss, this.#ownMss);
  }

  #receiveOpen(packet: Packet, segment: Segment): void {
    const { flags } = segment;
    const ahead = (segment.sequence - this.#expected) | 0;
    const window = (this.#edge - this.#expected) | 0;
    if (flags & RST) {
      // RFC 5961, 3.2: exact, or it has to be sent again in answer to an acknowledgement.
      if (ahead === 0) this.#abortHost();
      else if (ahead > 0 && ahead < window) this.#acknowledge();
      return;
    }
    // RFC 5961, 4.2.
    const syn = (flags & SYN) !== 0;
    if (!syn && !(flags & ACK)) return;
    // What is old was acknowledged, maybe to deaf ears (and keep-alives look like that); what is ahead had something lost before it.
    const known = ahead < 0 && ahead + segment.length <= 0;
    if (syn || ahead > 0 || known || !this.#takeAcknowledgement(segment)) {
      this.#acknowledge();
      return;
    }
    this.#takeData(packet, segment, -ahead);
    if (this.#finAcknowledged && this.#guestEnded && this.#phase === OPEN) {
      this.#phase = LINGERING;
      this.#out.clear();
    }
    if (this.pending) this.#owner.ready(this);
    this.#armIdle();
  }

  /** False: it is of what was never sent. */
  #takeAcknowledgement(segment: Segment): boolean {
    const acknowledged = (segment.acknowledgement - this.#unacknowledged) | 0;
    if (acknowledged > ((this.#highest - this.#unacknowledged) | 0)) return false;
    if (acknowledged < 0) return true;
    const window = segment.window << this.#peerScale;
    if (acknowledged === 0) {
      const pure = segment.length === 0 && window === this.#peerWindow && this.#next !== this.#unacknowledged;
      this.#duplicates = pure ? this.#duplicates + 1 : 0;
      // RFC 5681, 3.2, with all that follows sent again, too.
      if (this.#duplicates === 3) this.#next = this.#unacknowledged;
      // What probed the closed window was not taken.
      if (this.#peerWindow === 0 && window > 0) this.#next = this.#unacknowledged;
    } else {
      this.#duplicates = 0;
      const data = Math.min(acknowledged, this.#out.length);
      if (data > 0) this.#out.drop(data);
      if (acknowledged > data) this.#finAcknowledged = true;
      this.#unacknowledged = segment.acknowledgement;
      if (((this.#next - this.#unacknowledged) | 0) < 0) this.#next = this.#unacknowledged;
      this.#resumeHost();
    }
    this.#peerWindow = window;
    return true;
  }

  #resumeHost(): void {
    if (!this.#paused || this.#out.length > Math.min(SEND_BUFFER, this.#owner.bufferMax) / 2) return;
    this.#paused = false;
    this.#stream?.resume();
  }

  /** @param skip bytes at its start that are known. */
  #takeData(packet: Packet, segment: Segment, skip: number): void {
    if (segment.length === 0) return;
    this.#ackDue = true;
    if (this.#guestEnded) return;
    const from = Math.min(segment.to, segment.from + skip);
    const length = Math.min(segment.to - from, (this.#edge - this.#expected) | 0);
    if (length > 0) {
      this.#stream?.write(packet.bytes.subarray(from, from + length));
      this.#expected = (this.#expected + length) | 0;
    }
    if (segment.flags & FIN && from + length === segment.to) {
      this.#expected = (this.#expected + 1) | 0;
      this.#edge = this.#expected;
      this.#guestEnded = true;
      this.#stream?.end();
    }
  }

  #acknowledge(): void {
    this.#ackDue = true;
    this.#owner.ready(this);
  }

  // To the guest.

  /** A reset is to be sent, and that is the last. */
  #resetDue = false;

  /** Bytes that may be sent now. */
  #sendable(): number {
    const flight = (this.#next - this.#unacknowledged) | 0;
    const unsent = this.#out.length - flight;
    if (unsent <= 0) return 0;
    const usable = this.#peerWindow - flight;
    if (usable >= unsent) return unsent;
    // RFC 9293, 3.8.6.2.1: no small pieces because the window is nearly full, unless nothing would ever make it larger.
    return usable >= this.#mss || (flight === 0 && usable > 0) ? usable : 0;
  }

  #finDue(): boolean {
    return this.#hostEnded && !this.#finAcknowledged && ((this.#next - this.#unacknowledged) | 0) === this.#out.length;
  }

  get pending(): boolean {
    if (this.#resetDue || this.#ackDue || this.#synDue) return true;
    return this.#phase === OPEN && (this.#probeDue || this.#sendable() > 0 || this.#finDue());
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
      this.#write(frame, RST | ACK, this.#next, 0);
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
    this.#write(frame, this.#phase === SYN_SENT ? SYN : SYN | ACK, this.#unacknowledged, 0);
    this.#next = this.#highest = (this.#unacknowledged + 1) | 0;
    this.#arm(this.#owner.now() + RETRANSMISSION * 2 ** this.#retries);
    return true;
  }

  #emitData(frame: Frame): boolean {
    const probe = this.#probeDue;
    this.#probeDue = false;
    const flight = (this.#next - this.#unacknowledged) | 0;
    let length = this.#phase === OPEN ? Math.min(this.#sendable(), this.#segmentMax()) : 0;
    if (length === 0 && probe && this.#out.length > flight) length = 1;
    const last = length > 0 && flight + length === this.#out.length;
    const fin =
      this.#phase === OPEN && this.#hostEnded && !this.#finAcknowledged && flight + length === this.#out.length;
    if (length === 0 && !fin && !this.#ackDue && !probe) return false;
    // A keep-alive is of the byte before (RFC 9293, 3.8.4).
    const sequence = length === 0 && !fin && probe ? (this.#next - 1) | 0 : this.#next;
    this.#write(frame, ACK | (last ? PSH : 0) | (fin ? FIN : 0), sequence, length);
    if (length > 0 || fin) {
      this.#next = (this.#next + length + (fin ? 1 : 0)) | 0;
      if (((this.#next - this.#highest) | 0) > 0) this.#highest = this.#next;
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
    view.setInt32(tcp + 8, flags & ACK ? this.#expected : 0);
    view.setUint16(tcp + 12, ((TCP_BYTES + options) << 10) | flags);
    view.setUint16(tcp + 14, this.#advertise((flags & SYN) !== 0));
    view.setUint32(tcp + 16, 0);
    if (options > 0) writeSynOptions(view, tcp + TCP_BYTES, this.#ownMss, this.#scaled ? SCALE : undefined);
    if (length > 0) {
      const data = tcp + TCP_BYTES;
      this.#out.copy((sequence - this.#unacknowledged) | 0, length, frame.bytes, data);
      if (length > this.#mss) {
        frame.segmentation = ends.guest.length === 4 ? TCP4 : TCP6;
        frame.segmentBytes = this.#mss;
      }
    }
    leaveChecksum(frame, tcp, TCP_CHECKSUM, TCP);
    if (flags & ACK) this.#ackDue = false;
  }

  /** The window field. What the guest has been told stays true: the right edge never goes back. */
  #advertise(syn: boolean): number {
    if (this.#guestEnded) return 0xffff;
    const shift = syn || !this.#scaled ? 0 : SCALE;
    const told = (this.#edge - this.#expected) | 0;
    const field = Math.min(0xffff, Math.max(told, this.#window()) >> shift);
    const window = field << shift;
    if (window > told) this.#edge = (this.#expected + window) | 0;
    return field;
  }

  /** What may come from the guest before the host takes some. */
  #window(): number {
    return Math.max(0, Math.min(RECEIVE_BUFFER, this.#owner.bufferMax) - (this.#stream?.waiting ?? 0));
  }

  get #ownMss(): number {
    return MTU - TCP_BYTES - (this.ends.guest.length === 4 ? 20 : 40);
  }

  #segmentMax(): number {
    if (!this.#owner.segments(this.ends.guest.length === 4 ? 4 : 6)) return this.#mss;
    const room = PACKET_MAX - TCP_BYTES - 40;
    return room - (room % this.#mss);
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
    else if (this.#next !== this.#unacknowledged || this.#out.length > 0) this.#arm(now + RETRANSMISSION);
    else this.#arm(now + (this.#guestEnded ? KEEPALIVE_ENDED : KEEPALIVE));
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
    } else if (this.#next !== this.#unacknowledged || this.#finDue()) {
      this.#next = this.#unacknowledged;
      this.#probeDue = this.#peerWindow === 0;
      this.#arm(now + RETRANSMISSION * 2 ** this.#retries);
    } else {
      // The window is closed, or nothing has happened for long.
      this.#probeDue = true;
      this.#arm(now + (this.#out.length > 0 ? RETRANSMISSION * 2 ** this.#retries : KEEPALIVE_INTERVAL));
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
      this.#out.clear();
      this.#stream = undefined;
      this.#synDue = this.#ackDue = false;
    }
    this.#owner.remove(this);
  }
}
