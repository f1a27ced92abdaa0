// Sequences: up to 32 instructions with branches and loops among them, and a digest of what they leave.

import { createHash } from "node:crypto";
import { brotliCompressSync, brotliDecompressSync } from "node:zlib";
import { inputOf, MEMORY_ADDRESS, Random } from "./inputs.ts";

export interface Sequence {
  readonly words: readonly number[];
  readonly seed: number;
  /** digestOf() the state and the memory page afterwards. */
  readonly digest: string;
}

// Registers of a sequence that hold addresses, so that instructions do not write them (but for write-back to BASE).
/** A multiple of 16 in the memory page. */
export const ALIGNED_BASE = 25;
export const LOOP_COUNTER = 26;
/** Small. */
export const INDEX = 27;
/** The middle of the memory page. */
export const BASE = 28;

export function sequenceInput(seed: number): Uint8Array {
  const state = inputOf(0, seed, "plain");
  const view = new DataView(state.buffer);
  const random = new Random(seed ^ 0x2545f491);
  view.setBigUint64(8 * ALIGNED_BASE, BigInt(MEMORY_ADDRESS + 1024 + 16 * random.below(128)), true);
  view.setBigUint64(8 * INDEX, BigInt(random.below(32)), true);
  view.setBigUint64(8 * BASE, BigInt(MEMORY_ADDRESS + 1792 + random.below(512)), true);
  return state;
}

const DIGEST_BYTES = 8;

export function digestOf(state: Uint8Array, memory: Uint8Array): string {
  return createHash("sha1")
    .update(state)
    .update(memory)
    .digest("hex")
    .slice(0, 2 * DIGEST_BYTES);
}

export function packSequences(sequences: readonly Sequence[]): Uint8Array {
  const words = sequences.flatMap((s) => s.words);
  const header = Uint32Array.from([sequences.length, words.length, ...sequences.map((s) => s.seed)]);
  const lengths = Uint8Array.from(sequences.map((s) => s.words.length));
  const planes = [0, 8, 16, 24].map((shift) => Uint8Array.from(words.map((w) => w >>> shift)));
  const digests = Buffer.from(sequences.map((s) => s.digest).join(""), "hex");
  return brotliCompressSync(Buffer.concat([new Uint8Array(header.buffer), lengths, ...planes, digests]));
}

export function unpackSequences(packed: Uint8Array): Sequence[] {
  const bytes = new Uint8Array(brotliDecompressSync(packed));
  const view = new DataView(bytes.buffer);
  const [count, total] = [view.getUint32(0, true), view.getUint32(4, true)];
  const lengths = 8 + 4 * count;
  const planes = lengths + count;
  const digests = planes + 4 * total;
  let at = 0;
  return Array.from({ length: count }, (_, i) => {
    const words = Array.from({ length: bytes[lengths + i] as number }, () => {
      const [a, b, c, d] = [0, 1, 2, 3].map((k) => bytes[planes + k * total + at] as number) as [
        number,
        number,
        number,
        number,
      ];
      at++;
      return (a | (b << 8) | (c << 16) | (d << 24)) >>> 0;
    });
    const digest = Buffer.from(bytes.subarray(digests + i * DIGEST_BYTES, digests + (i + 1) * DIGEST_BYTES));
    return { words, seed: view.getUint32(8 + 4 * i, true), digest: digest.toString("hex") };
  });
}
