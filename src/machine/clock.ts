import type { Clock } from "../bus/device.ts";

interface Alarm {
  readonly at: number;
  /** Of two alarms for the same time the one that was set first comes first. */
  readonly order: number;
  readonly callback: () => void;
}

/**
 * A machine's time: nanoseconds since its power-on by a host's clock, and alarms, which the run loop calls when they are due.
 * A host's clock that goes back is held.
 */
export class MachineClock implements Clock {
  readonly #monotonic: () => number;
  #start: number;
  #held = false;
  /** By time: the next one last. Devices have few. */
  readonly #alarms: Alarm[] = [];
  #order = 0;
  #now = 0;

  /** `monotonic`: nanoseconds from any start. */
  constructor(monotonic: () => number) {
    this.#monotonic = monotonic;
    this.#start = monotonic();
  }

  /** Stops time, or lets it go on from where it stopped. */
  hold(held: boolean): void {
    if (held === this.#held) return;
    this.now();
    this.#held = held;
    if (!held) this.#start = this.#monotonic() - this.#now;
  }

  /** Goes on from that time, as a machine that is restored does. Alarms that were set are not moved. */
  resumeAt(nanoseconds: number): void {
    this.#now = nanoseconds;
    this.#start = this.#monotonic() - nanoseconds;
  }

  now(): number {
    if (this.#held) return this.#now;
    const now = this.#monotonic() - this.#start;
    if (now > this.#now) this.#now = now;
    return this.#now;
  }

  at(nanoseconds: number, callback: () => void): () => void {
    const alarm: Alarm = { at: nanoseconds, order: this.#order++, callback };
    let index = this.#alarms.length;
    while (index > 0 && isBefore(this.#alarms[index - 1] as Alarm, alarm)) index--;
    this.#alarms.splice(index, 0, alarm);
    return () => {
      const found = this.#alarms.indexOf(alarm);
      if (found >= 0) this.#alarms.splice(found, 1);
    };
  }

  /** When the next alarm is due; Infinity: there is none. */
  next(): number {
    return this.#alarms.at(-1)?.at ?? Number.POSITIVE_INFINITY;
  }

  /** Calls the alarms that are due by now. Those that they set have to wait for the next call, so this ends. */
  runDue(): void {
    const now = this.now();
    const order = this.#order;
    for (let alarm = this.#alarms.at(-1); alarm !== undefined && alarm.at <= now; alarm = this.#alarms.at(-1)) {
      if (alarm.order >= order) return;
      this.#alarms.pop();
      alarm.callback();
    }
  }
}

const isBefore = (a: Alarm, b: Alarm): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);
