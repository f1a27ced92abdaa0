import { encodeSysreg, sysregId } from "../../arch/sysreg-names.ts";
import { PLAIN_SYSREGS } from "../../arch/sysreg-plain.ts";
import { HDFGRTR_EL2, HDFGWTR_EL2, HFGITR_EL2, HFGRTR_EL2, HFGWTR_EL2 } from "../sysreg-layout.ts";
import { type Bits, mask } from "./row.ts";

// FEAT_FGT (Arm ARM D19.2, HFGRTR_EL2 and its relatives): a bit for each register and instruction, that makes accesses from EL1 and EL0
// trap to EL2. HFGRTR_EL2 and HFGWTR_EL2, HDFGRTR_EL2 and HDFGWTR_EL2 have a register at the same place, for reads and for writes.

/** The registers of a bit, by the bit. A number n in a name stands for a series. */
type Group = Readonly<Record<number, string>>;

const KEY_NAMES = ["APDA", "APDB", "APGA", "APIA", "APIB"];
const key = (n: number): string => `${KEY_NAMES[n]}KEYLO_EL1 ${KEY_NAMES[n]}KEYHI_EL1`;
const series = (count: number, name: (n: number) => string): string =>
  Array.from({ length: count }, (_, n) => name(n)).join(" ");

/** HFGRTR_EL2 and HFGWTR_EL2. */
const GENERAL: Group = {
  0: "AFSR0_EL1",
  1: "AFSR1_EL1",
  2: "AIDR_EL1",
  3: "AMAIR_EL1",
  4: key(0),
  5: key(1),
  6: key(2),
  7: key(3),
  8: key(4),
  9: "CCSIDR_EL1",
  10: "CLIDR_EL1",
  11: "CONTEXTIDR_EL1",
  12: "CPACR_EL1",
  13: "CSSELR_EL1",
  14: "CTR_EL0",
  15: "DCZID_EL0",
  16: "ESR_EL1",
  17: "FAR_EL1",
  18: "ISR_EL1",
  19: "LORC_EL1",
  20: "LOREA_EL1",
  21: "LORID_EL1",
  22: "LORN_EL1",
  23: "LORSA_EL1",
  24: "MAIR_EL1",
  25: "MIDR_EL1",
  26: "MPIDR_EL1",
  27: "PAR_EL1",
  28: "REVIDR_EL1",
  29: "SCTLR_EL1",
  32: "TCR_EL1",
  33: "TPIDR_EL1",
  34: "TPIDRRO_EL0",
  35: "TPIDR_EL0",
  36: "TTBR0_EL1",
  37: "TTBR1_EL1",
  38: "VBAR_EL1",
  39: "ICC_IGRPEN0_EL1 ICC_IGRPEN1_EL1",
  40: "ERRIDR_EL1",
  41: "ERRSELR_EL1",
  42: "ERXFR_EL1",
  43: "ERXCTLR_EL1",
  44: "ERXSTATUS_EL1",
  45: "ERXMISC0_EL1 ERXMISC1_EL1",
  49: "ERXADDR_EL1",
};

/** HDFGRTR_EL2 and HDFGWTR_EL2. */
const DEBUG: Group = {
  0: series(16, (n) => `DBGBCR${n}_EL1`),
  1: series(16, (n) => `DBGBVR${n}_EL1`),
  2: series(16, (n) => `DBGWCR${n}_EL1`),
  3: series(16, (n) => `DBGWVR${n}_EL1`),
  4: "MDSCR_EL1",
  5: "DBGCLAIMSET_EL1 DBGCLAIMCLR_EL1",
  6: "DBGAUTHSTATUS_EL1",
  7: "DBGPRCR_EL1",
  8: "OSLAR_EL1",
  9: "OSLSR_EL1",
  10: "OSECCR_EL1",
  11: "OSDLR_EL1",
  12: `PMXEVCNTR_EL0 ${series(31, (n) => `PMEVCNTR${n}_EL0`)}`,
  13: `PMXEVTYPER_EL0 ${series(31, (n) => `PMEVTYPER${n}_EL0`)}`,
  14: "PMCCFILTR_EL0",
  15: "PMCCNTR_EL0",
  16: "PMCNTENSET_EL0 PMCNTENCLR_EL0",
  17: "PMINTENSET_EL1 PMINTENCLR_EL1",
  18: "PMOVSSET_EL0 PMOVSCLR_EL0",
  19: "PMSELR_EL0",
  20: "PMSWINC_EL0",
  21: "PMCR_EL0",
  57: "PMUSERENR_EL0",
  58: "PMCEID0_EL0 PMCEID1_EL0",
};

