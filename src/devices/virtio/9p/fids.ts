// Fids: the client's handles on files.

import {
  type FolderPath,
  isName,
  type OpenDirectory,
  type OpenFile,
  type OpenFlags,
  type SharedFolder,
} from "../../../bus/folder.ts";
import type { Fields, Saved } from "../../../snapshot/fields.ts";
import { FileError } from "./errno.ts";

/** As many as a client may have, and may have open: what it makes the host keep is bounded. */
export const FIDS_MAX = 0x1_0000;
const OPEN_MAX = 0x1000;
/** Characters of one path, as Linux has it, and of all. */
const PATH_MAX = 4095;
const PATHS_MAX = 64 * 0x10_0000;

/** A directory that is read, from one entry to the next. */
export interface Listing {
  directory: OpenDirectory;
  /** The entry that comes next, counted from 0 with "." and "..". */
  next: number;
  /** It has been read already, and there was no room for it. */
  pending: string | undefined;
}

export interface Fid {
  path: FolderPath;
  /** Who has attached. */
  readonly user: number;
  /** A file with the flags that it is open for. */
  open: { readonly file: OpenFile; readonly flags: OpenFlags } | { readonly listing: Listing } | undefined;
}

function stale(): never {
  throw new FileError("ESTALE");
}

/** A file that is gone. */
const STALE_FILE: OpenFile = {
  ...{ attributes: stale, setPermissions: stale, setTimes: stale },
  ...{ read: stale, write: stale, resize: stale, sync: stale },
  close: () => {},
};

function openAgain(open: () => OpenFile): OpenFile {
  try {
    return open();
  } catch {
    return STALE_FILE;
  }
}

function listAgain(list: () => OpenDirectory): OpenDirectory {
  try {
    return list();
  } catch {
    return { next: stale, close: () => {} };
  }
}

export class Fids {
  readonly #fids = new Map<number, Fid>();
  #open = 0;
  #characters = 0;

  save(): Saved[] {
    return [...this.#fids].map(([number, { path, user, open }]) => {
      if (open === undefined) return { number, path, user };
      if ("listing" in open) return { number, path, user, listing: true };
      const { read, write, append } = open.flags;
      return { number, path, user, file: { read, write, append } };
    });
  }

  /** What was open is opened again by its path; what is there no more is stale. */
  restore(states: readonly Fields[], folder: SharedFolder): void {
    this.clear();
    for (const state of states) {
      const path = state.text("path", PATH_MAX);
      if (path !== "" && !path.split("/").every(isName)) throw state.wrong("path");
      const number = state.whole("number");
      if (this.#fids.has(number)) throw state.wrong("number");
      try {
        this.add(number, path, state.whole("user"));
        const fid = this.get(number);
        if (state.has("file")) {
          const file = state.object("file");
          const flag = (name: string): boolean => file.flag(name);
          const flags = { read: flag("read"), write: flag("write"), append: flag("append"), truncate: false };
          this.open(fid, () => ({ flags, file: openAgain(() => folder.open(path, flags)) }));
        } else if (state.has("listing")) {
          this.open(fid, () => ({
            listing: { directory: listAgain(() => folder.list(path)), next: 0, pending: undefined },
          }));
        }
      } catch (error) {
        if (error instanceof FileError) throw state.wrong("fid");
        throw error;
      }
    }
  }

  get(number: number): Fid {
    const fid = this.#fids.get(number);
    if (fid === undefined) throw new FileError("EBADF");
    return fid;
  }

  /** @param instead it takes the place of the one that has this number, which it must then be. */
  add(number: number, path: FolderPath, user: number, instead = false): void {
    const old = this.#fids.get(number);
    if (old !== undefined && !instead) throw new FileError("EBADF");
    if (path.length > PATH_MAX) throw new FileError("ENAMETOOLONG");
    if (this.#fids.size >= FIDS_MAX || this.#characters + path.length > PATHS_MAX) throw new FileError("ENFILE");
    if (old !== undefined) this.remove(number);
    this.#fids.set(number, { path, user, open: undefined });
    this.#characters += path.length;
  }

  /** Opens a fid that is not open yet, with what `how` gives. */
  open(fid: Fid, how: () => NonNullable<Fid["open"]>): void {
    if (fid.open !== undefined) throw new FileError("EINVAL");
    if (this.#open >= OPEN_MAX) throw new FileError("EMFILE");
    fid.open = how();
    this.#open++;
  }

  remove(number: number): void {
    const fid = this.get(number);
    this.#fids.delete(number);
    this.#characters -= fid.path.length;
    if (fid.open === undefined) return;
    this.#open--;
    if ("file" in fid.open) fid.open.file.close();
    else fid.open.listing.directory.close();
  }

  clear(): void {
    for (const number of [...this.#fids.keys()]) {
      try {
        this.remove(number);
      } catch {
        // What cannot be closed is gone all the same.
      }
    }
  }

  /** What was called `from`, and all in it, is called `to` now. */
  moved(from: FolderPath, to: FolderPath): void {
    for (const [number, fid] of this.#fids) {
      if (fid.path !== from && !fid.path.startsWith(`${from}/`)) continue;
      const path = to + fid.path.slice(from.length);
      // No call of the host reaches so far.
      if (path.length > PATH_MAX) {
        this.remove(number);
        continue;
      }
      this.#characters += path.length - fid.path.length;
      fid.path = path;
    }
  }
}
