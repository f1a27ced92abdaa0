// A disk image in a raw file.

import { closeSync, fdatasyncSync, readSync, writeSync } from "node:fs";
import type { BlockStore } from "../../bus/device.ts";
import { BadInput } from "../../machine/runnable.ts";
import { open } from "./files.ts";

const SECTOR = 512;

/** The last sector of a file whose size is no multiple of 512 reads as if zeros followed; writing it makes the file longer. */
export class BlockFile implements BlockStore {
  readonly bytes: number;
  readonly readOnly: boolean;
  readonly #fd: number;

  /** @throws BadInput when the file is missing, may not be opened so, is empty or no regular file. */
  constructor(path: string, readOnly: boolean) {
    const { fd, stats } = open(path, readOnly ? "r" : "r+");
    const reason = stats.isFile() ? (stats.size === 0 ? "it is empty" : undefined) : "it is no regular file";
    if (reason !== undefined) {
      closeSync(fd);
      throw new BadInput(`cannot use ${path} as a disk: ${reason}; give a raw image (truncate -s 1G FILE makes one)`);
    }
    this.#fd = fd;
    this.readOnly = readOnly;
    this.bytes = Math.ceil(stats.size / SECTOR) * SECTOR;
  }

  read(offset: number, into: Uint8Array): void {
    this.#check(offset, into.length);
    let done = 0;
    while (done < into.length) {
      const read = readSync(this.#fd, into, done, into.length - done, offset + done);
      if (read === 0) {
        into.fill(0, done);
        return;
      }
      done += read;
    }
  }

  write(offset: number, from: Uint8Array): void {
    if (this.readOnly) throw new Error("the disk is read-only");
    this.#check(offset, from.length);
    for (let done = 0; done < from.length; ) {
      done += writeSync(this.#fd, from, done, from.length - done, offset + done);
    }
  }

  flush(): void {
    if (!this.readOnly) fdatasyncSync(this.#fd);
  }

  close(): void {
    closeSync(this.#fd);
  }

  #check(offset: number, length: number): void {
    if (offset < 0 || offset + length > this.bytes) throw new Error("beyond the end of the disk");
  }
}
