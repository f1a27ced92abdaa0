import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { encodeSysreg, SYSREG_NAMES, sysregId } from "../../arch/sysreg-names.ts";
import { PLAIN_SYSREGS } from "../../arch/sysreg-plain.ts";
import { VIEW_NONSECURE } from "../ports.ts";
import { CF, DAIF, EXIT, LINES, NF, PAN, SECURE, SP, SPSEL, VF, X, ZF } from "../state-layout.ts";
import * as slots from "../sysreg-layout.ts";
import { SYSREG_ROWS } from "./index.ts";
import { mask } from "./row.ts";
import { Bench, noInterrupts } from "./test-host.ts";

const zeros = "0".repeat(16);

describe("system register names", () => {
  it("are unique by encoding, but for the two halves of the debug channel", () => {
    for (const [id, name] of SYSREG_NAMES) assert.equal(sysregId(name), id);
  });
  it("encode as the Arm ARM says", () => {
    assert.equal(sysregId("SCTLR_EL1"), encodeSysreg(3, 0, 1, 0, 0));
    assert.equal(sysregId("DBGBCR5_EL1"), encodeSysreg(2, 0, 0, 5, 5));
    assert.equal(sysregId("PMEVTYPER10_EL0"), encodeSysreg(3, 3, 14, 13, 2));
    assert.equal(sysregId("ICH_LR9_EL2"), encodeSysreg(3, 4, 12, 13, 1));
  });
  it("of rows are all known, once", () => {
    const ids = SYSREG_ROWS.map((row) => sysregId(row.name));
    assert.equal(new Set(ids).size, ids.length);
  });
});

describe("plain registers", () => {
  it("have rows that say the same", () => {
    for (const [id, plain] of PLAIN_SYSREGS) {
      const row = SYSREG_ROWS.find((r) => sysregId(r.name) === id);
      if (!row) assert.fail(SYSREG_NAMES.get(id));
      assert.equal(row.slot, plain.offset);
      assert.equal(row.read, plain.minEL);
      assert.ok(!row.get, row.name);
      // What traps it SYSREG_GUARD knows; what its writes change is not for slots.
      if (plain.writable) assert.ok((row.write ?? 3) <= plain.minEL && !row.set && !row.changed, row.name);
    }
  });
});

describe("masks", () => {
  it("are made of bits and ranges", () => {
    assert.deepEqual(mask("0 31:28 33:32 63"), [-0x0fffffff, -0x7ffffffd]);
    assert.deepEqual(mask(""), [0, 0]);
  });
});

describe("reset values", () => {
  it("of cortex-a72", () => {
    const pe = new Bench();
    assert.equal(pe.mrs("MIDR_EL1"), "00000000410fd083");
    assert.equal(pe.mrs("MPIDR_EL1"), "0000000080000102");
    assert.equal(pe.mrs("CTR_EL0"), "000000008444c004");
    assert.equal(pe.mrs("ID_AA64PFR0_EL1"), "0000000000000011");
    assert.equal(pe.mrs("ID_AA64MMFR0_EL1"), "0000000000001024");
    assert.equal(pe.mrs("ID_AA64ISAR0_EL1"), "0000000000011120");
    assert.equal(pe.mrs("ID_AA64DFR0_EL1"), "0000000010305106");
    assert.equal(pe.mrs("PMCR_EL0"), "0000000041023040");
    assert.equal(pe.mrs("OSLSR_EL1"), "000000000000000a");
    assert.equal(pe.mrs("CNTFRQ_EL0"), "0000000003b9aca0");
    assert.equal(pe.mrs("SCTLR_EL1"), "0000000030d50998");
  });
  it("of max", () => {
    const pe = new Bench({ model: "max" });
    assert.equal(pe.mrs("MIDR_EL1"), "00000000000f0510");
    assert.equal(pe.mrs("ID_AA64ISAR1_EL1"), "0000011110211102");
  });
  it("tell of EL2, EL3 and the GIC's system registers where the machine has them", () => {
    const pe = new Bench({ el2: true, el3: true, interrupts: noInterrupts });
    assert.equal(pe.mrs("ID_AA64PFR0_EL1"), "0000000001001111");
  });
});

