// A clock for measurements on a computer that others use, too: it goes on while this thread has a CPU, and not while others have it.

/** Nanoseconds between two looks that may be somebody else's turn: then the thread's own CPU time is asked for. */
const GAP = 300e3;

const cpuTime = (): number => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) * 1e3;
};

export class OwnTime {
  #last = performance.now() * 1e6;
  /** Wall clock time that was others'. */
  #others = 0;
  #skipped = 0;
  #given = 0;
  readonly #start = this.#last;
  readonly #cpuStart = cpuTime();

  /** Nanoseconds of this thread's own time, and what was skipped. */
  readonly now = (): number => {
    const wall = performance.now() * 1e6;
    if (wall - this.#last > GAP) {
      const mine = cpuTime() - this.#cpuStart;
      this.#others = Math.max(this.#others, wall - this.#start - mine);
    }
    this.#last = wall;
    this.#given = Math.max(this.#given, wall - this.#start - this.#others + this.#skipped);
    return this.#given;
  };

  /** There is nothing to be done for so long. */
  readonly skip = (nanoseconds: number): void => {
    this.#skipped += nanoseconds;
  };
}
