import { DecodedArea } from "./decoded-area.ts";
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

/** Whether two ranges of linear memory hold the same (memory/compare.as.ts): 0 or 1. */
type IsSame = (a: number, b: number, bytes: number) => number;

/**
 * The pool of decoded pages. Each belongs to one page of guest memory, known by its address in linear memory ("page"); pages that no
 * longer fit are dropped oldest first.
 *
 * Hypervisors invalidate all code for each page that they give to a guest, and most code is what it was. So `doubt` drops nothing: a decoded
 * page is compared with its memory, at once or when it is next entered.
 */
export class DecodedPages extends DecodedArea {
  /** For each decoded page: 1 where a word was not that of the copy when it was decoded. */
  readonly #mixed: Uint8Array;
  /** Indices of decoded pages by page, of those that are in doubt, which CODE_MAP has not. */
  readonly #doubtful = new Map<number, number>();
  /** Indices of those that CODE_MAP has. */
  #trusted: number[] = [];
  /** The next index to hand out; a ring, so it is also the oldest. */
  #next = 0;
  /** Every index has been handed out once. */
  #isUsedUp = false;
  readonly #onDrop: (index: number) => void;
  readonly #onFlush: () => void;
  readonly #isSame: IsSame;

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
    super(buffer, base, count);
    this.publish();
    this.#onDrop = onDrop;
    this.#onFlush = onFlush;
    this.#isSame = isSame;
    this.#mixed = new Uint8Array(count);
    for (let i = 0; i <= RECORDS; i++) this.setHandler(this.scratch + i * RECORD_BYTES, HANDLER_STOP);
  }

  /** A decoded page for single steps: every record stops. */
  get scratch(): number {
    return this.base + this.count * DECODED_PAGE_BYTES;
  }

  /** The decoded page of a page, made if it is not there. */
  get(page: number): number {
    const known = this.map[page >>> PAGE_SHIFT] as number;
    if (known !== 0) return known;
    const index = this.#doubtful.get(page);
    return this.address(index === undefined ? this.#add(page) : this.#check(page, index));
  }

  /** Index of the decoded page of a page, -1 if there is none or it is in doubt. */
  find(page: number): number {
    const address = this.map[page >>> PAGE_SHIFT] as number;
    return address === 0 ? -1 : this.indexOfRecord(address);
  }

  /** Word `i` of the memory of a decoded page, to be decoded. */
  word(index: number, i: number): number {
    const word = this.memoryWord(index, i);
    if (word !== this.words[(this.#copyOf(index) >> 2) + i]) this.#mixed[index] = 1;
    return word;
  }

  /** Makes records `first` .. `first + count - 1` of a decoded page be decoded anew. */
  reset(index: number, first: number, count: number): void {
    this.#copy(index, first, count);
    let at = this.address(index) + first * RECORD_BYTES;
    for (let i = 0; i < count; i++, at += RECORD_BYTES) this.setHandler(at, HANDLER_DECODE);
  }

  /** Any memory may have changed. False: none of what is in use has. */
  doubt(): boolean {
    if (this.#trusted.length <= COMPARED_AT_ONCE && this.#trusted.every((index) => this.#isUnchanged(index)))
      return false;
    for (const index of this.#trusted) {
      const page = this.pageOf(index);
      this.map[page >>> PAGE_SHIFT] = 0;
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
    return this.#mixed[index] === 0 && this.#isSame(this.pageOf(index), this.#copyOf(index), PAGE_BYTES) !== 0;
  }

  #copyOf(index: number): number {
    return this.copies + index * PAGE_BYTES;
  }

  #copy(index: number, first: number, count: number): void {
    const memory = (this.pageOf(index) >>> 2) + first;
    this.words.copyWithin((this.#copyOf(index) >> 2) + first, memory, memory + count);
    if (count === WORDS) this.#mixed[index] = 0;
  }

  #trust(page: number, index: number): void {
    this.map[page >>> PAGE_SHIFT] = this.address(index);
    this.#trusted.push(index);
  }

  #add(page: number): number {
    if (this.pages[this.#next] !== 0) {
      const n = Math.max(1, Math.floor(this.count / EVICTED_PART));
      for (let i = 0; i < n; i++) this.#drop((this.#next + i) % this.count);
      this.#trusted = this.#trusted.filter((index) => this.pages[index] !== 0);
      this.#onFlush();
    }
    const index = this.#next;
    this.#next = (this.#next + 1) % this.count;
    this.pages[index] = page;
    this.#copy(index, 0, WORDS);
    this.#trust(page, index);
    const address = this.address(index);
    // The host gives memory to what is written to: of most pages little is executed.
    if (this.#isUsedUp) this.words.fill(HANDLER_DECODE, address >> 2, (address + DECODED_PAGE_BYTES) >> 2);
    if (this.#next === 0) this.#isUsedUp = true;
    this.setHandler(address + RECORDS_BYTES, HANDLER_PAGE_END);
    return index;
  }

  #drop(index: number): void {
    const page = this.pageOf(index);
    if (page === 0) return;
    this.#onDrop(index);
    this.pages[index] = 0;
    this.map[page >>> PAGE_SHIFT] = 0;
    this.#doubtful.delete(page);
  }
}
