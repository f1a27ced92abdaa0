// Code that another thread translates while the guest runs.

import assert from "node:assert/strict";
import { test } from "node:test";
import { INSTRUCTIONS, X } from "../../src/cpu/state-layout.ts";
import { KeptEntries } from "../../src/engine/kept-entries.ts";
import { type KeptRegion, KeptRegions } from "../../src/engine/kept-regions.ts";
import type { RegionRequest } from "../../src/engine/region-maker.ts";
import { type RegionAnswer, RegionServer, type StartRegionThread } from "../../src/engine/region-thread.ts";
import { startRegionThread } from "../../src/hosts/node/region-thread.ts";
import { crc32 } from "../../src/snapshot/crc32.ts";
import { addImm, b, cbz, mov64, subImm } from "./assembler.ts";
import { ENTRY, makeRig, poke, type Rig, statistic } from "./rig.ts";

/** Counts in X1 for ever: each turn is two instructions. */
const LOOP = [addImm(1, 1, 1), b(-1)];
const kernel = { name: "loop", bytes: new Uint8Array(Uint32Array.from(LOOP).buffer) };
const regions = (rig: Rig): number => statistic(rig, "regions compiled");

/** A thread that makes what it was asked for, and hands it over, when it is told to. */
class Told {
  readonly requests: RegionRequest[] = [];
  closed = false;
  ended = false;
  #server: RegionServer | undefined;
  #made: RegionAnswer[] = [];
  #answers: RegionAnswer[] = [];

  /** What was kept by it, and what it was given of an earlier one. */
  readonly kept: KeptRegion[] = [];
  readonly #earlier: readonly KeptRegion[];

  constructor(earlier: readonly KeptRegion[] = []) {
    this.#earlier = earlier;
  }

  readonly start: StartRegionThread = (setup) => {
    const joined = (part: keyof KeptRegion) => new Uint8Array(Buffer.concat(this.#earlier.map((one) => one[part])));
    this.#server = new RegionServer(setup, () => 0, {
      regions: new KeptRegions(joined("region"), crc32),
      add: (one) => void this.kept.push(one),
    });
    this.ended = false;
    const told = this;
    return {
      kept: new KeptEntries(joined("entry")),
      get ended() {
        return told.ended;
      },
      send: (asked) => void this.requests.push(...asked),
      receive: () => this.#answers.shift(),
      close: () => {
        this.closed = true;
      },
    };
  };

  make(): void {
    this.#made.push(...(this.#server as RegionServer).serve(this.requests.splice(0)));
  }

  handOver(): void {
    this.#answers.push(...this.#made.splice(0));
  }
}

function runUntil(rig: Rig, done: () => boolean, turns: number): void {
  for (let i = 0; i < turns && !done(); i++) rig.machine.run(1);
}

/** The loop has done what its instructions do. */
function assertCounted(rig: Rig): void {
  const state = rig.states[0] as Rig["states"][number];
  assert.ok(Math.abs(state.number(X + 8) - state.number(INSTRUCTIONS) / 2) <= 1);
}

test("the guest runs on while a region is made, and in it when it is there", async () => {
  const thread = new Told();
  const rig = await makeRig({ tier: "auto", kernel, regionThread: thread.start });
  runUntil(rig, () => thread.requests.length > 0, 100);
  runUntil(rig, () => false, 3);
  assert.equal(thread.requests.length, 1);
  assert.equal(regions(rig), 0);
  thread.make();
  thread.handOver();
  runUntil(rig, () => false, 3);
  assert.equal(regions(rig), 1);
  assertCounted(rig);
  rig.machine.close();
  assert.ok(thread.closed);
});

test("a region of words that memory does not hold any more is not installed, and asked for again", async () => {
  const thread = new Told();
  const rig = await makeRig({ tier: "auto", kernel, regionThread: thread.start });
  runUntil(rig, () => thread.requests.length > 0, 100);
  thread.make();
  poke(rig, ENTRY, [addImm(1, 1, 2)]);
  thread.handOver();
  runUntil(rig, () => thread.requests.length > 0, 100);
  assert.equal(thread.requests.length, 1);
  assert.equal(regions(rig), 0);
  thread.make();
  thread.handOver();
  runUntil(rig, () => false, 3);
  assert.equal(regions(rig), 1);
});

