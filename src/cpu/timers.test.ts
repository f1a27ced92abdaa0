import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import fc from "fast-check";
import { HCR_HIGH_E2H, HCR_TGE, SCR_NS } from "./levels.ts";
import { PeState } from "./pe-state.ts";
import { CPU_STRIDE } from "./state-layout.ts";
import {
  CNTHCTL_EL2,
  CNTKCTL_EL1,
  CNTPOFF_EL2,
  CNTVOFF_EL2,
  FEATURE_EL2,
  FEATURE_EL3,
  HCR_EL2,
  PE_FEATURES,
  SCR_EL3,
} from "./sysreg-layout.ts";
import { COUNTER_HZ, TIMERS, Timers } from "./timers.ts";

const ECV = 1 << 12;
const EVNTIS = 1 << 17;
const SCR_ECVEN = 1 << 28;
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
        [28, false],
        [29, false],
        [20, false],
        [19, false],
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

  for (const [name, timer] of Object.entries(TIMERS)) {
    it(`the ${name} timer drives its line, early or late by what offset it has`, () => {
      state.setWord(PE_FEATURES, FEATURE_EL2);
      state.setNumber(CNTVOFF_EL2, 100);
      state.setNumber(CNTPOFF_EL2, 30);
      state.setWord(CNTHCTL_EL2, ECV);
      const offset = { none: 0, virtual: 100, physical: 30 }[timer.offset];
      now = 1000 * TICK;
      timers.setControl(timer, 1);
      timers.setCompare(timer, 1200 - offset, 0);
      assert.equal(timers.value(timer), 200);
      assert.equal(timers.nextEvent(), 1200 * TICK);
      assert.equal(lines.get(timer.ppi), false);
      now = 1200 * TICK;
      timers.update();
      assert.deepEqual(
        [...lines].filter(([, level]) => level).map(([ppi]) => ppi),
        [timer.ppi],
      );
      timers.setControl(timer, 3);
      assert.equal(lines.get(timer.ppi), false);
    });
  }

  it("CNTPOFF_EL2 counts with CNTHCTL_EL2.ECV, SCR_EL3.ECVEn and EL2 enabled, and not under a host", () => {
    state.setNumber(CNTPOFF_EL2, 30);
    const value = (): number => {
      timers.controlsChanged();
      return timers.value(TIMERS.physical);
    };
    now = 1000 * TICK;
    timers.setCompare(TIMERS.physical, 1000, 0);
    state.setWord(PE_FEATURES, FEATURE_EL2 | FEATURE_EL3);
    assert.equal(value(), 0);
    state.setWord(CNTHCTL_EL2, ECV);
    assert.equal(value(), 0);
    state.setWord(SCR_EL3, SCR_NS | SCR_ECVEN);
    assert.equal(value(), 30);
    state.setWord(SCR_EL3, SCR_ECVEN);
    assert.equal(value(), 0, "no EL2 in Secure state");
    state.setWord(PE_FEATURES, FEATURE_EL2);
    assert.equal(value(), 30);
    state.set64(HCR_EL2, HCR_TGE, HCR_HIGH_E2H);
    assert.equal(value(), 0);
  });

  it("the line follows when the offset comes to count", () => {
    state.setWord(PE_FEATURES, FEATURE_EL2);
    state.setNumber(CNTPOFF_EL2, 30);
    state.setWord(CNTHCTL_EL2, ECV);
    state.set64(HCR_EL2, HCR_TGE, HCR_HIGH_E2H);
    now = 1000 * TICK;
    timers.setCompare(TIMERS.physical, 1000, 0);
    timers.setControl(TIMERS.physical, 1);
    assert.equal(lines.get(30), true);
    state.set64(HCR_EL2, 0, HCR_HIGH_E2H);
    timers.controlsChanged();
    assert.equal(lines.get(30), false);
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

  it("make EL2's event stream of the physical counter, and slow ones by EVNTIS", () => {
    state.setNumber(CNTVOFF_EL2, 7);
    now = 3 * TICK;
    state.setWord(CNTHCTL_EL2, (4 << 4) | (1 << 2));
    assert.equal(timers.nextStreamEvent(), 16 * TICK);
    for (const register of [CNTHCTL_EL2, CNTKCTL_EL1]) {
      state.setWord(CNTHCTL_EL2, 0);
      state.setNumber(CNTVOFF_EL2, 0);
      state.setWord(register, EVNTIS | (15 << 4) | (1 << 2));
      assert.equal(timers.nextStreamEvent(), 2 ** 23 * TICK);
    }
  });
});
