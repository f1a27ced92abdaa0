// Names in a shared folder, made into paths that the host's calls may be given.

import { closeSync, constants, lstatSync, openSync, readlinkSync, realpathSync } from "node:fs";
import { dirname } from "node:path";
import { type FolderPath, isName, parentOf } from "../../bus/folder.ts";

/** What a name of the folder's led to. */
export interface Place {
  /** For calls of the host that act on it. Where `pinned`, they reach it whatever becomes of its names. */
  readonly path: Buffer;
  /** Open for nothing but being looked at (O_PATH), where the host has that. */
  readonly pinned: number | undefined;
  /** Ends the use of `path`. */
  release(): void;
}

/** Finds places. @throws ENOENT where a symbolic link would lead elsewhere, on the way or out of the folder. */
export type Finder = (path: FolderPath) => Place;

/** Not among Node's constants; the same number on all of Linux's architectures that Node runs on. */
const O_PATH = 0o10000000;

export function bytesOf(path: string): Buffer {
  return Buffer.from(path, "latin1");
}

export function failure(code: string): Error {
  return Object.assign(new Error(code), { code });
}

/** @param root absolute, without symbolic links, as a byte string. */
export function finderFor(root: string): Finder {
  return hasPins(root) ? pins(root) : checkedPaths(root);
}

/**
 * Linux: a descriptor that was opened with O_PATH stays with its file or directory, and /proc/self/fd/N is that very one. Where it really
 * is, the kernel says afterwards: had any part of the path been a symbolic link, it would not be where its name says. So nobody can put
 * a link in place between a look and a use. What is in a pinned directory is /proc/self/fd/N/name.
 */
export function pins(root: string): Finder {
  const whole = (path: FolderPath): string => (path === "" ? root : `${root === "/" ? "" : root}/${path}`);
  const find = (path: FolderPath): Place => {
    const fd = pin(path);
    return { path: bytesOf(`/proc/self/fd/${fd}`), pinned: fd, release: () => closeSync(fd) };
  };
  const pin = (path: FolderPath): number => {
    let fd: number;
    try {
      fd = openSync(bytesOf(whole(path)), O_PATH | constants.O_NOFOLLOW);
    } catch (error) {
      // Of what is elsewhere a guest does not learn why it cannot be reached.
      if (path !== "" && !OF_THE_PROCESS.has((error as NodeJS.ErrnoException).code ?? ""))
        find(parentOf(path)).release();
      throw error;
    }
    try {
      if (readlinkSync(`/proc/self/fd/${fd}`, "latin1") === whole(path)) return fd;
    } catch {}
    closeSync(fd);
    throw failure("ENOENT");
  };
  return find;
}

/** Errors that do not come from the path. */
const OF_THE_PROCESS: ReadonlySet<string> = new Set(["EMFILE", "ENFILE", "ENOMEM"]);

/** Elsewhere: a look first. Whoever changes the host's folder between the look and the use may lead the use out of it. */
export function checkedPaths(root: string): Finder {
  const nothing = (): void => {};
  return (path) => {
    // Windows has more characters that separate.
    if (process.platform === "win32" && /[\\:]/.test(path)) throw failure("ENOENT");
    const whole = path === "" ? root : `${root}/${path}`;
    const bytes = bytesOf(whole);
    if (path !== "") {
      if (!path.split("/").every(isName)) throw failure("ENOENT");
      const real = realpathSync.native(bytesOf(dirname(whole)), "latin1");
      if (real !== dirname(whole)) throw failure("ENOENT");
      lstatSync(bytes);
    }
    return { path: bytes, pinned: undefined, release: nothing };
  };
}

function hasPins(root: string): boolean {
  if (process.platform !== "linux") return false;
  try {
    pins(root)("").release();
    return true;
  } catch {
    return false;
  }
}
