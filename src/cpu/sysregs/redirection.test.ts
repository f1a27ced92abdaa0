import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { HCR_HIGH_E2H, HCR_TGE } from "../levels.ts";
import { SECURE } from "../state-layout.ts";
import { CNTHCTL_EL2, CNTKCTL_EL1, HCR_EL2, SCR_EL3 } from "../sysreg-layout.ts";
import { SYSREG_ROWS } from "./index.ts";
import { ALIASES, HOST_REGISTERS } from "./redirection.ts";
import { Bench } from "./test-host.ts";

const FEATURES = ["VHE", "SEL2", "ECV"] as const;

function bench(hcr: number, hcrHigh: number, el3 = false): Bench {
  const pe = new Bench({ model: "max", el2: true, el3, features: FEATURES });
  pe.state.set64(HCR_EL2, hcr, hcrHigh);
  return pe;
}

/** A value that a register keeps, different for each call. */
let seed = 0;
function value(name: string): number {
  seed += 0x100;
  // Timers: CTL has two bits, of which bit 1 is IMASK; what is written to TVAL reads back.
  if (name.startsWith("CPACR") || name.startsWith("CPTR")) return 0x300000;
  return name.includes("_CTL_")
    ? 2
    : name.startsWith("CNTHCTL") || name.startsWith("CNTKCTL")
      ? (seed & 0xf0) | 4
      : // FPEN.
        seed | (name.startsWith("CP") ? 0x100000 : 0);
}

/** Writes by one name and reads by another: the same register? Registers that hold nothing are the same by their rows. */
function same(pe: Bench, one: string, other: string, el = 2): void {
  const row = SYSREG_ROWS.find((r) => r.name === other);
  const old = pe.mrs(one);
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    assert.equal(pe.at(el).msr(from, value(from)), "", `MSR ${from}`);
    const written = pe.mrs(from);
    if (row?.slot !== undefined || row?.get) assert.notEqual(written, old, `MSR ${from} changes it`);
    assert.equal(pe.mrs(to), written, `MRS ${to} after MSR ${from}`);
    pe.msr(from, 0);
  }
}

describe("register redirection of a host at EL2 (HCR_EL2.E2H)", () => {
  for (const [name, { host, secure }] of HOST_REGISTERS) {
    it(`${name} is ${host}`, () => same(bench(0, HCR_HIGH_E2H), name, host));
    it(`${name} is itself without E2H, and at EL1`, () => {
      for (const [pe, el] of [
        [bench(0, 0), 2],
        [bench(0, HCR_HIGH_E2H), 1],
      ] as const) {
        pe.state.setWord(CNTHCTL_EL2, 0xc03);
        const before = pe.at(2).mrs(host);
        pe.at(el).msr(name, value(name));
        assert.equal(pe.at(2).mrs(host), before);
      }
    });
    it(`${name} is itself at EL3`, () => {
      const pe = bench(0, HCR_HIGH_E2H, true);
      pe.state.setWord(SCR_EL3, 1);
      const before = pe.at(3).mrs(host);
      pe.msr(name, value(name));
      assert.equal(pe.mrs(host), before);
    });
    if (!secure) continue;
    it(`${name} is ${secure} in Secure state`, () => {
      const pe = bench(0, HCR_HIGH_E2H, true);
      pe.state.setWord(SCR_EL3, 1 << 18);
      pe.state.setWord(SECURE, 1);
      same(pe, name, secure);
    });
    it(`${name} at EL0 of a host is ${host}`, () => {
      const pe = bench(HCR_TGE, HCR_HIGH_E2H);
      // CNTHCTL_EL2.{EL0VTEN,EL0PTEN}.
      pe.state.setWord(CNTHCTL_EL2, 0x300);
      assert.equal(pe.at(0).msr(name, value(name)), "");
      const written = pe.mrs(name);
      assert.equal(pe.at(2).mrs(host), written);
    });
    it(`${name} at EL0 of a guest is itself`, () => {
      const pe = bench(0, HCR_HIGH_E2H);
      pe.state.setWord(CNTHCTL_EL2, 0xc00);
      pe.state.setWord(CNTKCTL_EL1, 0x300);
      const before = pe.at(2).mrs(host);
      assert.equal(pe.at(0).msr(name, value(name)), "");
      assert.equal(pe.at(2).mrs(host), before);
    });
  }

  it("takes the traps of the name that is used, and its syndrome", () => {
    const pe = bench(HCR_TGE, HCR_HIGH_E2H);
    pe.state.setWord(CNTHCTL_EL2, 0);
    assert.equal(pe.at(0).mrs("CNTV_CTL_EL0"), "EC 18 ISS 32f867 to EL2");
  });
});

describe("aliases of EL1's registers (_EL12, _EL02)", () => {
  for (const [alias, name] of ALIASES) {
    it(`${alias} is ${name}, of EL1`, () => {
      const pe = bench(0, HCR_HIGH_E2H, true);
      pe.state.setWord(SCR_EL3, 1);
      pe.at(3).msr(name, value(name));
      const written = pe.mrs(name);
      assert.equal(pe.mrs(alias), written, "at EL3");
      assert.equal(pe.at(2).mrs(alias), written, "at EL2");
      assert.equal(pe.msr(alias, 0), "");
      assert.equal(pe.at(3).mrs(name), pe.mrs(alias));
    });
    it(`${alias} is UNDEFINED without E2H, and below EL2`, () => {
      assert.equal(bench(0, 0).at(2).mrs(alias), "UNDEFINED");
      assert.equal(bench(0, 0).at(2).msr(alias, 0), "UNDEFINED");
      for (const el of [0, 1]) assert.equal(bench(0, HCR_HIGH_E2H).at(el).mrs(alias), "UNDEFINED");
      const withoutEL2 = bench(0, HCR_HIGH_E2H, true);
      withoutEL2.state.setWord(SCR_EL3, 0);
      assert.equal(withoutEL2.at(3).mrs(alias), "UNDEFINED");
    });
    it(`${alias} is UNDEFINED without FEAT_VHE`, () => {
      const pe = new Bench({ el2: true });
      pe.state.set64(HCR_EL2, 0, HCR_HIGH_E2H);
      assert.equal(pe.at(2).mrs(alias), "UNDEFINED");
    });
  }
});
