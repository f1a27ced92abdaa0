// Code that another thread translates while the guest runs.

import assert from "node:assert/strict";
import { test } from "node:test";
import { INSTRUCTIONS, X } from "../../src/cpu/state-layout.ts";
import type { RegionRequest } from "../../src/engine/region-maker.ts";
import { type RegionAnswer, RegionServer, type StartRegionThread } from "../../src/engine/region-thread.ts";
import { startRegionThread } from "../../src/hosts/node/region-thread.ts";
import { addImm, b } from "./assembler.ts";
import { ENTRY, makeRig, poke, type Rig, statistic } from "./rig.ts";

/** Counts in X1 for ever: each turn is two instructions. */
const LOOP = [addImm(1, 1, 1), b(-1)];
const kernel = { name: "loop", bytes: new Uint8Array(Uint32Array.from(LOOP).buffer) };
const regions = (rig: Rig): number => statistic(rig, "regions compiled");

/** A thread that makes what it was asked for, and hands it over, when it is told to. */
class Told {
  readonly requests: RegionRequest[] = [];
  closed = false;
  #server: RegionServer | undefined;
  #made: RegionAnswer[] = [];
  #answers: RegionAnswer[] = [];

  readonly start: StartRegionThread = (setup) => {
    this.#server = new RegionServer(setup, () => 0);
    return {
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

test("a worker translates", { skip: startRegionThread === undefined && "this host has one core" }, async () => {
  const rig = await makeRig({ tier: "auto", kernel, regionThread: startRegionThread });
  const until = performance.now() + 60_000;
  runUntil(rig, () => regions(rig) > 0 || performance.now() > until, Number.POSITIVE_INFINITY);
  assert.equal(regions(rig), 1);
  runUntil(rig, () => false, 3);
  assertCounted(rig);
  rig.machine.close();
});
