// What user-mode networking needs of a host: sockets, a resolver, a way to see whether somebody answers. Addresses are as people write
// them. A host calls back at any time, but never from inside of a call that was made to it.

/** Why a connection could not be made, or ended. */
export type StreamFailure = "refused" | "unreachable" | "reset";

export interface StreamEvents {
  connected(): void;
  /** Bytes from the peer; theirs who is called. */
  data(bytes: Uint8Array): void;
  /** The peer sends no more. */
  ended(): void;
  /** Some of what was waiting to be sent has been. */
  sent(): void;
  /** Nothing more comes and nothing more can be sent. Without a reason: both sides had ended. */
  closed(reason?: StreamFailure): void;
}

/** A connection. After `closed`, or `abort`, calls do nothing. */
export interface Stream {
  /** Bytes that were given to `write` and that the host's network has not taken yet. */
  readonly waiting: number;
  /** The bytes are the caller's again when it returns. */
  write(bytes: Uint8Array): void;
  /** No more will be written. */
  end(): void;
  /** Stops and resumes `data`. What was on its way may still come. */
  pause(): void;
  resume(): void;
  /** Ends it at once; the peer sees a reset. */
  abort(): void;
}

export interface Listener {
  close(): void;
}

export interface Datagrams {
  /** The bytes are the caller's again when it returns. What cannot be sent is lost. */
  send(bytes: Uint8Array, address: string, port: number): void;
  close(): void;
}

export interface DatagramEvents {
  received(bytes: Uint8Array, address: string, port: number): void;
}

export interface NetworkHost {
  connect(address: string, port: number, events: StreamEvents): Stream;
  /**
   * Connections begin paused. `accept` returns undefined for one that is not wanted. Rejects with the host's reason when the port cannot
   * be had.
   */
  listen(
    address: string,
    port: number,
    accept: (stream: Stream, peer: { readonly address: string; readonly port: number }) => StreamEvents | undefined,
  ): Promise<Listener>;
  /** Undefined where there are no more sockets. */
  datagrams(version: 4 | 6, events: DatagramEvents): Datagrams | undefined;
  /** One with an address that others know. Rejects as `listen`. */
  boundDatagrams(address: string, port: number, events: DatagramEvents): Promise<Datagrams>;
  /** Asks the host's name server; the answer is undefined when there is none. */
  resolve(query: Uint8Array, done: (answer: Uint8Array | undefined) => void): void;
  /** Where a name server takes connections; undefined: nowhere. */
  readonly nameServer: { readonly address: string; readonly port: number } | undefined;
  /** Whether an ICMP echo request to the address was answered. */
  echo(address: string, done: (answered: boolean) => void): void;
}
