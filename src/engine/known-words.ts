import { prepareRecent, RECENT_BYTES, RECENT_FACTOR, RECENT_SHIFT, RECENT_WORDS } from "../a64/decoder.ts";
import type { PURE_OPS } from "../ir/pure-ops.ts";
import { CODE_MAP } from "../memory/linear-layout.ts";
import type { Code } from "../wasm/code.ts";
import { offsetsFromMap } from "./decoded-area.ts";
import { DECODED_PAGE_BYTES, HANDLER_DECODE, HANDLER_UNALLOCATED, RECORD_BYTES, RECORDS } from "./decoded-layout.ts";
import { ENTRY_KEY, START_BYTES } from "./kept-entries.ts";
import { DECODE_AHEAD, MAX_DECODED_PAGES } from "./limits.ts";

// What instruction words are decoded to, in linear memory behind the decoded pages, so that generated code decodes a word that was decoded
// before. Calling the host for it took a tenth of a boot.

/** Handler keys are below this. */
const KEYS = 1 << 13;

const TABLE = 0;
/** Table indices of handlers, as u16, by their keys; what is before is for key -1. */
const HANDLERS = TABLE + RECENT_BYTES + 2;
/** Bits that say where regions that are kept may start (KeptEntries): the host decodes those. */
const STARTS = TABLE + RECENT_BYTES + 2 * (KEYS + 2);
/** u32: words that were decoded here. */
const COUNT = STARTS + START_BYTES;
export const KNOWN_WORDS_BYTES = COUNT + 16;

/** The tables, for the host. */
export class KnownWords {
  /** For a decoder. */
  readonly recent: Int32Array;
  readonly #handlers: Uint16Array;
  readonly #starts: Int32Array;
  readonly #count: Int32Array;

  /** @param at a multiple of 4. @param recent of a decoder of the same rows; absent: none is known. */
  constructor(buffer: ArrayBufferLike, at: number, recent?: Int32Array) {
    this.recent = new Int32Array(buffer, at + TABLE, RECENT_BYTES / 4);
    if (recent) this.recent.set(recent);
    else prepareRecent(this.recent);
    this.#handlers = new Uint16Array(buffer, at + HANDLERS - 2, KEYS + 1);
    this.#handlers.fill(HANDLER_UNALLOCATED);
    this.#starts = new Int32Array(buffer, at + STARTS, START_BYTES / 4);
    this.#count = new Int32Array(buffer, at + COUNT, 1);
  }

