import type { FrameAllocator } from "./allocator.ts";
import type { MachineMemory } from "./machine-memory.ts";

// A domain's stage 2 translation (Arm ARM D8.3): tables of 4 KiB in the machine's RAM, from level 1, for 39 bits of IPA.

export const IPA_BITS = 39;
/** VTCR_EL2: T0SZ, SL0 = level 1, IRGN0 and ORGN0 write-back, SH0 inner shareable, TG0 4 KiB, PS 40 bits, RES1. */
export const VTCR = (64 - IPA_BITS) | (1 << 6) | (1 << 8) | (1 << 10) | (3 << 12) | (2 << 16) | (1 << 31);

export const VALID = 1;
/** Of a table, and of a page at level 3. */
export const TABLE = 3;
export const READ = 1 << 6;
export const WRITE = 1 << 7;
/** Normal memory, write-back; inner shareable; accessed. */
export const PAGE = TABLE | (15 << 2) | (3 << 8) | (1 << 10);
export const ADDRESS_LOW = ~0xfff;
export const ADDRESS_HIGH = 0xffff;
// High half. XN[1]: no execution. Bits 58:55 are for software.
export const EXECUTE_NEVER = 1 << (54 - 32);
/** A write gives the domain a copy of its own. */
export const COPY_ON_WRITE = 1 << (55 - 32);
/** Writes are logged: the first one makes the page writable again. */
export const LOGGED = 1 << (56 - 32);
/** The page is watched: accesses that its permissions do not allow are for the watcher. */
export const WATCHED = 1 << (57 - 32);
/** Of a watched page: writes are for the watcher. Others may be kept from it for copy-on-write or logging, too. */
export const WATCHED_WRITES = 1 << (58 - 32);

export interface TablesOptions {
  readonly memory: MachineMemory;
  readonly frames: FrameAllocator;
  readonly owner: number;
}

/** The tables of a domain's stage 2, in the machine's memory. A descriptor is known by its index into MachineMemory.words. */
export class Stage2Tables {
  readonly #o: TablesOptions;
  readonly #words: Int32Array;
  readonly #root: number;
  /** Frames of tables, the root's first. */
  readonly #tables: number[] = [];

  /** @throws RangeError when there is no memory for the first table. */
  constructor(options: TablesOptions) {
    this.#o = options;
    this.#words = options.memory.words;
    this.#root = this.#newTable();
    if (this.#root < 0) throw new RangeError("no memory for translation tables");
  }

  /** Physical address of the table of level 1, for VTTBR_EL2. */
  get root(): number {
    return this.#o.memory.physicalOf(this.#tables[0] as number);
  }

  /** How many frames they take. */
  get count(): number {
    return this.#tables.length;
  }

  /** The descriptor of a page; -1: there is no table for it (and `make` is false, or there is no memory). */
  entry(page: number, make: boolean): number {
    if (!(page >= 0 && page < 2 ** (IPA_BITS - 12))) return -1;
    let table = this.#next(this.#root + 2 * (page >>> 18), make);
    if (table < 0) return -1;
    table = this.#next(table + 2 * ((page >>> 9) & 511), make);
    return table < 0 ? -1 : table + 2 * (page & 511);
  }

  /** The descriptor of a page that has a frame; -1: it has none. */
  valid(page: number): number {
    const at = this.entry(page, false);
    return at >= 0 && (this.#words[at] as number) & VALID ? at : -1;
  }

  /** The frame that a valid descriptor leads to. */
  frame(at: number): number {
    const low = (this.#words[at] as number) & ADDRESS_LOW;
    const high = (this.#words[at + 1] as number) & ADDRESS_HIGH;
    return this.#o.memory.frameAt(high * 2 ** 32 + (low >>> 0));
  }

  /** Makes a descriptor lead to a frame. `low`, `high`: the rest of its halves. */
  set(at: number, frame: number, low: number, high: number): void {
    const address = this.#o.memory.physicalOf(frame);
    // The high half first: a walk must not find a valid descriptor with another's address.
    this.#words[at + 1] = Math.floor(address / 2 ** 32) | (high & ~ADDRESS_HIGH);
    this.#words[at] = address | 0 | low;
  }

  /** Makes a descriptor invalid. */
  clear(at: number): void {
    this.#words[at] = 0;
    this.#words[at + 1] = 0;
  }

  /** Every page that has a frame, ascending. */
  forEach(see: (page: number, at: number, frame: number) => void): void {
    for (let i = 0; i < 512; i++) {
      const second = this.#next(this.#root + 2 * i);
      if (second < 0) continue;
      for (let j = 0; j < 512; j++) {
        const third = this.#next(second + 2 * j);
        if (third < 0) continue;
        for (let k = 0; k < 512; k++) {
          const at = third + 2 * k;
          if ((this.#words[at] as number) & VALID) see((i << 18) | (j << 9) | k, at, this.frame(at));
        }
      }
    }
  }

  /** Gives back their frames. */
  close(): void {
    for (const frame of this.#tables) this.#o.frames.release(frame, this.#o.owner);
  }

  /** The table that the descriptor at `at` leads to. */
  #next(at: number, make = false): number {
    if (!((this.#words[at] as number) & VALID)) {
      if (!make) return -1;
      const table = this.#newTable();
      if (table < 0) return -1;
      this.set(at, this.#tables.at(-1) as number, TABLE, 0);
      return table;
    }
    return this.#o.memory.linearOf(this.frame(at)) >>> 2;
  }

  #newTable(): number {
    const frame = this.#o.frames.take(this.#o.owner);
    if (frame < 0) return -1;
    this.#o.memory.zero(frame);
    this.#tables.push(frame);
    return this.#o.memory.linearOf(frame) >>> 2;
  }
}
