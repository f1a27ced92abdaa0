import assert from "node:assert/strict";
import { test } from "node:test";
import { hypervisorCall, secureMonitorCall, supervisorCall } from "./calls.ts";
import { exceptionReturn, illegalReturn, takeInterrupt, takeSynchronous } from "./exceptions.ts";
import { waitHint } from "./hints.ts";
import { deliverableInterrupt, LINE_FIQ, LINE_IRQ, LINE_SERROR } from "./interrupts.ts";
import {
  HCR_AMO,
  HCR_FMO,
  HCR_HIGH_E2H,
  HCR_HIGH_TEA,
  HCR_IMO,
  HCR_TGE,
  HCR_TSC,
  HCR_TWE,
  HCR_TWI,
  HCR_VSE,
  SCR_EA,
  SCR_EEL2,
  SCR_FIQ,
  SCR_HCE,
  SCR_IRQ,
  SCR_NS,
  SCR_SMD,
  SCR_TWE,
  SCR_TWI,
} from "./levels.ts";
import { PeState } from "./pe-state.ts";
import { DAIF_A, DAIF_ALL } from "./pstate.ts";
import {
  CPU_STRIDE,
  DAIF,
  EL,
  EXC_EC,
  EXC_ISS,
  EXC_STAGE2,
  EXC_TARGET,
  EXIT,
  EXIT_EXCEPTION,
  HALTED,
  LINES,
  PC,
  SECURE,
  SPSEL,
} from "./state-layout.ts";
import { raise } from "./syndrome.ts";
import * as r from "./sysreg-layout.ts";

// Where exceptions go, by the controls of EL2 and EL3 (Arm ARM D1.3).

const ALL = r.FEATURE_EL2 | r.FEATURE_EL3;
const SCTLR_NTWI = 1 << 16;
const SCTLR_NTWE = 1 << 18;

interface Setup {
  readonly features?: number;
  readonly scr?: number;
  readonly hcr?: number;
  readonly hcrHigh?: number;
  readonly mdcr?: number;
}

function make(el: number, { features = ALL, scr = SCR_NS, hcr = 0, hcrHigh = 0, mdcr = 0 }: Setup = {}): PeState {
  const s = new PeState(new ArrayBuffer(CPU_STRIDE), 0);
  s.setWord(r.PE_FEATURES, features);
  s.setWord(r.SCR_EL3, scr);
  s.set64(r.HCR_EL2, hcr, hcrHigh);
  s.setWord(r.MDCR_EL2, mdcr);
  // FEAT_RAS.
  s.set64(r.ID_AA64PFR0_EL1, 1 << 28, 0);
  for (const slot of [r.SCTLR_EL1, r.SCTLR_EL2]) s.setWord(slot, SCTLR_NTWI | SCTLR_NTWE);
  s.setWord(EL, el);
  s.setWord(SPSEL, el === 0 ? 0 : 1);
  s.setWord(SECURE, features & r.FEATURE_EL3 && (el === 3 || !(scr & SCR_NS)) ? 1 : 0);
  return s;
}

const EXTERNAL = 0x10;
const HOST = { hcr: HCR_TGE, hcrHigh: HCR_HIGH_E2H };
const TDE = 1 << 8;

