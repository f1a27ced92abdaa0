import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  answer,
  type GivenRecords,
  type Held,
  handOver,
  type Outcome,
  settle,
  type Talk,
  type Word,
} from "./hand-over.ts";

const ID = "0";

class Killed extends Error {}

/** What goes wrong, at which step. The last two are writes of records. */
const FAULTS = ["kill source", "kill destination", "cut", "full disk", "torn write"] as const;
type Fault = (typeof FAULTS)[number];
type Plan = ReadonlyMap<number, Fault>;

/** Two nodes with what each has written down, and what each runs. The code of the hand-over is the real one. */
class World {
  steps = 0;
  readonly #plan: Plan;
  readonly source = {
    up: true,
    runs: true,
    standsStill: false,
    written: undefined as ReturnType<GivenRecords["state"]>,
  };
  readonly destination = { up: true, runs: false, holds: "nothing" as "nothing" | "parts" | "all", taken: false };
  #connected = false;

  constructor(plan: Plan) {
    this.#plan = plan;
  }

  /** Anything that takes time, or lasts. The fault that comes with it. */
  #step(): Fault | undefined {
    const fault = this.#plan.get(this.steps++);
    if (fault === "kill source") {
      Object.assign(this.source, { up: false, runs: false, standsStill: false });
      this.#connected = false;
    }
    if (fault === "kill destination") {
      Object.assign(this.destination, { up: false, runs: false, holds: "nothing" });
      this.#connected = false;
    }
    if (fault === "cut") this.#connected = false;
    this.check();
    return fault;
  }

  check(): void {
    assert.ok(!(this.source.runs && this.destination.runs), "both run");
  }

  readonly #records: GivenRecords = {
    state: () => this.source.written,
    give: () => this.#write("given"),
    moved: () => this.#write("moved"),
    forget: () => this.#write(undefined),
  };

  #write(state: ReturnType<GivenRecords["state"]>): void {
    const fault = this.#step();
    if (!this.source.up) throw new Killed();
    if (fault === "full disk") throw new Error("full");
    this.source.written = state;
    // After it was written, before anything else.
    if (fault === "torn write") throw new Error("it was written, and said to have failed");
    this.#step();
    if (!this.source.up) throw new Killed();
  }

  readonly #held: Held = ((world: World) => ({
    get prepared() {
      return world.destination.holds === "all";
    },
    drop: () => {
      world.destination.holds = "nothing";
    },
    run: () => {
      world.destination.holds = "nothing";
      world.destination.runs = true;
      world.check();
    },
  }))(this);

  /** What the destination does with a word; undefined: it was killed, or cut off. */
  #hears(word: Word): Word | undefined {
    const { destination } = this;
    if (!destination.up) return undefined;
    if (word.say === "prepare") {
      if (destination.holds !== "parts") return { say: "dropped" };
      destination.holds = "all";
      return { say: "prepared" };
    }
    if (word.say === "settled") return undefined;
    try {
      return answer(word, () => (destination.holds === "nothing" ? undefined : this.#held), {
        isTaken: () => destination.taken,
        forget: () => {},
        take: () => {
          const fault = this.#step();
          if (!destination.up) throw new Killed();
          if (fault === "full disk") return "full";
          destination.taken = true;
          if (fault === "torn write") throw new Error("it was written, and said to have failed");
          this.#step();
          if (!destination.up) throw new Killed();
          return "done";
        },
      });
    } catch (error) {
      if (error instanceof Killed) return undefined;
      throw error;
    }
  }

  #talk(): Talk {
    const answers: Word[] = [];
    this.#connected = this.destination.up;
    const alive = (): void => {
      if (!this.source.up) throw new Killed();
      if (!this.#connected) throw new Error("cut");
    };
    return {
      say: async (word) => {
        this.#step();
        alive();
        const said = this.#hears(word);
        if (said !== undefined && this.destination.up) answers.push(said);
        // The word has arrived, and its answer may not.
        this.#step();
        alive();
      },
      hear: async () => {
        this.#step();
        alive();
        const said = answers.shift();
        if (said === undefined) throw new Error("cut");
        return said;
      },
    };
  }

  /** As a source does it: what it knows afterwards decides whether it runs. */
  async #during(work: () => Promise<Outcome>): Promise<void> {
    const { source } = this;
    let outcome: Outcome | undefined;
    try {
      outcome = await work();
    } catch {}
    if (!source.up) return;
    if (outcome === undefined)
      outcome = source.written === undefined || source.written === "offered" ? "kept" : undefined;
    // One that was killed meanwhile has nothing to go on with, and starts from its disks.
    if (outcome === "kept") source.runs = true;
    if (outcome === "moved") source.runs = false;
    source.standsStill = outcome === undefined;
    this.check();
  }

  async migrate(): Promise<void> {
    this.source.written = "offered";
    this.destination.holds = "parts";
    this.#step();
    if (!this.source.up) return;
    this.source.runs = false;
    this.source.standsStill = true;
    await this.#during(() => handOver(ID, this.#talk(), this.#records));
  }

  /** What is down starts again, with what it has written down; then the source asks. */
  async recover(): Promise<void> {
    const { source, destination } = this;
    if (!source.up) {
      source.up = true;
      source.runs = source.written !== "given" && source.written !== "moved";
    }
    if (!destination.up) {
      destination.up = true;
      destination.runs = destination.taken;
    }
    this.check();
    await this.#during(() => settle(ID, this.#talk(), this.#records));
  }
}

async function run(plan: Plan): Promise<World> {
  const world = new World(plan);
  await world.migrate();
  const last = Math.max(0, ...plan.keys());
  // Until no more goes wrong, and once again.
  for (let round = 0; round < 4 || world.steps <= last; round++) {
    const before = world.steps;
    await world.recover();
    if (world.steps === before) break;
  }
  await world.recover();
  return world;
}

function ended({ source, destination }: World): void {
  assert.equal(Number(source.runs) + Number(destination.runs), 1, JSON.stringify({ source, destination }));
  assert.equal(destination.holds, "nothing");
  assert.equal(source.standsStill, false);
}

test("where nothing goes wrong the destination has it, and the source has not", async () => {
  const world = await run(new Map());
  ended(world);
  assert.ok(world.destination.runs);
  assert.equal(world.source.written, "moved");
});

test("whatever goes wrong at any step, there is never more than one copy that runs, and in the end there is one", async () => {
  const { steps } = await run(new Map());
  for (let at = 0; at < steps; at++) for (const fault of FAULTS) ended(await run(new Map([[at, fault]])));
});

test("so it is when several things go wrong, also while what went wrong is mended", async () => {
  const plan = fc
    .array(fc.tuple(fc.nat(40), fc.constantFrom(...FAULTS)), { minLength: 2, maxLength: 6 })
    .map((each) => new Map(each));
  await fc.assert(
    fc.asyncProperty(plan, async (each) => ended(await run(each))),
    { numRuns: 20_000 },
  );
});

test("a destination that does not know the migration has not got it", () => {
  const records = { isTaken: () => false, take: () => assert.fail(), forget: () => {} };
  assert.deepEqual(
    answer({ say: "commit", id: ID }, () => undefined, records),
    { say: "dropped" },
  );
});
