import assert from "node:assert/strict";
import { test } from "node:test";
import { MachineClock } from "./clock.ts";

function bench() {
  let host = 1000;
  const clock = new MachineClock(() => host);
  const log: string[] = [];
  const set = (at: number, name: string) => clock.at(at, () => log.push(`${name}@${clock.now()}`));
  const goTo = (time: number): void => {
    host = 1000 + time;
    clock.runDue();
  };
  return { clock, log, set, goTo };
}

test("time starts with the machine and never goes back", () => {
  const { clock, goTo } = bench();
  assert.equal(clock.now(), 0);
  goTo(50);
  assert.equal(clock.now(), 50);
  goTo(20);
  assert.equal(clock.now(), 50);
});

test("alarms come in the order of their times, and of the same time as they were set", () => {
  const { clock, log, set, goTo } = bench();
  set(30, "c");
  set(10, "a");
  set(20, "b1");
  set(20, "b2");
  assert.equal(clock.next(), 10);
  goTo(9);
  assert.deepEqual(log, []);
  goTo(25);
  assert.deepEqual(log, ["a@25", "b1@25", "b2@25"]);
  assert.equal(clock.next(), 30);
  goTo(31);
  assert.equal(clock.next(), Number.POSITIVE_INFINITY);
});

test("an alarm that was cancelled does not come, and cancelling twice or late does nothing", () => {
  const { log, set, goTo } = bench();
  const cancel = set(10, "a");
  const late = set(20, "b");
  cancel();
  cancel();
  goTo(30);
  late();
  assert.deepEqual(log, ["b@30"]);
});

test("an alarm that sets itself again for now does not keep the machine from running", () => {
  const { clock, goTo } = bench();
  let calls = 0;
  const again = (): void => {
    calls++;
    clock.at(0, again);
  };
  clock.at(0, again);
  goTo(10);
  assert.equal(calls, 1);
  goTo(10);
  assert.equal(calls, 2);
});
