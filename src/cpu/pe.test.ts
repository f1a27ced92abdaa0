import assert from "node:assert/strict";
import { test } from "node:test";
import { CODE, type Host, hang, type Machine, machine } from "../../test/support/one-pe.ts";
import type { PeState } from "./pe-state.ts";
import {
  BTYPE,
  DAIF,
  EL,
  EVENT_REGISTER,
  EXC_STAGE2,
  EXIT,
  EXIT_EXCEPTION,
  HALTED,
  INSTRUCTIONS,
  LINES,
  PAN,
  PC,
  PSTATE_IL,
  SP,
  SPSEL,
  X,
} from "./state-layout.ts";
import { raise } from "./syndrome.ts";
import * as r from "./sysreg-layout.ts";

test("a slice runs its budget and counts instructions", () => {
  const { pe, s } = machine({});
  assert.equal(pe.runSlice(10), "budget");
  assert.equal(s.number(PC), 0x128);
  assert.equal(s.number(INSTRUCTIONS), 10);
  s.set64(INSTRUCTIONS, -2, 0);
  pe.runSlice(5);
  assert.equal(s.number(INSTRUCTIONS), 2 ** 32 + 3);
});

test("reset: at the highest level, masked, X0 as given; pending lines stay", () => {
  const { pe, s } = machine({}, {}, r.FEATURE_EL2);
  s.setWord(LINES, 1);
  s.setWord(HALTED, 1);
  pe.reset(0x40000000, undefined, 5, 6);
  assert.deepEqual([s.word(EL), s.word(SPSEL), s.word(DAIF), s.word(HALTED), s.word(LINES)], [2, 1, 0x3c0, 0, 1]);
  assert.deepEqual([s.number(PC), s.word(X), s.high(X)], [0x40000000, 5, 6]);
  pe.reset(0x40000000, 1);
  assert.equal(s.word(EL), 1);
  assert.equal(s.word(r.HCR_EL2) >>> 31, 1, "EL1 is AArch64");
});

test("SVC and ERET: a round trip comes back behind the SVC", () => {
  const code = {
    256: (h: Host, s: PeState) => h.svc(s.cpu, 7, 0),
    2560: (h: Host, s: PeState) => h.exceptionReturn(s.cpu, 0, 0),
  };
  const { pe, s, log, trace } = machine(code);
  pe.runSlice(2);
  assert.equal(s.number(r.ESR_EL1), 0x56000007);
  assert.deepEqual(trace, [0x100, 0xa00]);
  assert.equal(s.number(PC), 0x104);
  assert.ok(log.includes("clrex"));
});

test("an exception whose vector cannot be fetched ends the slice all the same", () => {
  const { pe, s } = machine({ 256: hang });
  s.setNumber(r.VBAR_EL1, 0x10000);
  assert.equal(pe.runSlice(1000), "budget");
  assert.equal(s.word(r.ESR_EL1) >>> 26, 0x21);
  assert.equal(s.number(r.FAR_EL1), 0x10200);
});

test("an interrupt is taken before the next instruction, when DAIFClr unmasks it", () => {
  const { pe, s, trace } = machine({ 260: (h, s) => h.pstateWrite(s.cpu, 0o37, 2) });
  s.setWord(LINES, 1);
  pe.runSlice(3);
  assert.deepEqual(trace, [0x100, 0x104, 0xa80]);
  assert.equal(s.number(r.ELR_EL1), 0x108);
});

test("a PC that is not aligned faults with its address", () => {
  const { pe, s } = machine({});
  s.setNumber(PC, 0x102);
  pe.runSlice(1);
  assert.equal(s.number(r.ESR_EL1), 0x8a000000);
  assert.equal(s.number(r.FAR_EL1), 0x102);
  assert.equal(s.number(r.ELR_EL1), 0x102);
});

test("PSTATE.IL makes any instruction an illegal state exception", () => {
  const { pe, s, trace } = machine({});
  s.setWord(PSTATE_IL, 1);
  pe.runSlice(1);
  assert.equal(s.number(r.ESR_EL1), 0x3a000000);
  assert.equal(s.number(r.SPSR_EL1) & 0x100000, 0x100000);
  assert.deepEqual(trace, []);
});