test("synchronous exceptions: the target by SCR_EL3, HCR_EL2 and MDCR_EL2", () => {
  const cases: readonly (readonly [what: string, ec: number, iss: number, el: number, setup: Setup, target: number])[] =
    [
      ["UNDEFINED at EL0", 0, 0, 0, {}, 1],
      ["UNDEFINED at EL0, TGE", 0, 0, 0, { hcr: HCR_TGE }, 2],
      ["UNDEFINED at EL0, a host", 0, 0, 0, HOST, 2],
      ["TGE in Secure state without EEL2", 0, 0, 0, { hcr: HCR_TGE, scr: 0 }, 1],
      ["TGE in Secure state with EEL2", 0, 0, 0, { hcr: HCR_TGE, scr: SCR_EEL2 }, 2],
      ["UNDEFINED at EL1", 0, 0, 1, {}, 1],
      ["UNDEFINED at EL2", 0, 0, 2, {}, 2],
      ["UNDEFINED at EL3", 0, 0, 3, {}, 3],
      ["SP alignment at EL0, TGE", 0x26, 0, 0, { hcr: HCR_TGE }, 2],
      ["PC alignment at EL1", 0x22, 0, 1, {}, 1],
      ["a data abort at EL1", 0x24, 7, 1, {}, 1],
      ["an external abort at EL1", 0x24, EXTERNAL, 1, {}, 1],
      ["an external abort at EL1, EA", 0x24, EXTERNAL, 1, { scr: SCR_NS | SCR_EA }, 3],
      ["an external abort at EL1, TEA", 0x24, EXTERNAL, 1, { hcrHigh: HCR_HIGH_TEA }, 2],
      ["an external abort at EL1, EA and TEA", 0x20, EXTERNAL, 1, { scr: SCR_NS | SCR_EA, hcrHigh: HCR_HIGH_TEA }, 3],
      ["an external abort at EL2, EA", 0x24, EXTERNAL, 2, { scr: SCR_NS | SCR_EA }, 3],
      ["an external abort at EL2, TEA", 0x24, EXTERNAL, 2, { hcrHigh: HCR_HIGH_TEA }, 2],
      ["another abort, EA", 0x24, 7, 1, { scr: SCR_NS | SCR_EA }, 1],
      ["BRK at EL1", 0x3c, 0, 1, {}, 1],
      ["BRK at EL1, TDE", 0x3c, 0, 1, { mdcr: TDE }, 2],
      ["a watchpoint at EL0, TDE", 0x34, 0x22, 0, { mdcr: TDE }, 2],
      ["a breakpoint at EL0, TGE", 0x30, 0x22, 0, { hcr: HCR_TGE }, 2],
      ["a software step at EL1, TDE in Secure state", 0x32, 0x22, 1, { mdcr: TDE, scr: 0 }, 1],
      ["BRK at EL3", 0x3c, 0, 3, { mdcr: TDE }, 3],
    ];
  for (const [what, ec, iss, el, setup, target] of cases) {
    const s = make(el, setup);
    raise(s, ec, iss);
    takeSynchronous(s);
    assert.equal(s.word(EL), target, what);
    assert.equal(s.word(SECURE), target === 3 || !((setup.scr ?? SCR_NS) & SCR_NS) ? 1 : 0, what);
  }
});

test("an abort of stage 2 goes to EL2, an external one on its walk to EL3 with SCR_EL3.EA", () => {
  for (const [iss, scr, target] of [
    [6, SCR_NS | SCR_EA, 2],
    [0x15, SCR_NS, 2],
    [0x15, SCR_NS | SCR_EA, 3],
  ] as const) {
    const s = make(1, { scr });
    raise(s, 0x24, iss);
    s.setWord(EXC_STAGE2, 1);
    takeSynchronous(s);
    assert.equal(s.word(EL), target);
  }
});

