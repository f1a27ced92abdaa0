import type { EntropySource, WallClock } from "../../bus/device.ts";

export const wallClock: WallClock = { now: () => Date.now() };

/** Nanoseconds since the process, or the thread, started, never going back. */
export function monotonic(): number {
  return performance.now() * 1e6;
}

/** The Web Cryptography API fills 65536 bytes at a time at most. */
const ENTROPY_MAX = 65536;

/** The host's cryptographic random numbers. */
export const entropy: EntropySource = {
  fill(into) {
    for (let at = 0; at < into.length; at += ENTROPY_MAX) {
      const part = into.subarray(at, at + ENTROPY_MAX);
      // Guest memory is shared, which getRandomValues does not take.
      part.set(crypto.getRandomValues(new Uint8Array(part.length)));
    }
  },
};
