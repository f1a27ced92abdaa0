import { HOT, HOT_LOOKS, HOT_WINDOW } from "./limits.ts";

/**
 * Which places are worth translating, of those that taken branches come to. What is a loop now is noticed soon, by how often branches come in a
 * little while; what is only come to now and then, when it has been often in all.
 */
export class HotPlaces {
  /** How often it was looked at each place in this window. */
  readonly #looks = new Map<number, number>();
  #instructions = 0;

  /** Branches have come to a record another LOOK_EVERY times, and `heat` in all: is it hot? Said each time. */
  isHot(record: number, heat: number): boolean {
    const looks = (this.#looks.get(record) ?? 0) + 1;
    this.#looks.set(record, looks);
    return looks >= HOT_LOOKS || heat >= HOT;
  }

  /** So many instructions have been executed. What was left early has taken its time elsewhere. */
  passed(instructions: number): void {
    this.#instructions += Math.max(instructions, HOT_WINDOW / 32);
    if (this.#instructions < HOT_WINDOW) return;
    this.#instructions = 0;
    this.#looks.clear();
  }
}
