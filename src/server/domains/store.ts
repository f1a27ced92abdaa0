// The node's machine and the definitions of its domains, in SQLite.

import { existsSync } from "node:fs";
import type { DatabaseSync, SQLOutputValue } from "node:sqlite";
import * as z from "zod";
import { ActionError } from "../../contract/action.ts";
import { type DomainDefinition, domainDefinition, type NewDomain } from "../../contract/domain.ts";
import { type NodeChannels, type NodeMachine, nodeChannel, nodeMachine } from "../../contract/node.ts";
import { openDatabase } from "../database.ts";
import { MIGRATION_TABLES, MigrationRecords } from "../migration/records.ts";
import type { StateDirectory } from "../state-directory.ts";

export interface StoredDomain {
  readonly name: string;
  /** As its owner gave it, in JSON: to see whether it is another one now. */
  readonly given: string;
  readonly definition: DomainDefinition;
  /** Whether it is to run when the node does. */
  readonly wanted: boolean;
  /** The domain that it was forked from. The node's file knows nothing of it, and leaves it alone. */
  readonly forkedFrom: string | undefined;
}

const MIGRATIONS = [
  `CREATE TABLE node (id INTEGER PRIMARY KEY CHECK (id = 1), machine TEXT NOT NULL CHECK (json_valid(machine))) STRICT;
   CREATE TABLE domains (
     name TEXT PRIMARY KEY,
     position INTEGER NOT NULL,
     given TEXT NOT NULL,
     definition TEXT NOT NULL CHECK (json_valid(definition)),
     wanted INTEGER NOT NULL
   ) STRICT`,
  "ALTER TABLE domains ADD COLUMN forked_from TEXT",
  `CREATE TABLE shared (
     id INTEGER PRIMARY KEY CHECK (id = 1), channels TEXT NOT NULL CHECK (json_valid(channels))
   ) STRICT`,
  MIGRATION_TABLES,
] as const;

export class DomainStore {
  readonly #database: DatabaseSync;
  /** What `names` is, as long as nobody changes it. */
  #names: readonly string[] | undefined;
  /** Of domains that leave this node, or come to it. */
  readonly migrations: MigrationRecords;

  /** @param path of the database, made where it is missing. @throws BadInput when it cannot be used. */
  constructor(path: string) {
    this.#database = openDatabase(path, MIGRATIONS);
    this.migrations = new MigrationRecords(this.#database);
  }

  get machine(): NodeMachine {
    const row = this.#database.prepare("SELECT machine FROM node").get();
    return nodeMachine.parse(row === undefined ? {} : JSON.parse(row.machine as string));
  }

  set machine(machine: NodeMachine) {
    this.#database
      .prepare("INSERT INTO node (id, machine) VALUES (1, ?1) ON CONFLICT (id) DO UPDATE SET machine = ?1")
      .run(JSON.stringify(machine));
  }

  get channels(): NodeChannels {
    const row = this.#database.prepare("SELECT channels FROM shared").get();
    return z.record(z.string(), nodeChannel).parse(row === undefined ? {} : JSON.parse(row.channels as string));
  }

  set channels(channels: NodeChannels) {
    this.#database
      .prepare("INSERT INTO shared (id, channels) VALUES (1, ?1) ON CONFLICT (id) DO UPDATE SET channels = ?1")
      .run(JSON.stringify(channels));
  }

  /** In the order in which they were given. */
  list(): StoredDomain[] {
    return this.#database.prepare("SELECT * FROM domains ORDER BY position, name").all().map(read);
  }

  /** Their names, in the same order. */
  get names(): readonly string[] {
    this.#names ??= this.#database
      .prepare("SELECT name FROM domains ORDER BY position, name")
      .all()
      .map(({ name }) => name as string);
    return this.#names;
  }

  find(name: string): StoredDomain | undefined {
    const row = this.#database.prepare("SELECT * FROM domains WHERE name = ?").get(name);
    return row && read(row);
  }

  /** Adds a domain, or replaces its definition. */
  put(name: string, position: number, given: NewDomain, definition: DomainDefinition): void {
    this.#names = undefined;
    this.#database
      .prepare(
        `INSERT INTO domains (name, position, given, definition, wanted) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (name) DO UPDATE SET position = ?2, given = ?3, definition = ?4, wanted = ?5, forked_from = NULL`,
      )
      .run(name, position, JSON.stringify(given), JSON.stringify(definition), given.autostart ? 1 : 0);
  }

  /** Adds a domain that is a copy of another, after all others. */
  putFork(name: string, definition: DomainDefinition, forkedFrom: string): void {
    const text = JSON.stringify(definition);
    this.#names = undefined;
    this.#database
      .prepare(
        `INSERT INTO domains (name, position, given, definition, wanted, forked_from)
         VALUES (?1, (SELECT coalesce(max(position), 0) + 1 FROM domains), ?2, ?2, 1, ?3)`,
      )
      .run(name, text, forkedFrom);
  }

  want(name: string, wanted: boolean): void {
    this.#database.prepare("UPDATE domains SET wanted = ? WHERE name = ?").run(wanted ? 1 : 0, name);
  }

  remove(name: string): void {
    this.#names = undefined;
    this.#database.prepare("DELETE FROM domains WHERE name = ?").run(name);
  }

  close(): void {
    this.#database.close();
  }
}

function read(row: Record<string, SQLOutputValue>): StoredDomain {
  const { name, given, definition, wanted, forked_from: forkedFrom } = row;
  const parsed = domainDefinition.safeParse(JSON.parse(definition as string));
  if (!parsed.success) throw new ActionError("damaged", `the stored definition of ${name} is not understood`);
  return {
    ...{ name: name as string, given: given as string, definition: parsed.data, wanted: wanted === 1 },
    forkedFrom: (forkedFrom ?? undefined) as string | undefined,
  };
}

/** Whether the node has a domain of that name, whether it runs or not. */
export function isDomain(state: StateDirectory, name: string): boolean {
  // Where there never was a node, none is made by asking.
  if (!existsSync(state.domains)) return false;
  const store = new DomainStore(state.domains);
  try {
    return store.find(name) !== undefined;
  } finally {
    store.close();
  }
}