describe("the ID space", () => {
  it("reads as zero where it is reserved, and is UNDEFINED to write", () => {
    const pe = new Bench();
    for (let crm = 1; crm < 8; crm++) {
      for (let op2 = 0; op2 < 8; op2++) assert.match(pe.mrsId(encodeSysreg(3, 0, 0, crm, op2)), /^[0-9a-f]{16}$/);
    }
    assert.equal(pe.mrs("ID_PFR0_EL1"), zeros);
    assert.equal(pe.msr("ID_AA64PFR0_EL1", 1), "UNDEFINED");
    assert.equal(pe.mrsId(encodeSysreg(3, 0, 0, 0, 1)), "UNDEFINED");
  });
  it("is UNDEFINED at EL0, and trapped with FEAT_IDST", () => {
    assert.equal(new Bench().at(0).mrs("ID_AA64PFR0_EL1"), "UNDEFINED");
    assert.equal(new Bench({ model: "max" }).at(0).mrs("ID_AA64PFR0_EL1"), "EC 18 ISS 300069");
    assert.equal(new Bench({ model: "max" }).at(0).mrs("SCTLR_EL1"), "UNDEFINED");
  });
  it("describes the cache that CSSELR selects", () => {
    const pe = new Bench();
    pe.msr("CSSELR_EL1", 0xfff1);
    assert.equal(pe.mrs("CSSELR_EL1"), "0000000000000001");
    assert.equal(pe.mrs("CCSIDR_EL1"), "00000000201fe012");
  });
  it("shows EL1 what EL2 put there", () => {
    const pe = new Bench({ el2: true });
    assert.equal(pe.mrs("MIDR_EL1"), "00000000410fd083");
    pe.at(2).msr("VPIDR_EL2", 0x1234);
    assert.equal(pe.mrs("MIDR_EL1"), "00000000410fd083");
    assert.equal(pe.at(1).mrs("MIDR_EL1"), "0000000000001234");
  });
});

describe("RES0 and RES1 bits", () => {
  it("of a model's registers stay as they are", () => {
    const a72 = new Bench();
    a72.msr("SCTLR_EL1", 0, 0);
    assert.equal(a72.mrs("SCTLR_EL1"), "0000000030d00980");
    a72.msr("SCTLR_EL1", -1, -1);
    assert.equal(a72.mrs("SCTLR_EL1"), "0000000034dddb9f");
    a72.msr("TCR_EL1", -1, -1);
    assert.equal(a72.mrs("TCR_EL1"), "00000077ffffffbf");
    a72.msr("CPACR_EL1", -1, -1);
    assert.equal(a72.mrs("CPACR_EL1"), "0000000000300000");
    a72.msr("VBAR_EL1", -1, -1);
    assert.equal(a72.mrs("VBAR_EL1"), "fffffffffffff800");
    a72.msr("ESR_EL1", -1, -1);
    assert.equal(a72.mrs("ESR_EL1"), "00000000ffffffff");
    a72.msr("AMAIR_EL1", -1, -1);
    assert.equal(a72.mrs("AMAIR_EL1"), zeros);
  });
  it("depend on features", () => {
    const max = new Bench({ model: "max" });
    max.msr("SCTLR_EL1", 0, 0);
    assert.equal(max.mrs("SCTLR_EL1"), "0000000030500980");
    max.msr("SCTLR_EL1", -1, -1);
    assert.equal(max.mrs("SCTLR_EL1"), "00001018fcddffdf");
    max.msr("TCR_EL1", -1, -1);
    assert.equal(max.mrs("TCR_EL1"), "019807f7ffffffbf");
  });
  it("never change, whatever is written", () => {
    const pe = new Bench({ model: "max", el2: true, el3: true });
    pe.at(3);
    fc.assert(
      fc.property(fc.constantFrom(...SYSREG_ROWS), fc.integer(), fc.integer(), (row, low, high) => {
        if (row.slot === undefined || row.read === undefined || row.write === undefined || !row.bits) return;
        if (row.get || pe.msr(row.name, low, high) !== "") return;
        const [maskLow, maskHigh] = mask(`${row.bits} ${Object.values(row.bitsWith ?? {}).join(" ")}`);
        const [res1Low, res1High] = mask(row.res1 ?? "");
        assert.equal(pe.state.word(row.slot) & ~maskLow, res1Low, row.name);
        assert.equal(pe.state.high(row.slot) & ~maskHigh, res1High, row.name);
      }),
    );
  });
});

