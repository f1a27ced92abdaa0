import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodeSysreg, sysregId } from "../../arch/sysreg-names.ts";
import { SECURE } from "../state-layout.ts";
import { systemIss } from "../syndrome.ts";
import * as slots from "../sysreg-layout.ts";
import { INSTRUCTION_TRAPS, READ_TRAPS, WRITE_TRAPS } from "./fine-grained.ts";
import { SYSREG_ROWS } from "./index.ts";
import { Bench } from "./test-host.ts";

// Each control bit that traps: what it traps, at which exception levels, to which one, with which syndrome; and that nothing does without it.

const bit = (n: number): readonly [number, number] => (n < 32 ? [1 << n, 0] : [0, 1 << (n - 32)]);
const APK_API = (1 << 8) | (1 << 9);
/** NS, HCE, RW, APK, API, FGTEn, ECVEn. */
const SCR = (1 << 0) | (1 << 8) | (1 << 10) | (3 << 16) | (1 << 27) | (1 << 28);
const E2H = 1 << 2;
const TGE = 1 << 27;

/** A PE with all levels in Non-secure state, where nothing traps: everything is enabled for EL0 and EL1. */
function open(model: "max" | "cortex-a72" = "max"): Bench {
  const pe = new Bench({ model, el2: true, el3: true });
  const { state } = pe;
  state.setWord(slots.SCR_EL3, SCR);
  state.set64(slots.HCR_EL2, 0, APK_API);
  for (const slot of [slots.SCTLR_EL1, slots.SCTLR_EL2]) state.set64(slot, -1 & ~(1 << 9), -1);
  state.setWord(slots.SCTLR_EL1, -1);
  state.setWord(slots.PMUSERENR_EL0, 0xf);
  return pe;
}

function toggle(pe: Bench, slot: number, n: number): void {
  const [low, high] = bit(n);
  pe.state.set64(slot, pe.state.word(slot) ^ low, pe.state.high(slot) ^ high);
}

/** An access by name ("MRS x", "MSR x") or by encoding ("SYS op1 n m op2"). */
type Operation = string;

function run(pe: Bench, operation: Operation): string {
  const [what, ...rest] = operation.split(" ");
  if (what === "SYS") return pe.sys(...(rest.map(Number) as [number, number, number, number]));
  const name = rest[0] as string;
  if (what === "MSR") return pe.msr(name, 0);
  return pe.mrs(name);
}

function trapOf(operation: Operation, target: number): string {
  const [what, ...rest] = operation.split(" ");
  const [rt, read] = what === "SYS" ? [5, false] : what === "MSR" ? [4, false] : [3, true];
  const id =
    what === "SYS"
      ? encodeSysreg(1, ...(rest.map(Number) as [number, number, number, number]))
      : sysregId(rest[0] as string);
  return `EC 18 ISS ${systemIss(id, rt, read).toString(16)}${target > 1 ? ` to EL${target}` : ""}`;
}

const both = (...names: string[]): Operation[] => names.flatMap((name) => [`MRS ${name}`, `MSR ${name}`]);
const reads = (...names: string[]): Operation[] => names.map((name) => `MRS ${name}`);
const writes = (...names: string[]): Operation[] => names.map((name) => `MSR ${name}`);

