import * as slots from "../sysreg-layout.ts";
import type { Access } from "./access.ts";
import { rw, type SysregRow } from "./row.ts";
import { coprocessorAccess, coprocessorAccessEL3, HCR, hcr, hcrClear, scr, virtualMemory } from "./traps.ts";

// Control and translation registers of EL1 (Arm ARM D19.2).

/** What every SCTLR_ELx has. */
export const SCTLR_BITS = {
  bits: "19 12 3:0",
  bitsWith: { LSE2: "6", PAuth: "13 27 30 31", SSBS: "44" },
} as const;

/**
 * After a write of a register that translation depends on. What of it acts at once is in the context numbers and in the tags of the TLB;
 * the rest may be cached in a TLB until a TLBI (Arm ARM D8.16).
 */
export const contextChanged = (a: Access): void => a.host.contextChanged();

const spaceChanged = (a: Access): void => a.host.spaceChanged();

/** TTBRn_ELx: BADDR, CnP. */
export const TTBR_BITS = { bits: "47:1", bitsWith: { TTCNP: "0" } } as const;

const cpacrTrap = [coprocessorAccess, coprocessorAccessEL3];

const pauthTraps = [hcrClear(HCR.APK), scr("APK", false)];

const KEYS: readonly (readonly [string, number])[] = [
  ["APIAKEYLO_EL1", slots.APIAKEYLO_EL1],
  ["APIAKEYHI_EL1", slots.APIAKEYHI_EL1],
  ["APIBKEYLO_EL1", slots.APIBKEYLO_EL1],
  ["APIBKEYHI_EL1", slots.APIBKEYHI_EL1],
  ["APDAKEYLO_EL1", slots.APDAKEYLO_EL1],
  ["APDAKEYHI_EL1", slots.APDAKEYHI_EL1],
  ["APDBKEYLO_EL1", slots.APDBKEYLO_EL1],
  ["APDBKEYHI_EL1", slots.APDBKEYHI_EL1],
  ["APGAKEYLO_EL1", slots.APGAKEYLO_EL1],
  ["APGAKEYHI_EL1", slots.APGAKEYHI_EL1],
];

export const TRANSLATION_ROWS: readonly SysregRow[] = [
  rw("SCTLR_EL1", 1, {
    slot: slots.SCTLR_EL1,
    // SPAN, nTWE, nTWI, SA0, SA are set.
    reset: [0x00850018, 0],
    bits: `${SCTLR_BITS.bits} 4 9 14 15 16 18 26`,
    bitsWith: { ...SCTLR_BITS.bitsWith, PAN: "23", SPECRES: "10", BTI: "35 36" },
    // ITD, SED (no AArch32), EOS, TSCXT, EIS, nTLSMD, LSMAOE.
    res1: "7 8 11 20 22 28 29",
    // SPAN.
    res1Without: { PAN: "23" },
    traps: [virtualMemory],
    changed: contextChanged,
  }),
  rw("ACTLR_EL1", 1, { traps: [hcr(HCR.TACR)] }),
  // FPEN.
  rw("CPACR_EL1", 1, { slot: slots.CPACR_EL1, bits: "21:20", traps: cpacrTrap, changed: contextChanged }),
  rw("TTBR0_EL1", 1, {
    slot: slots.TTBR0_EL1,
    ...TTBR_BITS,
    bits: "63:1",
    traps: [virtualMemory],
    changed: spaceChanged,
  }),
  rw("TTBR1_EL1", 1, {
    slot: slots.TTBR1_EL1,
    ...TTBR_BITS,
    bits: "63:1",
    traps: [virtualMemory],
    changed: spaceChanged,
  }),
  rw("TCR_EL1", 1, {
    slot: slots.TCR_EL1,
    bits: "5:0 31:7 34:32 38:36",
    bitsWith: { HAFDBS: "39 40", HPDS: "41 42", PAuth: "51 52", E0PD: "55 56" },
    traps: [virtualMemory],
    changed: contextChanged,
  }),
  rw("MAIR_EL1", 1, { slot: slots.MAIR_EL1, traps: [virtualMemory] }),
  rw("AMAIR_EL1", 1, { traps: [virtualMemory] }),
  rw("CONTEXTIDR_EL1", 1, {
    slot: slots.CONTEXTIDR_EL1,
    bits: "31:0",
    traps: [virtualMemory],
    changed: contextChanged,
  }),
  rw("PAR_EL1", 1, { slot: slots.PAR_EL1 }),
  ...KEYS.map(([name, slot]) => rw(name, 1, { feature: "PAuth", slot, traps: pauthTraps })),
];
