// What a node has written down of domains that leave it or come to it, in the database of its domains.

import { randomBytes } from "node:crypto";
import type { DatabaseSync, SQLOutputValue } from "node:sqlite";
import * as z from "zod";
import { ActionError } from "../../contract/action.ts";
import { transaction } from "../database.ts";
import type { GivenRecords, TakenRecords } from "./hand-over.ts";

/** A step of the database's (DomainStore). */
export const MIGRATION_TABLES = `
  CREATE TABLE identity (id INTEGER PRIMARY KEY CHECK (id = 1), node TEXT NOT NULL) STRICT;
  CREATE TABLE outgoing (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('offered', 'given', 'moved')),
    peer TEXT NOT NULL CHECK (json_valid(peer))
  ) STRICT;
  CREATE TABLE incoming (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('receiving', 'taken'))
  ) STRICT`;

const peer = z.strictObject({
  /** HOST:PORT, as the user gave it. */
  to: z.string(),
  /** The other node's own name. */
  node: z.string(),
  /** The token by which it lets this one in. */
  token: z.string(),
});
export type Peer = Readonly<z.infer<typeof peer>>;

type State = NonNullable<ReturnType<GivenRecords["state"]>>;

export interface Outgoing {
  readonly id: string;
  readonly name: string;
  readonly state: State;
  readonly peer: Peer;
}

/** Of SQLite: the disk is full, and nothing was changed. */
const SQLITE_FULL = 13;

export class MigrationRecords implements GivenRecords {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** The node's own name, made when it is asked for first. */
  get node(): string {
    const insert = this.#database.prepare("INSERT INTO identity (id, node) VALUES (1, ?) ON CONFLICT DO NOTHING");
    const find = (): string | undefined => this.#database.prepare("SELECT node FROM identity").get()?.node as string;
    const found = find();
    if (found !== undefined) return found;
    insert.run(randomBytes(16).toString("hex"));
    return find() as string;
  }

  // Of domains that leave.

  offer(id: string, name: string, to: Peer): void {
    this.#database
      .prepare("INSERT INTO outgoing (id, name, state, peer) VALUES (?, ?, 'offered', ?)")
      .run(id, name, JSON.stringify(to));
  }

  state(id: string): State | undefined {
    return this.#database.prepare("SELECT state FROM outgoing WHERE id = ?").get(id)?.state as State | undefined;
  }

  give(id: string): void {
    this.#set(id, "given");
  }

  moved(id: string): void {
    this.#set(id, "moved");
  }

  #set(id: string, state: State): void {
    const { changes } = this.#database.prepare("UPDATE outgoing SET state = ? WHERE id = ?").run(state, id);
    if (changes !== 1) throw new ActionError("internal", `migration ${id} is not on record`);
  }

  forget(id: string): void {
    this.#database.prepare("DELETE FROM outgoing WHERE id = ?").run(id);
  }

  outgoing(): Outgoing[] {
    return this.#database.prepare("SELECT * FROM outgoing").all().map(outgoingOf);
  }

  /** Where a domain has gone, or may have gone: it is not to be started here. */
  goneOf(name: string): Outgoing | undefined {
    const row = this.#database
      .prepare("SELECT * FROM outgoing WHERE name = ? AND state <> 'offered' ORDER BY state")
      .get(name);
    return row && outgoingOf(row);
  }

  /** A domain is removed, or defined anew: it may be started here. */
  forgetMoved(name: string): void {
    this.#database.prepare("DELETE FROM outgoing WHERE name = ? AND state = 'moved'").run(name);
  }

  // Of domains that come.

  receive(id: string, name: string): void {
    this.#database.prepare("INSERT INTO incoming (id, name, state) VALUES (?, ?, 'receiving')").run(id, name);
  }

  /** Those that were under way when the node ended. */
  unfinished(): { readonly id: string; readonly name: string }[] {
    return this.#database
      .prepare("SELECT id, name FROM incoming WHERE state = 'receiving'")
      .all()
      .map(({ id, name }) => ({ id: id as string, name: name as string }));
  }

  forgetIncoming(id: string): void {
    this.#database.prepare("DELETE FROM incoming WHERE id = ?").run(id);
  }

  /** @param put writes down the domain itself, in the same transaction. */
  takenRecords(put: (name: string) => void): TakenRecords {
    return {
      isTaken: (id) =>
        this.#database.prepare("SELECT 1 FROM incoming WHERE id = ? AND state = 'taken'").get(id) !== undefined,
      forget: (id) => this.forgetIncoming(id),
      take: (id) => {
        try {
          transaction(this.#database, () => {
            const row = this.#database.prepare("SELECT name FROM incoming WHERE id = ?").get(id);
            const name = row?.name as string;
            this.forgetMoved(name);
            put(name);
            this.#database.prepare("UPDATE incoming SET state = 'taken' WHERE id = ?").run(id);
          });
          return "done";
        } catch (error) {
          if ((error as { errcode?: number }).errcode === SQLITE_FULL) return "full";
          throw error;
        }
      },
    };
  }
}

function outgoingOf(row: Record<string, SQLOutputValue>): Outgoing {
  return {
    id: row.id as string,
    name: row.name as string,
    state: row.state as State,
    peer: peer.parse(JSON.parse(row.peer as string)),
  };
}
