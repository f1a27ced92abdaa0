// Regions that were made in an earlier run: what was hot then is translated again as soon as it runs, which takes a fraction of finding and
// lowering it. They hold for code of the same words, wherever that is, in a machine of the same kind (keptFor).

import type { Checksum } from "../snapshot/crc32.ts";
import { hasFusedMultiplyAdd } from "./fused.ts";
import { type EntryKeys, entryOf, keysOf } from "./kept-entries.ts";
import type { MakerSetup } from "./region-maker.ts";
import type { RegionObject } from "./region-object.ts";

/** Version of what follows. */
const FORMAT = 1;

/**
 * All that regions depend on besides the code that they are of.
 * @param engine names the translator: another one makes other regions.
 */
export function keptFor(engine: string, setup: MakerSetup): string {
  const { features, directSysregs, firstRegion, countInstructions, onlyCpu = null } = setup;
  const machine = [[...features].sort(), directSysregs, firstRegion, countInstructions, onlyCpu];
  return JSON.stringify([FORMAT, engine, ...machine, hasFusedMultiplyAdd()]);
}

// A kept region is little-endian words: the bytes that it takes, its CRC-32 without these two, and by these numbers its parts.
const HEAD = { bytes: 0, crc: 1, key: 2, entry: 3, instructions: 4, lengths: 5 } as const;
const PARTS = 5;
const HEAD_WORDS = HEAD.lengths + PARTS;
/** What the CRC is of. */
const COVERED = 8;
/** In the word of the entry. */
const ALIGNED = 1 << 16;
/** More than any region has. */
const MAX_BYTES = 1 << 20;

/** What is added to what is kept: the bytes of a region, and what KeptEntries is to know of it. */
export interface KeptRegion {
  readonly region: Uint8Array;
  readonly entry: Uint8Array;
}

export class KeptRegions {
  readonly #kept: Uint8Array;
  readonly #checksum: Checksum;
  /** By their keys, as far as they have been looked at; otherwise where they are in what was kept. */
  readonly #regions = new Map<number, (RegionObject | number)[]>();
  /** Bytes of what was kept that are whole regions. What follows was not written to its end. */
  readonly wholeBytes: number;

  /** @param kept regions one after the other, as add() gives them. */
  constructor(kept: Uint8Array, checksum: Checksum) {
    this.#kept = kept;
    this.#checksum = checksum;
    let at = 0;
    while (at + HEAD_WORDS * 4 <= kept.length) {
      const head = this.#head(at);
      const bytes = head[HEAD.bytes] as number;
      if (bytes < HEAD_WORDS * 4 || bytes > MAX_BYTES || bytes % 4 !== 0 || at + bytes > kept.length) break;
      this.#put(head[HEAD.key] as number, at);
      at += bytes;
    }
    this.wholeBytes = at;
  }

  /** The region that starts at instruction `entry` of a page and is of the words that are there. */
  find(entry: number, aligned: boolean, wordAt: (i: number) => number | undefined): RegionObject | undefined {
    const list = this.#regions.get(keysOf(entry, wordAt).all) ?? [];
    for (const [i, one] of list.entries()) {
      const object = typeof one === "number" ? this.#read(one) : one;
      if (object === undefined) continue;
      list[i] = object;
      if (object.entry === entry && object.aligned === aligned && isOf(object, wordAt)) return object;
    }
    return undefined;
  }

  /** Keeps a region. `wordAt`: what memory holds where it was made, which the region may have no more of than a word or two. */
  add(object: RegionObject, wordAt: (i: number) => number | undefined): KeptRegion {
    const keys = keysOf(object.entry, wordAt);
    this.#put(keys.all, object);
    return { region: this.#encode(object, keys), entry: entryOf(keys) };
  }

  #put(key: number, region: RegionObject | number): void {
    const list = this.#regions.get(key);
    if (list) list.push(region);
    else this.#regions.set(key, [region]);
  }

  #head(at: number): Int32Array {
    return new Int32Array(this.#kept.slice(at, at + HEAD_WORDS * 4).buffer);
  }

  #encode({ entry, aligned, instructions, words, code }: RegionObject, { all: key }: EntryKeys): Uint8Array {
    const parts = [words, code.hints, code.calls, code.addresses];
    const bodyAt = (HEAD_WORDS + parts.reduce((sum, part) => sum + part.length, 0)) * 4;
    const bytes = new Uint8Array(bodyAt + Math.ceil(code.body.length / 4) * 4);
    const all = new Int32Array(bytes.buffer);
    all.set([bytes.length, 0, key, entry | (aligned ? ALIGNED : 0), instructions]);
    all.set([...parts.map((part) => part.length), code.body.length], HEAD.lengths);
    let at: number = HEAD_WORDS;
    for (const part of parts) {
      all.set(part, at);
      at += part.length;
    }
    bytes.set(code.body, bodyAt);
    all[HEAD.crc] = this.#checksum(bytes.subarray(COVERED), 0);
    return bytes;
  }

  /** Undefined: it is not as it was written. */
  #read(start: number): RegionObject | undefined {
    const head = this.#head(start);
    const bytes = this.#kept.slice(start, start + (head[HEAD.bytes] as number));
    if ((this.#checksum(bytes.subarray(COVERED), 0) | 0) !== head[HEAD.crc]) return undefined;
    let at = HEAD_WORDS * 4;
    const next = (part: number): Int32Array => {
      const start = at;
      at += (head[HEAD.lengths + part] as number) * 4;
      return new Int32Array(bytes.buffer.slice(start, at));
    };
    const [words, hints, calls, addresses] = [next(0), next(1), next(2), next(3)];
    const body = bytes.slice(at, at + (head[HEAD.lengths + 4] as number));
    const entry = head[HEAD.entry] as number;
    return {
      ...{ entry: entry & (ALIGNED - 1), aligned: (entry & ALIGNED) !== 0 },
      ...{ instructions: head[HEAD.instructions] as number, words, code: { body, hints, calls, addresses } },
    };
  }
}

/** Are these the words that it was made of? */
function isOf({ words }: RegionObject, wordAt: (i: number) => number | undefined): boolean {
  for (let i = 0; i < words.length; i += 2) if (wordAt(words[i] as number) !== words[i + 1]) return false;
  return true;
}
