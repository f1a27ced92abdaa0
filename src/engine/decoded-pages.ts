import { CODE_MAP } from "../memory/linear-layout.ts";
import {
  DECODED_PAGE_BYTES,
  HANDLER_DECODE,
  HANDLER_PAGE_END,
  HANDLER_STOP,
  RECORD_BYTES,
  RECORDS,
  RECORDS_BYTES,
} from "./decoded-layout.ts";
import { COMPARED_AT_ONCE, EVICTED_PART } from "./limits.ts";

const PAGE_SHIFT = 12;
const PAGE_BYTES = 2 ** PAGE_SHIFT;
const WORDS = PAGE_BYTES / 4;
/** For the most that a 32-bit memory can have. */
const MAP_BYTES = 2 ** (32 - PAGE_SHIFT) * 4;

/** Whether two ranges of linear memory hold the same (memory/compare.as.ts): 0 or 1. */
type IsSame = (a: number, b: number, bytes: number) => number;

/**
 * The pool of decoded pages. Each belongs to one page of guest memory, known by its address in linear memory ("page"); pages that no
 * longer fit are dropped oldest first.
 *
 * Hypervisors invalidate all code for each page that they give to a guest, and most code is what it was. So `doubt` drops nothing: a decoded
 * page is compared with its memory, at once or when it is next entered.
 */
export class DecodedPages {
  readonly #words: Int32Array;
  readonly #base: number;
  readonly #count: number;
  /** CODE_MAP: for each 4 KiB page of linear memory, the address of its decoded page, or 0. */
  readonly #map: Int32Array;
  /** For each decoded page: the page it belongs to, or 0. */
  readonly #pageOf: Uint32Array;
  /** Where, for each decoded page, the words of memory are that it was made of. */
  readonly #copies: number;
  /** For each decoded page: 1 where a word was not that of the copy when it was decoded. */
  readonly #mixed: Uint8Array;
  /** Indices of decoded pages by page, of those that are in doubt, which CODE_MAP has not. */
  readonly #doubtful = new Map<number, number>();
  /** Indices of those that CODE_MAP has. */
  #trusted: number[] = [];
  /** The next index to hand out; a ring, so it is also the oldest. */
  #next = 0;
  readonly #onDrop: (index: number) => void;
  readonly #onFlush: () => void;
  readonly #isSame: IsSame;

  /** Bytes of linear memory that `count` decoded pages need, with their copies, the scratch page of single steps, a blank page and CODE_MAP. */
  static bytes(count: number): number {
    return (count + 2) * DECODED_PAGE_BYTES + MAP_BYTES + count * PAGE_BYTES;
  }

  /**
   * `base`: where the pool is in linear memory. `onDrop`: the page with that index is going away; `onFlush`: nothing may point to
   * decoded pages any more. `isSame`: of native.wasm.
   */
  constructor(
    buffer: ArrayBufferLike,
    base: number,
    count: number,
    onDrop: (index: number) => void,
    onFlush: () => void,
    isSame: IsSame,
  ) {
    this.#words = new Int32Array(buffer);
    this.#base = base;
    this.#count = count;
    const map = base + (count + 2) * DECODED_PAGE_BYTES;
    this.#map = new Int32Array(buffer, map, MAP_BYTES / 4);
    this.#words[CODE_MAP >> 2] = map;
    this.#pageOf = new Uint32Array(count);
    this.#onDrop = onDrop;
    this.#onFlush = onFlush;
    this.#isSame = isSame;
    this.#copies = map + MAP_BYTES;
    this.#mixed = new Uint8Array(count);
    for (let i = 0; i < RECORDS; i++) this.#words[(this.#blank + i * RECORD_BYTES) >> 2] = HANDLER_DECODE;
    this.#words[(this.#blank + RECORDS_BYTES) >> 2] = HANDLER_PAGE_END;
    for (let i = 0; i <= RECORDS; i++) this.#words[(this.scratch + i * RECORD_BYTES) >> 2] = HANDLER_STOP;
  }

  /** A decoded page for single steps: every record stops. */
  get scratch(): number {
    return this.#base + this.#count * DECODED_PAGE_BYTES;
  }

