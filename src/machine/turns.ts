/** Instructions of one PE's turn: 0.1 to 1 ms of interpreted code, so that interrupts come soon. */
const LEAST = 0x8000;
/** Translated code does so many in 15 us, and what comes between two turns takes 1: its turns are up to so many times as long. */
const MOST = LEAST * 8;
/** Nanoseconds of a turn that is short enough for the next one to be longer, and of one that is not to be so long again. */
const SHORT = 50e3;
const LONG = 150e3;

/** How long the turns of a machine's PEs are, by how long the last one took. */
export class Turns {
  #instructions = LEAST;

  /** Of the next turn, for each PE. */
  get instructions(): number {
    return this.#instructions;
  }

  /** A turn of all PEs has taken so many nanoseconds. */
  took(nanoseconds: number): void {
    if (nanoseconds < SHORT) this.#instructions = Math.min(this.#instructions * 2, MOST);
    else if (nanoseconds > LONG) this.#instructions = LEAST;
  }
}