test("interrupts: target and masking by SCR_EL3, HCR_EL2 and PSTATE (Arm ARM tables of D1.3.6)", () => {
  const kinds = [
    { line: LINE_IRQ, scr: SCR_IRQ, hcr: HCR_IMO },
    { line: LINE_FIQ, scr: SCR_FIQ, hcr: HCR_FMO },
    { line: LINE_SERROR, scr: SCR_EA, hcr: HCR_AMO },
  ];
  // By exception level: where it goes with PSTATE clear, and with the mask set; 0: it stays pending.
  const rows: readonly (readonly [
    string,
    (k: (typeof kinds)[number]) => Setup,
    readonly number[],
    readonly number[],
  ])[] = [
    ["no routing", () => ({}), [1, 1, 0, 0], [0, 0, 0, 0]],
    ["to EL2", (k) => ({ hcr: k.hcr }), [2, 2, 2, 0], [2, 2, 0, 0]],
    ["to EL2 by TGE", () => ({ hcr: HCR_TGE }), [2, 2, 2, 0], [2, 2, 0, 0]],
    ["of a host", () => HOST, [2, 2, 2, 0], [0, 0, 0, 0]],
    ["E2H without TGE", () => ({ hcrHigh: HCR_HIGH_E2H }), [1, 1, 0, 0], [0, 0, 0, 0]],
    ["to EL3", (k) => ({ scr: SCR_NS | k.scr, hcr: k.hcr }), [3, 3, 3, 3], [3, 3, 3, 0]],
    ["Secure, without EEL2", (k) => ({ scr: 0, hcr: k.hcr }), [1, 1, 0, 0], [0, 0, 0, 0]],
    ["Secure, with EEL2", (k) => ({ scr: SCR_EEL2, hcr: k.hcr }), [2, 2, 2, 0], [2, 2, 0, 0]],
  ];
  for (const [what, setup, clear, masked] of rows) {
    for (const kind of kinds) {
      for (const [daif, expected] of [
        [0, clear],
        [DAIF_ALL, masked],
      ] as const) {
        for (const [el, target] of expected.entries()) {
          // EL1 of a host with TGE, and EL2 where it is not enabled, do not exist.
          const options = setup(kind);
          if (el === 1 && (options.hcr ?? 0) & HCR_TGE) continue;
          if (el === 2 && what === "Secure, without EEL2") continue;
          const s = make(el, options);
          s.setWord(DAIF, daif);
          s.setWord(LINES, kind.line);
          const line = deliverableInterrupt(s);
          assert.equal(line !== 0, target !== 0, `${what}, line ${kind.line} at EL${el}, DAIF ${daif}`);
          if (line === 0) continue;
          takeInterrupt(s, line);
          assert.equal(s.word(EL), target, `${what}, line ${kind.line} at EL${el}`);
        }
      }
    }
  }
});

test("HVC and SMC: where they are UNDEFINED, and where they go", () => {
  const call = (what: "hvc" | "smc" | "svc", el: number, setup: Setup): string => {
    const s = make(el, setup);
    s.setNumber(PC, 0x1000);
    if (what === "svc") supervisorCall(s, 0x1234);
    else (what === "hvc" ? hypervisorCall : secureMonitorCall)(s, 0x1234, undefined);
    const ec = s.word(EXC_EC);
    if (ec === 0) return "UNDEFINED";
    assert.equal(s.word(EXC_ISS), 0x1234);
    const pc = s.number(PC);
    takeSynchronous(s);
    return `EC ${ec.toString(16)} to EL${s.word(EL)}${pc === 0x1000 ? ", a trap" : ""}`;
  };
  const HCE = { scr: SCR_NS | SCR_HCE };
  const HCD = 1 << 29;
  const EL2_ONLY = r.FEATURE_EL2;
  assert.equal(call("hvc", 0, HCE), "UNDEFINED");
  assert.equal(call("hvc", 1, {}), "UNDEFINED", "SCR_EL3.HCE is clear");
  assert.equal(call("hvc", 1, HCE), "EC 16 to EL2");
  assert.equal(call("hvc", 2, HCE), "EC 16 to EL2");
  assert.equal(call("hvc", 3, HCE), "EC 16 to EL3");
  assert.equal(call("hvc", 1, { scr: SCR_HCE }), "UNDEFINED", "Secure state has no EL2");
  assert.equal(call("hvc", 1, { scr: SCR_HCE | SCR_EEL2 }), "EC 16 to EL2");
  assert.equal(call("hvc", 1, { features: EL2_ONLY }), "EC 16 to EL2");
  assert.equal(call("hvc", 1, { features: EL2_ONLY, hcr: HCD }), "UNDEFINED");
  assert.equal(call("hvc", 2, { features: EL2_ONLY, hcr: HCD }), "UNDEFINED");
  assert.equal(call("hvc", 1, { features: r.FEATURE_EL3, scr: SCR_NS | SCR_HCE }), "UNDEFINED");
  assert.equal(call("smc", 0, {}), "UNDEFINED");
  for (const el of [1, 2, 3]) {
    assert.equal(call("smc", el, {}), "EC 17 to EL3");
    assert.equal(call("smc", el, { scr: SCR_NS | SCR_SMD }), "UNDEFINED");
    assert.equal(call("smc", el, { features: EL2_ONLY }), "UNDEFINED");
  }
  assert.equal(call("smc", 1, { hcr: HCR_TSC }), "EC 17 to EL2, a trap");
  assert.equal(call("smc", 1, { hcr: HCR_TSC, scr: SCR_NS | SCR_SMD }), "EC 17 to EL2, a trap");
  assert.equal(call("smc", 1, { hcr: HCR_TSC, scr: 0 }), "EC 17 to EL3");
  assert.equal(call("smc", 2, { hcr: HCR_TSC }), "EC 17 to EL3");
  assert.equal(call("svc", 0, {}), "EC 15 to EL1");
  assert.equal(call("svc", 0, { hcr: HCR_TGE }), "EC 15 to EL2");
  for (const el of [1, 2, 3]) assert.equal(call("svc", el, {}), `EC 15 to EL${el}`);
});

