// SQLite databases of the state directory: what was committed is there after any crash of any process.

import type { DatabaseSync } from "node:sqlite";
import { BadInput } from "../machine/runnable.ts";

/** Milliseconds to wait for another process's transaction. */
const PATIENCE = 10_000;

/**
 * @param path of the database, made where it is missing.
 * @param migrations a step for each version of it; the number of those taken is its user_version.
 * @throws BadInput when it cannot be used.
 */
export function openDatabase(path: string, migrations: readonly string[]): DatabaseSync {
  const { DatabaseSync } = process.getBuiltinModule("node:sqlite");
  let database: DatabaseSync;
  try {
    database = new DatabaseSync(path, { timeout: PATIENCE });
  } catch (error) {
    throw unusable(path, error);
  }
  try {
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
    migrate(database, path, migrations);
    return database;
  } catch (error) {
    database.close();
    throw error instanceof BadInput ? error : unusable(path, error);
  }
}

function migrate(database: DatabaseSync, path: string, migrations: readonly string[]): void {
  const version = (): number => database.prepare("PRAGMA user_version").get()?.user_version as number;
  if (version() > migrations.length) throw new BadInput(`${path} is of a newer Atoll: use that one`);
  if (version() === migrations.length) return;
  transaction(database, () => {
    // Another process may have been here meanwhile.
    for (const step of migrations.slice(version())) database.exec(step);
    database.exec(`PRAGMA user_version = ${migrations.length}`);
  });
}

/** All of `work`, or nothing. */
export function transaction(database: DatabaseSync, work: () => void): void {
  database.exec("BEGIN IMMEDIATE");
  try {
    work();
    database.exec("COMMIT");
  } catch (error) {
    database.exec("ROLLBACK");
    throw error;
  }
}

function unusable(path: string, error: unknown): BadInput {
  return new BadInput(`cannot use ${path}: ${(error as Error).message}`);
}
