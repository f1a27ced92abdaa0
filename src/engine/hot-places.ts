import { HOT, HOT_LOOKS, HOT_WINDOW } from "./limits.ts";

/**
 * Which places are worth translating, of those that taken branches come to. What is a loop now is noticed soon, by how often branches come in a
 * little while; what is only come to now and then, when it has been often in all.
 */
export class HotPlaces {
  /** How often it was looked at each place in this window. */
  readonly #looks = new Map<number, number>();
  #slices = 0;

  /** Branches have come to a record another LOOK_EVERY times, and `heat` in all: is it hot? Said each time. */
  isHot(record: number, heat: number): boolean {
    const looks = (this.#looks.get(record) ?? 0) + 1;
    this.#looks.set(record, looks);
    return looks >= HOT_LOOKS || heat >= HOT;
  }

  /** A slice is over. */
  passed(): void {
    if (++this.#slices < HOT_WINDOW) return;
    this.#slices = 0;
    this.#looks.clear();
  }
}
