/** A monotonic clock that can be held: a machine does not see the time in which it was. */
export class HoldClock {
  readonly #source: () => number;
  #lost = 0;
  #heldAt: number | undefined;

  /** @param source nanoseconds that never go back. */
  constructor(source: () => number) {
    this.#source = source;
  }

  readonly now = (): number => (this.#heldAt ?? this.#source()) - this.#lost;

  hold(held: boolean): void {
    if (held) this.#heldAt ??= this.#source();
    else if (this.#heldAt !== undefined) {
      this.#lost += this.#source() - this.#heldAt;
      this.#heldAt = undefined;
    }
  }
}