  /** Words that generated code has decoded. */
  get decoded(): number {
    return (this.#count[0] as number) >>> 0;
  }

  /** The table index of the handler with a key; -1: of an unallocated encoding. */
  handler(key: number): number {
    return this.#handlers[key + 1] as number;
  }
  setHandler(key: number, tableIndex: number): void {
    if (key >= KEYS) throw new RangeError(`handler key ${key} is not below ${KEYS}`);
    this.#handlers[key + 1] = tableIndex;
  }

  /** Leaves what may start a region that is kept to the host. */
  setStarts(bits: Int32Array): void {
    this.#starts.set(bits);
  }
}

/**
 * Emits a function (record) -> i32: decodes the instruction of the record, and those that follow, as far as their words are known. 1: the record
 * is decoded; 0: the host has to.
 */
export function emitDecodeKnown(code: Code, op: (name: keyof typeof PURE_OPS) => void): void {
  const RECORD = 0;
  const { pages, copies, known, start } = offsetsFromMap(MAX_DECODED_PAGES);
  const [map, index, number, memory, copy, word, slot, left, done] = Array.from({ length: 9 }, () =>
    code.local("i32"),
  ) as [number, number, number, number, number, number, number, number, number];
  const plus = (local: number, bytes: number): void => {
    code.get(local);
    code.i32(bytes);
    op("i32.add");
  };
  const advance = (local: number, bytes: number): void => {
    plus(local, bytes);
    code.set(local);
  };
  const times = (factor: number): void => {
    code.i32(factor);
    op("i32.mul");
  };

  code.i32(0);
  code.memory("i32.load", CODE_MAP);
  code.tee(map);
  code.i32(-start);
  op("i32.sub");
  code.set(index);
  // Of the record, in bytes from the first decoded page; then the number of its page, and its own in that.
  code.get(RECORD);
  code.get(index);
  op("i32.sub");
  code.tee(number);
  code.i32(DECODED_PAGE_BYTES);
  op("i32.div_u");
  code.set(index);
  code.get(number);
  code.get(index);
  times(DECODED_PAGE_BYTES);
  op("i32.sub");
  code.i32(Math.log2(RECORD_BYTES));
  op("i32.shr_u");
  code.set(number);
  code.get(map);
  code.get(index);
  times(4);
  op("i32.add");
  code.memory("i32.load", pages);
  code.get(number);
  times(4);
  op("i32.add");
  code.set(memory);
  code.get(map);
  code.get(index);
  times(RECORDS * 4);
  op("i32.add");
  code.get(number);
  times(4);
  op("i32.add");
  code.set(copy);
  code.i32(DECODE_AHEAD);
  code.set(left);

  code.block();
  code.loop();
  // A word that is not that of the copy makes the page one that is never taken to be unchanged (DecodedPages).
  code.get(memory);
  code.memory("i32.load", 0);
  code.tee(word);
  code.get(copy);
  code.memory("i32.load", copies);
  op("i32.ne");
  code.brIf(1);
  code.get(word);
  times(RECENT_FACTOR);
  code.i32(32 - RECENT_SHIFT);
  op("i32.shr_u");
  code.set(index);
  isAt(() => code.get(index));
  op("i32.eqz");
  code.if();
  isAt(() => {
    code.get(index);
    code.i32(1);
    op("i32.xor");
  });
  op("i32.eqz");
  code.brIf(2);
  code.end();
  emitMayStart();
  code.brIf(1);
  code.get(RECORD);
  code.get(map);
  code.get(slot);
  code.memory("i32.load", known + TABLE + 4);
  times(2);
  op("i32.add");
  code.memory("i32.load16_u", known + HANDLERS);
  code.memory("i32.store16", 0);
  code.get(RECORD);
  code.get(slot);
  code.memory("i64.load", known + TABLE + 8);
  code.memory("i64.store", 4);
  code.get(RECORD);
  code.get(slot);
  code.memory("i32.load", known + TABLE + 16);
  code.memory("i32.store", 12);
  advance(done, 1);
  advance(memory, 4);
  advance(copy, 4);
  advance(number, 1);
  advance(RECORD, RECORD_BYTES);
  // The end record is not to be decoded either.
  code.get(RECORD);
  code.memory("i32.load16_u", 0);
  code.i32(HANDLER_DECODE);
  op("i32.ne");
  code.brIf(1);
  plus(left, -1);
  code.tee(left);
  code.brIf(0);
  code.end();
  code.end();

  code.get(map);
  code.get(map);
  code.memory("i32.load", known + COUNT);
  code.get(done);
  op("i32.add");
  code.memory("i32.store", known + COUNT);
  code.get(done);
  code.i32(0);
  op("i32.ne");

  /** Whether the word is at this place of the table, which becomes `slot`. */
  function isAt(pushPlace: () => void): void {
    code.get(map);
    pushPlace();
    times(RECENT_WORDS * 4);
    op("i32.add");
    code.tee(slot);
    code.memory("i32.load", known + TABLE);
    code.get(word);
    op("i32.eq");
  }

  /** KeptEntries.startsWith, of `word` and `number`. */
  function emitMayStart(): void {
    const key = index;
    code.get(word);
    code.get(number);
    times(ENTRY_KEY.seedFactor);
    op("i32.xor");
    times(ENTRY_KEY.factor);
    code.tee(key);
    code.get(key);
    code.i32(ENTRY_KEY.shift);
    op("i32.shr_u");
    op("i32.xor");
    code.i32(ENTRY_KEY.bitShift);
    op("i32.shr_u");
    code.set(key);
    code.get(map);
    code.get(key);
    code.i32(5);
    op("i32.shr_u");
    times(4);
    op("i32.add");
    code.memory("i32.load", known + STARTS);
    code.get(key);
    op("i32.shr_u");
    code.i32(1);
    op("i32.and");
  }
}
