import { CODE_MAP } from "../memory/linear-layout.ts";
import { DECODED_PAGE_BYTES, HEAT } from "./decoded-layout.ts";

const PAGE_BYTES = 4096;
/** For the most that a 32-bit memory can have. */
const MAP_BYTES = (2 ** 32 / PAGE_BYTES) * 4;

/** Where the parts of the area are, from CODE_MAP on, with `count` decoded pages. `known`: KnownWords. */
export function offsetsFromMap(count: number): Record<"start" | "pages" | "copies" | "known", number> {
  const copies = MAP_BYTES + count * 4;
  return { start: -(count + 1) * DECODED_PAGE_BYTES, pages: MAP_BYTES, copies, known: copies + count * PAGE_BYTES };
}

/** Where the pool of decoded pages is in linear memory, and which page of memory each belongs to. Any thread may look at it. */
export class DecodedArea {
  protected readonly words: Int32Array;
  /** The same memory by halfwords: handlers and heat of records. */
  readonly #halves: Uint16Array;
  protected readonly base: number;
  protected readonly count: number;
  /** CODE_MAP: for each 4 KiB page of linear memory, the address of its decoded page, or 0. */
  protected readonly map: Int32Array;
  /** For each decoded page: the page it belongs to, or 0. */
  protected readonly pages: Int32Array;
  /** Where, for each decoded page, the words of memory are that it was made of. */
  protected readonly copies: number;

  /**
   * Bytes of linear memory that `count` decoded pages need, with the scratch page of single steps, CODE_MAP, what they
   * belong to, and their copies.
   */
  static bytes(count: number): number {
    const { start, known } = offsetsFromMap(count);
    return known - start;
  }

  /** `base`: where the pool is, a multiple of 16. */
  constructor(buffer: ArrayBufferLike, base: number, count: number) {
    this.words = new Int32Array(buffer);
    this.#halves = new Uint16Array(buffer);
    this.base = base;
    this.count = count;
    const { start, pages, copies } = offsetsFromMap(count);
    const map = base - start;
    this.map = new Int32Array(buffer, map, MAP_BYTES / 4);
    this.pages = new Int32Array(buffer, map + pages, count);
    this.copies = map + copies;
  }

  /** Says where CODE_MAP is. */
  protected publish(): void {
    this.words[CODE_MAP >> 2] = this.map.byteOffset;
  }

  /** The index of the decoded page that a record is in. */
  indexOfRecord(record: number): number {
    return Math.floor((record - this.base) / DECODED_PAGE_BYTES);
  }

  /** The table index of a record's handler. */
  handler(record: number): number {
    return this.#halves[record >> 1] as number;
  }
  setHandler(record: number, tableIndex: number): void {
    this.#halves[record >> 1] = tableIndex;
  }

  /** How often taken branches have come to a record, modulo 2^16. */
  heat(record: number): number {
    return this.#halves[(record + HEAT) >> 1] as number;
  }
  setHeat(record: number, heat: number): void {
    this.#halves[(record + HEAT) >> 1] = heat;
  }
  forgetHeat(record: number): void {
    this.setHeat(record, 0);
  }

  /** Address of a decoded page by index. */
  address(index: number): number {
    return this.base + index * DECODED_PAGE_BYTES;
  }

  /** The page of memory that a decoded page belongs to, or 0. */
  pageOf(index: number): number {
    return (this.pages[index] as number) >>> 0;
  }

  /** Word `i` of the memory of a decoded page. */
  memoryWord(index: number, i: number): number {
    return this.words[(this.pageOf(index) >>> 2) + i] as number;
  }
}
