import type { Frame } from "./frame.ts";
import type { ReadyQueue, Source } from "./ready-queue.ts";

/** Answers that wait for the guest. More are dropped: it asks again for what it still wants. */
const LENGTH_MAX = 256;

/** Single frames for the guest: what the network itself has to say. Each is written when its turn comes. */
export class Outbox implements Source {
  queued = false;
  nextReady: Source | undefined = undefined;
  readonly #ready: ReadyQueue;
  #writers: ((frame: Frame) => void)[] = [];
  #first = 0;

  constructor(ready: ReadyQueue) {
    this.#ready = ready;
  }

  write(writer: (frame: Frame) => void): void {
    if (this.#writers.length - this.#first >= LENGTH_MAX) return;
    this.#writers.push(writer);
    this.#ready.add(this);
  }

  get pending(): boolean {
    return this.#first < this.#writers.length;
  }

  emit(frame: Frame): boolean {
    const writer = this.#writers[this.#first++];
    if (!this.pending) this.clear();
    writer?.(frame);
    return writer !== undefined;
  }

  clear(): void {
    this.#writers = [];
    this.#first = 0;
  }
}
