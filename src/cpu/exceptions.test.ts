import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { exceptionReturn, takeInterrupt, takeSynchronous } from "./exceptions.ts";
import { deliverableInterrupt, LINE_FIQ, LINE_IRQ, LINE_SERROR, LINE_VIRQ, LINE_VSERROR } from "./interrupts.ts";
import {
  HCR_AMO,
  HCR_HIGH_E2H,
  HCR_HIGH_TEA,
  HCR_IMO,
  HCR_TGE,
  HCR_VI,
  HCR_VSE,
  SCR_EA,
  SCR_IRQ,
  SCR_NS,
} from "./levels.ts";
import { PeState } from "./pe-state.ts";
import { packPSTATE } from "./pstate.ts";
import {
  BRANCH_TBI,
  BTYPE,
  CF,
  CPU_STRIDE,
  DAIF,
  EL,
  EVENT_REGISTER,
  EXC_FAR,
  EXC_IPA,
  EXC_STAGE2,
  FP_TRAP,
  LINES,
  NF,
  PAN,
  PC,
  PSTATE_IL,
  PSTATE_SS,
  SECURE,
  SP,
  SPSEL,
  SSBS,
  UAO,
  VF,
  ZF,
} from "./state-layout.ts";
import { raise } from "./syndrome.ts";
import * as r from "./sysreg-layout.ts";

interface Setup {
  readonly el?: number;
  readonly features?: number;
  readonly spsel?: number;
}

/** A PE with vectors at 0x10000 * EL, stacks at 0x100 * EL, and PC at 0x1234. */
function make({ el = 1, features = 0, spsel = 1 }: Setup = {}): PeState {
  const s = new PeState(new ArrayBuffer(CPU_STRIDE), 0);
  s.setWord(r.PE_FEATURES, features);
  s.setWord(EL, el);
  s.setWord(SPSEL, spsel);
  s.setWord(ZF, 1);
  s.setNumber(PC, 0x1234);
  s.setNumber(SP, 0xf00);
  s.setWord(r.SCTLR_EL1, 1 << 23);
  [r.VBAR_EL1, r.VBAR_EL2, r.VBAR_EL3].forEach((slot, i) => {
    s.setNumber(slot, 0x10000 * (i + 1));
  });
  [r.SP_EL0, r.SP_EL1, r.SP_EL2, r.SP_EL3].forEach((slot, i) => {
    s.setNumber(slot, 0x100 * i);
  });
  return s;
}

const ALL = r.FEATURE_EL2 | r.FEATURE_EL3;
const none = (): void => {};

test("SVC at EL1 with SP_EL1: vector 0x200, ESR, ELR, SPSR, masks", () => {
  const s = make();
  s.setWord(NF, -1);
  s.setWord(CF, 1);
  s.setWord(DAIF, 0x80);
  raise(s, 0x15, 0x123);
  takeSynchronous(s);
  assert.equal(s.number(PC), 0x10200);
  assert.equal(s.number(r.ESR_EL1), 0x56000123);
  assert.equal(s.number(r.ELR_EL1), 0x1234);
  assert.equal(s.number(r.SPSR_EL1), 0xa0000085);
  assert.equal(s.word(DAIF), 0x3c0);
  assert.equal(s.number(SP), 0xf00);
});

test("the vector is chosen by the stack pointer in use, and by a change of level", () => {
  const t = make({ spsel: 0 });
  raise(t, 0x15, 0);
  takeSynchronous(t);
  assert.equal(t.number(PC), 0x10000);
  assert.equal(t.number(r.SPSR_EL1) & 15, 4);
  assert.equal(t.number(r.SP_EL0), 0xf00, "SP_EL0 is banked");
  assert.equal(t.number(SP), 0x100, "SP is SP_EL1");
  const lower = make({ el: 0, spsel: 0 });
  raise(lower, 0x15, 0);
  takeSynchronous(lower);
  assert.equal(lower.number(PC), 0x10400);
  assert.equal(lower.word(SPSEL), 1);
});

