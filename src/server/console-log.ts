// The file of what a console showed. It is bounded: what is older than its last megabytes goes.

import { closeSync, fstatSync, openSync, readSync, renameSync, writeSync } from "node:fs";

/** Bytes of a log; there are two at most. */
const LOG_MAX = 8 * 2 ** 20;

export class ConsoleLog {
  readonly #path: string;
  #fd: number;
  #bytes: number;

  constructor(path: string) {
    this.#path = path;
    this.#fd = openSync(path, "a+", 0o600);
    this.#bytes = fstatSync(this.#fd).size;
  }

  /** The last bytes of it, `most` at most. */
  tail(most: number): Uint8Array {
    const bytes = new Uint8Array(Math.min(most, this.#bytes));
    return bytes.subarray(0, readSync(this.#fd, bytes, 0, bytes.length, this.#bytes - bytes.length));
  }

  /** A full disk loses lines of the log: that is no reason to stop a machine. */
  write(bytes: Uint8Array): void {
    try {
      if (this.#bytes + bytes.length > LOG_MAX) this.#rotate();
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at);
      this.#bytes += bytes.length;
    } catch {}
  }

  close(): void {
    closeSync(this.#fd);
  }

  #rotate(): void {
    renameSync(this.#path, `${this.#path}.1`);
    closeSync(this.#fd);
    this.#fd = openSync(this.#path, "a+", 0o600);
    this.#bytes = 0;
  }
}
