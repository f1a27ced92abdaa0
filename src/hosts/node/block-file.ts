// The files under disk images.

import {
  closeSync,
  constants,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import { ImageError } from "../../images/error.ts";
import type { ImageHost, Storage } from "../../images/storage.ts";
import { codecs } from "./codecs.ts";
import { FileLock } from "./file-lock.ts";
import { reasonOf } from "./files.ts";

/** Bytes that one call of the host reads or writes. */
const MOST_AT_ONCE = 2 ** 30;

/** A regular file. A writable one is locked: no other process, and nobody else in this one, has it writable at the same time. */
export class BlockFile implements Storage {
  readonly readOnly: boolean;
  readonly name: string;
  readonly identity: string;
  readonly #fd: number;
  readonly #lock: FileLock | undefined = undefined;
  #size: number;
  #closed = false;

  /**
   * @param locked nothing is asked of others, and they do not learn of this one, where that is false.
   * @throws ImageError ("host") when it is missing, may not be opened so, is no regular file, or somebody is writing it.
   */
  constructor(path: string, writable: boolean, locked = true) {
    this.name = path;
    this.readOnly = !writable;
    this.#fd = attempt(writable ? "write" : "read", path, () => {
      const stats = statSync(path);
      if (stats.isDirectory())
        throw new ImageError("host", `cannot ${writable ? "write" : "read"} ${path}: it is a directory, name a file`);
      // Opening a pipe would wait for its other end.
      if (!stats.isFile()) throw new ImageError("host", `cannot use ${path} as a disk: it is no regular file`);
      return openSync(path, writable ? constants.O_RDWR : constants.O_RDONLY);
    });
    try {
      const stats = fstatSync(this.#fd, { bigint: true });
      this.identity = `${stats.dev}:${stats.ino}`;
      this.#size = Number(stats.size);
      if (locked)
        this.#lock = writable ? FileLock.exclusive(path, this.identity) : FileLock.shared(path, this.identity);
    } catch (error) {
      closeSync(this.#fd);
      throw error;
    }
  }

  size(): number {
    // Only who writes it knows: others may make it longer.
    if (this.readOnly) this.#size = attempt("read", this.name, () => fstatSync(this.#fd).size);
    return this.#size;
  }

  read(offset: number, into: Uint8Array): void {
    attempt("read", this.name, () => {
      for (let done = 0; done < into.length; ) {
        const read = readSync(this.#fd, into, done, Math.min(into.length - done, MOST_AT_ONCE), offset + done);
        if (read === 0) {
          into.fill(0, done);
          return;
        }
        done += read;
      }
    });
  }

  write(offset: number, from: Uint8Array): void {
    this.#writing();
    attempt("write", this.name, () => {
      for (let done = 0; done < from.length; ) {
        done += writeSync(this.#fd, from, done, Math.min(from.length - done, MOST_AT_ONCE), offset + done);
        this.#size = Math.max(this.#size, offset + done);
      }
    });
  }

  truncate(size: number): void {
    this.#writing();
    attempt("write", this.name, () => ftruncateSync(this.#fd, size));
    this.#size = size;
  }

  /** Node has no call that makes a hole in a file. */
  discard(): void {}

  flush(): void {
    if (!this.readOnly) attempt("write", this.name, () => fdatasyncSync(this.#fd));
  }

  /** Bytes of the host's disk that the file takes. */
  allocated(): number {
    return fstatSync(this.#fd).blocks * 512;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.#fd);
    this.#lock?.release();
  }

  #writing(): void {
    if (this.readOnly) throw new ImageError("host", `${this.name} is read-only`);
  }
}

function attempt<T>(verb: "read" | "write", path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof ImageError) throw error;
    throw new ImageError("host", `cannot ${verb} ${path}: ${reasonOf(error)}`);
  }
}

const beside = (image: string, name: string): string => (isAbsolute(name) ? name : join(dirname(image), name));

export const nodeImages: ImageHost = { open: (path, writable) => new BlockFile(path, writable), beside, codecs };

/** For looking at images that somebody may be using. */
export const unlockedImages: ImageHost = {
  open: (path, writable) => new BlockFile(path, writable, false),
  beside,
  codecs,
};
