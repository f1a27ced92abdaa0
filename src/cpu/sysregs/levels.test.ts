import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CPU_MODELS, idRegisters } from "../../arch/cpu-models.ts";
import { LINES, SECURE } from "../state-layout.ts";
import * as slots from "../sysreg-layout.ts";
import { SYSREG_ROWS } from "./index.ts";
import { Bench } from "./test-host.ts";

// Registers of EL2 and EL3: which a machine has, and what they hold.

const zeros = "0".repeat(16);
const NS = 1;
const EEL2 = 1 << 18;
const IMO_FMO_AMO = 7 << 3;

/** After writing ones. */
function kept(pe: Bench, name: string): string {
  assert.equal(pe.msr(name, -1, -1), "", name);
  return pe.mrs(name);
}

describe("registers of EL2 and EL3", () => {
  it("are UNDEFINED below, and without their exception level", () => {
    const pe = new Bench({ model: "max", el2: true, el3: true });
    for (const row of SYSREG_ROWS) {
      const level = row.read ?? row.write ?? 0;
      if (level < 2 || row.model !== undefined) continue;
      for (let el = 0; el < level; el++) {
        if (row.read !== undefined) assert.equal(pe.at(el).mrs(row.name), "UNDEFINED", `${row.name} at EL${el}`);
        if (row.write !== undefined) assert.equal(pe.at(el).msr(row.name, 0), "UNDEFINED", `${row.name} at EL${el}`);
      }
    }
    const el1 = new Bench({ model: "max" });
    assert.equal(el1.mrs("HCR_EL2"), "UNDEFINED");
  });
  it("of EL2 are RES0 at EL3 in a machine without EL2", () => {
    const pe = new Bench({ model: "max", el3: true });
    for (const name of ["HCR_EL2", "VTTBR_EL2", "SCTLR_EL2", "CPTR_EL2", "MDCR_EL2", "VPIDR_EL2", "TTBR1_EL2"]) {
      assert.equal(kept(pe.at(3), name), zeros, name);
    }
    assert.equal(kept(pe, "SP_EL1"), "f".repeat(16));
  });
  it("keep the bits that their features have", () => {
    const a72 = new Bench({ el2: true, el3: true });
    const max = new Bench({ model: "max", el2: true, el3: true });
    const alone = new Bench({ model: "max", el2: true });
    const cases: readonly (readonly [string, Bench, string])[] = [
      ["HCR_EL2", a72, "00000003dfff7fff"],
      ["HCR_EL2", max, "00d67f3fdfff7fff"],
      ["HCR_EL2", alone, "00d67f3fffff7fff"],
      ["SCR_EL3", a72, "0000000000003fbf"],
      ["SCR_EL3", max, "000000001807ffbf"],
      ["CPTR_EL2", a72, "00000000800037ff"],
      ["CPTR_EL2", max, "00000000803037ff"],
      ["CPTR_EL3", max, "0000000080000400"],
      ["MDCR_EL2", a72, "0000000000000fff"],
      ["MDCR_EL2", max, "0000000008000fff"],
      ["MDCR_EL3", max, "0000000008330640"],
      ["HSTR_EL2", max, zeros],
      ["VTTBR_EL2", a72, "00fffffffffffffe"],
      ["VTTBR_EL2", max, "ffffffffffffffff"],
      ["VTCR_EL2", a72, "000000008007ffff"],
      ["TTBR0_EL2", a72, "0000fffffffffffe"],
      ["TTBR0_EL2", max, "ffffffffffffffff"],
      ["TTBR1_EL2", max, "ffffffffffffffff"],
      ["CONTEXTIDR_EL2", max, "00000000ffffffff"],
      ["VSESR_EL2", max, "0000000001ffffff"],
      ["VDISR_EL2", max, "0000000081ffffff"],
    ];
    for (const [name, pe, value] of cases) assert.equal(kept(pe.at(3), name), value, name);
    for (const name of ["TTBR1_EL2", "CONTEXTIDR_EL2", "VSESR_EL2", "VDISR_EL2", "DISR_EL1", "ERRIDR_EL1"]) {
      assert.equal(a72.at(3).mrs(name), "UNDEFINED", name);
    }
    for (const name of ["DACR32_EL2", "IFSR32_EL2", "FPEXC32_EL2", "DBGVCR32_EL2", "SDER32_EL3", "SPSR_ABT"]) {
      assert.equal(max.at(3).mrs(name), "UNDEFINED", `${name}: there is no AArch32`);
    }
  });
  it("reset as the Arm ARM says", () => {
    const pe = new Bench({ model: "max", el2: true, el3: true }).at(3);
    assert.equal(pe.mrs("HCR_EL2"), "0000000080000000");
    assert.equal(pe.mrs("SCTLR_EL2"), "0000000030c50830");
    assert.equal(pe.mrs("CPTR_EL2"), "00000000000033ff");
    assert.equal(pe.mrs("MDCR_EL2"), "0000000000000006");
    assert.equal(pe.mrs("TCR_EL2"), "0000000080800000");
    assert.equal(pe.mrs("VMPIDR_EL2"), pe.mrs("MPIDR_EL1"));
    assert.equal(pe.mrs("VPIDR_EL2"), pe.mrs("MIDR_EL1"));
  });
  it("of Secure stage 2 exist in Secure state, and at EL3 with SCR_EL3.EEL2", () => {
    const pe = new Bench({ model: "max", el2: true, el3: true });
    for (const name of ["VSTTBR_EL2", "VSTCR_EL2"]) {
      pe.state.setWord(SECURE, 1);
      pe.state.setWord(slots.SCR_EL3, 0);
      assert.equal(pe.at(3).mrs(name), "UNDEFINED");
      pe.state.setWord(slots.SCR_EL3, EEL2);
      assert.notEqual(pe.at(3).mrs(name), "UNDEFINED");
      assert.notEqual(pe.at(2).mrs(name), "UNDEFINED");
      pe.state.setWord(slots.SCR_EL3, EEL2 | NS);
      pe.state.setWord(SECURE, 0);
      assert.equal(pe.at(2).mrs(name), "UNDEFINED");
    }
  });
});

