import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { sysregId } from "../../arch/sysreg-names.ts";
import { SCR_EEL2 } from "../levels.ts";
import { SECURE } from "../state-layout.ts";
import { systemIss } from "../syndrome.ts";
import { CNTHCTL_EL2, HCR_EL2, SCR_EL3, VNCR_EL2 } from "../sysreg-layout.ts";
import { SYSREG_ROWS } from "./index.ts";
import { NESTED_NAMES } from "./nested.ts";
import { ALIASES } from "./redirection.ts";
import { Bench, noInterrupts } from "./test-host.ts";

// HCR_EL2, high half.
const NV = 1 << 10;
const NV1 = 1 << 11;
const AT = 1 << 12;
const NV2 = 1 << 13;

/** A negative address, by BADDR's uppermost bit, 52. */
const VNCR_HIGH = 0x00101234;
const VNCR_LOW = 0x56789000;

const interrupts = { ...noInterrupts, read: () => true, write: () => true };

function bench(hcrHigh: number): Bench {
  const pe = new Bench({ model: "max", el2: true, interrupts, features: ["VHE", "ECV", "NV", "NV2", "FGT", "RAS"] });
  // CNTHCTL_EL2.{EL1PCTEN,EL1PCEN}, in both layouts.
  pe.state.setWord(CNTHCTL_EL2, 0xc03);
  pe.state.set64(HCR_EL2, 0, hcrHigh);
  pe.state.set64(VNCR_EL2, VNCR_LOW, VNCR_HIGH);
  return pe.at(1);
}

/** The same in Secure state, where EL2 is that of FEAT_SEL2. */
function secureBench(hcrHigh: number): Bench {
  const pe = new Bench({
    model: "max",
    el2: true,
    el3: true,
    interrupts,
    features: ["VHE", "ECV", "NV", "NV2", "SEL2"],
  });
  pe.state.setWord(SCR_EL3, SCR_EEL2);
  pe.state.setWord(SECURE, 1);
  pe.state.set64(HCR_EL2, 0, hcrHigh);
  pe.state.set64(VNCR_EL2, VNCR_LOW, VNCR_HIGH);
  return pe.at(1);
}

const benchFor = (name: string): typeof bench => (name.startsWith("VST") ? secureBench : bench);

const toEL2 = (name: string, rt: number, read: boolean): string =>
  `EC 18 ISS ${systemIss(sysregId(name), rt, read).toString(16)} to EL2`;

/** Whether a model with everything has the name. */
function exists(name: string): boolean {
  return name.startsWith("ICH_") || ALIASES.has(name) || SYSREG_ROWS.some((row) => row.name === name);
}

/** The address in memory, as the bench writes it. */
function address(offset: number): string {
  return `fff01234${((VNCR_LOW + offset) >>> 0).toString(16)}`;
}

function readsMemory(pe: Bench, name: string, offset: number): void {
  pe.memory.set(address(offset), [0x1234567, 0x89abcde]);
  assert.equal(pe.mrs(name), "089abcde01234567");
  assert.equal(pe.msr(name, -2, 3), "");
  assert.deepEqual(pe.memory.get(address(offset)), [-2, 3]);
}

