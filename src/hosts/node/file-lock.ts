// Locks of files that the host's kernel drops when their process ends, however it ends. Node has no call for such locks, but the
// SQLite that comes with it takes them: NAME.lock beside the file is opened as an (empty) database, and a transaction held open.

import { closeSync, existsSync, openSync, realpathSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { ImageError } from "../../images/error.ts";

/** Files that this process has open for writing, by identity: locks do not keep a process from itself. */
const ours = new Set<string>();

const SQLITE_BUSY = 5;

export class FileLock {
  readonly #identity: string;
  readonly #path: string;
  readonly #database: DatabaseSync;
  readonly #exclusive: boolean;

  private constructor(identity: string, path: string, database: DatabaseSync, exclusive: boolean) {
    this.#identity = identity;
    this.#path = path;
    this.#database = database;
    this.#exclusive = exclusive;
  }

  /** For who writes a file. @throws ImageError ("host") when somebody has a lock of it. */
  static exclusive(path: string, identity: string): FileLock {
    if (ours.has(identity)) throw inUse(path);
    for (;;) {
      const lock = lockPath(path, identity);
      const before = inode(lock);
      const database = take(path, lock, "EXCLUSIVE");
      // Its last holder may have removed the file since: then this is a lock of nothing.
      if (inode(lock) !== before) {
        database.close();
        continue;
      }
      ours.add(identity);
      return new FileLock(identity, lock, database, true);
    }
  }

  /** For who reads a file, where somebody may be writing it: nobody is while there is no lock file. */
  static shared(path: string, identity: string): FileLock | undefined {
    if (ours.has(identity)) throw inUse(path);
    const lock = [`${realpathSync(path)}.lock`, fallback(identity)].find((file) => existsSync(file));
    if (lock === undefined) return undefined;
    return new FileLock(identity, lock, take(path, lock, "DEFERRED"), false);
  }

  release(): void {
    if (this.#exclusive) {
      // Removed while it is held: who waits for it finds that it is not the file at this name any more.
      rmSync(this.#path, { force: true });
      ours.delete(this.#identity);
    }
    this.#database.close();
  }
}

function inUse(path: string): ImageError {
  return new ImageError("host", `cannot use ${path}: it is in use by another machine or command`);
}

function fallback(identity: string): string {
  return join(tmpdir(), `atoll-${identity.replace(":", "-")}.lock`);
}

/** The lock file, made where it is missing: beside the file, or where that folder takes no files, among the temporary ones. */
function lockPath(path: string, identity: string): string {
  const beside = `${realpathSync(path)}.lock`;
  for (const file of [beside, fallback(identity)]) {
    try {
      closeSync(openSync(file, "wx", 0o666));
      return file;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") return file;
    }
  }
  throw new ImageError("host", `cannot lock ${path}: ${beside} cannot be written`);
}

function inode(path: string): string | undefined {
  const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stats === undefined ? undefined : `${stats.dev}:${stats.ino}`;
}

function take(path: string, lock: string, kind: "EXCLUSIVE" | "DEFERRED"): DatabaseSync {
  // Only now: most commands lock nothing.
  const sqlite = process.getBuiltinModule("node:sqlite");
  let database: DatabaseSync | undefined;
  try {
    database = new sqlite.DatabaseSync(lock, { timeout: 0, readOnly: kind === "DEFERRED" });
    database.exec(`BEGIN ${kind}`);
    if (kind === "DEFERRED") database.prepare("SELECT count(*) FROM sqlite_schema").get();
    return database;
  } catch (error) {
    database?.close();
    const { errcode, message } = error as { errcode?: number; message?: string };
    if (errcode === SQLITE_BUSY) throw inUse(path);
    throw new ImageError("host", `cannot lock ${path}: ${lock}: ${message ?? String(error)}`);
  }
}
