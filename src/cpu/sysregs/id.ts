import { type IdRegister, idRegisters } from "../../arch/cpu-models.ts";
import { SECURE } from "../state-layout.ts";
import { zeroingTraps } from "../sysreg-guard.ts";
import * as slots from "../sysreg-layout.ts";
import type { Access } from "./access.ts";
import { ro, rw, type SysregRow, trap, UNDEFINED } from "./row.ts";
import { HCR, hcr, scr, sctlrEnable } from "./traps.ts";

// Identification and cache description (Arm ARM D19.2). Of the space op0 = 3, op1 = 0, CRn = 0, CRm = 1..7 the names without a row
// here are reserved or describe AArch32, which no model has: they read as zero (index.ts).

const SCTLR_UCT = 15;
const DCZID_DZP = 1 << 4;

/** Those that HCR_EL2.TID3 traps. */
const GROUP3: readonly (readonly [IdRegister, number])[] = [
  ["ID_AA64PFR0_EL1", slots.ID_AA64PFR0_EL1],
  ["ID_AA64PFR1_EL1", slots.ID_AA64PFR1_EL1],
  ["ID_AA64DFR0_EL1", slots.ID_AA64DFR0_EL1],
  ["ID_AA64DFR1_EL1", slots.ID_AA64DFR1_EL1],
  ["ID_AA64ISAR0_EL1", slots.ID_AA64ISAR0_EL1],
  ["ID_AA64ISAR1_EL1", slots.ID_AA64ISAR1_EL1],
  ["ID_AA64ISAR2_EL1", slots.ID_AA64ISAR2_EL1],
  ["ID_AA64MMFR0_EL1", slots.ID_AA64MMFR0_EL1],
  ["ID_AA64MMFR1_EL1", slots.ID_AA64MMFR1_EL1],
  ["ID_AA64MMFR2_EL1", slots.ID_AA64MMFR2_EL1],
  ["ID_AA64ZFR0_EL1", slots.ID_AA64ZFR0_EL1],
  ["ID_AA64SMFR0_EL1", slots.ID_AA64SMFR0_EL1],
];

const ofModel = (name: IdRegister) => (a: Access) => idRegisters(a.host.model, a.host.options)[name];

const MPIDR_RES1 = 0x80000000;

/** At EL1, a virtual machine sees what EL2 says. */
const virtualized = (own: number, virtual: number) => (a: Access) =>
  a.giveSlot(a.el === 1 && a.el2Enabled ? virtual : own);

const CSSELR_BITS = 0xf;

const notSecure = trap("SCR_EL3.NS", (a) => (a.state.word(SECURE) && a.el < 3 ? UNDEFINED : 0));
const CACHES = hcr(HCR.TID2, HCR.TID4);
const LOR = { feature: "LOR", traps: [hcr(HCR.TLOR), scr("TLOR")] } as const;

export const ID_ROWS: readonly SysregRow[] = [
  ro("MIDR_EL1", 1, {
    slot: slots.MIDR_EL1,
    reset: ofModel("MIDR_EL1"),
    get: virtualized(slots.MIDR_EL1, slots.VPIDR_EL2),
  }),
  ro("MPIDR_EL1", 1, {
    slot: slots.MPIDR_EL1,
    reset: (a) => [MPIDR_RES1 | a.host.options.mpidr, 0],
    get: virtualized(slots.MPIDR_EL1, slots.VMPIDR_EL2),
  }),
  ro("REVIDR_EL1", 1, { slot: slots.REVIDR_EL1, reset: ofModel("REVIDR_EL1"), traps: [hcr(HCR.TID1)] }),
  ro("AIDR_EL1", 1, { traps: [hcr(HCR.TID1)] }),
  ...GROUP3.map(([name, slot]) => ro(name, 1, { slot, reset: ofModel(name), traps: [hcr(HCR.TID3)] })),
  ro("CTR_EL0", 0, {
    slot: slots.CTR_EL0,
    reset: ofModel("CTR_EL0"),
    traps: [sctlrEnable(SCTLR_UCT), hcr(HCR.TID2)],
  }),
  ro("DCZID_EL0", 0, {
    slot: slots.DCZID_EL0,
    reset: ofModel("DCZID_EL0"),
    // DZP: DC ZVA is prohibited at this level.
    get(a) {
      a.give(a.state.word(slots.DCZID_EL0) | (zeroingTraps(a.state) ? DCZID_DZP : 0));
    },
  }),
  ro("CLIDR_EL1", 1, { slot: slots.CLIDR_EL1, reset: ofModel("CLIDR_EL1"), traps: [CACHES] }),
  ro("CCSIDR_EL1", 1, {
    traps: [CACHES],
    get: (a) => a.give(a.host.model.ccsidr.get(a.state.word(slots.CSSELR_EL1) & CSSELR_BITS) ?? 0),
  }),
  rw("CSSELR_EL1", 1, { slot: slots.CSSELR_EL1, bits: "3:0", traps: [CACHES] }),
  ro("LORID_EL1", 1, LOR),
  // No LORegions (LORID_EL1 is 0), so the rest is RES0. In Secure state there is no such register.
  ...["LORSA_EL1", "LOREA_EL1", "LORN_EL1", "LORC_EL1"].map((name) =>
    rw(name, 1, { ...LOR, traps: [notSecure, ...LOR.traps] }),
  ),
  // Cortex-A72.
  rw("L2CTLR_EL1", 1, { model: "cortex-a72", get: (a) => a.give((a.host.options.cpus - 1) << 24), set: () => {} }),
  ...["L2ECTLR_EL1", "L2ACTLR_EL1", "CPUACTLR_EL1", "CPUECTLR_EL1", "CPUMERRSR_EL1", "L2MERRSR_EL1"].map((name) =>
    rw(name, 1, { model: "cortex-a72" }),
  ),
  ro("CBAR_EL1", 1, { model: "cortex-a72" }),
];
