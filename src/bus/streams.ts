// The backend port of stream sockets: what a guest's sockets are connected to outside.

/** The outside end of a connection. */
export interface OuterStream {
  /** Sends a copy of the bytes. StreamEvents.delivered says when they have gone. */
  write(bytes: Uint8Array): void;
  /** Up to `max` bytes that have arrived, possibly none. */
  read(max: number): Uint8Array;
  /** Whether there are any. */
  readonly readable: boolean;
  /** For a connection that the outside asked for: the guest has taken it, at this port of the host's. */
  accept(hostPort: number): void;
  /** Nothing more will be written. */
  end(): void;
  /** Nothing more will be written or read; what was written still goes out. Events end. */
  close(): void;
}

export interface StreamEvents {
  /** A connection that the guest asked for is there. */
  connected(): void;
  readable(): void;
  /** So many bytes more of what was written have gone. */
  delivered(bytes: number): void;
  /** Nothing more will arrive, after what is readable. */
  ended(): void;
  /** The connection is no more, or could not be made. The last event. */
  closed(): void;
}

/** Ports are numbers from 0 to 2^32 - 1. Events are never called from within a function of a stream. */
export interface StreamHost {
  /** Connects to what listens at that port outside, from one of the guest's. Undefined: there is nobody of that CID. */
  connect(port: number, events: StreamEvents, cid: number, guestPort: number): OuterStream | undefined;
  /** Somebody outside connects to a port of the guest's; undefined refuses. One listener. */
  onConnection(listener: (port: number, stream: OuterStream, from?: Peer) => StreamEvents | undefined): void;
}

/** Another guest's end. */
export interface Peer {
  readonly cid: number;
  readonly port: number;
}