describe("what a model tells of a machine's levels", () => {
  const id = (
    el2: boolean,
    el3: boolean,
    name: "ID_AA64MMFR0_EL1" | "ID_AA64MMFR1_EL1" | "ID_AA64MMFR2_EL1" | "ID_AA64PFR0_EL1",
  ) =>
    idRegisters(CPU_MODELS.max, { el2, el3, gicv3: false })
      [name].map((half) => half.toString(16))
      .reverse()
      .join(":");
  it("FGT, ECV; VMIDBits, VH, XNX; NV, FWB, EVT with EL2; SEL2 with EL2 and EL3", () => {
    assert.equal(id(false, false, "ID_AA64MMFR0_EL1"), "0:101025");
    assert.equal(id(true, false, "ID_AA64MMFR0_EL1"), "21000000:101025");
    assert.equal(id(false, false, "ID_AA64MMFR1_EL1"), "0:211002");
    assert.equal(id(true, false, "ID_AA64MMFR1_EL1"), "0:10211122");
    assert.equal(id(false, false, "ID_AA64MMFR2_EL1"), "10010011:11");
    assert.equal(id(true, false, "ID_AA64MMFR2_EL1"), "12010111:2000011");
    assert.equal(id(true, false, "ID_AA64PFR0_EL1"), "11010000:10110111");
    assert.equal(id(true, true, "ID_AA64PFR0_EL1"), "11010010:10111111");
    assert.equal(id(false, true, "ID_AA64PFR0_EL1"), "11010000:10111011");
  });
});

