import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { accesses } from "../../../test/support/device-accesses.ts";
import { perform, TestClock, TestLine } from "../../../test/support/device-doubles.ts";
import { Pl031 } from "./pl031.ts";
import * as R from "./registers.ts";

const START = 1_700_000_000;

function setUp() {
  const clock = new TestClock();
  const line = new TestLine();
  const wall = { skew: 0, now: () => START * 1000 + 400 + clock.now() / 1e6 + wall.skew };
  const rtc = new Pl031(wall, clock, line);
  const read = (at: number) => rtc.read(at, 4);
  const write = (at: number, value: number) => rtc.write(at, 4, value);
  return { clock, line, wall, rtc, read, write };
}

test("it tells the wall clock's seconds", () => {
  const { clock, read } = setUp();
  assert.equal(read(R.DR), START);
  clock.advance(2.7e9);
  assert.equal(read(R.DR), START + 3);
  assert.equal(read(R.CR), 1);
});

test("a guest sets it by LR, until reset", () => {
  const { clock, rtc, read, write } = setUp();
  write(R.LR, 0xffff_ffff);
  assert.equal(read(R.DR), 0xffff_ffff);
  clock.advance(1e9);
  assert.equal(read(R.DR), 0);
  rtc.reset();
  assert.equal(read(R.DR), START + 1);
});

test("the alarm comes with the second of the match register", () => {
  const { clock, line, read, write } = setUp();
  write(R.IMSC, 1);
  write(R.MR, START + 2);
  clock.advance(1.5e9);
  assert.equal(line.level, false);
  clock.advance(0.1e9);
  assert.equal(read(R.DR), START + 2);
  assert.equal(read(R.MIS), 1);
  assert.equal(line.level, true);
  write(R.ICR, 1);
  assert.equal(line.level, false);
});

test("a masked alarm is in RIS only", () => {
  const { line, read, write } = setUp();
  write(R.MR, START);
  assert.deepEqual([read(R.RIS), read(R.MIS), line.level], [1, 0, false]);
  write(R.IMSC, 1);
  assert.equal(line.level, true);
});

test("an alarm waits when the wall clock was set back, and is off after reset", () => {
  const { clock, wall, read, write, rtc } = setUp();
  write(R.MR, START + 1);
  wall.skew = -5000;
  clock.advance(1e9);
  assert.equal(read(R.RIS), 0);
  clock.advance(6e9);
  assert.equal(read(R.RIS), 1);
  write(R.MR, START + 100);
  rtc.reset();
  assert.equal(clock.pending, 0);
});

test("any accesses are harmless, and no more than one alarm is set", () => {
  fc.assert(
    fc.property(accesses(0x1000, [R.MR, R.LR, R.IMSC, R.ICR]), (list) => {
      const { rtc, clock, line } = setUp();
      for (const access of list) {
        perform(rtc, access);
        assert.ok(clock.pending <= 1);
        clock.advance(3e8);
        assert.equal(line.level, rtc.read(R.MIS, 4) === 1);
      }
    }),
  );
});