test("aborts and debug exceptions from the same level have the class after the one from below", () => {
  for (const ec of [0x20, 0x24, 0x30, 0x32, 0x34]) {
    for (const el of [0, 1]) {
      const s = make({ el });
      s.set64(EXC_FAR, 0x55, 0x66);
      raise(s, ec, 7);
      takeSynchronous(s);
      assert.equal(s.word(r.ESR_EL1) >>> 26, ec + el, `EC ${ec.toString(16)} at EL${el}`);
      const hasFar = ec === 0x20 || ec === 0x24 || ec === 0x34;
      assert.equal(s.word(r.FAR_EL1), hasFar ? 0x55 : 0, `FAR of ${ec.toString(16)}`);
      assert.equal(s.high(r.FAR_EL1), hasFar ? 0x66 : 0);
    }
  }
});

test("a PC alignment fault writes FAR; an SP alignment fault does not", () => {
  for (const [ec, far] of [
    [0x22, 0x55],
    [0x26, 0],
  ] as const) {
    const s = make();
    s.set64(EXC_FAR, 0x55, 0);
    raise(s, ec, 0);
    takeSynchronous(s);
    assert.equal(s.number(r.FAR_EL1), far);
    assert.equal(s.number(r.ESR_EL1), ec * 2 ** 26 + 2 ** 25);
  }
});

test("entry clears SS, IL, BTYPE and UAO, having saved them, and sets PAN and SSBS as SCTLR says", () => {
  const features = r.FEATURE_PAN | r.FEATURE_UAO | r.FEATURE_BTI;
  for (const span of [0, 1]) {
    for (const dssbs of [0, 1]) {
      const s = make({ features });
      s.set64(r.ID_AA64PFR1_EL1, 0x20, 0);
      s.set64(r.SCTLR_EL1, span << 23, dssbs << 12);
      for (const word of [PSTATE_SS, PSTATE_IL, UAO]) s.setWord(word, 1);
      s.setWord(SSBS, 1 - dssbs);
      s.setWord(BTYPE, 2);
      raise(s, 0x0e, 0);
      takeSynchronous(s);
      const saved = (1 << 23) | (1 << 21) | (1 << 20) | ((1 - dssbs) << 12) | (2 << 10) | 5;
      assert.equal(s.word(r.SPSR_EL1), saved);
      assert.deepEqual(
        [PSTATE_SS, PSTATE_IL, UAO, BTYPE].map((w) => s.word(w)),
        [0, 0, 0, 0],
      );
      assert.equal(s.word(PAN), 1 - span);
      assert.equal(s.word(SSBS), dssbs);
    }
  }
});

test("HCR_EL2.TGE sends exceptions of EL0 to EL2, and its FP trap as Uncategorized", () => {
  const s = make({ el: 0, spsel: 0, features: r.FEATURE_EL2 });
  s.setWord(r.HCR_EL2, HCR_TGE);
  raise(s, 0x15, 1);
  takeSynchronous(s);
  assert.equal(s.word(EL), 2);
  assert.equal(s.number(PC), 0x20400);
  assert.equal(s.number(r.ESR_EL2), 0x56000001);
  assert.equal(s.number(SP), 0x200);

  const fp = make({ el: 0, spsel: 0, features: r.FEATURE_EL2 });
  fp.setWord(r.HCR_EL2, HCR_TGE);
  fp.setWord(FP_TRAP, 1);
  raise(fp, 7, 0x1e00000);
  takeSynchronous(fp);
  assert.equal(fp.number(r.ESR_EL2), 0x02000000);
});

test("the FP trap goes to the level that traps", () => {
  for (const level of [1, 2, 3]) {
    const s = make({ el: 1, features: ALL });
    s.setWord(r.SCR_EL3, SCR_NS);
    s.setWord(FP_TRAP, level);
    raise(s, 7, 0x1e00000);
    takeSynchronous(s);
    assert.equal(s.word(EL), level);
    assert.equal(s.number([r.ESR_EL1, r.ESR_EL2, r.ESR_EL3][level - 1] as number), 0x1fe00000);
  }
});

test("a stage 2 fault goes to EL2 with HPFAR", () => {
  const s = make({ el: 1, features: r.FEATURE_EL2 });
  raise(s, 0x24, 0x47);
  s.setWord(EXC_STAGE2, 1);
  s.set64(EXC_IPA, 0x12345678 | 0, 0x00ab);
  takeSynchronous(s);
  assert.equal(s.word(EL), 2);
  assert.equal(s.number(r.ESR_EL2), 0x92000047);
  // IPA 0xab12345678: page 0xab12345 in bits 43:4.
  assert.equal(s.number(r.HPFAR_EL2), 0xab123450);
});

