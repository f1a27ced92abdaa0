import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { AF, GP, Pe, RAM, USER } from "../../test/support/vmsa.ts";
import { exceptionReturn, takeSynchronous } from "./exceptions.ts";
import { msrImmediate } from "./msr-immediate.ts";
import { PeState } from "./pe-state.ts";
import * as L from "./state-layout.ts";
import { EC_SVC64, raise } from "./syndrome.ts";
import { updateGuard } from "./sysreg-guard.ts";
import * as R from "./sysreg-layout.ts";

// exceptions.as.ts does what exceptions.ts does, or leaves it to the host.

const VBAR = 0x12_3400_0000n;
const USER_CODE = 0x56_7800_0000n;
const FEATURES = R.FEATURE_PAN | R.FEATURE_UAO | R.FEATURE_BTI | R.FEATURE_PAUTH | R.FEATURE_EL2 | R.FEATURE_EL3;

/** Keeps the contexts of EL0 and EL1, with all PAN and UAO. */
function keepAll(pe: Pe, s: PeState): void {
  for (let i = 0; i < 8; i++) {
    s.setWord(L.EL, i >> 2);
    s.setWord(L.PAN, (i >> 1) & 1);
    s.setWord(L.UAO, i & 1);
    updateGuard(s);
    pe.call("keepContext");
  }
}

/** A PE whose every context has been kept, as after some exceptions. `more`: with all features that exceptions know of, or none. */
function machine(spsel: number, more = true): { pe: Pe; s: PeState } {
  const pe = new Pe(more ? FEATURES : 0);
  const s = new PeState(pe.buffer, pe.cpu);
  pe.enable();
  for (const va of [VBAR, USER_CODE]) pe.map(va, RAM, AF | (va === VBAR ? GP : USER));
  if (more) {
    pe.set(R.ID_AA64PFR1_EL1, 0x20n);
    pe.set(R.ID_AA64PFR0_EL1, 1n << 48n);
    pe.set(R.SCR_EL3, 1n);
  }
  pe.set(R.VBAR_EL1, VBAR);
  for (const [i, slot] of [R.SP_EL0, R.SP_EL1, L.SP].entries()) pe.set(slot, 0x1000n * BigInt(i + 1));
  pe.changed();
  keepAll(pe, s);
  s.setWord(L.EL, 1);
  s.setWord(L.PAN, 0);
  s.setWord(L.UAO, 0);
  s.setWord(L.SPSEL, spsel);
  pe.call("restoreContext");
  s.setWord(L.NATIVE_TAKES, 1);
  s.setWord(L.BUDGET, 1000);
  return { pe, s };
}

/** The guest's state; what is derived; but not how running goes on. */
function stateOf(s: PeState): Record<string, number> {
  const out: Record<string, number> = {};
  const skip = new Set<number>([L.EXIT, L.BUDGET, L.FETCH_VA, L.FETCH_VA + 4, L.FETCH_BASE, L.INSTRUCTIONS]);
  skip.add(L.INSTRUCTIONS + 4).add(L.NATIVE_TAKES);
  const note = (from: number, to: number): void => {
    for (let at = from; at < to; at += 4) if (!skip.has(at) && s.word(at) !== 0) out[at.toString(16)] = s.word(at);
  };
  note(0, L.EXC_EC);
  note(L.EXCL_ADDR, L.ARG0);
  note(L.CTX_CHECKED, L.NATIVE_TAKES);
  note(L.COUNT_EXCEPTIONS, L.COUNT_EXCEPTIONS + 512);
  note(L.SYSREGS, L.SYSREGS_END);
  return out;
}

interface Start {
  readonly el: number;
  readonly spsel: number;
  readonly pstate: number;
  readonly nzcv: number;
  readonly spsr: number;
  readonly ec: number;
  readonly iss: number;
  readonly sctlr: bigint;
  readonly tcr: bigint;
  readonly more: boolean;
}

const START = fc.record<Start>({
  el: fc.constantFrom(0, 1),
  spsel: fc.constantFrom(0, 1),
  pstate: fc.nat(0xff),
  nzcv: fc.nat(15),
  spsr: fc.oneof(
    fc.nat(0xffffffff).map((x) => x | 0),
    fc.nat(0xffffffff).map((x) => x & ~0x10001e & ~1),
    fc.nat(0xffffffff).map((x) => (x & ~0x10001e) | 4),
  ),
  ec: fc.constantFrom(0, 0xd, 0xe, 0x15, 0x18, 0x1c, 0x20, 0x22, 0x24, 0x26),
  iss: fc.nat(0x1ffffff).map((x) => x & (x % 3 ? ~0x2030 : ~0x2000)),
  sctlr: fc.nat(3).map((x) => (BigInt(x & 1) << 23n) | (BigInt(x >> 1) << 44n)),
  tcr: fc.nat(3).map((x) => BigInt(x) << 37n),
  more: fc.boolean(),
});

