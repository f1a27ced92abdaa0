/** The backend port of a serial port: a stream of bytes each way, to somebody who may come and go. */
export interface SerialChannel {
  /** Whether somebody is there. */
  readonly connected: boolean;
  /** Whether what was written waits: no more should be written until that changes. */
  readonly full: boolean;
  /** Sends a copy of the bytes; they are lost where nobody is there. */
  write(bytes: Uint8Array): void;
  /** Up to `max` bytes that have arrived, possibly none. */
  read(max: number): Uint8Array;
  /** Called when bytes have arrived, or `connected` or `full` has changed. One listener. */
  onChange(listener: () => void): void;
}
