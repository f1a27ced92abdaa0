import type { Fields, Saved } from "../snapshot/fields.ts";

/** What has state that is not in the machine's linear memory, for snapshots. */
export interface Stateful {
  /** What it has, as plain values; changes nothing. */
  save(): Saved;
  /**
   * Takes what `save` gave, after a reset. Its lines and its driver are told nothing: interrupt controller and memory are restored, too.
   * @throws SnapshotError where the values cannot be.
   */
  restore(state: Fields): void;
  /** Everything has been restored: what has changed outside meanwhile is told to the guest, and what was under way goes on. */
  resumed?(): void;
  /** Before `resumed`: the state is that of another, which goes on, too. What has to tell the two apart is its own again. */
  cloned?(): void;
}

/**
 * A device as the bus sees it: registers at offsets. Accesses are little-endian and naturally aligned inside the device's window;
 * the bus makes two 4-byte accesses of an 8-byte one, the lower address first. Values are unsigned 32-bit numbers.
 * Whatever a guest reads or writes, neither function throws: what the specification calls reserved reads as zero and ignores writes.
 */
export interface Device extends Partial<Stateful> {
  /** Bytes of the window that it answers. */
  readonly size: number;
  read(offset: number, bytes: AccessSize): number;
  write(offset: number, bytes: AccessSize, value: number): void;
  /** To the state after power-on. `save` and `restore` are missing where all of its state is in linear memory. */
  reset(): void;
}
export type AccessSize = 1 | 2 | 4;

/** An interrupt line: level-sensitive unless its controller is told otherwise. Setting the level it has does nothing. */
export interface Line {
  set(level: boolean): void;
}

/** Guest physical memory as a device that does DMA sees it. */
export interface Dma {
  /**
   * The bytes [address, address + length) as one view, when they are in one region of memory; undefined otherwise (device, hole, end of
   * memory). `write`: they will be written. The view must not be kept: use it before returning to the guest.
   */
  view(address: number, length: number, write: boolean): Uint8Array | undefined;
  /**
   * Where memory can be given back: the guest does not need what is in the whole pages of [address, address + length) any more, and finds zeroes
   * when it touches them again. Absent: the device zeroes them.
   */
  discard?(address: number, length: number): void;
  /** As discard, of the whole pages of a view: they are zeroes at once. Absent: what is given away is to be cleared. */
  release?: ((bytes: Uint8Array) => void) | undefined;
}

/** Time as devices see it. */
export interface Clock {
  /** Nanoseconds since the machine's power-on, never going back. */
  now(): number;
  /** Calls back once, at or soon after that time, from the machine's run loop. Returns a function that cancels. */
  at(nanoseconds: number, callback: () => void): () => void;
}

// Backend ports: what the outside gives, implemented in hosts/.

/** Where a serial device's bytes go and come from. */
export interface SerialPort {
  /** Bytes to the outside. */
  write(bytes: Uint8Array): void;
  /** Up to `max` bytes that have arrived, possibly none. */
  read(max: number): Uint8Array;
  /** Called when bytes have arrived. One listener. */
  onReadable(listener: () => void): void;
}

/** Columns and rows of the terminal behind a console; undefined where there is none. */
export interface TerminalSize {
  get(): { readonly columns: number; readonly rows: number } | undefined;
  onChange(listener: () => void): void;
}

/** A disk image. Reads and writes are whole 512-byte sectors, done when they return. Throws Error with a reason when the host fails. */
export interface BlockStore {
  readonly bytes: number;
  readonly readOnly: boolean;
  read(offset: number, into: Uint8Array): void;
  write(offset: number, from: Uint8Array): void;
  /** The range reads as zeros afterwards. `unmap`: its space on the host should be given back where that is possible. */
  writeZeroes(offset: number, bytes: number, unmap: boolean): void;
  /** The range's content is no longer wanted; it reads as zeros or as before. Does nothing where the host cannot give space back. */
  discard(offset: number, bytes: number): void;
  /** What was written before is on the host's disk when it returns. */
  flush(): void;
  /** Writes all that closing would: if nothing is written afterwards, the file changes no more. Missing where `flush` does that. */
  settle?(): void;
}

export interface EntropySource {
  fill(into: Uint8Array): void;
}

/** Wall clock, in milliseconds since 1970 UTC. */
export interface WallClock {
  now(): number;
}
