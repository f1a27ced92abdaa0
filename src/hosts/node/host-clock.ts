import type { Clock } from "../../bus/device.ts";
import { monotonic } from "../library/clocks.ts";

/** The host's time for what stands outside of any machine. */
export class HostClock implements Clock {
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #after: () => void;

  /** @param after called after each callback. */
  constructor(after: () => void) {
    this.#after = after;
  }

  now(): number {
    return monotonic();
  }

  at(nanoseconds: number, callback: () => void): () => void {
    const timer = setTimeout(
      () => {
        this.#timers.delete(timer);
        callback();
        this.#after();
      },
      Math.max(0, (nanoseconds - this.now()) / 1e6),
    );
    this.#timers.add(timer);
    return () => {
      clearTimeout(timer);
      this.#timers.delete(timer);
    };
  }

  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }
}