test("a thread that ended for want of memory is replaced, and asked again", async () => {
  const thread = new Told();
  const rig = await makeRig({ tier: "auto", kernel, regionThread: thread.start });
  runUntil(rig, () => thread.requests.length > 0, 100);
  thread.requests.length = 0;
  thread.ended = true;
  runUntil(rig, () => thread.requests.length > 0, 1000);
  assert.ok(thread.closed);
  thread.make();
  thread.handOver();
  runUntil(rig, () => false, 3);
  assert.equal(regions(rig), 1);
});

/** Counts so often in X1, from a page's third instruction on, and stays where it is. */
const counting = (times: number, page = 0) => {
  const code = [...mov64(2, times).slice(0, 2), addImm(1, 1, 1), subImm(2, 2, 1), cbz(2, -2, true), b(0)];
  const bytes = new Uint8Array((page + 1) * 4096);
  bytes.set(new Uint8Array(Uint32Array.of(b(page * 1024)).buffer));
  bytes.set(new Uint8Array(Uint32Array.from(code).buffer), page * 4096);
  return { name: "counting", bytes };
};

test("what was hot in an earlier run is translated before it is hot, wherever it is", async () => {
  const first = new Told();
  const before = await makeRig({ tier: "auto", kernel: counting(1_000_000), regionThread: first.start });
  runUntil(before, () => first.requests.length > 0, 100);
  first.make();
  assert.equal(first.kept.length, 1);

  const [unkept, second] = [new Told(), new Told(first.kept)];
  for (const thread of [unkept, second]) {
    const rig = await makeRig({ tier: "auto", kernel: counting(3000, 1), regionThread: thread.start });
    runUntil(rig, () => thread.requests.length > 0, 100);
    assert.equal(thread.requests.filter(({ ifKept }) => ifKept).length, thread === second ? 1 : 0);
    if (thread === unkept) continue;
    second.make();
    second.handOver();
    runUntil(rig, () => false, 3);
    assert.equal(statistic(rig, "regions of earlier runs"), 1);
  }
});

test("a region that was kept does what its instructions do", async () => {
  const first = new Told();
  const before = await makeRig({ tier: "auto", kernel, regionThread: first.start });
  runUntil(before, () => first.requests.length > 0, 100);
  first.make();
  const second = new Told(first.kept);
  const after = await makeRig({ tier: "auto", kernel, regionThread: second.start });
  runUntil(after, () => second.requests.length > 0, 100);
  second.make();
  second.handOver();
  runUntil(after, () => false, 3);
  assert.equal(statistic(after, "regions of earlier runs"), 1);
  assertCounted(after);
});

test("what is kept of other code is not taken, and code that was never hot is not translated for it", async () => {
  const first = new Told();
  const before = await makeRig({ tier: "auto", kernel, regionThread: first.start });
  runUntil(before, () => first.requests.length > 0, 100);
  first.make();
  const second = new Told(first.kept);
  // It starts alike, and differs further on.
  const other = new Uint8Array(Uint32Array.of(...[addImm(1, 1, 1), b(2), b(0), b(-3)]).buffer);
  const after = await makeRig({ tier: "auto", kernel: { name: "other", bytes: other }, regionThread: second.start });
  runUntil(after, () => second.requests.length > 0, 200);
  second.make();
  second.handOver();
  runUntil(after, () => false, 3);
  assert.equal(statistic(after, "regions of earlier runs"), 0);
});

test("a worker translates", { skip: startRegionThread === undefined && "this host has one core" }, async () => {
  const rig = await makeRig({ tier: "auto", kernel, regionThread: startRegionThread });
  const until = performance.now() + 60_000;
  runUntil(rig, () => regions(rig) > 0 || performance.now() > until, Number.POSITIVE_INFINITY);
  assert.equal(regions(rig), 1);
  runUntil(rig, () => false, 3);
  assertCounted(rig);
  rig.machine.close();
});
