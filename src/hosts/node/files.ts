// Files on the host, with failures as one line that names the file.

import { closeSync, fstatSync, openSync, readSync, type Stats, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { BadInput, type NamedBytes } from "../../machine/runnable.ts";

/** The root of the package, from src/ and from dist/ alike. */
const PACKAGE_ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/** A file that comes with the package, or that its build made. */
export function packageFile(...path: string[]): string {
  return join(PACKAGE_ROOT, ...path);
}

/** Loads a file that the package cannot work without. */
export function loadPackageFile(...path: string[]): Uint8Array {
  try {
    return load(packageFile(...path)).bytes;
  } catch {
    throw new BadInput(`the package is incomplete, ${join(...path)} is missing: run npm ci again`);
  }
}

/** More than a guest can have of RAM, and less than what a Uint8Array can hold. */
const MAX_FILE_BYTES = 2 ** 32;

/**
 * Reads a whole file, or a pipe to its end.
 * @throws BadInput when it is missing, unreadable, a directory, or larger than `limit` bytes.
 */
export function load(path: string, limit = MAX_FILE_BYTES): NamedBytes {
  const file = open(path, "r");
  try {
    const size = file.stats.isFile() ? file.stats.size : undefined;
    if (size !== undefined && size > limit) throw tooLarge(path, limit);
    return { name: path, bytes: size === undefined ? readStream(path, file.fd, limit) : readSized(file.fd, size) };
  } catch (error) {
    throw asBadInput(error, "read", path);
  } finally {
    closeSync(file.fd);
  }
}

/** Writes a whole file. @throws BadInput when the host refuses. */
export function save(path: string, bytes: Uint8Array): void {
  try {
    writeFileSync(path, bytes);
  } catch (error) {
    throw asBadInput(error, "write", path);
  }
}

/** Characters that are written to a file in one go. */
const TEXT_AT_ONCE = 2 ** 16;

/** Writes a whole file of pieces of text. @throws BadInput when the host refuses. */
export function saveText(path: string, pieces: Iterable<string>): void {
  let fd: number | undefined;
  try {
    fd = openSync(path, "w");
    let text = "";
    for (const piece of pieces) {
      text += piece;
      if (text.length < TEXT_AT_ONCE) continue;
      writeFileSync(fd, text);
      text = "";
    }
    writeFileSync(fd, text);
  } catch (error) {
    throw asBadInput(error, "write", path);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** Opens a file. @throws BadInput when it is missing, may not be opened so, or is a directory. */
export function open(path: string, flags: "r" | "r+"): { fd: number; stats: Stats } {
  const verb = flags === "r" ? "read" : "write";
  let fd: number;
  try {
    fd = openSync(path, flags);
  } catch (error) {
    throw asBadInput(error, verb, path);
  }
  const stats = fstatSync(fd);
  if (stats.isDirectory()) {
    closeSync(fd);
    throw new BadInput(`cannot ${verb} ${path}: it is a directory, name a file`);
  }
  return { fd, stats };
}

function readSized(fd: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let have = 0;
  while (have < size) {
    const read = readSync(fd, bytes, have, Math.min(size - have, 2 ** 30), have);
    if (read === 0) return bytes.subarray(0, have);
    have += read;
  }
  return bytes;
}

function readStream(path: string, fd: number, limit: number): Uint8Array {
  const pieces: Buffer[] = [];
  let have = 0;
  for (;;) {
    const piece = Buffer.alloc(0x10000);
    const read = readSync(fd, piece, 0, piece.length, null);
    if (read === 0) break;
    have += read;
    if (have > limit) throw tooLarge(path, limit);
    pieces.push(piece.subarray(0, read));
  }
  return new Uint8Array(Buffer.concat(pieces));
}

function tooLarge(path: string, limit: number): BadInput {
  return new BadInput(`cannot read ${path}: it is larger than ${Math.floor(limit / 2 ** 20)} MiB`);
}

/** What to say about the errors that users make; others keep the system's word. */
const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "no such file",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EISDIR: "it is a directory, name a file",
  ENOTDIR: "part of its path is no directory",
  ELOOP: "too many symbolic links",
  EROFS: "the file system is read-only",
  ENOSPC: "no space left on the host's disk",
  ENAMETOOLONG: "the name is too long",
  EADDRINUSE: "it is in use",
  EADDRNOTAVAIL: "this computer has no such address",
};

export function asBadInput(error: unknown, verb: string, path: string): BadInput {
  if (error instanceof BadInput) return error;
  return new BadInput(`cannot ${verb} ${path}: ${reasonOf(error)}`);
}

/** Why the host failed, in a few words. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return REASONS[code ?? ""] ?? code ?? message;
}