test("external aborts go to EL3 with SCR_EL3.EA, to EL2 with HCR_EL2.TEA; translation faults do not", () => {
  const at = (iss: number, scr: number, tea: number): number => {
    const s = make({ el: 1, features: ALL });
    s.setWord(r.SCR_EL3, SCR_NS | scr);
    s.set64(r.HCR_EL2, 0, tea);
    raise(s, 0x24, iss);
    takeSynchronous(s);
    return s.word(EL);
  };
  assert.equal(at(0x10, SCR_EA, HCR_HIGH_TEA), 3);
  assert.equal(at(0x14, 0, HCR_HIGH_TEA), 2);
  assert.equal(at(0x10, 0, 0), 1);
  assert.equal(at(0x07, SCR_EA, HCR_HIGH_TEA), 1);
});

test("debug exceptions of EL1 go to EL2 with MDCR_EL2.TDE", () => {
  const s = make({ el: 1, features: r.FEATURE_EL2 });
  s.setWord(r.MDCR_EL2, 1 << 8);
  raise(s, 0x3c, 5);
  takeSynchronous(s);
  assert.equal(s.word(EL), 2);
  assert.equal(s.number(r.ESR_EL2), 0xf2000005);
});

test("an exception to EL3 makes the PE Secure; the return to a Non-secure level ends that", () => {
  const s = make({ el: 1, features: ALL });
  s.setWord(r.SCR_EL3, SCR_NS);
  raise(s, 0x17, 0, 3);
  takeSynchronous(s);
  assert.deepEqual([s.word(EL), s.word(SECURE)], [3, 1]);
  exceptionReturn(s, none);
  assert.deepEqual([s.word(EL), s.word(SECURE)], [1, 0]);
});

test("interrupts: each vector, and masks of the level they go to", () => {
  for (const [line, bit, vector] of [
    [LINE_IRQ, 0x80, 0x280],
    [LINE_FIQ, 0x40, 0x300],
    [LINE_SERROR, 0x100, 0x380],
  ] as const) {
    const s = make();
    s.setWord(LINES, line);
    s.setWord(DAIF, bit);
    assert.equal(deliverableInterrupt(s), 0);
    s.setWord(DAIF, 0x3c0 & ~bit);
    assert.equal(deliverableInterrupt(s), line);
    takeInterrupt(s, line);
    assert.equal(s.number(PC), 0x10000 + vector);
    assert.equal(s.word(LINES), line === LINE_SERROR ? 0 : line, "an SError is taken once");
    if (line === LINE_SERROR) assert.equal(s.number(r.ESR_EL1), 0xbe000000);
  }
});

test("routing of IRQ: SCR_EL3.IRQ, HCR_EL2.IMO and TGE; higher levels cannot be masked, lower ones wait", () => {
  const routed = (el: number, daif: number, hcr: number, scr: number, e2h = 0): string => {
    const s = make({ el, features: ALL });
    s.setWord(LINES, LINE_IRQ);
    s.setWord(DAIF, daif);
    s.set64(r.HCR_EL2, hcr, e2h);
    s.setWord(r.SCR_EL3, SCR_NS | scr);
    const line = deliverableInterrupt(s);
    if (line === 0) return "pending";
    takeInterrupt(s, line);
    return `EL${s.word(EL)} ${(s.number(PC) & 0xfff).toString(16)}`;
  };
  assert.equal(routed(0, 0, 0, 0), "EL1 480");
  assert.equal(routed(0, 0x80, 0, 0), "pending");
  assert.equal(routed(1, 0x80, HCR_IMO, 0), "EL2 480");
  assert.equal(routed(0, 0x80, HCR_TGE, 0), "EL2 480");
  assert.equal(routed(0, 0x80, HCR_TGE, 0, HCR_HIGH_E2H), "pending");
  assert.equal(routed(0, 0, HCR_TGE, 0, HCR_HIGH_E2H), "EL2 480");
  assert.equal(routed(2, 0, 0, 0), "pending", "EL1's interrupt at EL2");
  assert.equal(routed(2, 0, HCR_IMO, 0), "EL2 280");
  assert.equal(routed(2, 0x80, HCR_IMO, 0), "pending");
  assert.equal(routed(2, 0x80, HCR_IMO, SCR_IRQ), "EL3 480");
  assert.equal(routed(3, 0, HCR_IMO, 0), "pending");
  assert.equal(routed(3, 0, 0, SCR_IRQ), "EL3 280");
});