const VM = ["SCTLR", "TTBR0", "TTBR1", "TCR", "ESR", "FAR", "AFSR0", "AFSR1", "MAIR", "AMAIR", "CONTEXTIDR"].map(
  (n) => `${n}_EL1`,
);
const KEYS = ["APIA", "APIB", "APDA", "APDB", "APGA"].flatMap((key) => [`${key}KEYLO_EL1`, `${key}KEYHI_EL1`]);
const COUNTERS = [
  "PMCNTENSET",
  "PMCNTENCLR",
  "PMOVSSET",
  "PMOVSCLR",
  "PMSELR",
  "PMCCNTR",
  "PMCCFILTR",
  "PMXEVTYPER",
  "PMXEVCNTR",
];
const MONITORS = [
  ...both("PMCR_EL0", ...COUNTERS.map((n) => `${n}_EL0`), "PMEVCNTR0_EL0", "PMEVTYPER5_EL0"),
  ...reads("PMCEID0_EL0", "PMCEID1_EL0"),
  ...writes("PMSWINC_EL0"),
];
const DEBUG = [
  ...both("MDSCR_EL1", "OSECCR_EL1", "DBGCLAIMSET_EL1", "DBGCLAIMCLR_EL1"),
  ...both("DBGBCR0_EL1", "DBGBVR5_EL1", "DBGWCR3_EL1", "DBGWVR0_EL1"),
  ...reads("DBGAUTHSTATUS_EL1"),
];
const CHANNEL = [...both("MDCCINT_EL1", "OSDTRRX_EL1", "OSDTRTX_EL1")];
const CHANNEL_EL0 = [...reads("MDCCSR_EL0"), ...both("DBGDTR_EL0", "DBGDTRRX_EL0")];
const OS_LOCK = [...both("OSDLR_EL1", "DBGPRCR_EL1"), ...reads("OSLSR_EL1"), ...writes("OSLAR_EL1")];
const ERRORS = [
  ...reads("ERRIDR_EL1", "ERXFR_EL1"),
  ...both("ERRSELR_EL1", "ERXCTLR_EL1", "ERXSTATUS_EL1", "ERXADDR_EL1", "ERXMISC0_EL1", "ERXMISC1_EL1"),
];
const REGIONS = [...reads("LORID_EL1"), ...both("LORSA_EL1", "LOREA_EL1", "LORN_EL1", "LORC_EL1")];
const tlbi = (...crms: number[]): Operation[] =>
  crms.flatMap((crm) => [0, 1, 2, 3, 5, 7].map((op2) => `SYS 0 8 ${crm} ${op2}`));
const ranges = (...crms: number[]): Operation[] =>
  crms.flatMap((crm) => [1, 3, 5, 7].map((op2) => `SYS 0 8 ${crm} ${op2}`));
const IC = { IALLUIS: "SYS 0 7 1 0", IALLU: "SYS 0 7 5 0", IVAU: "SYS 3 7 5 1" };
const DC = {
  IVAC: "SYS 0 7 6 1",
  CVAC: "SYS 3 7 10 1",
  CVAU: "SYS 3 7 11 1",
  CVAP: "SYS 3 7 12 1",
  CVADP: "SYS 3 7 13 1",
  CIVAC: "SYS 3 7 14 1",
};
const BY_SET = ["SYS 0 7 6 2", "SYS 0 7 10 2", "SYS 0 7 14 2"];

interface Case {
  readonly control: string;
  readonly slot: number;
  readonly bit: number;
  /** Trapped from EL1. */
  readonly el1?: readonly Operation[];
  /** Trapped from EL0, and from EL1. */
  readonly el0?: readonly Operation[];
  /** Trapped from EL2, too, or from there on. */
  readonly el2?: readonly Operation[];
  readonly target: 2 | 3;
  /** EL0 of a host traps, too. */
  readonly host?: true;
  readonly model?: "cortex-a72";
}

const hcr = (name: string, n: number, operations: Pick<Case, "el1" | "el0" | "model">): Case => ({
  control: `HCR_EL2.${name}`,
  slot: slots.HCR_EL2,
  bit: n,
  target: 2,
  ...operations,
});
const of =
  (register: string, slot: number, target: 2 | 3) =>
  (name: string, n: number, operations: Pick<Case, "el1" | "el0" | "el2" | "host">): Case => ({
    control: `${register}.${name}`,
    slot,
    bit: n,
    target,
    ...operations,
  });
const mdcr2 = of("MDCR_EL2", slots.MDCR_EL2, 2);
const mdcr3 = of("MDCR_EL3", slots.MDCR_EL3, 3);
const scr = of("SCR_EL3", slots.SCR_EL3, 3);

