// LZMA2 and the LZMA in it, decompressed. The names are those of the LZMA specification.

import { corrupt } from "../error.ts";

const INITIAL = 1024;
const STATES = 12;
const POSITION_STATES = 16;
const LENGTH_STATES = 4;
const END_POSITION_MODEL = 14;
const FULL_DISTANCES = 128;
const ALIGN_BITS = 4;
const MIN_MATCH = 2;

/** Bytes that one chunk gives at most. */
const CHUNK_BYTES = 2 ** 21;

/** Probabilities of lengths: two choices, then a tree by position for short ones and middle ones, and one for long ones. */
class LengthDecoder {
  readonly choices = new Uint16Array(2);
  readonly low = new Uint16Array(POSITION_STATES * 8);
  readonly middle = new Uint16Array(POSITION_STATES * 8);
  readonly high = new Uint16Array(256);

  reset(): void {
    for (const p of [this.choices, this.low, this.middle, this.high]) p.fill(INITIAL);
  }
}

/** What decompresses a sequence of chunks. Each gives a view of bytes that is good until the next. */
export class Lzma2Decoder {
  readonly #name: string;
  readonly #window: Uint8Array;
  readonly #dictionaryBytes: number;
  /** Where the next byte goes, and where the dictionary begins. */
  #position = 0;
  #start = 0;
  /** Bytes since the dictionary's last reset, modulo 2^32: their low bits choose probabilities. */
  #count = 0;

  #lc = 0;
  #lpMask = 0;
  #pbMask = 0;
  #state = 0;
  readonly #reps = new Uint32Array(4);
  #literals = new Uint16Array(0);
  readonly #isMatch = new Uint16Array(STATES * POSITION_STATES);
  readonly #isRep = new Uint16Array(STATES);
  readonly #isRep0 = new Uint16Array(STATES);
  readonly #isRep1 = new Uint16Array(STATES);
  readonly #isRep2 = new Uint16Array(STATES);
  readonly #isRep0Long = new Uint16Array(STATES * POSITION_STATES);
  readonly #slots = new Uint16Array(LENGTH_STATES * 64);
  readonly #distances = new Uint16Array(FULL_DISTANCES);
  readonly #align = new Uint16Array(1 << ALIGN_BITS);
  readonly #lengths = new LengthDecoder();
  readonly #repLengths = new LengthDecoder();

  #input = new Uint8Array(0);
  #at = 0;
  #range = 0;
  #code = 0;
  #needsDictionary = true;
  #needsProperties = true;

  /** @param name of the file, for messages. */
  constructor(dictionaryBytes: number, name: string) {
    this.#name = name;
    this.#dictionaryBytes = dictionaryBytes;
    this.#window = new Uint8Array(2 * dictionaryBytes + CHUNK_BYTES);
  }

