import { HOT, HOT_WINDOW } from "./limits.ts";

/**
 * Which places are worth translating, of those that taken branches come to. What is a loop now is noticed soon, by how often branches come in a
 * little while; what is only come to now and then, when it has been often in all.
 */
export class HotPlaces {
  /** Places that branches came to LOOK_EVERY times in this window, and whether they were found hot. */
  readonly #seen = new Map<number, boolean>();
  #slices = 0;

  /** Branches have come to a record another LOOK_EVERY times, and `heat` in all: is it hot? Said once, or after a while again. */
  isHot(record: number, heat: number): boolean {
    const found = this.#seen.get(record);
    const isHot = found === false || (found === undefined && heat >= HOT);
    this.#seen.set(record, isHot || found === true);
    return isHot;
  }

  /** A slice is over. */
  passed(): void {
    if (++this.#slices < HOT_WINDOW) return;
    this.#slices = 0;
    this.#seen.clear();
  }
}
