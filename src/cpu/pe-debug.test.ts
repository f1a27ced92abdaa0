import assert from "node:assert/strict";
import { test } from "node:test";
import { CODE, hang, machine } from "../../test/support/one-pe.ts";
import type { PeState } from "./pe-state.ts";
import { DAIF, EL, FETCH_BASE, INSTRUCTIONS, PSTATE_SS } from "./state-layout.ts";
import * as r from "./sysreg-layout.ts";

const KDE = 1 << 13;
const MDE = 1 << 15;

test("software step: one instruction, then the exception, with ISV, and EX for a load-exclusive", () => {
  for (const [word, iss] of [
    [0x91000673 | 0, 0x1000022], // add
    [0xc85f7c43 | 0, 0x1000062], // ldxr
  ] as const) {
    const { pe, s, words, trace } = machine({});
    words[(CODE + 0x100) >> 2] = word;
    s.setWord(EL, 0);
    s.setWord(r.MDSCR_EL1, 1);
    s.setWord(PSTATE_SS, 1);
    pe.runSlice(2);
    assert.deepEqual(trace, [0x100]);
    assert.equal(s.number(r.ESR_EL1), 0xca000000 + iss);
    assert.equal(s.number(r.ELR_EL1), 0x104);
    assert.equal(s.word(r.SPSR_EL1) & (1 << 21), 0);
    assert.equal(s.number(INSTRUCTIONS), 1);
  }
});

test("software step: active and pending at once, without ISV", () => {
  const { pe, s, trace } = machine({});
  s.setWord(EL, 0);
  s.setWord(r.MDSCR_EL1, 1);
  pe.runSlice(1);
  assert.deepEqual(trace, []);
  assert.equal(s.number(r.ESR_EL1), 0xca000022);
});

test("software step over SVC: the exception is SVC's, with SPSR.SS clear", () => {
  const { pe, s } = machine({ 256: (h, s) => h.svc(s.cpu, 1, 0) });
  s.setWord(EL, 0);
  s.setWord(r.MDSCR_EL1, 1);
  s.setWord(PSTATE_SS, 1);
  pe.runSlice(2);
  assert.equal(s.number(r.ESR_EL1), 0x56000001);
  assert.equal(s.word(r.SPSR_EL1) & (1 << 21), 0);
});

test("software step over a fault: it is stepped again, SPSR.SS stays set", () => {
  const { pe, s } = machine({ 256: hang });
  s.setWord(EL, 0);
  s.setWord(r.MDSCR_EL1, 1);
  s.setWord(PSTATE_SS, 1);
  pe.runSlice(2);
  assert.equal(s.word(r.ESR_EL1) >>> 26, 0x3c);
  assert.equal(s.word(r.SPSR_EL1) & (1 << 21), 1 << 21);
});

test("a breakpoint stops before its instruction, and only its page is stepped through", () => {
  const { pe, s, trace, log } = machine({});
  s.setWord(DAIF, 0);
  s.setWord(r.MDSCR_EL1, MDE | KDE);
  s.setNumber(r.DBGBVR0_EL1, 0x108);
  s.setWord(r.DBGBCR0_EL1, (0xf << 5) | (1 << 1) | 1);
  pe.runSlice(3);
  assert.deepEqual(trace, [0x100, 0x104]);
  assert.equal(s.number(r.ESR_EL1), 0xc6000022);
  assert.equal(s.number(r.ELR_EL1), 0x108);
  assert.deepEqual(log.filter((l) => l === "step").length, 2);
  assert.equal(s.word(FETCH_BASE), 77);

  log.length = 0;
  s.setNumber(r.DBGBVR0_EL1, 0x5000);
  pe.runSlice(5);
  assert.ok(!log.includes("step"));
});

test("breakpoints: PSTATE.D, the OS lock, MDE, and the exception level", () => {
  const stops = (setup: (s: PeState) => void): boolean => {
    const { pe, s, trace } = machine({});
    s.setWord(DAIF, 0);
    s.setWord(r.MDSCR_EL1, MDE | KDE);
    s.setNumber(r.DBGBVR5_EL1, 0x100);
    s.setWord(r.DBGBCR5_EL1, (0xf << 5) | (1 << 1) | 1);
    setup(s);
    pe.runSlice(1);
    return trace.length === 0;
  };
  assert.equal(
    stops(() => {}),
    true,
  );
  assert.equal(
    stops((s) => s.setWord(DAIF, 0x200)),
    false,
  );
  assert.equal(
    stops((s) => s.setWord(r.OSLSR_EL1, 2)),
    false,
  );
  assert.equal(
    stops((s) => s.setWord(r.MDSCR_EL1, KDE)),
    false,
  );
  assert.equal(
    stops((s) => s.setWord(r.MDSCR_EL1, MDE)),
    false,
  );
  assert.equal(
    stops((s) => s.setWord(EL, 0)),
    false,
  );
  assert.equal(
    stops((s) => s.setWord(r.DBGBCR5_EL1, (2 << 1) | 1)),
    false,
  );
  // A context breakpoint, alone and linked to.
  const context = (n: number) => (s: PeState) => {
    s.setWord(r.CONTEXTIDR_EL1, n);
    s.setNumber(r.DBGBVR4_EL1, 42);
    s.setWord(r.DBGBCR4_EL1, (3 << 20) | (1 << 1) | 1);
    s.setWord(r.DBGBCR5_EL1, (1 << 20) | (4 << 16) | (1 << 1) | 1);
  };
  assert.equal(stops(context(42)), true);
  assert.equal(stops(context(41)), false);
});

test("a change of the debug registers empties the instruction TLB", () => {
  const { s, host, log } = machine({});
  assert.equal(host.sysregWrite(s.cpu, 2, 0), 1);
  assert.ok(log.includes("flush"));
});
