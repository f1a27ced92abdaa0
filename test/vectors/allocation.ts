// Which encodings are allocated: words drawn from every encoding class, and what the oracle said of each.

import { brotliCompressSync, brotliDecompressSync } from "node:zlib";
import { ENCODING_CLASSES, type EncodingClass, matcher } from "./encoding-classes.ts";
import { Random, SP_AT, STATE_BYTES } from "./inputs.ts";

const WORDS_PER_CLASS = 2500;

/** CPU models of the oracle; ours have the same names. */
export const MODELS = ["max", "cortex-a72"] as const;

/** Words that must not be run: they would call an operating system, or the debugger of the oracle, or never end. */
const isDangerous = matcher("11010100000 ---------------- 00001", "11010100010 ---------------- 00000");

/** Direct branches into the page of the harness itself. */
function branchesIntoHarness(word: number): boolean {
  const near = (offset: number): boolean => Math.abs(offset) * 4 < 4096;
  if ((word & 0x7c000000) === 0x14000000) return near((word << 6) >> 6);
  if ((word & 0x7e000000) === 0x34000000 || (word & 0xfe000000) >>> 0 === 0x54000000) return near((word << 8) >> 13);
  return (word & 0x7e000000) === 0x36000000 && near((word << 13) >> 18);
}

/** The words of a class, in order. */
export function wordsOf(encodingClass: EncodingClass): number[] {
  const random = new Random(ENCODING_CLASSES.indexOf(encodingClass) + 1);
  const words: number[] = [];
  while (words.length < WORDS_PER_CLASS) {
    const word = ((random.u32() & ~encodingClass.mask) | encodingClass.value) >>> 0;
    if (!isDangerous(word) && !branchesIntoHarness(word)) words.push(word);
  }
  return words;
}

/** A state in which no register points to memory: accesses fault, indirect branches too. */
export function farState(): Uint8Array {
  const view = new DataView(new ArrayBuffer(STATE_BYTES));
  for (let i = 0; i < 31; i++) view.setBigUint64(i * 8, 0x00f0_1234_5678_9ab0n + BigInt(i), true);
  view.setBigUint64(SP_AT, 0x00f0_1234_5678_9ad0n, true);
  return new Uint8Array(view.buffer);
}

/**
 * Bits as stored: one for each word of each class, in order: 1 where the oracle took the UNDEFINED exception; then another for each: 1 where it
 * died of an error of its own.
 */
export function packBits(bits: readonly boolean[]): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(bits.length / 8));
  bits.forEach((bit, i) => {
    if (bit) bytes[i >> 3] = (bytes[i >> 3] as number) | (1 << (i & 7));
  });
  return brotliCompressSync(bytes);
}

/** Throws RangeError when there are not `count` bits: the words are others than when the oracle was asked. */
export function unpackBits(packed: Uint8Array, count: number): (i: number) => boolean {
  const bytes = brotliDecompressSync(packed);
  if (bytes.length !== Math.ceil(count / 8)) throw new RangeError("make the data anew: generate-allocation.ts");
  return (i) => (((bytes[i >> 3] as number) >> (i & 7)) & 1) === 1;
}