  /** @param read gives the next bytes of the input. @returns what a chunk holds; undefined at the end. */
  chunk(read: (length: number) => Uint8Array): Uint8Array | undefined {
    const control = read(1)[0] as number;
    if (control === 0) return undefined;
    if (control === 1 || control >= 0xe0) {
      this.#start = this.#position;
      this.#count = 0;
      this.#needsDictionary = false;
    }
    if (this.#needsDictionary || (control > 2 && control < 0x80)) throw this.#damaged();
    const head = read(2);
    const low = ((head[0] as number) << 8) + (head[1] as number) + 1;
    if (control < 0x80) {
      const begin = this.#room(low);
      this.#window.set(read(low), begin);
      this.#position += low;
      this.#count = (this.#count + low) >>> 0;
      return this.#window.subarray(begin, this.#position);
    }
    const length = ((control & 0x1f) << 16) + low;
    const sizes = read(2);
    const packed = ((sizes[0] as number) << 8) + (sizes[1] as number) + 1;
    if (control >= 0xc0) this.#properties(read(1)[0] as number);
    else if (this.#needsProperties) throw this.#damaged();
    if (control >= 0xa0) this.#resetState();
    this.#input = read(packed).slice();
    if (packed < 5 || this.#input[0] !== 0) throw this.#damaged();
    this.#at = 5;
    this.#range = 0xffff_ffff;
    this.#code = 0;
    for (let i = 1; i < 5; i++) this.#code = ((this.#code << 8) | (this.#input[i] as number)) >>> 0;
    const begin = this.#room(length);
    this.#decode(begin + length);
    this.#count = (this.#count + length) >>> 0;
    if (this.#at !== packed || this.#code !== 0) throw this.#damaged();
    return this.#window.subarray(begin, begin + length);
  }

  #room(length: number): number {
    if (this.#position + length > this.#window.length) {
      const keep = Math.min(this.#dictionaryBytes, this.#position - this.#start);
      this.#window.copyWithin(0, this.#position - keep, this.#position);
      this.#start = 0;
      this.#position = keep;
    }
    return this.#position;
  }

  #properties(byte: number): void {
    if (byte >= 225) throw this.#damaged();
    const lc = byte % 9;
    const lp = Math.floor(byte / 9) % 5;
    if (lc + lp > 4) throw this.#damaged();
    this.#lc = lc;
    this.#lpMask = (1 << lp) - 1;
    this.#pbMask = (1 << Math.floor(byte / 45)) - 1;
    this.#literals = new Uint16Array(0x300 << (lc + lp));
    this.#needsProperties = false;
  }

  #resetState(): void {
    if (this.#needsProperties) throw this.#damaged();
    this.#state = 0;
    this.#reps.fill(0);
    for (const p of [this.#literals, this.#isMatch, this.#isRep, this.#isRep0, this.#isRep1, this.#isRep2])
      p.fill(INITIAL);
    for (const p of [this.#isRep0Long, this.#slots, this.#distances, this.#align]) p.fill(INITIAL);
    this.#lengths.reset();
    this.#repLengths.reset();
  }

  #bit(probabilities: Uint16Array, index: number): number {
    const p = probabilities[index] as number;
    const bound = (this.#range >>> 11) * p;
    let bit: number;
    if (this.#code < bound) {
      this.#range = bound;
      probabilities[index] = p + ((2048 - p) >> 5);
      bit = 0;
    } else {
      this.#range -= bound;
      this.#code -= bound;
      probabilities[index] = p - (p >> 5);
      bit = 1;
    }
    if (this.#range < 2 ** 24) this.#normalize();
    return bit;
  }

  #normalize(): void {
    if (this.#at >= this.#input.length) throw this.#damaged();
    this.#range = (this.#range << 8) >>> 0;
    this.#code = ((this.#code << 8) | (this.#input[this.#at++] as number)) >>> 0;
  }

  #directBits(count: number): number {
    let result = 0;
    for (let i = 0; i < count; i++) {
      this.#range >>>= 1;
      const bit = this.#code >= this.#range ? 1 : 0;
      if (bit) this.#code -= this.#range;
      if (this.#range < 2 ** 24) this.#normalize();
      result = ((result << 1) | bit) >>> 0;
    }
    return result;
  }

  #tree(probabilities: Uint16Array, offset: number, bits: number): number {
    let node = 1;
    for (let i = 0; i < bits; i++) node = (node << 1) | this.#bit(probabilities, offset + node);
    return node - (1 << bits);
  }

  #reverseTree(probabilities: Uint16Array, offset: number, bits: number): number {
    let node = 1;
    let value = 0;
    for (let i = 0; i < bits; i++) {
      const bit = this.#bit(probabilities, offset + node);
      node = (node << 1) | bit;
      value |= bit << i;
    }
    return value;
  }

  #length(decoder: LengthDecoder, positionState: number): number {
    if (this.#bit(decoder.choices, 0) === 0) return this.#tree(decoder.low, positionState * 8, 3);
    if (this.#bit(decoder.choices, 1) === 0) return 8 + this.#tree(decoder.middle, positionState * 8, 3);
    return 16 + this.#tree(decoder.high, 0, 8);
  }

  #distance(length: number): number {
    const slot = this.#tree(this.#slots, Math.min(length, LENGTH_STATES - 1) * 64, 6);
    if (slot < 4) return slot;
    const bits = (slot >> 1) - 1;
    const base = ((2 | (slot & 1)) << bits) >>> 0;
    if (slot < END_POSITION_MODEL) return base + this.#reverseTree(this.#distances, base - slot, bits);
    const high = this.#directBits(bits - ALIGN_BITS);
    return base + high * 2 ** ALIGN_BITS + this.#reverseTree(this.#align, 0, ALIGN_BITS);
  }

  #literal(): void {
    const window = this.#window;
    const at = this.#position;
    const count = this.#count + (at - this.#begin);
    const before = at > this.#start ? (window[at - 1] as number) : 0;
    const offset = 0x300 * (((count & this.#lpMask) << this.#lc) + (before >> (8 - this.#lc)));
    let symbol = 1;
    if (this.#state >= 7) {
      const distance = this.#reps[0] as number;
      if (distance >= at - this.#start) throw this.#damaged();
      let match = window[at - distance - 1] as number;
      while (symbol < 0x100) {
        const matchBit = (match >> 7) & 1;
        match <<= 1;
        const bit = this.#bit(this.#literals, offset + ((1 + matchBit) << 8) + symbol);
        symbol = (symbol << 1) | bit;
        if (matchBit !== bit) break;
      }
    }
    while (symbol < 0x100) symbol = (symbol << 1) | this.#bit(this.#literals, offset + symbol);
    window[at] = symbol;
    this.#position = at + 1;
    this.#state = this.#state < 4 ? 0 : this.#state < 10 ? this.#state - 3 : this.#state - 6;
  }

  /** Where the chunk begins in the window. */
  #begin = 0;

  #decode(end: number): void {
    const window = this.#window;
    const reps = this.#reps;
    this.#begin = this.#position;
    if (this.#range < 2 ** 24) this.#normalize();
    while (this.#position < end) {
      const positionState = (this.#count + (this.#position - this.#begin)) & this.#pbMask;
      const index = this.#state * POSITION_STATES + positionState;
      if (this.#bit(this.#isMatch, index) === 0) {
        this.#literal();
        continue;
      }
      let length: number;
      if (this.#bit(this.#isRep, this.#state) === 0) {
        reps.copyWithin(1, 0, 3);
        length = this.#length(this.#lengths, positionState);
        this.#state = this.#state < 7 ? 7 : 10;
        // An end marker, which LZMA2 does not have, would be a distance beyond any dictionary.
        reps[0] = this.#distance(length);
      } else {
        if (this.#bit(this.#isRep0, this.#state) === 0) {
          if (this.#bit(this.#isRep0Long, index) === 0) {
            this.#state = this.#state < 7 ? 9 : 11;
            this.#copy(1, end, window);
            continue;
          }
        } else {
          const which = this.#bit(this.#isRep1, this.#state) === 0 ? 1 : 2 + this.#bit(this.#isRep2, this.#state);
          const distance = reps[which] as number;
          reps.copyWithin(1, 0, which);
          reps[0] = distance;
        }
        length = this.#length(this.#repLengths, positionState);
        this.#state = this.#state < 7 ? 8 : 11;
      }
      this.#copy(length + MIN_MATCH, end, window);
    }
  }

  #copy(length: number, end: number, window: Uint8Array): void {
    const distance = (this.#reps[0] as number) + 1;
    const at = this.#position;
    if (distance > at - this.#start || distance > this.#dictionaryBytes || at + length > end) throw this.#damaged();
    for (let i = 0; i < length; i++) window[at + i] = window[at + i - distance] as number;
    this.#position = at + length;
  }

  #damaged() {
    return corrupt(`${this.#name}: its xz data is damaged`);
  }
}
