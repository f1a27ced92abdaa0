// The definitions of machines, in SQLite: what was committed is there after any crash of any process. What a machine does right now is not
// here but in its lock: see machine-lock.ts.

import type { DatabaseSync, SQLOutputValue } from "node:sqlite";
import { ActionError } from "../contract/action.ts";
import { type MachineDefinition, machineDefinition } from "../contract/definition.ts";
import type { MachineInfo, RunEnding } from "../contract/machines.ts";
import { openDatabase } from "./database.ts";

export interface StoredMachine {
  readonly name: string;
  readonly created: string;
  readonly definition: MachineDefinition;
  readonly lastRun: MachineInfo["lastRun"];
}

const MIGRATIONS = [
  `CREATE TABLE machines (
     name TEXT PRIMARY KEY,
     created TEXT NOT NULL,
     definition TEXT NOT NULL CHECK (json_valid(definition)),
     run_started TEXT, run_ended TEXT, run_end TEXT, run_exit_status INTEGER
   ) STRICT`,
] as const;

const SQLITE_CONSTRAINT_PRIMARYKEY = 1555;

export class MachineStore {
  readonly #database: DatabaseSync;

  /** @param path of the database, made where it is missing. @throws BadInput when it cannot be used. */
  constructor(path: string) {
    this.#database = openDatabase(path, MIGRATIONS);
  }

  /** All of them, by name. */
  list(): StoredMachine[] {
    return this.#database.prepare("SELECT * FROM machines ORDER BY name").all().map(read);
  }

  find(name: string): StoredMachine | undefined {
    const row = this.#database.prepare("SELECT * FROM machines WHERE name = ?").get(name);
    return row && read(row);
  }

  /** @throws ActionError when there is none. */
  get(name: string): StoredMachine {
    const found = this.find(name);
    if (found === undefined)
      throw new ActionError("no-such-machine", `there is no machine ${name}: atoll ls lists them`);
    return found;
  }

  /** @throws ActionError when there is one of that name. */
  add(name: string, definition: MachineDefinition): void {
    try {
      this.#database
        .prepare("INSERT INTO machines (name, created, definition) VALUES (?, ?, ?)")
        .run(name, now(), JSON.stringify(definition));
    } catch (error) {
      if ((error as { errcode?: number }).errcode === SQLITE_CONSTRAINT_PRIMARYKEY) throw exists(name);
      throw error;
    }
  }

  remove(name: string): void {
    this.#database.prepare("DELETE FROM machines WHERE name = ?").run(name);
  }

  /** A run begins. Until `ended`, and when that never comes, its end is not known. */
  began(name: string): void {
    this.#database
      .prepare(
        "UPDATE machines SET run_started = ?, run_ended = NULL, run_end = NULL, run_exit_status = NULL WHERE name = ?",
      )
      .run(now(), name);
  }

  ended(name: string, end: RunEnding, exitStatus?: number): void {
    this.#database
      .prepare("UPDATE machines SET run_ended = ?, run_end = ?, run_exit_status = ? WHERE name = ?")
      .run(now(), end, exitStatus ?? null, name);
  }

  close(): void {
    this.#database.close();
  }
}

export function exists(name: string): ActionError {
  return new ActionError("wrong-state", `there is a machine ${name} already: atoll rm ${name} removes it`);
}

function read(row: Record<string, SQLOutputValue>): StoredMachine {
  const { run_started: started, run_ended: ended, run_end: end, run_exit_status: exitStatus } = row;
  return {
    name: row.name as string,
    created: row.created as string,
    definition: machineDefinition.parse(JSON.parse(row.definition as string)),
    lastRun:
      started === null
        ? undefined
        : ({
            started,
            ended: ended ?? undefined,
            end: end ?? undefined,
            exitStatus: exitStatus ?? undefined,
          } as StoredMachine["lastRun"]),
  };
}

function now(): string {
  return new Date().toISOString();
}
