import type { FrameAllocator } from "./allocator.ts";
import type { Domain } from "./domain.ts";
import { PAGE_BYTES } from "./machine-memory.ts";

const MIB = 2 ** 20;
const LOW_FRAMES_MAX = (64 * MIB) / PAGE_BYTES;
/** Nanoseconds between two looks. */
const INTERVAL = 100e6;
/** Of what is free beyond what should be, the part that guests get back at a look. */
const GIVEN_BACK = 1 / 8;
/** What a guest keeps whatever others want: a part of its RAM, and bytes. */
const KEPT_PART = 1 / 8;
const KEPT_BYTES = 32 * MIB;

/**
 * Keeps some of the machine's memory free while domains together have more RAM than it: who uses most is asked, by its balloon, to do with less, and all that
 * are asked to end up with the same; when there is memory again, it is given back bit by bit.
 */
export class MemoryPressure {
  readonly #frames: FrameAllocator;
  /** Frames: below the first, guests have to give; above the second, they get back. */
  readonly #low: number;
  readonly #high: number;
  #next = 0;

  constructor(frames: FrameAllocator) {
    this.#frames = frames;
    this.#low = Math.min(LOW_FRAMES_MAX, Math.floor(frames.frames / 16));
    this.#high = 2 * this.#low;
  }

  /** @param now nanoseconds. Little work, where it is not yet time for more. */
  look(now: number, domains: Iterable<Domain>): void {
    if (now < this.#next) return;
    this.#next = now + INTERVAL;
    const { free } = this.#frames;
    if (free >= this.#low && free <= this.#high) return;
    const guests = [...domains].flatMap((domain) => guestOf(domain) ?? []);
    if (free < this.#low) this.#take(guests, (this.#high - free) * PAGE_BYTES);
    else this.#giveBack(guests, (free - this.#high) * PAGE_BYTES * GIVEN_BACK);
  }

  #take(guests: readonly Guest[], bytes: number): void {
    const level = levelFor(guests, bytes);
    for (const { ram, used, kept, balloon } of guests) {
      const target = Math.max(level, kept);
      // What it was asked for before stays asked for: it is on its way.
      if (used > target && ram - target > balloon.wanted) balloon.want(ram - target);
    }
  }

  #giveBack(guests: readonly Guest[], bytes: number): void {
    const asked = guests.filter(({ balloon }) => balloon.wanted > 0);
    for (const { balloon } of asked) balloon.want(Math.max(0, balloon.wanted - bytes / asked.length));
  }
}

interface Guest {
  readonly ram: number;
  /** Bytes of it that have frames. */
  readonly used: number;
  readonly kept: number;
  readonly balloon: { readonly wanted: number; want(bytes: number): void };
}

function guestOf({ devices: { balloon }, space, ended }: Domain): Guest | undefined {
  if (balloon === undefined || !balloon.running || ended !== undefined) return undefined;
  const ram = space.ram.bytes;
  return { ram, used: space.mapped * PAGE_BYTES, kept: Math.min(ram, Math.max(KEPT_BYTES, ram * KEPT_PART)), balloon };
}

/** What each may have, so that together they give `bytes`; who has less gives nothing. */
export function levelFor(guests: readonly { readonly used: number; readonly kept: number }[], bytes: number): number {
  const given = (level: number): number =>
    guests.reduce((sum, { used, kept }) => sum + Math.max(0, used - Math.max(level, kept)), 0);
  let low = 0;
  let high = Math.max(0, ...guests.map(({ used }) => used));
  // What is given shrinks with the level.
  while (high - low > PAGE_BYTES) {
    const middle = (low + high) / 2;
    if (given(middle) >= bytes) low = middle;
    else high = middle;
  }
  return low;
}