function begin(start: Start): { pe: Pe; s: PeState } {
  const { pe, s } = machine(start.spsel, start.more);
  pe.set(R.SCTLR_EL1, pe.get(R.SCTLR_EL1) | start.sctlr);
  pe.set(R.TCR_EL1, pe.get(R.TCR_EL1) | start.tcr);
  // The registers have changed: contexts are kept anew.
  pe.changed();
  keepAll(pe, s);
  const bit = (n: number): number => (start.pstate >> n) & 1;
  s.setWord(L.EL, start.el);
  s.setWord(L.SPSEL, start.el === 0 ? 0 : start.spsel);
  s.setWord(L.PAN, start.more ? bit(0) : 0);
  s.setWord(L.UAO, start.more ? bit(1) : 0);
  s.setWord(L.DIT, start.more ? bit(2) : 0);
  s.setWord(L.SSBS, start.more ? bit(3) : 0);
  s.setWord(L.DAIF, bit(4) * 0x80 + bit(5) * 0x200);
  s.setWord(L.NF, start.nzcv << 28);
  s.setWord(L.ZF, start.nzcv & 4 ? 0 : 77);
  s.setWord(L.CF, (start.nzcv >> 1) & 1);
  s.setWord(L.VF, start.nzcv << 31);
  pe.call("restoreContext");
  pe.set(L.PC, USER_CODE + 0x124n);
  pe.set(R.ELR_EL1, USER_CODE | (bit(6) ? 0x55n << 56n : 0n));
  pe.set(L.EXC_FAR, 0x1234_5678_9abcn);
  pe.set(L.EXCL_ADDR, 5n);
  s.setWord(R.SPSR_EL1, start.spsr);
  return { pe, s };
}

const levelChanged = (pe: Pe, s: PeState) => (): void => {
  updateGuard(s);
  pe.call("contextChanged");
};

test("an exception that native code takes leaves what the host would leave", () => {
  let taken = 0;
  fc.assert(
    fc.property(START, (start) => {
      const native = begin(start);
      raise(native.s, start.ec, start.iss);
      native.pe.call("proceed");
      if (native.s.word(L.EXIT) === L.EXIT_EXCEPTION) return;
      taken++;
      const host = begin(start);
      raise(host.s, start.ec, start.iss);
      takeSynchronous(host.s);
      levelChanged(host.pe, host.s)();
      assert.deepEqual(stateOf(native.s), stateOf(host.s));
      assert.equal(native.s.word(L.BUDGET), 999);
      assert.equal(native.s.number(L.INSTRUCTIONS), -1);
    }),
    { numRuns: 150 },
  );
  assert.ok(taken > 80, `${taken}`);
});

test("an exception return that native code makes leaves what the host would leave", () => {
  let returned = 0;
  fc.assert(
    fc.property(START, (start) => {
      const native = begin(start);
      assert.equal(native.pe.call("exceptionReturn", 0), 1);
      if (native.s.word(L.EXIT) === L.EXIT_HOST) {
        assert.equal(native.s.word(L.ARG0), L.HOST_RETURN);
        return;
      }
      returned++;
      assert.equal(native.s.word(L.EXIT), L.EXIT_RESUME);
      const host = begin(start);
      host.s.copy64(L.PC, R.ELR_EL1);
      exceptionReturn(host.s, levelChanged(host.pe, host.s));
      host.pe.call("clearExclusive");
      assert.deepEqual(stateOf(native.s), stateOf(host.s));
    }),
    { numRuns: 200 },
  );
  assert.ok(returned > 30, `${returned}`);
});

test("MSR (immediate) of DAIF and PAN does what the host does", () => {
  fc.assert(
    fc.property(START, fc.constantFrom(0o04, 0o36, 0o37), fc.nat(15), (start, field, value) => {
      const native = begin(start);
      const left = native.pe.call("pstateWrite", field, value);
      if (left && native.s.word(L.EXIT) === L.EXIT_HOST) {
        assert.equal(start.el, 0);
        return;
      }
      const host = begin(start);
      assert.equal(left, msrImmediate(host.s, field, value, levelChanged(host.pe, host.s)));
      assert.deepEqual(stateOf(native.s), stateOf(host.s));
    }),
    { numRuns: 150 },
  );
});

test("code runs on behind an exception when its page is known, else the host looks", () => {
  const { pe, s } = machine(1);
  const svc = (): void => {
    s.setWord(L.EL, 0);
    pe.call("restoreContext");
    pe.set(L.PC, USER_CODE);
    assert.equal(pe.call("svc", 7), 1);
  };
  svc();
  assert.equal(pe.call("proceed"), 0, "not decoded");
  assert.equal(pe.get(L.PC), VBAR + 0x400n);
  assert.equal(s.word(L.EXIT), L.EXIT_RESUME);
  pe.call("fillFetch", 0x77000, 1);
  svc();
  assert.equal(pe.call("proceed"), 1);
  assert.equal(pe.get(L.FETCH_VA), VBAR);
  assert.equal(s.word(L.FETCH_BASE), 0x77000);
  assert.equal(pe.get(R.ELR_EL1), USER_CODE + 4n);
  assert.equal(pe.get(R.ESR_EL1), BigInt((EC_SVC64 << 26) | (1 << 25) | 7));
});

