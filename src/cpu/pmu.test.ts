import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { INSTRUCTIONS } from "./state-layout.ts";
import { Bench } from "./sysregs/test-host.ts";

const CYCLES = 1 << 31;

describe("performance monitors", () => {
  it("count cycles while enabled", () => {
    const pe = new Bench();
    pe.now = 1000;
    assert.equal(pe.mrs("PMCCNTR_EL0"), "0000000000000000");
    pe.msr("PMCNTENSET_EL0", CYCLES);
    pe.msr("PMCR_EL0", 1);
    pe.now = 1500;
    assert.equal(pe.mrs("PMCCNTR_EL0"), "00000000000001f4");
    pe.msr("PMCNTENCLR_EL0", CYCLES);
    pe.now = 2000;
    assert.equal(pe.mrs("PMCCNTR_EL0"), "00000000000001f4");
    pe.msr("PMCR_EL0", 1 | 4);
    assert.equal(pe.mrs("PMCCNTR_EL0"), "0000000000000000");
  });

  it("count instructions at the levels that the filter allows", () => {
    const pe = new Bench();
    pe.msr("PMSELR_EL0", 2);
    pe.msr("PMXEVTYPER_EL0", (1 << 30) | 0x08);
    assert.equal(pe.mrs("PMEVTYPER2_EL0"), "0000000040000008");
    pe.msr("PMCNTENSET_EL0", 4);
    pe.msr("PMCR_EL0", 1);
    pe.state.setNumber(INSTRUCTIONS, 100);
    pe.pmu.sync();
    pe.at(0);
    pe.state.setNumber(INSTRUCTIONS, 250);
    pe.pmu.sync();
    pe.at(1);
    pe.state.setNumber(INSTRUCTIONS, 251);
    assert.equal(pe.mrs("PMXEVCNTR_EL0"), "0000000000000065");
  });

  it("signal an overflow, and say when it will be", () => {
    const pe = new Bench();
    pe.msr("PMEVTYPER0_EL0", 0x11);
    pe.msr("PMEVTYPER1_EL0", 0x1e);
    pe.msr("PMEVTYPER2_EL0", 0x08);
    pe.msr("PMEVCNTR0_EL0", -100);
    pe.msr("PMEVCNTR2_EL0", -7);
    pe.msr("PMINTENSET_EL1", 5);
    pe.msr("PMCNTENSET_EL0", 7);
    pe.msr("PMCR_EL0", 1);
    assert.equal(pe.pmu.nextEvent(), 100);
    assert.equal(pe.pmu.instructionsToOverflow(), 7);
    pe.now = 99;
    pe.pmu.update();
    assert.equal(pe.lines.get(23), false);
    pe.now = 101;
    pe.pmu.update();
    assert.equal(pe.lines.get(23), true);
    assert.equal(pe.mrs("PMEVCNTR0_EL0"), "0000000000000001");
    assert.equal(pe.mrs("PMEVCNTR1_EL0"), "0000000000000001", "chained");
    assert.equal(pe.mrs("PMOVSSET_EL0"), "0000000000000001");
    pe.msr("PMOVSCLR_EL0", 1);
    assert.equal(pe.lines.get(23), false);
  });

  it("the cycle counter overflows out of 64 bits", () => {
    const pe = new Bench();
    pe.msr("PMCCNTR_EL0", -1, 0);
    pe.msr("PMCNTENSET_EL0", CYCLES);
    pe.msr("PMCR_EL0", 1);
    pe.now = 1;
    assert.equal(pe.mrs("PMCCNTR_EL0"), "0000000100000000");
    assert.equal(pe.mrs("PMOVSSET_EL0"), "0000000000000000");
    pe.msr("PMCCNTR_EL0", -1, -1);
    pe.now = 2;
    assert.equal(pe.mrs("PMOVSSET_EL0"), "0000000080000000");
  });

  it("count software increments", () => {
    const pe = new Bench();
    pe.msr("PMCNTENSET_EL0", 3);
    pe.msr("PMEVTYPER1_EL0", 0x11);
    pe.msr("PMCR_EL0", 1);
    pe.msr("PMSWINC_EL0", 7);
    assert.equal(pe.mrs("PMEVCNTR0_EL0"), "0000000000000001");
    assert.equal(pe.mrs("PMEVCNTR1_EL0"), "0000000000000000");
    assert.equal(pe.mrs("PMEVCNTR2_EL0"), "0000000000000000");
  });

  it("counters that are not implemented are UNDEFINED by number and RAZ/WI by PMSELR_EL0", () => {
    const pe = new Bench();
    assert.equal(pe.mrs("PMEVCNTR6_EL0"), "UNDEFINED");
    pe.msr("PMSELR_EL0", 9);
    assert.equal(pe.msr("PMXEVCNTR_EL0", -1), "");
    assert.equal(pe.mrs("PMXEVCNTR_EL0"), "0000000000000000");
  });

  it("what is reported as an event is counted", () => {
    assert.equal(new Bench().mrs("PMCEID0_EL0"), "0000000040020101");
  });
});