describe("exception levels", () => {
  it("below the lowest that a register allows take UNDEFINED", () => {
    const pe = new Bench({ model: "max", el2: true, el3: true });
    const refused: string[] = [];
    for (const row of SYSREG_ROWS) {
      if (row.model) continue;
      for (let el = 0; el < 4; el++) {
        pe.at(el);
        if (el < (row.write ?? 4)) {
          if (pe.msr(row.name, 0) !== "UNDEFINED") refused.push(`MSR ${row.name} at EL${el}`);
        }
        if (el < (row.read ?? 4) && !/^(UNDEFINED|EC 18)/.test(pe.mrs(row.name)))
          refused.push(`MRS ${row.name} at EL${el}`);
      }
    }
    assert.deepEqual(refused, []);
  });
  it("that the machine does not have have no registers", () => {
    const pe = new Bench();
    assert.equal(pe.mrs("HCR_EL2"), "UNDEFINED");
    assert.equal(pe.mrs("SCR_EL3"), "UNDEFINED");
    assert.equal(pe.mrs("SP_EL1"), "UNDEFINED");
    assert.equal(pe.mrs("CNTPS_CTL_EL1"), "UNDEFINED");
  });
  it("Features that the model does not have have no registers", () => {
    assert.equal(new Bench().mrs("APIAKEYLO_EL1"), "UNDEFINED");
    assert.equal(new Bench().mrs("PAN"), "UNDEFINED");
    assert.equal(new Bench().mrs("RNDR"), "UNDEFINED");
    assert.equal(new Bench({ model: "max" }).mrs("L2CTLR_EL1"), "UNDEFINED");
  });
  it("any encoding at any level gives a value or an exception", () => {
    const pe = new Bench({ model: "max", el2: true, el3: true });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffff }), fc.integer({ min: 0, max: 31 }), fc.nat(3), (id, rt, el) => {
        pe.at(el);
        pe.state.setWord(EXIT, 0);
        if (!pe.sysregs.read(id, rt)) assert.notEqual(pe.state.word(EXIT), 0);
        pe.at(el);
        pe.state.setWord(EXIT, 0);
        if (!pe.sysregs.write(id, rt)) assert.notEqual(pe.state.word(EXIT), 0);
        pe.at(el);
        pe.sysregs.system(0x4000 | (id & 0x3fff), rt);
        assert.equal(pe.state.word(X + 8 * 31), 0);
      }),
      { numRuns: 3000 },
    );
  });
});