test("WFI waits for an interrupt, masked or not; and does not wait when one is pending", () => {
  const { pe, s, trace } = machine({ 256: (h, s) => h.waitHint(s.cpu, 1, 0) });
  assert.equal(pe.runSlice(10), "waiting");
  assert.equal(s.number(PC), 0x104);
  assert.equal(pe.runSlice(10), "waiting");
  s.setWord(LINES, 1);
  assert.equal(pe.runSlice(2), "budget");
  assert.deepEqual(trace, [0x100, 0x104, 0x108]);
  s.setNumber(PC, 0x100);
  assert.equal(pe.runSlice(2), "budget");
});

test("WFE consumes an event, and otherwise lets the other PEs run; SEV reaches all", () => {
  const { pe, s, host, others } = machine({ 256: (h, s) => h.waitHint(s.cpu, 0, 0) });
  assert.equal(pe.runSlice(10), "yielding");
  assert.equal(s.number(PC), 0x104);
  assert.equal(host.waitHint(s.cpu, 2, 0), 0);
  assert.deepEqual(
    [s, ...others].map((pe) => pe.word(EVENT_REGISTER)),
    [1, 1],
  );
  s.setNumber(PC, 0x100);
  assert.equal(pe.runSlice(2), "budget");
  assert.equal(s.word(EVENT_REGISTER), 0);
});

test("WFI and WFE at EL0 trap without SCTLR_EL1.nTWI and nTWE", () => {
  for (const [hint, iss] of [
    [1, 0],
    [0, 1],
  ] as const) {
    const { pe, s } = machine({ 256: (h, s) => h.waitHint(s.cpu, hint, 0) });
    s.setWord(EL, 0);
    pe.runSlice(1);
    assert.equal(s.number(r.ESR_EL1), 0x07e00000 + iss);
    assert.equal(s.number(r.ELR_EL1), 0x100);
  }
});

test("MSR DAIFSet at EL0 traps without SCTLR_EL1.UMA; PAN and SPSel are UNDEFINED there", () => {
  const { s, host } = machine({});
  s.setWord(EL, 0);
  assert.equal(host.pstateWrite(s.cpu, 0o36, 2), 1);
  assert.equal(s.word(EXIT), EXIT_EXCEPTION);
  assert.equal(s.word(0x1c0), 0x18);
  assert.equal(s.word(0x1c4), 0x0cd3e4);
  host.pstateWrite(s.cpu, 0o04, 1);
  assert.equal(s.word(0x1c0), 0);
});

test("MSR PAN leaves when it changes; SPSel exchanges the stack pointers", () => {
  const { s, host, log } = machine({});
  assert.equal(host.pstateWrite(s.cpu, 0o04, 0), 0);
  assert.equal(host.pstateWrite(s.cpu, 0o04, 1), 1);
  assert.equal(s.word(PAN), 1);
  assert.equal(s.number(PC), 0x104);
  assert.deepEqual(log, ["context"]);
  s.setNumber(SP, 0x10);
  s.setNumber(r.SP_EL0, 0x20);
  assert.equal(host.pstateWrite(s.cpu, 0o05, 0), 0);
  assert.equal(s.number(SP), 0x20);
  assert.equal(s.number(r.SP_EL1), 0x10);
});

test("a register write leaves when the context changed, when an interrupt became deliverable, or when it failed", () => {
  const { s, host } = machine({});
  assert.equal(host.sysregWrite(s.cpu, 0, 0), 0);
  assert.equal(s.number(PC), 0x100);
  assert.equal(host.sysregWrite(s.cpu, 1, 0), 1);
  assert.equal(s.number(PC), 0x104);
  s.setWord(LINES, 1);
  s.setWord(DAIF, 0);
  assert.equal(host.sysregWrite(s.cpu, 0, 0), 1);
  assert.equal(s.number(PC), 0x108);
  assert.equal(host.sysregWrite(s.cpu, 3, 0), 1);
  assert.equal(s.word(EXIT), EXIT_EXCEPTION);
  assert.equal(s.number(PC), 0x108);
});

