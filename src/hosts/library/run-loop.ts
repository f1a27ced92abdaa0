// Drives a machine in slices, so that the host's event loop gets its turn: input, signals, timers.

import type { WatchdogAction } from "../../contract/limits.ts";
import type { RunnableMachine } from "../../machine/runnable.ts";

/** Milliseconds of a slice: short enough for typing to feel immediate, long enough for its overhead to be nothing. */
const SLICE = 8;
/** Milliseconds of a slice while somebody waits for an answer: what the guest writes is seen when its slice ends. */
const SHORT_SLICE = 1;
/** Milliseconds after a key for which that is so. */
const ATTENTION = 25;
/** The longest time that a host's timer takes, near enough: 24 days. */
const LONGEST_SLEEP = 2 ** 31 - 1;
const NANOSECONDS = 1e6;

/** How a host's thread passes time. */
export interface Pace {
  /** Lets the event loop have one turn. */
  turn(): Promise<void>;
  /** Blocks the thread for less than a millisecond, which is too short for the host's timers. Returns at once where it cannot. */
  block(milliseconds: number): void;
}

/** How a run ended. exit: by the guest, with `exitStatus`. */
export type RunEnd = "exit" | "off" | "reset" | "watchdog" | "timeout" | "quit" | "interrupted";

export interface RunLoopOptions {
  readonly pace: Pace;
  /** Called after each slice, when nothing of the machine runs. */
  readonly afterSlice?: (() => void) | undefined;
  /** Whether a reset of the guest's restarts it; otherwise it ends the run. */
  readonly reboot: boolean;
  /** Seconds of wall time after which the run ends. */
  readonly timeout?: number | undefined;
  /** What is done when the guest did not refresh its watchdog in time, and who is told before. With "pause" they hold the loop. */
  readonly watchdog?: { readonly action: WatchdogAction; readonly expired: () => void } | undefined;
}

/** What is driven. */
export type Runnable = Pick<RunnableMachine, "run" | "reset" | "readyToBoot">;

export class RunLoop {
  readonly #machine: Runnable;
  readonly #options: RunLoopOptions;
  /** The guest's own, when the run ended by "exit". */
  exitStatus = 0;
  #end: RunEnd | undefined;
  #held = false;
  /** Until when somebody waits for an answer, as performance.now() tells. */
  #attentive = 0;
  #wake = (): void => {};

  constructor(machine: Runnable, options: RunLoopOptions) {
    this.#machine = machine;
    this.#options = options;
  }

  /** Ends the run at the next opportunity. The first reason counts. */
  stop(end: RunEnd): void {
    this.#end ??= end;
    this.#wake();
  }

  /** Something happened that the guest may wait for: ends a sleep. */
  wake(): void {
    this.#wake();
  }

  /** Somebody has done something, and looks for what comes of it. */
  attend(): void {
    this.#attentive = performance.now() + ATTENTION;
    this.#wake();
  }

  /** Stops between two slices, or goes on. Whoever holds the machine stops its clock, too. */
  hold(held: boolean): void {
    this.#held = held;
    this.#wake();
  }

  /** Runs until the guest ends, or `stop`. Rejects when the machine throws. */
  async run(): Promise<RunEnd> {
    const { timeout, reboot, pace, afterSlice, watchdog } = this.#options;
    const deadline = timeout === undefined ? Number.POSITIVE_INFINITY : performance.now() + timeout * 1000;
    while (this.#end === undefined) {
      const now = performance.now();
      const left = deadline - now;
      if (left <= 0) return "timeout";
      if (this.#held) {
        await this.#sleep(left);
        continue;
      }
      const state = this.#machine.run(Math.min(now < this.#attentive ? SHORT_SLICE : SLICE, left));
      afterSlice?.();
      switch (state.kind) {
        case "running":
          await pace.turn();
          break;
        case "idle":
          await this.#sleep(Math.min(state.nanoseconds / NANOSECONDS, left));
          break;
        case "off":
          return "off";
        case "exit":
          this.exitStatus = state.status;
          return "exit";
        case "watchdog":
          watchdog?.expired();
          if (watchdog?.action === "fail") return "watchdog";
          if (watchdog?.action === "pause") break;
          if (!reboot) return "reset";
          await this.#reset();
          break;
        case "reset":
          if (!reboot) return "reset";
          await this.#reset();
          break;
      }
    }
    return this.#end;
  }

  async #reset(): Promise<void> {
    await this.#machine.readyToBoot?.();
    this.#machine.reset();
    await this.#options.pace.turn();
  }

  async #sleep(milliseconds: number): Promise<void> {
    if (milliseconds < 1) {
      // The event loop comes first, so that input is seen however often the guest sleeps.
      const before = performance.now();
      let woken = false;
      this.#wake = () => {
        woken = true;
      };
      await this.#options.pace.turn();
      const rest = milliseconds - (performance.now() - before);
      if (!woken && rest > 0) this.#options.pace.block(rest);
    } else {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(Math.floor(milliseconds), LONGEST_SLEEP));
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#wake = () => {};
  }
}