describe("traps from EL0", () => {
  it("have the exact syndrome", () => {
    const pe = new Bench();
    pe.msr("SCTLR_EL1", 0);
    pe.at(0);
    assert.equal(pe.mrsId(sysregId("CTR_EL0"), 3), "EC 18 ISS 32c061");
    assert.equal(pe.mrsId(sysregId("DAIF"), 7), "EC 18 ISS 32d0e5");
    assert.equal(pe.mrsId(sysregId("CNTVCT_EL0"), 28), "EC 18 ISS 34fb81");
    assert.equal(pe.msr("PMCR_EL0", 0), "EC 18 ISS 30e498");
    // DC CVAU, X5.
    assert.equal(pe.sys(3, 7, 11, 1), "EC 18 ISS 12dcb6");
  });
  it("depend on SCTLR_EL1", () => {
    const pe = new Bench();
    pe.msr("SCTLR_EL1", (1 << 9) | (1 << 14) | (1 << 15) | (1 << 26));
    pe.at(0);
    assert.equal(pe.mrs("CTR_EL0"), "000000008444c004");
    assert.equal(pe.mrs("DCZID_EL0"), "0000000000000004");
    assert.equal(pe.mrs("DAIF"), zeros);
    assert.equal(pe.sys(3, 7, 11, 1), "");
    pe.at(1).msr("SCTLR_EL1", 0);
    assert.equal(pe.at(0).mrs("DCZID_EL0"), "0000000000000014");
  });
  it("depend on CNTKCTL_EL1", () => {
    const pe = new Bench();
    assert.match(pe.at(0).mrs("CNTFRQ_EL0"), /^EC 18/);
    pe.at(1).msr("CNTKCTL_EL1", 2);
    assert.equal(pe.at(0).mrs("CNTVCT_EL0"), "0000002200001001");
    assert.equal(pe.mrs("CNTFRQ_EL0"), "0000000003b9aca0");
    assert.match(pe.mrs("CNTPCT_EL0"), /^EC 18/);
    assert.match(pe.mrs("CNTV_CTL_EL0"), /^EC 18/);
    pe.at(1).msr("CNTKCTL_EL1", 1 << 8);
    assert.equal(pe.at(0).mrs("CNTV_CTL_EL0"), zeros);
    assert.match(pe.mrs("CNTP_CTL_EL0"), /^EC 18/);
    assert.equal(pe.msr("CNTFRQ_EL0", 1), "UNDEFINED");
  });
  it("depend on PMUSERENR_EL0", () => {
    const pe = new Bench();
    pe.msr("PMUSERENR_EL0", 4);
    pe.at(0);
    assert.match(pe.mrs("PMCCNTR_EL0"), /^[0-9a-f]{16}$/);
    assert.match(pe.msr("PMCCNTR_EL0", 0), /^EC 18/);
    assert.match(pe.mrs("PMSELR_EL0"), /^EC 18/);
    assert.equal(pe.mrs("PMUSERENR_EL0"), "0000000000000004");
    assert.equal(pe.msr("PMUSERENR_EL0", 0), "UNDEFINED");
  });
});

describe("traps to EL2 and EL3", () => {
  it("TVM traps writes, TRVM reads", () => {
    const pe = new Bench({ el2: true });
    pe.at(2).msr("HCR_EL2", 1 << 26);
    pe.at(1);
    assert.equal(pe.msr("TTBR0_EL1", 0), "EC 18 ISS 300880 to EL2");
    assert.match(pe.mrs("TTBR0_EL1"), /^[0-9a-f]{16}$/);
    pe.at(2).msr("HCR_EL2", 1 << 30);
    assert.equal(pe.at(1).mrs("ESR_EL1"), "EC 18 ISS 301465 to EL2");
    assert.equal(pe.at(2).msr("TTBR0_EL1", 0), "");
  });
  it("do not happen in Secure state", () => {
    const pe = new Bench({ el2: true, el3: true });
    pe.at(3).msr("HCR_EL2", 1 << 26);
    pe.state.setWord(SECURE, 1);
    assert.equal(pe.at(1).msr("TTBR0_EL1", 0), "");
  });
  it("TIDs trap identification", () => {
    const pe = new Bench({ el2: true });
    pe.at(2).msr("HCR_EL2", 7 << 16);
    pe.at(1);
    assert.match(pe.mrs("ID_AA64PFR0_EL1"), /to EL2$/);
    assert.match(pe.mrs("ID_PFR0_EL1"), /to EL2$/);
    assert.match(pe.mrs("REVIDR_EL1"), /to EL2$/);
    assert.match(pe.mrs("CLIDR_EL1"), /to EL2$/);
  });
  it("CPTR_EL3.TCPAC traps CPACR_EL1", () => {
    const pe = new Bench({ el3: true });
    pe.at(3).msr("CPTR_EL3", 1 << 31);
    assert.match(pe.at(1).mrs("CPACR_EL1"), /to EL3$/);
    assert.match(pe.at(3).mrs("CPACR_EL1"), /^0/);
  });
});

