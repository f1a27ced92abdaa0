import type { Restart } from "../../contract/domain.ts";

/** Seconds without a failure after which earlier ones are forgotten. */
const GOOD = 60;

/** When a domain that ended is started again: each time after twice the time, up to a limit, until it has gone well for a minute. */
export class BackOff {
  readonly #restart: Restart;
  #inARow = 0;
  /** It is not started again, as it was too often. */
  gaveUp = false;

  constructor(restart: Restart) {
    this.#restart = restart;
  }

  /**
   * It ended. @param failed rather than shut down. @param ran for so many seconds.
   * @returns seconds until it is to be started again; undefined: it is not.
   */
  next(failed: boolean, ran: number): number | undefined {
    const { when, most, delay, longest } = this.#restart;
    this.gaveUp = false;
    if (when === "never" || (when === "failure" && !failed)) return undefined;
    if (ran >= GOOD) this.#inARow = 0;
    this.gaveUp = most !== undefined && this.#inARow >= most;
    if (this.gaveUp) return undefined;
    // 2 ** 40 seconds are more than any limit; beyond that, powers would end in Infinity.
    const wait = Math.min(delay * 2 ** Math.min(this.#inARow, 40), Math.max(delay, longest));
    this.#inARow++;
    return wait;
  }
}
