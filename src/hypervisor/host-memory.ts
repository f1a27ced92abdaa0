import type { PageRelease } from "../memory/page-release.ts";
import { type FrameAllocator, RUN_FRAMES } from "./allocator.ts";
import { type MachineMemory, PAGE_BYTES } from "./machine-memory.ts";

const RUN_BYTES = RUN_FRAMES * PAGE_BYTES;
/** Nanoseconds between two looks. What was free at two of them is given back: memory that comes and goes stays. */
const INTERVAL = 500e6;

const ASLEEP = 0;
const IN_USE = 1;
const FREE_ONCE = 2;

export interface HostMemoryOptions {
  readonly memory: MachineMemory;
  readonly frames: FrameAllocator;
  /** Absent: the host takes nothing back. */
  readonly release: PageRelease | undefined;
}

/** What of the machine's RAM takes memory of the host's: it is given back when nobody has it, in blocks of PageRelease. */
export class HostMemory {
  readonly #o: HostMemoryOptions;
  readonly #runs: number;
  readonly #blocks: Uint8Array;
  #next = 0;
  #waits = false;
  /** FrameAllocator.freed at the last look. */
  #freed = 0;

  constructor(options: HostMemoryOptions) {
    this.#o = options;
    this.#runs = (options.release?.block ?? RUN_BYTES) / RUN_BYTES;
    // What is left over behind whole blocks stays.
    this.#blocks = new Uint8Array(Math.floor((options.memory.frames * PAGE_BYTES) / (this.#runs * RUN_BYTES)));
  }

  /** Bytes of RAM that the host may have memory for: what was ever given to somebody, and not back to the host. */
  get taken(): number {
    return this.#o.frames.given.reduce((sum, given) => sum + given, 0) * RUN_BYTES;
  }

  /** When to look again, in nanoseconds of the same clock as `look`; Infinity: nothing is to be given back. */
  get next(): number {
    if (this.#o.release === undefined) return Number.POSITIVE_INFINITY;
    // What became free since the last look is seen by the next, even if nothing runs any more until then.
    return this.#waits || this.#freed !== this.#o.frames.freed ? this.#next : Number.POSITIVE_INFINITY;
  }

  /** @param now nanoseconds. Little work, where it is not yet time for more. */
  look(now: number): void {
    const { release, memory } = this.#o;
    if (now < this.#next || release === undefined) return;
    this.#next = now + INTERVAL;
    this.#waits = false;
    this.#freed = this.#o.frames.freed;
    let first = -1;
    for (let block = 0; block <= this.#blocks.length; block++) {
      const ripe = block < this.#blocks.length && this.#age(block);
      if (ripe && first < 0) first = block;
      if (ripe || first < 0) continue;
      const bytes = (block - first) * release.block;
      if (release.give(memory.linearOf(first * this.#runs * RUN_FRAMES), bytes)) {
        this.#blocks.fill(ASLEEP, first, block);
        this.#o.frames.given.fill(0, first * this.#runs, block * this.#runs);
      }
      first = -1;
    }
  }

  /** Whether it is time to give back a block. */
  #age(block: number): boolean {
    const { frames } = this.#o;
    const first = block * this.#runs;
    const { given } = frames;
    let used = false;
    for (let run = first; !used && run < first + this.#runs; run++) used = given[run] !== 0;
    if (!used) return false;
    if (!frames.areRunsFree(first, this.#runs)) {
      this.#blocks[block] = IN_USE;
      return false;
    }
    if (this.#blocks[block] === FREE_ONCE) return true;
    this.#blocks[block] = FREE_ONCE;
    this.#waits = true;
    return false;
  }
}