describe("PSTATE as registers", () => {
  it("NZCV", () => {
    const pe = new Bench();
    pe.at(0).msr("NZCV", -1);
    assert.deepEqual(
      [NF, ZF, CF, VF].map((f) => pe.state.word(f) >>> 0 !== 0),
      [true, false, true, true],
    );
    assert.equal(pe.mrs("NZCV"), "00000000f0000000");
  });
  it("DAIF; clearing D while debug exceptions are enabled makes the PE look", () => {
    const pe = new Bench();
    pe.msr("DAIF", -1);
    assert.equal(pe.state.word(DAIF), 0x3c0);
    pe.msr("DAIF", 0x1c0);
    assert.deepEqual(pe.log, []);
    pe.msr("DAIF", 0x3c0);
    pe.state.setWord(slots.MDSCR_EL1, 1);
    pe.msr("DAIF", 0x1c0);
    assert.deepEqual(pe.log, ["context"]);
  });
  it("SPSel exchanges the stack pointer", () => {
    const pe = new Bench();
    pe.state.set64(SP, 0x1111, 1);
    pe.msr("SP_EL0", 0x2222, 2);
    pe.msr("SPSEL", 0xfffffffe);
    assert.equal(pe.state.word(SPSEL), 0);
    assert.equal(pe.state.word(SP), 0x2222);
    assert.equal(pe.mrs("SP_EL0"), "UNDEFINED");
    pe.msr("SPSEL", 1);
    assert.equal(pe.state.word(SP), 0x1111);
    assert.equal(pe.mrs("SP_EL0"), "0000000200002222");
  });
  it("PAN changes the context", () => {
    const pe = new Bench({ model: "max" });
    pe.msr("PAN", 1 << 22);
    assert.equal(pe.state.word(PAN), 1);
    assert.deepEqual(pe.log, ["context"]);
    assert.equal(pe.mrs("PAN"), "0000000000400000");
  });
  it("CurrentEL", () => {
    assert.equal(new Bench().mrs("CURRENTEL"), "0000000000000004");
    assert.equal(new Bench().at(0).mrs("CURRENTEL"), "UNDEFINED");
  });
  it("RNDR gives entropy and says so in NZCV", () => {
    const pe = new Bench({ model: "max" });
    pe.msr("NZCV", -1);
    assert.equal(pe.mrs("RNDR"), "a5a5a5a5a5a5a5a5");
    assert.equal(pe.mrs("NZCV"), zeros);
  });
  it("ISR_EL1 shows what is pending, virtual where EL2 routes it", () => {
    const pe = new Bench({ el2: true });
    pe.state.setWord(LINES, 1 | (2 << 4));
    assert.equal(pe.mrs("ISR_EL1"), "0000000000000080");
    pe.at(2).msr("HCR_EL2", 3 << 3);
    assert.equal(pe.mrs("ISR_EL1"), "0000000000000080");
    assert.equal(pe.at(1).mrs("ISR_EL1"), "0000000000000040");
  });
});

describe("translation registers", () => {
  it("change the context and drop no translation", () => {
    const pe = new Bench();
    pe.msr("SCTLR_EL1", 1);
    pe.msr("TTBR0_EL1", -1, -1);
    pe.msr("TCR_EL1", 25);
    assert.deepEqual(pe.log, ["context", "space", "context"]);
    assert.equal(pe.mrs("TTBR0_EL1"), "fffffffffffffffe");
  });
});