const CASES: readonly Case[] = [
  hcr("TID1", 16, { el1: reads("REVIDR_EL1", "AIDR_EL1") }),
  hcr("TID2", 17, { el0: reads("CTR_EL0"), el1: [...reads("CCSIDR_EL1", "CLIDR_EL1"), ...both("CSSELR_EL1")] }),
  hcr("TID3", 18, {
    el1: reads(
      "ID_PFR0_EL1",
      "MVFR2_EL1",
      "ID_AA64PFR0_EL1",
      "ID_AA64ZFR0_EL1",
      "ID_AA64DFR1_EL1",
      "ID_AA64ISAR2_EL1",
      "ID_AA64MMFR4_EL1",
    ),
  }),
  hcr("TID4", 49, { el1: [...reads("CCSIDR_EL1", "CLIDR_EL1"), ...both("CSSELR_EL1")] }),
  hcr("TIDCP", 20, {
    el1: [...both("L2ACTLR_EL1", "CPUECTLR_EL1"), "SYS 0 11 0 0", "SYS 3 15 0 0"],
    model: "cortex-a72",
  }),
  hcr("TACR", 21, { el1: both("ACTLR_EL1") }),
  hcr("TSW", 22, { el1: BY_SET }),
  hcr("TPCP", 23, { el0: [DC.CVAC, DC.CVAP, DC.CVADP, DC.CIVAC], el1: [DC.IVAC] }),
  hcr("TPU", 24, { el0: [IC.IVAU, DC.CVAU], el1: [IC.IALLUIS, IC.IALLU] }),
  hcr("TICAB", 50, { el1: [IC.IALLUIS] }),
  hcr("TOCU", 52, { el0: [IC.IVAU, DC.CVAU], el1: [IC.IALLU] }),
  hcr("TTLB", 25, { el1: [...tlbi(1, 3, 7), ...ranges(2, 5, 6)] }),
  hcr("TTLBIS", 54, { el1: [...tlbi(3), ...ranges(2)] }),
  hcr("TTLBOS", 55, { el1: [...tlbi(1), ...ranges(5)] }),
  hcr("TVM", 26, { el1: writes(...VM) }),
  hcr("TRVM", 30, { el1: reads(...VM) }),
  hcr("TDZ", 28, { el0: ["SYS 3 7 4 1"] }),
  hcr("TLOR", 35, { el1: REGIONS }),
  hcr("TERR", 36, { el1: ERRORS }),
  hcr("APK", 40, { el1: both(...KEYS) }),
  hcr("AT", 44, { el1: [0, 1, 2, 3].map((n) => `SYS 0 7 8 ${n}`).concat("SYS 0 7 9 0", "SYS 0 7 9 1") }),
  of("CPTR_EL2", slots.CPTR_EL2, 2)("TCPAC", 31, { el1: both("CPACR_EL1") }),
  of("CPTR_EL3", slots.CPTR_EL3, 3)("TCPAC", 31, { el1: both("CPACR_EL1"), el2: both("CPTR_EL2") }),
  mdcr2("TPM", 6, {
    el0: [...MONITORS],
    el1: [...both("PMINTENSET_EL1", "PMINTENCLR_EL1"), ...writes("PMUSERENR_EL0")],
    host: true,
  }),
  mdcr2("TPMCR", 5, { el0: both("PMCR_EL0"), host: true }),
  mdcr2("TDA", 9, { el0: CHANNEL_EL0, el1: [...DEBUG, ...CHANNEL], host: true }),
  mdcr2("TDOSA", 10, { el1: OS_LOCK }),
  mdcr2("TDRA", 11, { el1: reads("MDRAR_EL1") }),
  mdcr2("TDE", 8, { el0: CHANNEL_EL0, el1: [...DEBUG, ...CHANNEL, ...OS_LOCK, ...reads("MDRAR_EL1")], host: true }),
  mdcr2("TDCC", 27, { el0: CHANNEL_EL0, el1: CHANNEL, host: true }),
  mdcr3("TPM", 6, { el0: MONITORS, el1: both("PMINTENSET_EL1"), el2: [...MONITORS, ...both("PMINTENCLR_EL1")] }),
  mdcr3("TDA", 9, {
    el0: CHANNEL_EL0,
    el1: [...DEBUG, ...CHANNEL],
    el2: [...DEBUG, ...CHANNEL_EL0, ...reads("MDRAR_EL1")],
  }),
  mdcr3("TDOSA", 10, { el1: OS_LOCK, el2: OS_LOCK }),
  mdcr3("TDCC", 27, { el0: CHANNEL_EL0, el1: CHANNEL, el2: CHANNEL }),
  scr("TLOR", 14, { el1: REGIONS, el2: REGIONS }),
  scr("TERR", 15, { el1: ERRORS, el2: ERRORS }),
  scr("APK", 16, { el1: both(...KEYS), el2: both(...KEYS) }),
];

