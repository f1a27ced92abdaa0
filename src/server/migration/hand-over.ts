// Who has the domain: a two-phase commit whose coordinator is the source. Exactly one node may run it at any moment, whatever is cut or killed:
// the source, until it has written down that it gave it away ("given"); nobody, until the destination has written down that it took it ("taken");
// the destination from then on. docs/migration.md has the table of states, and why each step is safe.

/** What the two say to each other. */
export type Word =
  | { readonly say: "prepare" | "prepared" | "taken" | "dropped" | "aborted" | "settled" }
  | { readonly say: "commit" | "abort"; readonly id: string }
  /** The destination cannot tell now. */
  | { readonly say: "later"; readonly why: string };

/** A connection. Both functions reject when it is cut. */
export interface Talk {
  say(word: Word): Promise<void>;
  hear(): Promise<Word>;
}

/** What the source has written down: after each call it stays so, whatever is killed. Calls that throw have changed nothing. */
export interface GivenRecords {
  /** offered: the domain is the source's, but the destination may hold a copy that stands still. given: it is not the source's any more. */
  state(id: string): "offered" | "given" | "moved" | undefined;
  give(id: string): void;
  moved(id: string): void;
  forget(id: string): void;
}

/** Still not known: ask again. */
export class InDoubt extends Error {
  override readonly name = "InDoubt";
}

export type Outcome =
  /** The destination has it. */
  | "moved"
  /** The source has it. */
  | "kept";

/**
 * The source's side, when the destination has everything and the domain stands still. It was written down as offered before.
 * Where this rejects, `GivenRecords.state` tells what is known: "offered": it was not given; "given": `settle` has to find out.
 */
export async function handOver(id: string, talk: Talk, records: GivenRecords): Promise<Outcome> {
  await talk.say({ say: "prepare" });
  const answer = await talk.hear();
  if (answer.say !== "prepared") throw new Error(`the destination answered ${answer.say}`);
  // The decision.
  records.give(id);
  return settle(id, talk, records);
}

/** Brings a hand-over to its end, from whatever is written down of it. May be repeated. @throws InDoubt, or what the connection throws */
export async function settle(id: string, talk: Talk, records: GivenRecords): Promise<Outcome> {
  const state = records.state(id);
  if (state === undefined) return "kept";
  if (state === "moved") return "moved";
  await talk.say({ say: state === "given" ? "commit" : "abort", id });
  const answer = await talk.hear();
  if (state === "offered" && answer.say === "aborted") {
    records.forget(id);
    return "kept";
  }
  if (state === "given" && answer.say === "taken") {
    records.moved(id);
    // So that it need not remember. If this is lost, it remembers more than it has to.
    await talk.say({ say: "settled" }).catch(() => {});
    return "moved";
  }
  if (state === "given" && answer.say === "dropped") {
    records.forget(id);
    return "kept";
  }
  throw new InDoubt(answer.say === "later" ? answer.why : `the destination answered ${answer.say}`);
}

/** What the destination holds in its memory of a migration that is under way, until it runs; it is gone with its process. */
export interface Held {
  /** Everything has come, fits, and stands still. */
  readonly prepared: boolean;
  /** From here on it is never run. */
  drop(): void;
  /** It runs. */
  run(): void;
}

/** What the destination has written down. */
export interface TakenRecords {
  isTaken(id: string): boolean;
  /** From here on the domain is this node's: it is started by it after a crash, too. "full": there was no room, and it is not. @throws where that cannot be told */
  take(id: string): "done" | "full";
  forget(id: string): void;
}

/** The destination's side: what it does, and answers. */
export function answer(word: Word, held: (id: string) => Held | undefined, records: TakenRecords): Word {
  if (word.say !== "commit" && word.say !== "abort") throw new Error(`${word.say} is nothing to be answered`);
  const { id } = word;
  const mine = held(id);
  if (records.isTaken(id)) {
    // It could not be told before.
    if (mine?.prepared) mine.run();
    return { say: "taken" };
  }
  if (word.say === "abort") {
    mine?.drop();
    return { say: "aborted" };
  }
  if (mine === undefined || !mine.prepared) {
    // It came to an end with its process, or never was whole.
    mine?.drop();
    return { say: "dropped" };
  }
  try {
    if (records.take(id) === "full") {
      mine.drop();
      return { say: "dropped" };
    }
  } catch (error) {
    return { say: "later", why: `the destination cannot write down that it took it (${(error as Error).message})` };
  }
  mine.run();
  return { say: "taken" };
}