describe("deferred SErrors and pending interrupts", () => {
  it("DISR_EL1 is VDISR_EL2 to EL1 with HCR_EL2.AMO, and nothing where EL3 has the SErrors", () => {
    const pe = new Bench({ model: "max", el2: true, el3: true });
    pe.state.setWord(slots.SCR_EL3, NS);
    pe.state.setWord(slots.DISR_EL1, 0x11);
    pe.state.setWord(slots.VDISR_EL2, 0x22);
    const read = (el: number): number => Number.parseInt(pe.at(el).mrs("DISR_EL1"), 16);
    assert.deepEqual([1, 2, 3].map(read), [0x11, 0x11, 0x11]);
    pe.state.setWord(slots.HCR_EL2, IMO_FMO_AMO);
    assert.deepEqual([1, 2, 3].map(read), [0x22, 0x11, 0x11]);
    pe.state.setWord(slots.SCR_EL3, NS | 8);
    assert.deepEqual([1, 2, 3].map(read), [0x22, 0, 0x11]);
    assert.equal(pe.at(1).msr("DISR_EL1", 0), "");
    assert.equal(pe.state.word(slots.VDISR_EL2), 0);
  });
  it("ISR_EL1 shows a guest its virtual interrupts, by their lines and by HCR_EL2.VI, VF, VSE", () => {
    const pe = new Bench({ el2: true });
    pe.state.setWord(LINES, 1 << 0);
    assert.equal(pe.mrs("ISR_EL1"), "0000000000000080");
    pe.state.setWord(slots.HCR_EL2, IMO_FMO_AMO);
    assert.equal(pe.mrs("ISR_EL1"), zeros);
    for (const [line, hcr, value] of [
      [1 << 4, 1 << 7, "0000000000000080"],
      [1 << 5, 1 << 6, "0000000000000040"],
      [1 << 6, 1 << 8, "0000000000000100"],
    ] as const) {
      pe.state.setWord(LINES, line);
      assert.equal(pe.at(1).mrs("ISR_EL1"), value);
      assert.equal(pe.at(2).mrs("ISR_EL1"), zeros);
      pe.state.setWord(LINES, 0);
      pe.state.setWord(slots.HCR_EL2, IMO_FMO_AMO | hcr);
      assert.equal(pe.at(1).mrs("ISR_EL1"), value);
      assert.equal(pe.at(2).mrs("ISR_EL1"), zeros);
      pe.state.setWord(slots.HCR_EL2, IMO_FMO_AMO);
    }
  });
});

describe("counters that EL2 keeps (MDCR_EL2.HPMN)", () => {
  const HPME = 1 << 7;
  function limited(model: "max" | "cortex-a72"): Bench {
    const pe = new Bench({ model, el2: true });
    pe.at(2).msr("MDCR_EL2", 2 | HPME);
    return pe;
  }
  it("are not there for EL1, nor are their bits", () => {
    for (const [model, refused] of [
      ["max", /^EC 18 .* to EL2$/],
      ["cortex-a72", /^UNDEFINED$/],
    ] as const) {
      const pe = limited(model);
      assert.equal(pe.at(1).mrs("PMEVCNTR1_EL0"), zeros);
      assert.match(pe.mrs("PMEVCNTR2_EL0"), refused);
      assert.match(pe.msr("PMEVTYPER5_EL0", 0), refused);
      pe.msr("PMSELR_EL0", 3);
      assert.match(pe.mrs("PMXEVCNTR_EL0"), refused);
      pe.msr("PMSELR_EL0", 31);
      assert.equal(pe.msr("PMXEVTYPER_EL0", 0), "");
      pe.msr("PMCNTENSET_EL0", -1);
      assert.equal(pe.mrs("PMCNTENSET_EL0"), "0000000080000003");
      assert.equal((Number.parseInt(pe.mrs("PMCR_EL0"), 16) >>> 11) & 31, 2);
      assert.equal(pe.at(2).mrs("PMCNTENSET_EL0"), "0000000080000003");
      pe.msr("PMCNTENSET_EL0", -1);
      assert.equal(pe.mrs("PMCNTENSET_EL0"), "000000008000003f");
      assert.equal(pe.at(1).mrs("PMCNTENSET_EL0"), "0000000080000003");
    }
  });
  it("count by HPME, the others by PMCR_EL0.E; PMCR_EL0.P at EL1 clears only its own", () => {
    const pe = limited("max");
    for (const n of [0, 2]) pe.at(2).msr(`PMEVTYPER${n}_EL0`, 0x11 | (1 << 27));
    pe.msr("PMCNTENSET_EL0", 5);
    pe.now = 1000;
    assert.equal(pe.mrs("PMEVCNTR0_EL0"), zeros);
    assert.equal(pe.mrs("PMEVCNTR2_EL0"), "00000000000003e8");
    pe.msr("MDCR_EL2", 2);
    pe.msr("PMCR_EL0", 1);
    pe.now = 3000;
    assert.equal(pe.mrs("PMEVCNTR0_EL0"), "00000000000007d0");
    assert.equal(pe.mrs("PMEVCNTR2_EL0"), "00000000000003e8");
    pe.at(1).msr("PMCR_EL0", 2);
    assert.equal(pe.at(2).mrs("PMEVCNTR0_EL0"), zeros);
    assert.equal(pe.mrs("PMEVCNTR2_EL0"), "00000000000003e8");
    pe.msr("PMCR_EL0", 2);
    assert.equal(pe.mrs("PMEVCNTR2_EL0"), zeros);
  });
});
