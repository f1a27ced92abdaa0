// The spaces for new objects of this process's JavaScript heaps.

import { setFlag, withFlag } from "./v8-flags.ts";

const factor = (n: number): string => `--semi-space-growth-factor=${n}`;
const DEFAULT_FACTOR = factor(2);

/** 2 MiB of arrays: twice what the space holds at first. */
const ARRAYS = 2048;
const ARRAY = 128;

/**
 * Makes the main thread's space 8 MiB large, as the start of a machine makes twice that. Most of it stays: V8 would copy it out of a small space six
 * times, and then look through all of the heap, a tenth of the time until a prompt (docs/performance.md, "Start"). The space's first size is for
 * Node's command line to say. Later it grows by a factor, when as much as it holds has survived: so that much is made here.
 */
export function growNewSpace(): void {
  withFlag(factor(8), DEFAULT_FACTOR, () => Array.from({ length: ARRAYS }, () => new Array(ARRAY).fill(0)));
}

/**
 * Keeps the spaces as large as they are. To be called when a program's own machine begins to run, and not before: from then on Node compiles those
 * modules of its own anew that it has not loaded yet, as V8's code for them is for other flags.
 */
export function keepHeapsSmall(): void {
  // It would grow to 32 MB while the guest boots, and never shrink.
  setFlag(factor(1), DEFAULT_FACTOR);
  // That of the thread that translates, which is not there yet, is larger from the start: a region leaves 1 MB of garbage.
  setFlag("--min-semi-space-size=4", "--min-semi-space-size=0");
}
