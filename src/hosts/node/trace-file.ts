import { closeSync, openSync, writeSync } from "node:fs";
import { asBadInput } from "./files.ts";

/** A file of lines that is written while a machine runs. When the host refuses, it says so once, and the rest is dropped. */
export class TraceFile {
  readonly #path: string;
  readonly #onError: (message: string) => void;
  #fd: number | undefined;

  /** @throws BadInput when the file cannot be made. */
  constructor(path: string, onError: (message: string) => void) {
    this.#path = path;
    this.#onError = onError;
    try {
      this.#fd = openSync(path, "w");
    } catch (error) {
      throw asBadInput(error, "write", path);
    }
  }

  readonly write = (text: string): void => {
    if (this.#fd === undefined) return;
    try {
      const bytes = Buffer.from(text);
      for (let done = 0; done < bytes.length; ) done += writeSync(this.#fd, bytes, done);
    } catch (error) {
      this.close();
      this.#onError(`${asBadInput(error, "write", this.#path).message}; the trace ends here`);
    }
  };

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}
