// A host finds memory for a page when something is first written to it, which takes longer than the writing: seven times as long, of what a
// snapshot holds.

import { close, openSync, read } from "node:fs";

/** What reads as zeros. */
const ZEROS = "/dev/zero";
/** Bytes at a time, so that several threads have a share. */
const PIECE = 0x10_0000;

/** Bytes [start, start + bytes) of a memory. */
export interface MemoryRun {
  readonly start: number;
  readonly bytes: number;
}

/**
 * Has Node's other threads write zeros to parts of a memory that nothing was written to yet, while this one does something else. Parts that are
 * outside are left out. Where the host has no file of zeros, nothing is done.
 */
export async function touch(memory: ArrayBufferLike, runs: readonly MemoryRun[]): Promise<void> {
  let zeros: number;
  try {
    zeros = openSync(ZEROS, "r");
  } catch {
    return;
  }
  const pieces = runs
    .filter(({ start, bytes }) => start + bytes <= memory.byteLength)
    .flatMap(({ start, bytes }) =>
      Array.from({ length: Math.ceil(bytes / PIECE) }, (_, i) =>
        clear(zeros, new Uint8Array(memory, start + i * PIECE, Math.min(PIECE, bytes - i * PIECE))),
      ),
    );
  await Promise.all(pieces);
  close(zeros, () => {});
}

function clear(zeros: number, part: Uint8Array): Promise<void> {
  return new Promise((resolve) => read(zeros, part, 0, part.length, null, () => resolve()));
}