describe("registers in memory (FEAT_NV2)", () => {
  for (const [name, { offset, mask }] of NESTED_NAMES) {
    if (offset === undefined || !exists(name)) continue;
    const alias = ALIASES.has(name);
    const bench = benchFor(name);
    const ofEL2 = !alias && mask === 5;
    if (ofEL2) {
      it(`${name} is at offset ${offset.toString(16)}, and traps without NV2`, () => {
        readsMemory(bench(NV | NV2), name, offset);
        readsMemory(bench(NV | NV1 | NV2), name, offset);
        assert.equal(bench(NV).mrs(name), toEL2(name, 3, true));
        assert.equal(bench(NV | NV1).msr(name, 0), toEL2(name, 4, false));
      });
    } else if (alias) {
      it(`${name} is at offset ${offset.toString(16)} with NV1 clear, and traps otherwise`, () => {
        readsMemory(bench(NV | NV2), name, offset);
        for (const hcr of [NV, NV | NV1, NV | NV1 | NV2]) {
          assert.equal(bench(hcr).mrs(name), toEL2(name, 3, true));
          assert.equal(bench(hcr).msr(name, 0), toEL2(name, 4, false));
        }
      });
    } else {
      it(`${name} is at offset ${offset.toString(16)} with NV1, and itself otherwise`, () => {
        readsMemory(bench(NV | NV1 | NV2), name, offset);
        const pe = bench(NV | NV2);
        assert.equal(pe.msr(name, 0), "");
        assert.equal(pe.memory.size, 0);
      });
    }
    it(`${name} is as ever without NV, and at EL2`, () => {
      const pe = bench(NV1 | NV2);
      const expected = ofEL2 || alias ? "UNDEFINED" : "";
      assert.equal(pe.msr(name, 0), expected);
      const atEL2 = bench(NV | NV1 | NV2).at(2);
      assert.equal(atEL2.msr(name, 0), alias ? "UNDEFINED" : "");
      assert.equal(atEL2.memory.size, 0);
    });
  }

  it("cover all of the offsets once", () => {
    const offsets = [...NESTED_NAMES].filter(([name]) => !ALIASES.has(name)).flatMap(([, { offset }]) => offset ?? []);
    assert.equal(new Set(offsets).size, offsets.length);
    assert.ok(offsets.every((offset) => offset % 8 === 0 && offset < 0x1000));
  });

  for (const stem of ["SPSR", "ELR", "ESR", "FAR"]) {
    it(`${stem}_EL2 is ${stem}_EL1 with NV2, and traps without`, () => {
      const pe = bench(NV | NV2);
      assert.equal(pe.msr(`${stem}_EL2`, 0x3c4), "");
      assert.equal(pe.mrs(`${stem}_EL1`), "00000000000003c4");
      assert.equal(pe.mrs(`${stem}_EL2`), "00000000000003c4");
      assert.equal(bench(NV).mrs(`${stem}_EL2`), toEL2(`${stem}_EL2`, 3, true));
    });
  }

  it("trap before they are in memory", () => {
    const pe = bench(NV | NV1 | NV2);
    // TVM.
    pe.state.setWord(HCR_EL2, 1 << 26);
    assert.equal(pe.msr("SCTLR_EL1", 0), toEL2("SCTLR_EL1", 4, false));
    assert.equal(pe.mrs("SCTLR_EL1"), "0000000000000000");
  });

  it("CNTHCTL_EL2.EL1NVPCT and EL1NVVCT trap the timers' _EL02 names", () => {
    for (const [bit, name] of [
      [15, "CNTP_CTL_EL02"],
      [15, "CNTP_CVAL_EL02"],
      [16, "CNTV_CTL_EL02"],
      [16, "CNTV_CVAL_EL02"],
    ] as const) {
      const pe = bench(NV | NV2);
      pe.state.setWord(CNTHCTL_EL2, 0xc03 | (1 << (31 - bit)));
      assert.equal(pe.mrs(name), "0000000000000000");
      pe.state.setWord(CNTHCTL_EL2, 0xc03 | (1 << bit));
      assert.equal(pe.mrs(name), toEL2(name, 3, true));
    }
  });
});

