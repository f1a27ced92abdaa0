import { closeSync, constants, ftruncateSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ImageError } from "../../images/error.ts";
import type { Storage } from "../../images/storage.ts";
import { entropy } from "./entropy.ts";
import { reasonOf } from "./files.ts";

/** A file among the host's temporary ones that is gone when it is closed, or its process ends. Flushing it does nothing. */
export class TemporaryFile implements Storage {
  /** What uses it may set that. */
  readOnly = false;
  readonly name: string;
  readonly identity: string;
  readonly #fd: number;
  #size = 0;
  #closed = false;

  constructor() {
    const random = new Uint8Array(8);
    entropy.fill(random);
    this.name = join(tmpdir(), `atoll-disk-${Buffer.from(random).toString("hex")}`);
    this.identity = this.name;
    this.#fd = this.#attempt(() => openSync(this.name, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600));
    // A file without a name lives until it is closed. Windows does not have that.
    if (process.platform !== "win32") rmSync(this.name);
  }

  size(): number {
    return this.#size;
  }

  read(offset: number, into: Uint8Array): void {
    for (let done = 0; done < into.length; ) {
      const read = this.#attempt(() => readSync(this.#fd, into, done, into.length - done, offset + done));
      if (read === 0) {
        into.fill(0, done);
        return;
      }
      done += read;
    }
  }

  write(offset: number, from: Uint8Array): void {
    for (let done = 0; done < from.length; ) {
      done += this.#attempt(() => writeSync(this.#fd, from, done, from.length - done, offset + done));
      this.#size = Math.max(this.#size, offset + done);
    }
  }

  truncate(size: number): void {
    this.#attempt(() => ftruncateSync(this.#fd, size));
    this.#size = size;
  }

  discard(): void {}
  flush(): void {}

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.#fd);
    if (process.platform === "win32") rmSync(this.name, { force: true });
  }

  #attempt<T>(action: () => T): T {
    try {
      return action();
    } catch (error) {
      throw new ImageError("host", `cannot write the temporary file ${this.name}: ${reasonOf(error)}`);
    }
  }
}
