import assert from "node:assert/strict";
import { test } from "node:test";
import type { RunnableMachine, RunState } from "../../machine/runnable.ts";
import { pace } from "../node/pace.ts";
import { RunLoop } from "./run-loop.ts";

/** A machine whose slices end as listed; the last state repeats. */
class Scripted implements RunnableMachine {
  readonly #states: RunState[];
  slices = 0;
  resets = 0;

  constructor(...states: RunState[]) {
    this.#states = states;
  }

  run(): RunState {
    return this.#states[Math.min(this.slices++, this.#states.length - 1)] as RunState;
  }

  reset(): void {
    this.resets++;
  }

  deviceTree(): Uint8Array {
    return new Uint8Array();
  }

  pressPowerKey(): void {}
  registers(): string {
    return "";
  }

  memoryMap(): string {
    return "";
  }

  statistics(): readonly [] {
    return [];
  }
}

const RUNNING: RunState = { kind: "running" };
const OFF: RunState = { kind: "off" };
const RESET: RunState = { kind: "reset" };
const idle = (nanoseconds: number): RunState => ({ kind: "idle", nanoseconds });

test("runs until the guest is off", async () => {
  const machine = new Scripted(RUNNING, RUNNING, OFF);
  assert.equal(await new RunLoop(machine, { pace, reboot: true }).run(), "off");
  assert.equal(machine.slices, 3);
});

test("a reset restarts the machine, or ends the run where it may not", async () => {
  const again = new Scripted(RESET, RUNNING, OFF);
  assert.equal(await new RunLoop(again, { pace, reboot: true }).run(), "off");
  assert.equal(again.resets, 1);
  const once = new Scripted(RESET);
  assert.equal(await new RunLoop(once, { pace, reboot: false }).run(), "reset");
  assert.equal(once.resets, 0);
});

test("the time limit ends a guest that runs, and one that waits for ever", async () => {
  for (const state of [RUNNING, idle(Number.POSITIVE_INFINITY), idle(1000)]) {
    const before = performance.now();
    assert.equal(await new RunLoop(new Scripted(state), { pace, reboot: true, timeout: 0.05 }).run(), "timeout");
    assert.ok(performance.now() - before >= 49);
  }
});

test("an idle machine is not run before its time", async () => {
  const machine = new Scripted(idle(30e6), OFF);
  const before = performance.now();
  await new RunLoop(machine, { pace, reboot: true }).run();
  assert.ok(performance.now() - before >= 28);
  assert.equal(machine.slices, 2);
});

test("input ends a sleep", async () => {
  const loop = new RunLoop(new Scripted(idle(Number.POSITIVE_INFINITY), OFF), { pace, reboot: true });
  setTimeout(() => loop.wake(), 5);
  assert.equal(await loop.run(), "off");
});

test("stop ends a run, whatever the machine does; the first reason counts", async () => {
  for (const state of [RUNNING, idle(Number.POSITIVE_INFINITY), idle(1000)]) {
    const loop = new RunLoop(new Scripted(state), { pace, reboot: true });
    setTimeout(() => {
      loop.stop("quit");
      loop.stop("interrupted");
    }, 5);
    assert.equal(await loop.run(), "quit");
  }
});

test("a machine that is held does not run until it is let go", async () => {
  const machine = new Scripted({ kind: "off" });
  const loop = new RunLoop(machine, { pace, reboot: true });
  loop.hold(true);
  const end = loop.run();
  await pace.turn();
  assert.equal(machine.slices, 0);
  loop.hold(false);
  assert.equal(await end, "off");
  assert.equal(machine.slices, 1);
});

test("an expired watchdog resets the machine, ends the run, or leaves it to who is told", async () => {
  const WATCHDOG: RunState = { kind: "watchdog" };
  const told: string[] = [];
  const run = async (action: "restart" | "fail" | "pause", reboot = true): Promise<[string, number]> => {
    const machine = new Scripted(WATCHDOG, RUNNING, OFF);
    const watchdog = { action, expired: () => void told.push(action) };
    return [await new RunLoop(machine, { pace, reboot, watchdog }).run(), machine.resets];
  };
  assert.deepEqual(await run("restart"), ["off", 1]);
  assert.deepEqual(await run("restart", false), ["reset", 0]);
  assert.deepEqual(await run("fail"), ["watchdog", 0]);
  assert.deepEqual(await run("pause"), ["off", 0]);
  assert.deepEqual(told, ["restart", "restart", "fail", "pause"]);
});

test("slices are short while somebody waits for what a key does, and long again afterwards", async (t) => {
  let now = 0;
  t.mock.method(performance, "now", () => now);
  const slices: number[] = [];
  const loop = new RunLoop(
    {
      run: (milliseconds) => {
        slices.push(milliseconds);
        if (slices.length === 2) loop.attend();
        now += milliseconds;
        return slices.length === 60 ? OFF : RUNNING;
      },
      reset: () => {},
    },
    { pace, reboot: true },
  );
  await loop.run();
  const [longest = 0] = slices;
  assert.equal(slices[1], longest);
  assert.ok((slices[2] ?? 0) < longest / 4);
  assert.equal(slices.at(-1), longest);
});