describe("trap controls", () => {
  for (const { control, slot, bit: n, el0 = [], el1 = [], el2 = [], target, host, model } of CASES) {
    const from: readonly (readonly [number, readonly Operation[]])[] = [
      [0, el0],
      [1, [...el0, ...el1]],
      [2, el2],
    ];
    it(`${control} traps to EL${target}, with EC 0x18 and the ISS of the access`, () => {
      for (const [el, operations] of from) {
        for (const operation of operations) {
          const pe = open(model).at(el);
          assert.doesNotMatch(run(pe, operation), model ? /^EC/ : /^(EC|UNDEFINED)/, `${operation} at EL${el} is free`);
          toggle(pe, slot, n);
          assert.equal(run(pe, operation), trapOf(operation, target), `${operation} at EL${el}`);
          if (model === undefined)
            assert.doesNotMatch(run(pe.at(target), operation), /^(EC|UNDEFINED)/, `${operation} at the target`);
        }
      }
    });
    if (target === 2) {
      it(`${control} traps nothing where EL2 is not enabled, and in a host's EL0 ${host ? "as well" : "not"}`, () => {
        for (const operation of [...el0, ...el1]) {
          const secure = open(model).at(1);
          secure.state.setWord(slots.SCR_EL3, SCR & ~1);
          secure.state.setWord(SECURE, 1);
          toggle(secure, slot, n);
          // LORegions are of Non-secure state only.
          if (!control.endsWith("TLOR")) assert.doesNotMatch(run(secure, operation), /^EC/, operation);
        }
        for (const operation of el0) {
          const pe = open(model).at(0);
          pe.state.set64(slots.HCR_EL2, TGE, E2H | APK_API);
          toggle(pe, slot, n);
          // Under TGE, TDE counts as 1.
          const debug = CHANNEL_EL0.includes(operation);
          assert.equal(
            run(pe, operation),
            host || debug ? trapOf(operation, 2) : run(open(model).at(0), operation),
            operation,
          );
        }
      });
    }
  }

  it("are asked in the order of the exception levels: EL1, EL2, EL3", () => {
    const pe = open().at(0);
    toggle(pe, slots.MDCR_EL3, 6);
    assert.equal(run(pe, "MRS PMCCNTR_EL0"), trapOf("MRS PMCCNTR_EL0", 3));
    toggle(pe, slots.HDFGRTR_EL2, 15);
    assert.equal(run(pe, "MRS PMCCNTR_EL0"), trapOf("MRS PMCCNTR_EL0", 2));
    toggle(pe, slots.MDCR_EL2, 6);
    assert.equal(run(pe, "MRS PMCCNTR_EL0"), trapOf("MRS PMCCNTR_EL0", 2));
    pe.state.setWord(slots.PMUSERENR_EL0, 0);
    assert.equal(run(pe, "MRS PMCCNTR_EL0"), trapOf("MRS PMCCNTR_EL0", 1));
  });

  it("UNDEFINED comes before them", () => {
    const pe = open().at(0);
    toggle(pe, slots.HCR_EL2, 18);
    toggle(pe, slots.HCR_EL2, 26);
    assert.equal(run(pe, "MSR SCTLR_EL1"), "UNDEFINED");
    assert.equal(run(pe.at(1), "MSR ID_AA64PFR0_EL1"), "UNDEFINED");
  });
});