test("context numbers that no longer hold are found anew, and the rest stays", () => {
  const changes: readonly [string, (pe: Pe) => void][] = [
    ["TLBI by ASID", (pe) => pe.call("tlbInvalidate", 1, 1, 0)],
    ["TLBI", (pe) => pe.call("tlbInvalidateAll")],
    [
      "another ASID",
      (pe) => {
        pe.set(R.TTBR0_EL1, pe.get(R.TTBR0_EL1) | (7n << 48n));
        pe.call("spaceChanged");
      },
    ],
    [
      "so many ASIDs that the numbers run out",
      (pe) => {
        const table = pe.get(R.TTBR0_EL1);
        for (let asid = 1n; asid < 6000n; asid++) {
          pe.set(R.TTBR0_EL1, table | ((asid & 0xffn) << 48n));
          pe.call("tlbInvalidate", 1, 1, 0);
          pe.call("spaceChanged");
        }
      },
    ],
  ];
  for (const [name, change] of changes) {
    const { pe, s } = machine(1);
    const numbers = (): bigint[] =>
      [0, 1].map((el) => {
        s.setWord(L.EL, el);
        assert.equal(pe.call("restoreContext"), 1, name);
        const restored = stateOf(s);
        const context = pe.get(L.CTX);
        updateGuard(s);
        pe.call("keepContext");
        assert.deepEqual(stateOf(s), restored, name);
        return context;
      });
    const before = numbers();
    change(pe);
    const after = numbers();
    assert.notDeepEqual(after, before, name);
    assert.notEqual(after[0], after[1]);
  }
});

test("what is not frequent is left to the host", () => {
  const cases: readonly [string, (pe: Pe, s: PeState) => void][] = [
    ["somebody looks on", (_, s) => s.setWord(L.NATIVE_TAKES, 0)],
    ["attention", (_, s) => s.setWord(L.ATTENTION, 1)],
    ["an interrupt line", (_, s) => s.setWord(L.LINES, 1)],
    ["no budget", (_, s) => s.setWord(L.BUDGET, 0)],
    ["powered off", (_, s) => s.setWord(L.POWER, 1)],
    ["halted", (_, s) => s.setWord(L.HALTED, 1)],
    ["software step", (_, s) => s.setWord(R.MDSCR_EL1, 1)],
    ["breakpoints", (_, s) => s.setWord(R.MDSCR_EL1, 1 << 15)],
    ["a debugger's breakpoints", (_, s) => s.setWord(L.DEBUGGER_BREAKS, 1)],
    ["HCR_EL2.TGE", (pe) => pe.set(R.HCR_EL2, 1n << 27n)],
    ["HCR_EL2.NV", (pe) => pe.set(R.HCR_EL2, 1n << 42n)],
    ["a virtual interrupt", (pe) => pe.set(R.HCR_EL2, (1n << 7n) | (1n << 4n))],
    ["fine-grained traps", (pe) => pe.set(R.HFGITR_EL2, 1n << 52n)],
    ["EL2", (_, s) => s.setWord(L.EL, 2)],
    ["a forced target", (_, s) => s.setWord(L.EXC_TARGET, 2)],
    ["stage 2", (_, s) => s.setWord(L.EXC_STAGE2, 1)],
    ["an external abort", (_, s) => s.setWord(L.EXC_ISS, 0x10)],
    ["a breakpoint", (_, s) => s.setWord(L.EXC_EC, 0x30)],
    ["a debugger's stop", (_, s) => s.setWord(L.EXC_EC, L.EXC_DEBUGGER)],
    ["FP trap", (_, s) => s.setWord(L.EXC_EC, 7)],
    ["a changed system register", (pe) => pe.changed()],
  ];
  for (const [name, change] of [["", () => undefined] as const, ...cases]) {
    const { pe, s } = machine(1);
    pe.set(L.PC, VBAR);
    raise(s, 0x24, 7);
    change(pe, s);
    const before = stateOf(s);
    pe.call("proceed");
    if (name === "") assert.equal(s.word(L.EXIT), L.EXIT_RESUME);
    else {
      assert.equal(s.word(L.EXIT), L.EXIT_EXCEPTION, name);
      assert.deepEqual(stateOf(s), before, name);
    }
  }
});

test("SVC, ERETAA and MSR DAIFClr that are not for native code have changed nothing", () => {
  const { pe, s } = machine(1);
  s.setWord(L.NATIVE_TAKES, 0);
  s.setWord(L.LINES, 1);
  s.setWord(L.DAIF, 0x3c0);
  const before = stateOf(s);
  for (const [name, what, ...args] of [
    ["svc", L.HOST_SVC, 5],
    ["exceptionReturn", L.HOST_RETURN, 1],
    ["pstateWrite", L.HOST_PSTATE, 0o37, 2],
  ] as const) {
    assert.equal(pe.call(name, ...args), 1);
    assert.deepEqual([s.word(L.EXIT), s.word(L.ARG0), s.word(L.ARG1)], [L.EXIT_HOST, what, args[0]]);
    assert.deepEqual(stateOf(s), before);
  }
});
