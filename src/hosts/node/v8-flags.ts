import { setFlagsFromString } from "node:v8";

/**
 * Sets V8 up for running guests. To be called when a program's own machine begins to run, and not before: from then on Node compiles those
 * modules of its own anew that it has not loaded yet, as V8's code for them is for other flags.
 */
export function setFlagsForGuests(): void {
  // The heap's space for new objects stays at its first size: it would grow to 32 MB while the guest boots, and never shrink.
  setFlagsFromString("--semi-space-growth-factor=1");
  // That of the thread that translates, which is not there yet, is larger from the start: a region leaves 1 MB of garbage.
  setFlagsFromString("--min-semi-space-size=4");
  // No function of WebAssembly is inlined into another one: none of a region's could be, and code that is not optimized yet is slower where it
  // counts its calls for that.
  setFlagsFromString("--no-wasm-inlining");
  setFlagsFromString("--no-wasm-inlining-call-indirect");
}
