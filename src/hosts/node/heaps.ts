import { setFlag } from "./v8-flags.ts";

/**
 * Keeps the JavaScript heaps of this process small. To be called when a program's own machine begins to run, and not before: from then on Node
 * compiles those modules of its own anew that it has not loaded yet, as V8's code for them is for other flags.
 */
export function keepHeapsSmall(): void {
  // The heap's space for new objects stays at its first size: it would grow to 32 MB while the guest boots, and never shrink.
  setFlag("--semi-space-growth-factor=1", "--semi-space-growth-factor=2");
  // That of the thread that translates, which is not there yet, is larger from the start: a region leaves 1 MB of garbage.
  setFlag("--min-semi-space-size=4", "--min-semi-space-size=0");
}