describe("EL0's permissions in SCTLR_ELx", () => {
  const cases: readonly (readonly [string, number, readonly Operation[]])[] = [
    ["UCT", 15, reads("CTR_EL0")],
    ["UCI", 26, [IC.IVAU, DC.CVAC, DC.CVAU, DC.CVAP, DC.CVADP, DC.CIVAC]],
    ["DZE", 14, ["SYS 3 7 4 1"]],
    ["EnRCTX", 10, ["SYS 3 7 3 4", "SYS 3 7 3 5", "SYS 3 7 3 7"]],
  ];
  for (const [name, n, operations] of cases) {
    it(`${name}: of SCTLR_EL1, and of SCTLR_EL2 for a host's applications`, () => {
      for (const operation of operations) {
        const pe = open().at(0);
        toggle(pe, slots.SCTLR_EL1, n);
        assert.equal(run(pe, operation), trapOf(operation, 1), operation);
        assert.doesNotMatch(run(pe.at(1), operation), /^EC/);
        pe.at(0).state.set64(slots.HCR_EL2, TGE, E2H | APK_API);
        assert.doesNotMatch(run(pe, operation), /^EC/);
        toggle(pe, slots.SCTLR_EL2, n);
        assert.equal(run(pe, operation), trapOf(operation, 1), operation);
      }
    });
  }
  it("UMA: of SCTLR_EL1; a host's applications never have DAIF", () => {
    const pe = open().at(0);
    assert.equal(run(pe, "MSR DAIF"), "");
    toggle(pe, slots.SCTLR_EL1, 9);
    assert.equal(run(pe, "MSR DAIF"), trapOf("MSR DAIF", 1));
    toggle(pe, slots.SCTLR_EL1, 9);
    pe.state.set64(slots.HCR_EL2, TGE, E2H);
    assert.equal(run(pe, "MRS DAIF"), trapOf("MRS DAIF", 1));
  });
  it("DCZID_EL0.DZP says whether DC ZVA would trap", () => {
    const pe = open();
    const prohibited = (el: number): boolean => (Number.parseInt(pe.at(el).mrs("DCZID_EL0"), 16) & 16) !== 0;
    assert.deepEqual([0, 1, 2].map(prohibited), [false, false, false]);
    toggle(pe, slots.SCTLR_EL1, 14);
    assert.deepEqual([0, 1, 2].map(prohibited), [true, false, false]);
    toggle(pe, slots.HFGITR_EL2, 11);
    assert.deepEqual([0, 1, 2].map(prohibited), [true, true, false]);
    toggle(pe, slots.HFGITR_EL2, 11);
    toggle(pe, slots.HCR_EL2, 28);
    assert.deepEqual([0, 1, 2].map(prohibited), [true, true, false]);
  });
});

