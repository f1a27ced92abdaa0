import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import fc from "fast-check";
import { PeState } from "./pe-state.ts";
import { CPU_STRIDE } from "./state-layout.ts";
import { CNTKCTL_EL1, CNTVOFF_EL2 } from "./sysreg-layout.ts";
import { COUNTER_HZ, TIMERS, Timers } from "./timers.ts";

const TICK = 1e9 / COUNTER_HZ;

describe("generic timers", () => {
  let now = 0;
  let lines = new Map<number, boolean>();
  let state = new PeState(new ArrayBuffer(CPU_STRIDE), 0);
  let timers = make(state);

  function make(s: PeState): Timers {
    const ppis = { set: (_index: number, ppi: number, level: boolean) => void lines.set(ppi, level) };
    return new Timers(s, 0, { now: () => now }, ppis, { el2: true, el3: true });
  }

  beforeEach(() => {
    now = 0;
    lines = new Map();
    state = new PeState(new ArrayBuffer(CPU_STRIDE), 0);
    timers = make(state);
    timers.reset();
  });

  it("are off after reset", () => {
    assert.deepEqual(
      [...lines],
      [
        [30, false],
        [27, false],
        [26, false],
        [29, false],
      ],
    );
    assert.equal(timers.nextEvent(), Number.POSITIVE_INFINITY);
  });

  it("signal when the counter reaches the compare value, and say when that will be", () => {
    now = 1000 * TICK;
    timers.setValue(TIMERS.virtual, 500);
    timers.setControl(TIMERS.virtual, 1);
    assert.equal(timers.nextEvent(), 1500 * TICK);
    assert.equal(timers.control(TIMERS.virtual), 1);
    now = 1500 * TICK - 1;
    timers.update();
    assert.equal(lines.get(27), false);
    assert.equal(timers.value(TIMERS.virtual), 1);
    now = 1500 * TICK;
    timers.update();
    assert.equal(lines.get(27), true);
    assert.equal(timers.control(TIMERS.virtual), 5);
    assert.equal(timers.nextEvent(), Number.POSITIVE_INFINITY);
    now = 1510 * TICK;
    assert.equal(timers.value(TIMERS.virtual), -10);
  });

  it("lower the line when the compare value moves on", () => {
    timers.setControl(TIMERS.physical, 1);
    assert.equal(lines.get(30), true);
    timers.setCompare(TIMERS.physical, 0, 1);
    assert.equal(lines.get(30), false);
    assert.equal(timers.nextEvent(), 2 ** 32 * TICK);
  });

  it("are silent while masked, and show their status", () => {
    timers.setControl(TIMERS.physical, 0xff);
    assert.equal(lines.get(30), false);
    assert.equal(timers.control(TIMERS.physical), 7);
    timers.setControl(TIMERS.physical, 2);
    assert.equal(timers.control(TIMERS.physical), 2);
  });

  it("compare without sign", () => {
    timers.setCompare(TIMERS.physical, -1, -1);
    timers.setControl(TIMERS.physical, 1);
    assert.equal(timers.control(TIMERS.physical), 1);
    timers.setControl(TIMERS.physical, 0);
    timers.setValue(TIMERS.physical, -1);
    timers.setControl(TIMERS.physical, 1);
    assert.equal(timers.control(TIMERS.physical), 1, "2^64 - 1 is not yet");
  });

  it("of the virtual counter are late by its offset", () => {
    state.setNumber(CNTVOFF_EL2, 100);
    now = 50 * TICK;
    timers.setCompare(TIMERS.virtual, -50, -1);
    timers.setControl(TIMERS.virtual, 1);
    assert.equal(lines.get(27), true, "50 - 100 is 2^64 - 50");
    timers.setCompare(TIMERS.virtual, -49, -1);
    assert.equal(lines.get(27), false);
    assert.equal(timers.nextEvent(), 51 * TICK);
  });

  it("TVAL reads back what was written, at once", () => {
    fc.assert(
      fc.property(fc.integer(), fc.nat(), (value, ticks) => {
        now = ticks * TICK;
        timers.setValue(TIMERS.physical, value);
        assert.equal(timers.value(TIMERS.physical), value);
      }),
    );
  });

  it("make an event stream from a bit of the counter", () => {
    assert.equal(timers.nextStreamEvent(), Number.POSITIVE_INFINITY);
    now = 3 * TICK;
    state.setWord(CNTKCTL_EL1, (4 << 4) | (1 << 2));
    assert.equal(timers.nextStreamEvent(), 16 * TICK);
    now = 16 * TICK;
    assert.equal(timers.nextStreamEvent(), 48 * TICK);
    state.setWord(CNTKCTL_EL1, (4 << 4) | (1 << 3) | (1 << 2));
    assert.equal(timers.nextStreamEvent(), 32 * TICK);
  });
});
