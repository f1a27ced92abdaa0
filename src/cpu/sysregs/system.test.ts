import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SYSL } from "./access.ts";
import { Bench } from "./test-host.ts";

describe("cache maintenance", () => {
  it("IC IVAU invalidates the line of code at the address", () => {
    const pe = new Bench();
    pe.maintained = 0x4567;
    assert.equal(pe.sys(3, 7, 5, 1, 0x1000, 0x12), "");
    assert.deepEqual(pe.log, ["maintain 0000001200001000 access 0", "invalidate 4540 64"]);
  });
  it("IC IVAU of what is no memory does nothing", () => {
    const pe = new Bench();
    pe.sys(3, 7, 5, 1, 0x1000);
    assert.equal(pe.log.length, 1);
  });
  it("IC IVAU above 2 GB of linear memory", () => {
    const pe = new Bench();
    pe.maintained = 0x90000044 | 0;
    pe.sys(3, 7, 5, 1);
    assert.equal(pe.log[1], "invalidate 90000040 64");
  });
  it("IC IALLU invalidates everything", () => {
    const pe = new Bench();
    pe.sys(0, 7, 5, 0);
    assert.deepEqual(pe.log, ["invalidate all"]);
  });
  it("DC IVAC asks for write access", () => {
    const pe = new Bench();
    pe.sys(0, 7, 6, 1, 8);
    assert.deepEqual(pe.log, ["maintain 0000000000000008 access 1"]);
  });
  it("DC CVAP and CVADP need FEAT_DPB and FEAT_DPB2", () => {
    assert.equal(new Bench().sys(3, 7, 12, 1), "UNDEFINED");
    assert.equal(new Bench({ model: "max" }).sys(3, 7, 13, 1), "");
  });
  it("by set and way is for EL1", () => {
    assert.equal(new Bench().at(0).sys(0, 7, 6, 2), "UNDEFINED");
    assert.equal(new Bench().sys(0, 7, 6, 2), "");
  });
});

describe("TLBI", () => {
  it("VAE1 takes the address and the ASID, here", () => {
    const pe = new Bench();
    pe.msr("TCR_EL1", 0, 0x10);
    pe.log.length = 0;
    pe.sys(0, 8, 7, 1, 0x12345678, 0xabcd0fff);
    assert.deepEqual(pe.log, ["tlb here regime 1 what 2 fffff12345678000 000000000000abcd"]);
  });
  it("ASIDE1IS takes the ASID, everywhere", () => {
    const pe = new Bench();
    pe.sys(0, 8, 3, 2, 0, 0xab120000);
    assert.deepEqual(pe.log, [
      "tlb here regime 1 what 1 000000000000ab12",
      "tlb other regime 1 what 1 000000000000ab12",
    ]);
  });
  it("is UNDEFINED at EL0, for EL2 and EL3 below them, and outer shareable without FEAT_TLBIOS", () => {
    assert.equal(new Bench().at(0).sys(0, 8, 7, 0), "UNDEFINED");
    assert.equal(new Bench({ el2: true }).sys(4, 8, 7, 0), "UNDEFINED");
    assert.equal(new Bench({ el2: true }).at(2).sys(4, 8, 7, 0), "");
    assert.equal(new Bench().sys(0, 8, 1, 0), "UNDEFINED");
    assert.equal(new Bench({ model: "max" }).sys(0, 8, 1, 0), "");
  });
  it("RVAE1 takes a range", () => {
    const pe = new Bench({ model: "max" });
    // TG 4K, SCALE 1, NUM 2: 3 << 6 pages from page 0x40000.
    pe.sys(0, 8, 6, 1, 0x40000, (1 << 14) | (1 << 12) | (2 << 7) | (7 << 16));
    assert.deepEqual(pe.log, ["tlb here regime 1 what 4 0000000040000000 0000000000000007 00000000000c0000"]);
  });
  it("RVAAE1IS of a high address is for all ASIDs", () => {
    const pe = new Bench({ model: "max" });
    pe.sys(0, 8, 2, 3, 0xffff8000, (1 << 14) | 0x1f);
    assert.equal(pe.log[1], "tlb other regime 1 what 4 fffffffff8000000 ffffffffffffffff 0000000000002000");
  });
  it("IPAS2E1IS and RIPAS2E1 of EL2 take an IPA, and a range of them", () => {
    const pe = new Bench({ model: "max", el2: true }).at(2);
    pe.sys(4, 8, 0, 1, 0x12345678, 0xf);
    assert.deepEqual(pe.log, [
      "tlb here regime 1 what 7 0000f12345678000 0000000000000001",
      "tlb other regime 1 what 7 0000f12345678000 0000000000000001",
    ]);
    pe.log.length = 0;
    pe.sys(4, 8, 4, 2, 0x40000, (1 << 14) | (2 << 7) | 0x1f);
    assert.deepEqual(pe.log, ["tlb here regime 1 what 7 0001f00040000000 0000000000006000"]);
  });
  it("HCR_EL2.FB makes EL1's be for all, TTLB traps them", () => {
    const pe = new Bench({ el2: true });
    pe.at(2).msr("HCR_EL2", 1 << 9);
    pe.log.length = 0;
    pe.at(1).sys(0, 8, 7, 0);
    assert.deepEqual(pe.log, ["tlb here regime 1 what 5", "tlb other regime 1 what 5"]);
    pe.at(2).msr("HCR_EL2", 1 << 25);
    assert.equal(pe.at(1).sys(0, 8, 7, 0), "EC 18 ISS 1020ae to EL2");
  });
});

describe("AT", () => {
  it("asks for the translation of its level", () => {
    const pe = new Bench({ model: "max", el2: true });
    pe.sys(0, 7, 8, 3, 0x1000, 1);
    pe.sys(0, 7, 9, 0, 0x2000);
    pe.at(2).sys(4, 7, 8, 0, 0x3000);
    assert.deepEqual(pe.log, [
      "at 0000000100001000 regime 1 el 0 write 1 pan 0 stages 1",
      "at 0000000000002000 regime 1 el 1 write 0 pan 1 stages 1",
      "at 0000000000003000 regime 2 el 2 write 0 pan 0 stages 1",
    ]);
  });
  it("with PAN needs FEAT_PAN2", () => {
    assert.equal(new Bench().sys(0, 7, 9, 0), "UNDEFINED");
  });
});

describe("other system instructions", () => {
  it("CFP RCTX is trapped from EL0 by SCTLR_EL1.EnRCTX", () => {
    const pe = new Bench({ model: "max" });
    assert.equal(pe.sys(3, 7, 3, 4), "");
    assert.equal(pe.at(0).sys(3, 7, 3, 4), "EC 18 ISS 18dca6");
  });
  it("SYSL is UNDEFINED", () => {
    const pe = new Bench();
    assert.equal(pe.sysregs.system(SYSL | 0x4000, 0), false);
    assert.notEqual(pe.state.word(0x198), 0);
  });
});
