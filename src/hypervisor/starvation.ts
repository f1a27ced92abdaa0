import type { FrameAllocator } from "./allocator.ts";
import type { Domain } from "./domain.ts";

/** Frames that have to be free beyond the reserve before those that wait go on. */
const RELIEF_FRAMES = 64;
/** Nanoseconds for which a domain waits before it is paused. */
const PATIENCE = 5e9;
/** Nanoseconds between two looks at whether there is memory. */
export const RETRY = 10e6;

export interface StarvationOptions {
  readonly frames: FrameAllocator;
  /** Frames that guests' accesses leave free. */
  readonly reserved: number;
  readonly hold: (domain: Domain) => void;
  readonly release: (domain: Domain) => void;
  /** A domain has to wait; told of the first time and each time that the count has doubled. */
  readonly waits: (domain: Domain, count: number) => void;
  /** It has waited for long enough. */
  readonly givesUp: (domain: Domain) => void;
}

/** Domains that stand still as there is no memory for what they access. */
export class Starvation {
  readonly #o: StarvationOptions;
  /** And since when: nanoseconds. */
  readonly #waiting = new Map<Domain, number>();

  constructor(options: StarvationOptions) {
    this.#o = options;
  }

  get any(): boolean {
    return this.#waiting.size > 0;
  }

  add(domain: Domain, now: number): void {
    // One that is held already is in the hands of who paused or forks it, and comes here again when it goes on.
    if (this.#waiting.has(domain) || domain.group.held) return;
    this.#waiting.set(domain, now);
    domain.shortages++;
    this.#o.hold(domain);
    if ((domain.shortages & (domain.shortages - 1)) === 0) this.#o.waits(domain, domain.shortages);
  }

  /** Somebody else decides over it now. */
  forget(domain: Domain): void {
    this.#waiting.delete(domain);
  }

  /** Lets those go on for which there is memory; the longest waiting first. */
  look(now: number): void {
    const { frames, reserved, release, givesUp } = this.#o;
    for (const [domain, since] of this.#waiting) {
      if (domain.ended !== undefined) this.#waiting.delete(domain);
      else if (frames.free >= reserved + RELIEF_FRAMES) {
        this.#waiting.delete(domain);
        release(domain);
      } else if (now - since > PATIENCE) {
        this.#waiting.delete(domain);
        givesUp(domain);
      }
    }
  }
}
