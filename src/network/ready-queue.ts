import type { Frame } from "./frame.ts";

/** Something that has frames for the guest. */
export interface Source {
  /** Whether it waits for its turn. Only the queue sets it. */
  queued: boolean;
  nextReady: Source | undefined;
  /** Writes its next frame. False: it has none after all. */
  emit(frame: Frame): boolean;
  /** Whether it has one now. */
  readonly pending: boolean;
}

/** Sources that have something to send, one frame of each in turn. */
export class ReadyQueue {
  #first: Source | undefined;
  #last: Source | undefined;

  add(source: Source): void {
    if (source.queued) return;
    source.queued = true;
    source.nextReady = undefined;
    if (this.#last === undefined) this.#first = source;
    else this.#last.nextReady = source;
    this.#last = source;
  }

  /** The next frame, written to `frame`; false: nobody has one. */
  emit(frame: Frame): boolean {
    for (;;) {
      const source = this.#first;
      if (source === undefined) return false;
      this.#first = source.nextReady;
      if (this.#first === undefined) this.#last = undefined;
      source.queued = false;
      source.nextReady = undefined;
      const written = source.emit(frame);
      if (source.pending) this.add(source);
      if (written) return true;
    }
  }

  clear(): void {
    while (this.#first !== undefined) {
      const source = this.#first;
      this.#first = source.nextReady;
      source.queued = false;
      source.nextReady = undefined;
    }
    this.#last = undefined;
  }
}
