import { closeSync, existsSync, linkSync, openSync, renameSync, rmSync } from "node:fs";
import { ImageError } from "../../images/error.ts";
import { BlockFile } from "./block-file.ts";
import { reasonOf } from "./files.ts";

/** A file that gets its name when it is finished: before that nobody can take it for a good one, and what was there stays. */
export class NewFile {
  readonly storage: BlockFile;
  readonly #path: string;
  readonly #temporary: string;
  readonly #replace: boolean;
  #done = false;

  /** @param replace it may take the place of a file. @throws ImageError ("host") when it may not, or the host fails. */
  constructor(path: string, replace: boolean) {
    this.#path = path;
    this.#replace = replace;
    this.#temporary = `${path}.${process.pid}.tmp`;
    if (!replace && existsSync(path)) throw exists(path);
    try {
      closeSync(openSync(this.#temporary, "wx", 0o666));
    } catch (error) {
      throw new ImageError("host", `cannot write ${path}: ${reasonOf(error)}`);
    }
    this.storage = new BlockFile(this.#temporary, true);
  }

  /** Gives the file its name. Its storage was closed. */
  finish(): void {
    if (this.#done) return;
    this.#done = true;
    try {
      if (this.#replace || !this.#link()) renameSync(this.#temporary, this.#path);
    } catch (error) {
      rmSync(this.#temporary, { force: true });
      if ((error as NodeJS.ErrnoException).code === "EEXIST") throw exists(this.#path);
      throw new ImageError("host", `cannot write ${this.#path}: ${reasonOf(error)}`);
    }
  }

  /** Unlike renaming, this fails where there is a file by now; it is not to be had on all file systems. */
  #link(): boolean {
    try {
      linkSync(this.#temporary, this.#path);
      rmSync(this.#temporary);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") throw error;
      return false;
    }
  }

  /** Removes it, unless it is finished. */
  abandon(): void {
    if (this.#done) return;
    this.#done = true;
    this.storage.close();
    rmSync(this.#temporary, { force: true });
  }
}

function exists(path: string): ImageError {
  return new ImageError("host", `${path} exists: --force replaces it`);
}