/** Registers that only one of the two has: the other's bit is RES0. */
const WRITES_ONLY = { general: [], debug: [8, 20, 21] } as const;
const READS_ONLY = {
  general: [2, 9, 10, 14, 15, 18, 21, 25, 26, 28, 40, 42],
  debug: [6, 9, 58],
} as const;

type Encoding = readonly [op1: number, crn: number, crm: number, op2: number];

/** System instructions by their bit of HFGITR_EL2: its name and the encoding. */
const INSTRUCTIONS: readonly (readonly [bit: number, name: string, encoding: Encoding])[] = [
  [0, "ICIALLUIS", [0, 7, 1, 0]],
  [1, "ICIALLU", [0, 7, 5, 0]],
  [2, "ICIVAU", [3, 7, 5, 1]],
  [3, "DCIVAC", [0, 7, 6, 1]],
  [4, "DCISW", [0, 7, 6, 2]],
  [5, "DCCSW", [0, 7, 10, 2]],
  [6, "DCCISW", [0, 7, 14, 2]],
  [7, "DCCVAU", [3, 7, 11, 1]],
  [8, "DCCVAP", [3, 7, 12, 1]],
  [9, "DCCVADP", [3, 7, 13, 1]],
  [10, "DCCIVAC", [3, 7, 14, 1]],
  [11, "DCZVA", [3, 7, 4, 1]],
  [12, "ATS1E1R", [0, 7, 8, 0]],
  [13, "ATS1E1W", [0, 7, 8, 1]],
  [14, "ATS1E0R", [0, 7, 8, 2]],
  [15, "ATS1E0W", [0, 7, 8, 3]],
  [16, "ATS1E1RP", [0, 7, 9, 0]],
  [17, "ATS1E1WP", [0, 7, 9, 1]],
  ...tlbi("OS", 18, 24, 1, 5),
  ...tlbi("IS", 28, 34, 3, 2),
  ...tlbi("", 42, 38, 7, 6),
  [48, "CFPRCTX", [3, 7, 3, 4]],
  [49, "DVPRCTX", [3, 7, 3, 5]],
  [50, "CPPRCTX", [3, 7, 3, 7]],
  [54, "DCCVAC", [3, 7, 10, 1]],
];

/** TLBI of one scope: by its CRm and the first bit, and those of the ranges. */
function tlbi(
  scope: string,
  bit: number,
  rangeBit: number,
  crm: number,
  rangeCrm: number,
): [number, string, Encoding][] {
  const forms = [
    ["VMALLE1", 0],
    ["VAE1", 1],
    ["ASIDE1", 2],
    ["VAAE1", 3],
    ["VALE1", 5],
    ["VAALE1", 7],
  ] as const;
  const ranges = forms.filter(([name]) => name.startsWith("VA"));
  return [
    ...forms.map(([name, op2], i): [number, string, Encoding] => [bit + i, `TLBI${name}${scope}`, [0, 8, crm, op2]]),
    ...ranges.map(([name, op2], i): [number, string, Encoding] => [
      rangeBit + i,
      `TLBIR${name}${scope}`,
      [0, 8, rangeCrm, op2],
    ]),
  ];
}

// HFGITR_EL2, high half, besides: instructions that are no system instructions.
export const TRAP_ERET = 1 << (51 - 32);
export const TRAP_SVC_EL0 = 1 << (52 - 32);
export const TRAP_SVC_EL1 = 1 << (53 - 32);
/** HFGITR_EL2.DCZVA and HFGRTR_EL2.DCZID_EL0, in their low halves. */
export const TRAP_DC_ZVA = 1 << 11;
export const TRAP_DCZID = 1 << 15;
/** HFGITR_EL2.{DCCVAU,DCCVAP,DCCVADP,DCCIVAC}, low half; DCCVAC, high half. */
export const TRAP_CLEAN_LOW = 0xf << 7;
export const TRAP_CLEAN_HIGH = 1 << (54 - 32);

