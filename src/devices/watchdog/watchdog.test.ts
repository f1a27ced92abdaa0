import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "../../bus/device.ts";
import { Fields } from "../../snapshot/fields.ts";
import { Watchdog } from "./watchdog.ts";

const WCS = 0;
const WOR = 8;
const WCV = 0x10;
const IIDR = 0xfcc;
/** Nanoseconds of a tick. */
const TICK = 16;

class TestClock implements Clock {
  time = 0;
  readonly #alarms = new Set<{ readonly at: number; readonly callback: () => void }>();
  now(): number {
    return this.time;
  }
  at(nanoseconds: number, callback: () => void): () => void {
    const alarm = { at: nanoseconds, callback };
    this.#alarms.add(alarm);
    return () => void this.#alarms.delete(alarm);
  }
  get waiting(): number {
    return this.#alarms.size;
  }
  /** Lets so many ticks pass. */
  pass(ticks: number): void {
    const end = this.time + ticks * TICK;
    for (;;) {
      const next = [...this.#alarms].sort((a, b) => a.at - b.at)[0];
      if (next === undefined || next.at > end) break;
      this.#alarms.delete(next);
      this.time = Math.max(this.time, next.at);
      next.callback();
    }
    this.time = end;
  }
}

function setUp() {
  const clock = new TestClock();
  const seen = { line: false, expired: 0 };
  const options = {
    clock,
    ticks: 1 / TICK,
    line: {
      set: (level: boolean): void => {
        seen.line = level;
      },
    },
    expired: () => void seen.expired++,
  };
  const watchdog = new Watchdog(options);
  return { clock, seen, options, watchdog, ...watchdog };
}

test("one that is not refreshed interrupts, and after as long again expires, once", () => {
  const { clock, seen, control } = setUp();
  control.write(WOR, 4, 1000);
  control.write(WCS, 4, 1);
  assert.equal(control.read(WCS, 4), 1);
  clock.pass(1000);
  assert.deepEqual(seen, { line: false, expired: 0 });
  clock.pass(1);
  assert.deepEqual([seen, control.read(WCS, 4)], [{ line: true, expired: 0 }, 3]);
  clock.pass(1000);
  assert.equal(seen.expired, 0);
  clock.pass(1);
  assert.deepEqual([seen.expired, control.read(WCS, 4)], [1, 7]);
  clock.pass(100_000);
  assert.equal(seen.expired, 1);
  control.reset();
  assert.deepEqual([seen.line, control.read(WCS, 4), clock.waiting], [false, 0, 0]);
});

test("a write to WRR, WOR or WCS refreshes it and takes back its first signal; one to other registers does not", () => {
  const { clock, seen, control, refresh } = setUp();
  control.write(WOR, 4, 1000);
  control.write(WCS, 4, 1);
  const refreshes = [() => refresh.write(0, 4, 0), () => control.write(WCS, 4, 1), () => control.write(WOR, 4, 1000)];
  for (const each of refreshes) {
    clock.pass(1500);
    assert.equal(seen.line, true);
    each();
    assert.equal(seen.line, false);
    clock.pass(900);
    each();
    clock.pass(900);
    assert.deepEqual(seen, { line: false, expired: 0 });
    each();
  }
  refresh.write(4, 4, 1);
  refresh.write(0, 2, 1);
  clock.pass(2003);
  assert.equal(seen.expired, 1);
});

test("one that is disabled never signals", () => {
  const { clock, seen, control } = setUp();
  control.write(WOR, 4, 10);
  clock.pass(100);
  control.write(WCS, 4, 1);
  clock.pass(5);
  control.write(WCS, 4, 0);
  clock.pass(1000);
  assert.deepEqual([seen, clock.waiting], [{ line: false, expired: 0 }, 0]);
});

test("it is of version 1: the offset has 48 bits, and the compare value can be written", () => {
  const { clock, seen, control, refresh } = setUp();
  assert.deepEqual([control.read(IIDR, 4) >>> 16, refresh.read(IIDR, 4) >>> 16], [1, 1]);
  control.write(WOR + 4, 4, 0xffff_ffff);
  control.write(WOR, 4, 5);
  assert.deepEqual([control.read(WOR, 4), control.read(WOR + 4, 4)], [5, 0xffff]);
  control.write(WCS, 4, 1);
  clock.pass(1_000_000);
  assert.equal(seen.line, false);
  assert.equal(control.read(WCV + 4, 4), 0xffff);
  control.write(WCV + 4, 4, 0);
  control.write(WCV, 4, 1_000_500);
  clock.pass(500);
  assert.equal(seen.line, false);
  clock.pass(1);
  assert.equal(seen.line, true);
});

test("what was restored goes on with the time that it had left", () => {
  const { clock, control, options } = setUp();
  control.write(WOR, 4, 1000);
  control.write(WCS, 4, 1);
  clock.pass(600);
  const saved = control.save?.() ?? {};
  const other = new Watchdog(options);
  control.reset();
  other.control.restore?.(new Fields(saved, "watchdog"));
  clock.pass(400);
  assert.equal(other.control.read(WCS, 4), 1);
  clock.pass(1);
  assert.equal(other.control.read(WCS, 4), 3);
});
