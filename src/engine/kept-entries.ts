import { RECORDS } from "./decoded-layout.ts";

// By what regions that are kept are known, so that the place of one is noticed when its first word is decoded.

/** How many words at its start a region is known by. */
const KNOWN_BY = 4;
/** log2 of the bits that say of an instruction whether a region starts there. */
const FILTER_SHIFT = 18;

/** By the first word alone, and by all of them: most words of other code are told from a region's by the first. */
export interface EntryKeys {
  readonly first: number;
  readonly all: number;
}

/** The keys of what starts at instruction `entry` of a page. */
export function keysOf(entry: number, wordAt: (i: number) => number | undefined): EntryKeys {
  const first = keyOf(wordAt(entry) ?? 0, entry);
  let all = first;
  for (let i = entry + 1; i < Math.min(entry + KNOWN_BY, RECORDS); i++) all = keyOf(wordAt(i) ?? 0, all);
  return { first, all };
}

/** What keyOf() does, and how a key's bit is found, which generated code does as well (known-words.ts). */
export const ENTRY_KEY = { seedFactor: 0x85eb_ca6b, factor: 0x9e37_79b1, shift: 15, bitShift: 32 - FILTER_SHIFT };

/** Mixes, so that the upper bits depend on all others. */
function keyOf(word: number, seed: number): number {
  const mixed = Math.imul(word ^ Math.imul(seed, ENTRY_KEY.seedFactor), ENTRY_KEY.factor);
  return mixed ^ (mixed >>> ENTRY_KEY.shift);
}

/** Of a filter. */
export const START_BYTES = 2 ** (FILTER_SHIFT - 3);

/** A set of keys that may say yes to one that is not in it. */
class KeyFilter {
  readonly bits = new Int32Array(START_BYTES / 4);

  add(key: number): void {
    const bit = key >>> ENTRY_KEY.bitShift;
    this.bits[bit >> 5] = (this.bits[bit >> 5] as number) | (1 << bit);
  }
  has(key: number): boolean {
    const bit = key >>> ENTRY_KEY.bitShift;
    return (((this.bits[bit >> 5] as number) >>> bit) & 1) !== 0;
  }
}

/** Where regions that are kept may start: with a thousand of them, one answer in two hundred is wrong. */
export class KeptEntries {
  readonly #first = new KeyFilter();
  readonly #all = new KeyFilter();

  /** @param entries as `entryOf` gives them, one after the other. */
  constructor(entries: Uint8Array) {
    const keys = new Int32Array(entries.slice(0, entries.length - (entries.length % 8)).buffer);
    for (let i = 0; i < keys.length; i += 2) {
      this.#first.add(keys[i] as number);
      this.#all.add(keys[i + 1] as number);
    }
  }

  /** Which first words they have, as bits by their keys. */
  get starts(): Int32Array {
    return this.#first.bits;
  }

  /** May one start with this word, as instruction `entry` of a page? Asked of every word that is decoded. */
  startsWith(word: number, entry: number): boolean {
    return this.#first.has(keyOf(word, entry));
  }

  /** May one start at instruction `entry` of a page, whose words `wordAt` gives? */
  has(entry: number, wordAt: (i: number) => number): boolean {
    return this.#all.has(keysOf(entry, wordAt).all);
  }
}

/** The eight bytes that KeptEntries is made of for a region. */
export const entryOf = ({ first, all }: EntryKeys): Uint8Array => new Uint8Array(Int32Array.of(first, all).buffer);