/** The word, in bytes from the PE's block, and the bit of it, that traps something. */
export interface FineTrap {
  readonly word: number;
  readonly mask: number;
  /** "HFGRTR_EL2.AIDR_EL1" */
  readonly control: string;
}

function fineTrap(register: string, slot: number, bit: number, field: string): FineTrap {
  return { word: slot + 4 * (bit >> 5), mask: 1 << (bit & 31), control: `${register}.${field}` };
}

function registerTraps(write: boolean): Map<number, FineTrap> {
  const traps = new Map<number, FineTrap>();
  const groups = [
    ["general", GENERAL, write ? "HFGWTR_EL2" : "HFGRTR_EL2", write ? HFGWTR_EL2 : HFGRTR_EL2],
    ["debug", DEBUG, write ? "HDFGWTR_EL2" : "HDFGRTR_EL2", write ? HDFGWTR_EL2 : HDFGRTR_EL2],
  ] as const;
  for (const [kind, group, register, slot] of groups) {
    const absent: readonly number[] = (write ? READS_ONLY : WRITES_ONLY)[kind];
    for (const [bit, names] of Object.entries(group)) {
      if (absent.includes(Number(bit))) continue;
      for (const name of names.split(" ")) traps.set(sysregId(name), fineTrap(register, slot, Number(bit), name));
    }
  }
  return traps;
}

/** By register id. */
export const READ_TRAPS: ReadonlyMap<number, FineTrap> = registerTraps(false);
export const WRITE_TRAPS: ReadonlyMap<number, FineTrap> = registerTraps(true);
/** By the number of a system instruction. */
export const INSTRUCTION_TRAPS: ReadonlyMap<number, FineTrap> = new Map(
  INSTRUCTIONS.map(([bit, name, encoding]) => [
    encodeSysreg(1, ...encoding),
    fineTrap("HFGITR_EL2", HFGITR_EL2, bit, name),
  ]),
);

/** The bits of a trap register that are not RES0. */
function bitsOf(bits: Iterable<number | string>): Bits {
  return [...new Set([...bits].map(Number))].join(" ");
}
const without = (group: Group, absent: readonly number[]): Bits =>
  bitsOf(Object.keys(group).filter((bit) => !absent.includes(Number(bit))));

export const TRAP_REGISTERS: readonly { readonly name: string; readonly slot: number; readonly bits: Bits }[] = [
  { name: "HFGRTR_EL2", slot: HFGRTR_EL2, bits: without(GENERAL, WRITES_ONLY.general) },
  { name: "HFGWTR_EL2", slot: HFGWTR_EL2, bits: without(GENERAL, READS_ONLY.general) },
  { name: "HDFGRTR_EL2", slot: HDFGRTR_EL2, bits: without(DEBUG, WRITES_ONLY.debug) },
  { name: "HDFGWTR_EL2", slot: HDFGWTR_EL2, bits: without(DEBUG, READS_ONLY.debug) },
  { name: "HFGITR_EL2", slot: HFGITR_EL2, bits: bitsOf([...INSTRUCTIONS.map(([bit]) => bit), 51, 52, 53]) },
];

/** The bits of HFGRTR_EL2 and HFGWTR_EL2 that are for some registers, as halves. */
function maskOf(isMeant: (id: number, name: string) => boolean): readonly [number, number] {
  const bits = Object.entries(GENERAL).filter(([, names]) =>
    names.split(" ").some((name) => isMeant(sysregId(name), name)),
  );
  return mask(bitsOf(bits.map(([bit]) => bit)));
}

// Those of plain registers, by the lowest exception level that may access them, and those of the keys.
export const FINE_EL0 = maskOf((id) => PLAIN_SYSREGS.get(id)?.minEL === 0);
export const FINE_EL1 = maskOf((id) => PLAIN_SYSREGS.get(id)?.minEL === 1);
export const FINE_KEYS = maskOf((_, name) => name.includes("KEY"));