test("virtual interrupts: only below EL2, only of the kinds that HCR_EL2 routes, never with TGE", () => {
  const virtual = (el: number, hcr: number, lines = 0): number => {
    const s = make({ el, features: r.FEATURE_EL2 });
    s.setWord(r.HCR_EL2, hcr);
    s.setWord(LINES, lines);
    return deliverableInterrupt(s);
  };
  assert.equal(virtual(1, HCR_IMO | HCR_VI), LINE_VIRQ);
  assert.equal(virtual(0, HCR_IMO, LINE_VIRQ), LINE_VIRQ);
  assert.equal(virtual(1, HCR_VI, LINE_VIRQ), 0);
  assert.equal(virtual(2, HCR_IMO | HCR_VI), 0);
  assert.equal(virtual(0, HCR_IMO | HCR_VI | HCR_TGE), 0);

  const s = make({ el: 1, features: r.FEATURE_EL2 });
  s.setWord(r.HCR_EL2, HCR_AMO | HCR_VSE);
  assert.equal(deliverableInterrupt(s), LINE_VSERROR);
  takeInterrupt(s, LINE_VSERROR);
  assert.equal(s.word(r.HCR_EL2), HCR_AMO, "HCR_EL2.VSE is cleared");
  assert.equal(s.number(PC), 0x10380);
});

test("an exception return restores what the exception saved", () => {
  fc.assert(
    fc.property(fc.nat(15), fc.nat(15), fc.nat(1), fc.constantFrom(0, 1), (nzcv, daif, pan, el) => {
      const s = make({ el, spsel: el, features: r.FEATURE_PAN });
      s.setWord(NF, nzcv & 8 ? -1 : 0);
      s.setWord(ZF, nzcv & 4 ? 0 : 1);
      s.setWord(CF, (nzcv >> 1) & 1);
      s.setWord(VF, nzcv & 1 ? -1 : 0);
      s.setWord(DAIF, daif << 6);
      s.setWord(PAN, pan);
      const before = packPSTATE(s);
      raise(s, 0x15, 0);
      takeSynchronous(s);
      assert.equal(s.word(r.SPSR_EL1), before);
      s.copy64(PC, r.ELR_EL1);
      exceptionReturn(s, none);
      assert.equal(packPSTATE(s), before);
      assert.equal(s.number(PC), 0x1234);
      assert.equal(s.number(SP), 0xf00);
      assert.equal(s.word(EVENT_REGISTER), 1);
    }),
  );
});

test("illegal returns set IL, keep the level, and take NZCV, DAIF and PAN from SPSR", () => {
  const illegal = (el: number, features: number, m: number, hcr = 0, scr = 0): boolean => {
    const s = make({ el, features: features | r.FEATURE_PAN });
    s.setWord(r.HCR_EL2, hcr);
    s.setWord(r.SCR_EL3, scr);
    s.setWord([0, r.SPSR_EL1, r.SPSR_EL2, r.SPSR_EL3][el] as number, 0x40400080 | m);
    exceptionReturn(s, none);
    assert.equal(s.word(ZF), 0);
    assert.equal(s.word(DAIF), 0x80);
    assert.equal(s.word(PAN), 1);
    const il = s.word(PSTATE_IL) === 1;
    if (il) assert.equal(s.word(EL), el);
    return il;
  };
  assert.equal(illegal(1, 0, 0b0000), false);
  assert.equal(illegal(1, 0, 0b0100), false);
  assert.equal(illegal(1, 0, 0b0001), true, "EL0 with SP_ELx");
  assert.equal(illegal(1, 0, 0b0110), true, "M[1]");
  assert.equal(illegal(1, 0, 0b1001), true, "no EL2");
  assert.equal(illegal(1, r.FEATURE_EL2, 0b1001), true, "to a higher level");
  assert.equal(illegal(1, 0, 0b10000), true, "AArch32");
  assert.equal(illegal(2, r.FEATURE_EL2, 0b0101, HCR_TGE), true, "EL1 with TGE");
  assert.equal(illegal(2, r.FEATURE_EL2, 0b0000, HCR_TGE), false);
  assert.equal(illegal(3, ALL, 0b1001, 0, 0), true, "Secure EL2");
  assert.equal(illegal(3, ALL, 0b1001, 0, SCR_NS), false);
  assert.equal(illegal(3, r.FEATURE_EL3, 0b1001, 0, SCR_NS), true, "no EL2 below EL3");
});