  /** A decoded page of which nothing is decoded: what new ones are copies of. */
  get #blank(): number {
    return this.scratch + DECODED_PAGE_BYTES;
  }

  /** The decoded page of a page, made if it is not there. */
  get(page: number): number {
    const known = this.#map[page >>> PAGE_SHIFT] as number;
    if (known !== 0) return known;
    const index = this.#doubtful.get(page);
    return this.address(index === undefined ? this.#add(page) : this.#check(page, index));
  }

  /** Index of the decoded page of a page, -1 if there is none or it is in doubt. */
  find(page: number): number {
    const address = this.#map[page >>> PAGE_SHIFT] as number;
    return address === 0 ? -1 : this.indexOfRecord(address);
  }

  /** The index of the decoded page that a record is in. */
  indexOfRecord(record: number): number {
    return Math.floor((record - this.#base) / DECODED_PAGE_BYTES);
  }
  /** Address of a decoded page by index. */
  address(index: number): number {
    return this.#base + index * DECODED_PAGE_BYTES;
  }
  /** The page of memory that a decoded page belongs to. */
  pageOf(index: number): number {
    return this.#pageOf[index] as number;
  }

  /** Word `i` of the memory of a decoded page, to be decoded. */
  word(index: number, i: number): number {
    const word = this.#words[((this.#pageOf[index] as number) >>> 2) + i] as number;
    if (word !== this.#words[(this.#copyOf(index) >> 2) + i]) this.#mixed[index] = 1;
    return word;
  }

  /** Makes records `first` .. `first + count - 1` of a decoded page be decoded anew. */
  reset(index: number, first: number, count: number): void {
    this.#copy(index, first, count);
    let at = (this.address(index) + first * RECORD_BYTES) >> 2;
    for (let i = 0; i < count; i++, at += RECORD_BYTES >> 2) this.#words[at] = HANDLER_DECODE;
  }

  /** Any memory may have changed. False: none of what is in use has. */
  doubt(): boolean {
    if (this.#trusted.length <= COMPARED_AT_ONCE && this.#trusted.every((index) => this.#isUnchanged(index)))
      return false;
    for (const index of this.#trusted) {
      const page = this.#pageOf[index] as number;
      this.#map[page >>> PAGE_SHIFT] = 0;
      this.#doubtful.set(page, index);
    }
    this.#trusted = [];
    this.#onFlush();
    return true;
  }

  /** A page in doubt is entered. */
  #check(page: number, index: number): number {
    this.#doubtful.delete(page);
    if (!this.#isUnchanged(index)) {
      this.#onDrop(index);
      this.reset(index, 0, RECORDS);
    }
    this.#trust(page, index);
    return index;
  }

  #isUnchanged(index: number): boolean {
    return (
      this.#mixed[index] === 0 && this.#isSame(this.#pageOf[index] as number, this.#copyOf(index), PAGE_BYTES) !== 0
    );
  }

  #copyOf(index: number): number {
    return this.#copies + index * PAGE_BYTES;
  }

  #copy(index: number, first: number, count: number): void {
    const memory = ((this.#pageOf[index] as number) >>> 2) + first;
    this.#words.copyWithin((this.#copyOf(index) >> 2) + first, memory, memory + count);
    if (count === WORDS) this.#mixed[index] = 0;
  }

  #trust(page: number, index: number): void {
    this.#map[page >>> PAGE_SHIFT] = this.address(index);
    this.#trusted.push(index);
  }

  #add(page: number): number {
    if (this.#pageOf[this.#next] !== 0) {
      const n = Math.max(1, Math.floor(this.#count / EVICTED_PART));
      for (let i = 0; i < n; i++) this.#drop((this.#next + i) % this.#count);
      this.#trusted = this.#trusted.filter((index) => this.#pageOf[index] !== 0);
      this.#onFlush();
    }
    const index = this.#next;
    this.#next = (this.#next + 1) % this.#count;
    this.#pageOf[index] = page;
    this.#copy(index, 0, WORDS);
    this.#trust(page, index);
    const address = this.address(index);
    this.#words.copyWithin(address >> 2, this.#blank >> 2, (this.#blank + DECODED_PAGE_BYTES) >> 2);
    return index;
  }

  #drop(index: number): void {
    const page = this.#pageOf[index] as number;
    if (page === 0) return;
    this.#onDrop(index);
    this.#pageOf[index] = 0;
    this.#map[page >>> PAGE_SHIFT] = 0;
    this.#doubtful.delete(page);
  }
}