describe("fine-grained traps (FEAT_FGT)", () => {
  const FGTEN = 27;
  const rows = new Map(SYSREG_ROWS.map((row) => [sysregId(row.name), row]));

  function check(operation: Operation, el: number, word: number, mask: number): void {
    const pe = open().at(el);
    assert.doesNotMatch(run(pe, operation), /^(EC|UNDEFINED)/, `${operation} at EL${el} is free`);
    pe.state.setWord(word, mask);
    assert.equal(run(pe, operation), trapOf(operation, 2), `${operation} at EL${el}`);
    toggle(pe, slots.SCR_EL3, FGTEN);
    assert.doesNotMatch(run(pe, operation), /^EC/, `${operation} at EL${el} without SCR_EL3.FGTEn`);
    toggle(pe, slots.SCR_EL3, FGTEN);
    assert.doesNotMatch(run(pe.at(2), operation), /^EC/, `${operation} at EL2`);
    if (el > 0) return;
    const host = open().at(0);
    host.state.setWord(word, mask);
    host.state.set64(slots.HCR_EL2, TGE, E2H | APK_API);
    assert.equal(
      run(host, operation),
      CHANNEL_EL0.includes(operation) ? trapOf(operation, 2) : run(open().at(0), operation),
    );
  }

  for (const [what, traps] of [
    ["MRS", READ_TRAPS],
    ["MSR", WRITE_TRAPS],
  ] as const) {
    it(`each of ${what} traps its registers from EL1 and EL0 to EL2`, () => {
      let checked = 0;
      for (const [id, { word, mask }] of traps) {
        const row = rows.get(id);
        const level = what === "MRS" ? row?.read : row?.write;
        if (!row || level === undefined) continue;
        for (const el of level === 0 ? [0, 1] : [1]) check(`${what} ${row.name}`, el, word, mask);
        checked++;
      }
      assert.ok(checked > 80, String(checked));
    });
  }
  it("each of HFGITR_EL2 traps its system instruction", () => {
    for (const [id, { word, mask }] of INSTRUCTION_TRAPS) {
      const op1 = (id >> 11) & 7;
      const operation = `SYS ${op1} ${(id >> 7) & 15} ${(id >> 3) & 15} ${id & 7}`;
      for (const el of op1 === 3 ? [0, 1] : [1]) check(operation, el, word, mask);
    }
  });
  it("exist without EL3, and their registers without FEAT_FGT do not", () => {
    const pe = new Bench({ model: "max", el2: true });
    pe.state.setWord(slots.HFGRTR_EL2, 1 << 29);
    pe.state.set64(slots.HCR_EL2, 0, APK_API);
    assert.equal(pe.mrs("SCTLR_EL1"), trapOf("MRS SCTLR_EL1", 2));
    assert.equal(new Bench({ el2: true }).at(2).mrs("HFGRTR_EL2"), "UNDEFINED");
  });
  it("have registers that are EL3's while SCR_EL3.FGTEn is clear", () => {
    for (const name of ["HFGRTR_EL2", "HFGWTR_EL2", "HFGITR_EL2", "HDFGRTR_EL2", "HDFGWTR_EL2"]) {
      for (const operation of both(name)) {
        const pe = open().at(2);
        assert.doesNotMatch(run(pe, operation), /^(EC|UNDEFINED)/, operation);
        toggle(pe, slots.SCR_EL3, FGTEN);
        assert.equal(run(pe, operation), trapOf(operation, 3));
        assert.doesNotMatch(run(pe.at(3), operation), /^(EC|UNDEFINED)/, operation);
      }
    }
  });
  it("keep only the bits that mean something", () => {
    const pe = open().at(2);
    pe.msr("HFGRTR_EL2", -1, -1);
    assert.equal(pe.mrs("HFGRTR_EL2"), "00023fff3fffffff");
    pe.msr("HFGWTR_EL2", -1, -1);
    assert.equal(pe.mrs("HFGWTR_EL2"), "00023aff29db39fb");
    pe.msr("HFGITR_EL2", -1, -1);
    assert.equal(pe.mrs("HFGITR_EL2"), "007fffffffffffff");
    pe.msr("HDFGRTR_EL2", -1, -1);
    assert.equal(pe.mrs("HDFGRTR_EL2"), "06000000000ffeff");
    pe.msr("HDFGWTR_EL2", -1, -1);
    assert.equal(pe.mrs("HDFGWTR_EL2"), "02000000003ffdbf");
  });
});