test("SVC traps by HFGITR_EL2, before it is executed", () => {
  for (const [el, bit] of [
    [0, 52],
    [1, 53],
  ] as const) {
    const s = make(el, { features: r.FEATURE_EL2 });
    s.setNumber(PC, 0x1000);
    s.set64(r.HFGITR_EL2, 0, 1 << (bit - 32));
    supervisorCall(s, 7);
    assert.deepEqual([s.word(EXC_EC), s.word(EXC_ISS), s.word(EXC_TARGET), s.number(PC)], [0x15, 7, 2, 0x1000]);
  }
});

test("WFI and WFE: trapped by SCTLR_ELx, HCR_EL2 and SCR_EL3 in this order", () => {
  const WFE = 0;
  const WFI = 1;
  const trapOf = (hint: number, el: number, setup: Setup, sctlr = SCTLR_NTWI | SCTLR_NTWE): string => {
    const s = make(el, setup);
    s.setWord(setup.hcrHigh ? r.SCTLR_EL2 : r.SCTLR_EL1, sctlr);
    waitHint(s, [s], hint);
    if (s.word(EXIT) !== EXIT_EXCEPTION) {
      assert.equal(s.word(HALTED), hint === WFI ? 1 : 0);
      return "waits";
    }
    assert.equal(s.word(EXC_EC), 1);
    assert.equal(s.word(EXC_ISS), 0x1e00000 | (hint === WFE ? 1 : 0));
    takeSynchronous(s);
    return `to EL${s.word(EL)}`;
  };
  for (const [hint, hcr, scr, enable] of [
    [WFI, HCR_TWI, SCR_TWI, SCTLR_NTWI],
    [WFE, HCR_TWE, SCR_TWE, SCTLR_NTWE],
  ] as const) {
    const all = { hcr, scr: SCR_NS | scr };
    for (const el of [0, 1, 2, 3]) assert.equal(trapOf(hint, el, {}), "waits");
    assert.equal(trapOf(hint, 0, all, ~enable), "to EL1");
    assert.equal(trapOf(hint, 0, { hcr: hcr | HCR_TGE }, ~enable), "to EL2");
    assert.equal(trapOf(hint, 0, HOST, ~enable), "to EL2");
    assert.equal(trapOf(hint, 0, { hcr: HCR_TGE | hcr, hcrHigh: HCR_HIGH_E2H }), "waits", "HCR_EL2 is not for a host");
    assert.equal(trapOf(hint, 1, {}, ~enable), "waits");
    for (const el of [0, 1]) assert.equal(trapOf(hint, el, all), "to EL2");
    assert.equal(trapOf(hint, 2, all), "to EL3");
    assert.equal(trapOf(hint, 3, all), "waits");
    assert.equal(trapOf(hint, 1, { hcr, scr: 0 }), "waits", "Secure state has no EL2");
  }
});

