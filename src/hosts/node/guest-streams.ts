// vsock between guests of one process: each has its CID, and what is for another's is passed on here.

import type { OuterStream, Peer, StreamEvents, StreamHost } from "../../bus/streams.ts";
import { CID_HOST } from "../../devices/virtio/vsock/packet.ts";
import { InputQueue } from "../library/input-queue.ts";

type Listener = (port: number, stream: OuterStream, from?: Peer) => StreamEvents | undefined;

/** Guests that reach each other's vsock ports, by CID. */
export class GuestStreams {
  readonly #guests = new Map<number, GuestHost>();

  /**
   * A guest's streams: to the others', and by `outside` to the host's. Undefined: another has that CID.
   * @param wake called when a guest may have something to do.
   */
  join(cid: number, outside: StreamHost, wake: () => void): (StreamHost & { close(): void }) | undefined {
    if (this.#guests.has(cid)) return undefined;
    const host = new GuestHost(cid, outside, this.#guests, wake);
    this.#guests.set(cid, host);
    return host;
  }
}

class GuestHost implements StreamHost {
  readonly #cid: number;
  readonly #outside: StreamHost;
  readonly #guests: Map<number, GuestHost>;
  readonly #ends = new Set<End>();
  readonly wake: () => void;
  #listener: Listener = () => undefined;

  constructor(cid: number, outside: StreamHost, guests: Map<number, GuestHost>, wake: () => void) {
    this.#cid = cid;
    this.#outside = outside;
    this.#guests = guests;
    this.wake = wake;
  }

  connect(port: number, events: StreamEvents, cid: number, guestPort: number): OuterStream | undefined {
    if (cid === CID_HOST) return this.#outside.connect(port, events, cid, guestPort);
    const peer = this.#guests.get(cid);
    if (peer === undefined) return undefined;
    const [mine, theirs] = pair(this, peer);
    mine.events = events;
    // Events are never called from within: the other guest hears of it later.
    later(this.wake, () => {
      theirs.events = mine.events && peer.#listener(port, theirs, { cid: this.#cid, port: guestPort });
      if (theirs.events === undefined) theirs.close();
    });
    return mine;
  }

  onConnection(listener: Listener): void {
    this.#listener = listener;
    this.#outside.onConnection(listener);
  }

  keep(end: End): void {
    this.#ends.add(end);
  }

  forget(end: End): void {
    this.#ends.delete(end);
  }

  close(): void {
    this.#guests.delete(this.#cid);
    for (const end of this.#ends) end.close();
  }
}

function later(wake: () => void, act: () => void): void {
  setImmediate(() => {
    act();
    wake();
  });
}

function pair(a: GuestHost, b: GuestHost): readonly [End, End] {
  const [one, two] = [new End(a), new End(b)];
  one.other = two;
  two.other = one;
  return [one, two];
}

/** One guest's end of a stream to another's. What waits is bounded by the devices, which count what was delivered. */
class End implements OuterStream {
  readonly #host: GuestHost;
  readonly #queue = new InputQueue();
  other: End | undefined;
  events: StreamEvents | undefined;
  #accepted = false;
  #ended = false;

  constructor(host: GuestHost) {
    this.#host = host;
    host.keep(this);
  }

  #tellOther(event: (events: StreamEvents) => void): void {
    const { other } = this;
    later(this.#host.wake, () => {
      if (other?.events !== undefined) event(other.events);
    });
  }

  write(bytes: Uint8Array): void {
    const { other } = this;
    if (other === undefined) {
      later(this.#host.wake, () => this.events?.closed());
      return;
    }
    // A copy: guest memory changes.
    other.#queue.push(bytes.slice());
    this.#tellOther((events) => events.readable());
  }

  read(max: number): Uint8Array {
    const bytes = this.#queue.take(max);
    if (bytes.length > 0) this.#tellOther((events) => events.delivered(bytes.length));
    return bytes;
  }

  get readable(): boolean {
    return this.#queue.length > 0;
  }

  accept(): void {
    this.#accepted = true;
    this.#tellOther((events) => events.connected());
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#tellOther((events) => events.ended());
  }

  close(): void {
    const { other } = this;
    this.events = undefined;
    this.#host.forget(this);
    if (other === undefined) return;
    // What the other has still to read stays; that what it wrote was not read it has to know, as that nobody took the connection.
    const isOpen = this.#accepted || other.#accepted;
    if (isOpen && !this.readable) this.end();
    else this.#tellOther((events) => events.closed());
    other.other = undefined;
    this.other = undefined;
  }
}