describe("a nested hypervisor (FEAT_NV)", () => {
  const inMemory = (name: string): boolean => NESTED_NAMES.has(name);
  for (const row of SYSREG_ROWS) {
    if ((row.read ?? row.write) !== 2 || row.name === "RVBAR_EL2" || /^CNTH[PV]S_|^VST/.test(row.name)) continue;
    it(`${row.name} traps to EL2${inMemory(row.name) ? " without NV2" : ""}`, () => {
      const hcr = inMemory(row.name) ? NV : NV | NV2;
      if (row.read === 2) assert.equal(bench(hcr).mrs(row.name), toEL2(row.name, 3, true));
      if (row.write === 2) assert.equal(bench(hcr).msr(row.name, 0), toEL2(row.name, 4, false));
      assert.equal(bench(hcr).at(0).mrs(row.name), "UNDEFINED");
      assert.equal(bench(0).mrs(row.name), "UNDEFINED");
    });
  }
  for (const [alias] of ALIASES) {
    it(`${alias} traps to EL2`, () => {
      assert.equal(bench(NV).mrs(alias), toEL2(alias, 3, true));
      assert.equal(bench(NV).at(0).mrs(alias), "UNDEFINED");
    });
  }
  for (const name of ["ICC_SRE_EL2", "ICH_VTR_EL2", "ICH_MISR_EL2"]) {
    it(`${name} traps to EL2`, () => {
      assert.equal(bench(NV | NV2).mrs(name), toEL2(name, 3, true));
    });
  }
  for (const name of ["VBAR_EL1", "ELR_EL1", "SPSR_EL1"]) {
    it(`${name} traps to EL2 with NV1 and without NV2`, () => {
      assert.equal(bench(NV | NV1).mrs(name), toEL2(name, 3, true));
      assert.equal(bench(NV | NV1).msr(name, 0), toEL2(name, 4, false));
      assert.equal(bench(NV).msr(name, 0), "");
      assert.equal(bench(NV1).msr(name, 0), "");
      assert.equal(
        bench(NV | NV1)
          .at(2)
          .msr(name, 0),
        "",
      );
    });
  }
  it("registers of EL3 stay UNDEFINED", () => {
    assert.equal(bench(NV | NV2).mrs("SCR_EL3"), "UNDEFINED");
    assert.equal(bench(NV | NV2).mrs("SP_EL2"), "UNDEFINED");
  });
  it("CurrentEL is EL2", () => {
    assert.equal(bench(NV).mrs("CURRENTEL"), "0000000000000008");
    assert.equal(bench(NV1 | NV2).mrs("CURRENTEL"), "0000000000000004");
  });
  it("TLBI and AT of EL2 trap to EL2, AT of EL1 with HCR_EL2.AT", () => {
    // ALLE2, VMALLS12E1IS; AT S1E2R, S12E0W.
    for (const [n, m, op2] of [
      [8, 7, 0],
      [8, 3, 6],
      [7, 8, 0],
      [7, 8, 7],
    ] as const) {
      const iss = ((1 << 20) | (op2 << 17) | (4 << 14) | (n << 10) | (5 << 5) | (m << 1)).toString(16);
      assert.equal(bench(NV).sys(4, n, m, op2), `EC 18 ISS ${iss} to EL2`);
      assert.equal(bench(0).sys(4, n, m, op2), "UNDEFINED");
      assert.equal(bench(NV).at(0).sys(4, n, m, op2), "UNDEFINED");
    }
    for (const [m, op2] of [
      [8, 0],
      [8, 1],
      [8, 2],
      [8, 3],
      [9, 0],
      [9, 1],
    ] as const) {
      const iss = ((1 << 20) | (op2 << 17) | (7 << 10) | (5 << 5) | (m << 1)).toString(16);
      assert.equal(bench(AT).sys(0, 7, m, op2), `EC 18 ISS ${iss} to EL2`);
      assert.equal(bench(NV).sys(0, 7, m, op2), "");
    }
  });
  it("is none where EL2 is not enabled", () => {
    const pe = new Bench({ model: "max", el2: true, el3: true, features: ["VHE", "NV", "NV2"] });
    pe.state.set64(HCR_EL2, 0, NV | NV2);
    pe.state.setWord(SCR_EL3, 0);
    assert.equal(pe.at(1).mrs("HCR_EL2"), "UNDEFINED");
    pe.state.setWord(SCR_EL3, 1);
    assert.equal(pe.at(1).mrs("HCR_EL2"), "0000000000000000");
  });
});
