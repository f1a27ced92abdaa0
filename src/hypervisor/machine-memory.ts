import { MAP } from "../machine/memory-map.ts";

export const PAGE_BYTES = 4096;
export const PAGE_SHIFT = 12;

/** The machine's RAM as its owner sees it: page frames, numbered from 0, at physical addresses and in linear memory. */
export class MachineMemory {
  readonly buffer: ArrayBufferLike;
  /** How many there are. */
  readonly frames: number;
  /** All of linear memory, in words. */
  readonly words: Int32Array;
  readonly #linear: number;

  /** @param linear where RAM begins in linear memory. @param bytes of RAM, whole pages. */
  constructor(buffer: ArrayBufferLike, linear: number, bytes: number) {
    this.buffer = buffer;
    this.frames = Math.floor(bytes / PAGE_BYTES);
    this.words = new Int32Array(buffer);
    this.#linear = linear;
  }

  /** Where a frame is in linear memory. */
  linearOf(frame: number): number {
    return this.#linear + frame * PAGE_BYTES;
  }

  /** Its physical address: exact, up to 33 bits. */
  physicalOf(frame: number): number {
    return MAP.ram.base + frame * PAGE_BYTES;
  }

  /** The frame at a physical address of RAM. */
  frameAt(physical: number): number {
    return Math.floor((physical - MAP.ram.base) / PAGE_BYTES);
  }

  zero(frame: number, count = 1): void {
    const first = this.linearOf(frame) >>> 2;
    this.words.fill(0, first, first + (count * PAGE_BYTES) / 4);
  }

  copy(from: number, to: number): void {
    const source = this.linearOf(from) >>> 2;
    this.words.copyWithin(this.linearOf(to) >>> 2, source, source + PAGE_BYTES / 4);
  }

  /** The bytes of a frame; not to be kept. */
  bytes(frame: number, count = 1): Uint8Array {
    return new Uint8Array(this.buffer, this.linearOf(frame), count * PAGE_BYTES);
  }
}