test("a return to an address with a tag: bit 55 is extended where TBI says so", () => {
  const returned = (high: number, tbi: number): number => {
    const s = make({ el: 1 });
    s.setWord(r.SPSR_EL1, 0);
    s.set64(PC, 0x1000, high);
    exceptionReturn(s, () => s.setWord(BRANCH_TBI, tbi));
    return s.high(PC) >>> 0;
  };
  assert.equal(returned(0x5a001234, 1), 0x00001234);
  assert.equal(returned(0x5a801234, 1), 0x5a801234);
  assert.equal(returned(0x5a801234, 2), 0xff801234);
  assert.equal(returned(0x5a001234, 2), 0x5a001234);
});

test("software step: SPSR.SS counts only on the way from where debug exceptions are disabled to where they are not", () => {
  const ss = (mdscr: number, spsr: number, oslsr = 0): number => {
    const s = make({ el: 1 });
    s.setWord(DAIF, 0x3c0);
    s.setWord(r.MDSCR_EL1, mdscr);
    s.setWord(r.OSLSR_EL1, oslsr);
    s.setWord(r.SPSR_EL1, spsr);
    exceptionReturn(s, none);
    return s.word(PSTATE_SS);
  };
  const SS = 1 << 21;
  assert.equal(ss(1, SS), 1);
  assert.equal(ss(1, 0), 0);
  assert.equal(ss(0, SS), 0);
  assert.equal(ss(1, SS, 2), 0, "OS lock");
  assert.equal(ss(1, SS | 5), 0, "EL1 without KDE");
  assert.equal(ss(1 | (1 << 13), SS | 5), 1, "EL1 with KDE, D clear");
  assert.equal(ss(1 | (1 << 13), SS | 0x200 | 5), 0, "D set");
});

test("an exception from EL1 to EL1 tells a nested hypervisor that it was at EL2", () => {
  // HCR_EL2.<NV2,NV1,NV>.
  for (const [nv, m] of [
    ["000", 5],
    ["001", 9],
    ["010", 5],
    ["011", 5],
    ["100", 5],
    ["101", 9],
    ["110", 5],
    ["111", 9],
  ] as const) {
    const s = make({ features: r.FEATURE_EL2 });
    const [nv2, nv1, own] = [...nv].map(Number) as [number, number, number];
    s.set64(r.HCR_EL2, 0, (own << 10) | (nv1 << 11) | (nv2 << 13));
    raise(s, 0x15, 0);
    takeSynchronous(s);
    assert.equal(s.word(r.SPSR_EL1) & 0xf, m, nv);
    const fromEL0 = make({ el: 0, features: r.FEATURE_EL2 });
    fromEL0.set64(r.HCR_EL2, 0, s.high(r.HCR_EL2));
    raise(fromEL0, 0x15, 0);
    takeSynchronous(fromEL0);
    assert.equal(fromEL0.word(r.SPSR_EL1) & 0xc, 0, nv);
  }
});

test("an abort of an access by VNCR_EL2 has the class of EL2's own", () => {
  const s = make({ features: r.FEATURE_EL2 });
  raise(s, 0x24, (1 << 13) | 7, 2);
  s.setNumber(EXC_FAR, 0x5678);
  takeSynchronous(s);
  assert.equal(s.word(r.ESR_EL2) >>> 0, ((0x25 << 26) | (1 << 25) | (1 << 13) | 7) >>> 0);
  assert.equal(s.number(r.FAR_EL2), 0x5678);
  assert.equal(s.word(r.SPSR_EL2) & 0xf, 5);
  // From a lower exception level all the same.
  assert.equal(s.number(PC), 0x20400);
});