test("HVC and SMC: UNDEFINED at EL0 and without EL2 and EL3; firmware comes first; HCR_EL2.TSC before it", () => {
  const calls: string[] = [];
  const firmware = { call: (_: number, conduit: string, i: number) => calls.push(`${conduit}${i}`) > 0 };
  const esr = (make: Machine, el: number, hcr: number, what: "hvc" | "smc"): string => {
    const { s, host, pe } = make;
    s.setWord(EL, el);
    s.setNumber(PC, 0x100);
    s.setWord(r.HCR_EL2, hcr);
    host[what](s.cpu, 9, 0);
    if (s.word(EXIT) !== EXIT_EXCEPTION) return `done ${s.number(PC).toString(16)}`;
    pe.runSlice(0);
    return (s.word(0x1c0) >>> 0).toString(16);
  };
  const without = machine({}, {}, r.FEATURE_EL2);
  assert.equal(esr(without, 0, 0, "hvc"), "0");
  assert.equal(esr(without, 1, 0, "hvc"), "16");
  assert.equal(without.s.number(PC), 0x104, "the call is done");
  assert.equal(esr(without, 1, 1 << 29, "hvc"), "0", "HCD");
  assert.equal(esr(without, 1, 0, "smc"), "0");
  assert.equal(esr(without, 1, 1 << 19, "smc"), "0", "without EL3, TSC has nothing to trap");
  const secure = machine({}, {}, r.FEATURE_EL2 | r.FEATURE_EL3);
  secure.s.setWord(r.SCR_EL3, 1);
  assert.equal(esr(secure, 1, 1 << 19, "smc"), "17");
  assert.equal(secure.s.number(PC), 0x100, "the trap is not");
  const owned = machine({}, { firmware }, r.FEATURE_EL2);
  assert.equal(esr(owned, 0, 0, "smc"), "0");
  assert.equal(esr(owned, 1, 1 << 19, "smc"), "17");
  assert.deepEqual(calls, []);
  assert.equal(esr(owned, 1, 0, "smc"), "done 104");
  assert.deepEqual(calls, ["smc9"]);
});

test("a PE that firmware turned off stops at once", () => {
  const call = (): boolean => {
    pe.powerOff();
    return true;
  };
  const { pe, s } = machine({ 256: (h, s) => h.smc(s.cpu, 0, 0) }, { firmware: { call } });
  assert.equal(pe.runSlice(10), "off");
  assert.equal(pe.runSlice(10), "off");
  assert.equal(s.number(PC), 0x104);
});

test("a stage 2 data abort gets its instruction's syndrome", () => {
  const { pe, s, words } = machine(
    {
      256: (_, s) => {
        raise(s, 0x24, 0x47);
        s.setWord(EXC_STAGE2, 1);
        return 1;
      },
    },
    {},
    r.FEATURE_EL2,
  );
  s.setWord(EL, 1);
  words[(CODE + 0x100) >> 2] = 0xb9000004 | 0; // str w4, [x0]
  pe.runSlice(1);
  assert.equal(s.word(EL), 2);
  assert.equal(s.number(r.ESR_EL2), 0x92000047 + 0x1840000);
});

test("an indirect branch into a guarded page needs a landing pad", () => {
  const landing = (word: number, guarded: number): Machine => {
    const m = machine({});
    m.guarded = guarded;
    m.words[(CODE + 0x100) >> 2] = word;
    m.s.setWord(BTYPE, 2);
    m.pe.runSlice(1);
    return m;
  };
  const nop = 0xd503201f | 0;
  const btiC = 0xd503245f | 0;
  assert.equal(landing(nop, 0).s.number(PC), 0x104);
  assert.equal(landing(btiC, 1).s.number(PC), 0x104);
  assert.equal(landing(btiC, 1).s.word(BTYPE), 0);
  const failed = landing(nop, 1);
  assert.equal(failed.s.number(r.ESR_EL1), 0x36000002);
  assert.equal(failed.s.word(r.SPSR_EL1) & 0xc00, 0x800);
  assert.deepEqual(failed.trace, []);
});

test("ERET of a nested hypervisor traps to EL2, each form with its syndrome", () => {
  for (const [kind, iss] of [
    [0, 0],
    [1, 2],
    [2, 3],
  ] as const) {
    const code = { 256: (h: Host, s: PeState) => h.exceptionReturn(s.cpu, kind, 0) };
    const { pe, s } = machine(code, {}, r.FEATURE_EL2);
    pe.reset(0x100, 1);
    // HCR_EL2.NV.
    s.set64(r.HCR_EL2, s.word(r.HCR_EL2), s.high(r.HCR_EL2) | (1 << 10));
    s.setNumber(r.ELR_EL1, 0x300);
    pe.runSlice(1);
    assert.equal(s.number(r.ESR_EL2), 0x6a000000 + iss);
    assert.equal(s.number(r.ELR_EL2), 0x100);
    assert.equal(s.word(EL), 2);
  }
});
