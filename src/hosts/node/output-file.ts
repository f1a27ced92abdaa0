import { closeSync, openSync, writeSync } from "node:fs";
import { asBadInput } from "./files.ts";

/** A trace or a capture that is written while a machine runs. When the host refuses, it says so once, and the rest is dropped. */
export class OutputFile {
  readonly #path: string;
  readonly #what: string;
  readonly #onError: (message: string) => void;
  #fd: number | undefined;

  /**
   * @param what is written: a noun for the message.
   * @throws BadInput when the file cannot be made.
   */
  constructor(path: string, what: string, onError: (message: string) => void) {
    this.#path = path;
    this.#what = what;
    this.#onError = onError;
    try {
      this.#fd = openSync(path, "w");
    } catch (error) {
      throw asBadInput(error, "write", path);
    }
  }

  readonly write = (data: string | Uint8Array): void => {
    if (this.#fd === undefined) return;
    try {
      const bytes = typeof data === "string" ? Buffer.from(data) : data;
      for (let done = 0; done < bytes.length; ) done += writeSync(this.#fd, bytes, done);
    } catch (error) {
      this.close();
      this.#onError(`${asBadInput(error, "write", this.#path).message}; the ${this.#what} ends here`);
    }
  };

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}