describe("debug registers", () => {
  it("MDSCR_EL1 keeps its external bits from being written but under the OS lock", () => {
    const pe = new Bench();
    pe.msr("MDSCR_EL1", -1);
    assert.equal(pe.mrs("MDSCR_EL1"), "000000006ce0f041");
    pe.msr("MDSCR_EL1", 0);
    pe.msr("OSLAR_EL1", 0);
    assert.equal(pe.mrs("OSLSR_EL1"), "0000000000000008");
    pe.msr("MDSCR_EL1", -1);
    assert.equal(pe.mrs("MDSCR_EL1"), "000000000000b001");
  });
  it("there are six breakpoints and four watchpoints", () => {
    const pe = new Bench();
    assert.equal(pe.mrs("DBGBVR5_EL1"), zeros);
    assert.equal(pe.mrs("DBGBVR6_EL1"), "UNDEFINED");
    assert.equal(pe.mrs("DBGWVR3_EL1"), zeros);
    assert.equal(pe.mrs("DBGWVR4_EL1"), "UNDEFINED");
    pe.msr("DBGBCR0_EL1", -1, -1);
    assert.equal(pe.mrs("DBGBCR0_EL1"), "0000000000ffe1e7");
    assert.deepEqual(pe.log, ["context", "debug"]);
  });
  it("claim tags are set and cleared by ones", () => {
    const pe = new Bench();
    pe.msr("DBGCLAIMSET_EL1", 0x1f3);
    pe.msr("DBGCLAIMCLR_EL1", 0x30);
    assert.equal(pe.mrs("DBGCLAIMCLR_EL1"), "00000000000000c3");
    assert.equal(pe.mrs("DBGCLAIMSET_EL1"), "00000000000000ff");
  });
});

describe("the interrupt controller's registers", () => {
  it("come from it, at the levels that they are for", () => {
    const written: number[][] = [];
    const pe = new Bench({
      interrupts: {
        ...noInterrupts,
        ...{ low: 0xf8, high: 1 },
        read: (_, id) => id === sysregId("ICC_PMR_EL1"),
        write: (...args) => written.push(args) > 0,
      },
    });
    assert.equal(pe.mrs("ICC_PMR_EL1"), "00000001000000f8");
    assert.equal(pe.mrs("ICC_IAR1_EL1"), "UNDEFINED");
    assert.equal(pe.msr("ICC_SGI1R_EL1", -1, 5), "");
    assert.deepEqual(written, [[0, sysregId("ICC_SGI1R_EL1"), -1, 5, VIEW_NONSECURE]]);
    assert.equal(pe.msr("ICH_HCR_EL2", 0), "UNDEFINED");
    assert.equal(pe.at(0).mrs("ICC_PMR_EL1"), "UNDEFINED");
    assert.equal(new Bench().mrs("ICC_PMR_EL1"), "UNDEFINED");
  });
});

describe("implementation defined registers", () => {
  it("of cortex-a72 read as zero, and tell the number of cores", () => {
    const pe = new Bench();
    assert.equal(pe.mrs("L2CTLR_EL1"), "0000000001000000");
    pe.msr("CPUECTLR_EL1", -1, -1);
    assert.equal(pe.mrs("CPUECTLR_EL1"), zeros);
  });
});

it("TPIDRRO_EL0 is for EL0 to read only", () => {
  const pe = new Bench();
  pe.msr("TPIDRRO_EL0", 5, 6);
  assert.equal(pe.at(0).mrs("TPIDRRO_EL0"), "0000000600000005");
  assert.equal(pe.msr("TPIDRRO_EL0", 0), "UNDEFINED");
  assert.equal(pe.state.word(slots.TPIDRRO_EL0), 5);
});
