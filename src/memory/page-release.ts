/**
 * Gives [offset, offset + bytes) of a memory back to the host: it reads as zeroes afterwards, and takes none of the host's memory until it is
 * touched. Both are multiples of RELEASE_MIN. False: the host would not; what is there is as it was, or zero.
 */
export type ReleasePages = (memory: WebAssembly.Memory, offset: number, bytes: number) => boolean;

/** A multiple of the pages of all hosts, and WebAssembly's own. */
export const RELEASE_MIN = 0x1_0000;
/**
 * Blocks of RAM at most: giving one back is a call of the host's, of which a guest that frees its memory page by page is to cause no more than these.
 */
export const RELEASE_BLOCKS_MAX = 4096;

/** What the pages of guests' memory are cleared by. */
const PAGE = 4096;

/** RAM, in blocks that can be given back to the host. */
export class PageRelease {
  readonly #memory: WebAssembly.Memory;
  readonly #start: number;
  readonly #end: number;
  readonly #release: ReleasePages;
  /** Bytes of a block. */
  readonly block: number;

  /** @param start of RAM in linear memory, a multiple of RELEASE_MIN. @param bytes of it. */
  constructor(memory: WebAssembly.Memory, start: number, bytes: number, release: ReleasePages) {
    this.#memory = memory;
    this.#start = start;
    this.#release = release;
    let block = RELEASE_MIN;
    while (bytes / block > RELEASE_BLOCKS_MAX) block *= 2;
    this.block = block;
    this.#end = start + bytes - (bytes % block);
  }

  /**
   * Zeroes the whole pages of [offset, offset + bytes) and gives back those blocks of theirs that are zero then, those that began or will end
   * outside, too: what they hold does not change by it.
   */
  clear(offset: number, bytes: number): void {
    const first = Math.ceil(offset / PAGE) * PAGE;
    const end = Math.floor((offset + bytes) / PAGE) * PAGE;
    if (first >= end) return;
    // Blocks that are all inside need not be looked at.
    const from = Math.max(this.#start, this.#blockAt(first + this.block - 1));
    const to = Math.min(this.#end, this.#blockAt(end));
    if (from >= to) {
      this.#clearPages(first, end);
      this.#releaseIfZero(this.#blockAt(first));
      if (this.#blockAt(end - 1) !== this.#blockAt(first)) this.#releaseIfZero(this.#blockAt(end - 1));
      return;
    }
    if (!this.#release(this.#memory, from, to - from)) {
      this.#clearPages(first, end);
      return;
    }
    this.#clearPages(first, from);
    this.#clearPages(to, end);
    if (first < from) this.#releaseIfZero(from - this.block);
    if (to < end) this.#releaseIfZero(to);
  }

  /** Gives back [offset, offset + bytes), whole blocks of it, whatever they hold. False: the host would not. */
  give(offset: number, bytes: number): boolean {
    return this.#release(this.#memory, offset, bytes);
  }

  #blockAt(offset: number): number {
    return offset - ((offset - this.#start) % this.block);
  }

  #clearPages(from: number, to: number): void {
    if (from < to) clearPages(new Uint8Array(this.#memory.buffer, from, to - from), 0);
  }

  #releaseIfZero(block: number): void {
    if (block < this.#start || block + this.block > this.#end) return;
    const words = new Int32Array(this.#memory.buffer, block, this.block / 4);
    for (let i = 0; i < words.length; i++) if (words[i] !== 0) return;
    this.#release(this.#memory, block, this.block);
  }
}

/**
 * Sets the whole pages of `bytes` to a value, word by word. Those that have it already are only read: writing one that the guest has never
 * touched would make the host find memory for it.
 */
export function clearPages(bytes: Uint8Array, value: number): void {
  const first = bytes.byteOffset + ((PAGE - (bytes.byteOffset % PAGE)) % PAGE);
  const end = bytes.byteOffset + bytes.length;
  for (let at = first; at + PAGE <= end; at += PAGE) {
    const words = new Int32Array(bytes.buffer, at, PAGE / 4);
    if (!words.every((word) => word === (value | 0))) words.fill(value);
  }
}