test("ESB defers an SError that is masked, and leaves one that is not to be taken", () => {
  const ESB = 5;
  const physical = make(1);
  physical.setWord(LINES, LINE_SERROR);
  physical.setWord(DAIF, DAIF_A);
  assert.equal(waitHint(physical, [physical], ESB), 0);
  assert.equal(physical.word(r.DISR_EL1), 1 << 31);
  assert.equal(physical.word(LINES), 0);

  const open = make(1);
  open.setWord(LINES, LINE_SERROR);
  assert.equal(waitHint(open, [open], ESB), 1);
  assert.equal(open.word(r.DISR_EL1), 0);
  assert.equal(open.word(LINES), LINE_SERROR);

  const virtual = make(1, { hcr: HCR_AMO | HCR_VSE });
  virtual.setWord(r.VSESR_EL2, 0x1abcdef);
  virtual.setWord(DAIF, DAIF_A);
  assert.equal(waitHint(virtual, [virtual], ESB), 0);
  assert.equal(virtual.word(r.VDISR_EL2), (0x81abcdef | 0) >> 0);
  assert.equal(virtual.word(r.HCR_EL2) & HCR_VSE, 0);

  const taken = make(1, { hcr: HCR_AMO | HCR_VSE });
  taken.setWord(r.VSESR_EL2, 0x1abcdef);
  takeInterrupt(taken, deliverableInterrupt(taken));
  assert.equal(taken.word(EL), 1);
  assert.equal(taken.word(r.ESR_EL1) >>> 0, 0xbfabcdef);
});

test("exception returns that are illegal", () => {
  const spsr = (el: number, h = 0): number => (el << 2) | h;
  const cases: readonly (readonly [what: string, el: number, spsr: number, setup: Setup, illegal: boolean])[] = [
    ["to EL0", 3, spsr(0), {}, false],
    ["to EL0 with SP_EL1", 3, spsr(0, 1), {}, true],
    ["M[1]", 3, spsr(1, 2), {}, true],
    ["to AArch32", 3, 0x10, {}, true],
    ["to a higher level", 1, spsr(2, 1), {}, true],
    ["to EL2", 3, spsr(2, 1), {}, false],
    ["to EL2 in Secure state", 3, spsr(2, 1), { scr: 0 }, true],
    ["to EL2 in Secure state with EEL2", 3, spsr(2, 1), { scr: SCR_EEL2 }, false],
    ["to EL2 that is not there", 3, spsr(2, 1), { features: r.FEATURE_EL3 }, true],
    ["to EL1 with TGE", 2, spsr(1, 1), { hcr: HCR_TGE }, true],
    ["to EL0 with TGE", 2, spsr(0), { hcr: HCR_TGE }, false],
    ["to Secure EL1 with TGE", 3, spsr(1, 1), { hcr: HCR_TGE, scr: 0 }, false],
    ["to Secure EL1 with TGE and EEL2", 3, spsr(1, 1), { hcr: HCR_TGE, scr: SCR_EEL2 }, true],
    ["to EL1", 2, spsr(1, 1), {}, false],
  ];
  for (const [what, el, value, setup, illegal] of cases)
    assert.equal(illegalReturn(make(el, setup), value), illegal, what);
});

test("EL3 is Secure, and what it returns to is what SCR_EL3.NS says", () => {
  for (const [scr, secure] of [
    [SCR_NS, 0],
    [0, 1],
  ] as const) {
    const s = make(3, { scr });
    s.setWord(r.SPSR_EL3, 5);
    exceptionReturn(s, () => {});
    assert.deepEqual([s.word(EL), s.word(SECURE)], [1, secure]);
    raise(s, 0x17, 0, 3);
    takeSynchronous(s);
    assert.deepEqual([s.word(EL), s.word(SECURE)], [3, 1]);
  }
});
