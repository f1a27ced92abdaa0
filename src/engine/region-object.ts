import type { FunctionObject } from "../wasm/function-object.ts";
import { RECORD_BYTES, RECORDS } from "./decoded-layout.ts";
import { type Block, pageNumber } from "./region.ts";

/** A translated region, wherever its code is mapped and decoded. */
export interface RegionObject {
  /** Number of its first instruction in its page. */
  readonly entry: number;
  /** Its accesses are checked for alignment. */
  readonly aligned: boolean;
  readonly instructions: number;
  /** What it was made of, in pairs: the number of an instruction from the start of the page, and its word. */
  readonly words: Int32Array;
  /** Its addresses are those of decoded pages, by pageNumber(). */
  readonly code: FunctionObject;
}

/** Where the decoded pages of a region are, by pageNumber(). */
export type RegionPages = ReadonlyMap<number, number>;

/** A region at a place. */
export interface PlacedRegion {
  readonly object: RegionObject;
  /** Where it starts. */
  readonly record: number;
  readonly pages: RegionPages;
}

/** The words that blocks are of, as RegionObject has them, each once. */
export function wordsOf(blocks: readonly Block[]): Int32Array {
  return Int32Array.from(
    [...new Map(blocks.flatMap(({ insns }) => insns.map(({ index, word }) => [index, word] as const)))].flat(),
  );
}

/** Of the decoded pages around a region, those that it has words of. */
export function pagesOf(words: Int32Array, decoded: RegionPages): RegionPages {
  const numbers = new Set(words.filter((_, i) => i % 2 === 0).map(pageNumber));
  return new Map([...decoded].filter(([number]) => numbers.has(number)));
}

/** The words that a region is of, in pairs: the record of an instruction, and the word. */
export function recordsOf({ object, pages }: PlacedRegion): Int32Array {
  return object.words.map((value, i) => {
    if (i % 2 === 1) return value;
    const number = pageNumber(value);
    return (pages.get(number) as number) + (value - number * RECORDS) * RECORD_BYTES;
  });
}
