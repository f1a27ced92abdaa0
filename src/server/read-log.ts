// Reads a console's log, also while it is written.

import { closeSync, openSync, readSync, statSync } from "node:fs";

/** Milliseconds between two looks for more. */
const PAUSE = 200;

/** What is in a log now; with `follow`, also what comes, until the signal. A log that is not there is empty. */
export async function* readLog(path: string, follow: boolean, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  let file: number | undefined;
  let fd: number | undefined;
  try {
    for (;;) {
      const found = statSync(path, { throwIfNoEntry: false })?.ino;
      // A new one was begun when it was full: the rest of the old one comes first.
      if (fd !== undefined) yield* rest(fd);
      if (found !== undefined && found !== file) {
        if (fd !== undefined) closeSync(fd);
        fd = openSync(path, "r");
        file = found;
        yield* rest(fd);
      }
      if (!follow || signal.aborted) return;
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function* rest(fd: number): Generator<Uint8Array> {
  for (;;) {
    const piece = new Uint8Array(0x10000);
    const length = readSync(fd, piece);
    if (length === 0) return;
    yield piece.subarray(0, length);
  }
}
