// The files of one directory for a guest's semihosting. No name and no link leads out of it.

import { randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readSync,
  realpathSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join, relative, sep } from "node:path";
import { BadInput } from "../../machine/runnable.ts";
import type { OpenMode, SemihostingFile, SemihostingFiles } from "../../machine/semihosting/host.ts";

const { O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_APPEND, O_NOFOLLOW, O_NONBLOCK } = constants;
const FLAGS: Readonly<Record<OpenMode, number>> = { read: 0, write: O_CREAT | O_TRUNC, append: O_CREAT | O_APPEND };
/** On Windows there are none of these. */
const SAFE = (O_NOFOLLOW ?? 0) | (O_NONBLOCK ?? 0);

export class DirectoryFiles implements SemihostingFiles {
  readonly #root: string;
  /** In temporary names, so that two machines in one directory do not meet. */
  readonly #mark = randomBytes(6).toString("hex");

  /** @throws BadInput when it is no directory. */
  constructor(directory: string) {
    try {
      this.#root = realpathSync(directory);
    } catch {
      throw new BadInput(`cannot use ${directory}: no such directory`);
    }
    if (!statSync(this.#root).isDirectory()) throw new BadInput(`cannot use ${directory}: it is no directory`);
  }

  open(name: string, mode: OpenMode, update: boolean): SemihostingFile {
    const path = this.#target(this.#place(name));
    const access = update ? O_RDWR : mode === "read" ? O_RDONLY : O_WRONLY;
    const fd = openSync(path, access | FLAGS[mode] | SAFE, 0o666);
    // A pipe or a device would make the machine wait, or be more than a file.
    if (!fstatSync(fd).isFile()) {
      closeSync(fd);
      throw refusal("it is no file");
    }
    return new OpenFile(fd, mode === "append");
  }

  remove(name: string): void {
    unlinkSync(this.#place(name));
  }

  rename(from: string, to: string): void {
    renameSync(this.#place(from), this.#place(to));
  }

  temporaryName(number: number): string {
    return `atoll-${this.#mark}-${number}`;
  }

  /** Where a name is, its last part not followed if it is a link. A leading / means the directory. */
  #place(name: string): string {
    if (name.includes("\0") || (sep !== "/" && /[\\:]/.test(name))) throw refusal("not a name");
    const path = join(this.#root, name);
    const last = basename(name);
    if (last === "" || last === "." || last === ".." || path === this.#root) throw refusal("it names no file");
    // By its name first, so that a guest does not learn which files there are elsewhere.
    return join(this.#inside(realpathSync(dirname(this.#inside(path)))), last);
  }

  /** Where a link leads, if it is one. */
  #target(path: string): string {
    const isLink = lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
    return isLink ? this.#inside(realpathSync(path)) : path;
  }

  #inside(path: string): string {
    const way = relative(this.#root, path);
    if (way === ".." || way.startsWith(`..${sep}`) || join(this.#root, way) !== path) throw refusal("it is outside");
    return path;
  }
}

function refusal(reason: string): Error {
  return Object.assign(new Error(reason), { code: "EACCES" });
}

class OpenFile implements SemihostingFile {
  readonly #fd: number;
  readonly #append: boolean;

  constructor(fd: number, append: boolean) {
    this.#fd = fd;
    this.#append = append;
  }

  read(at: number, into: Uint8Array): number {
    let have = 0;
    while (have < into.length) {
      const count = readSync(this.#fd, into, have, into.length - have, at + have);
      if (count === 0) break;
      have += count;
    }
    return have;
  }

  write(at: number, from: Uint8Array): number {
    return writeSync(this.#fd, from, 0, from.length, this.#append ? null : at);
  }

  length(): number {
    return fstatSync(this.#fd).size;
  }

  close(): void {
    closeSync(this.#fd);
  }
}
