import * as slots from "../sysreg-layout.ts";
import type { Access } from "./access.ts";
import { SPSR_BITS } from "./exception.ts";
import { ro, rw, type SysregRow, trap, UNDEFINED } from "./row.ts";
import { contextChanged, SCTLR_BITS, TTBR_BITS } from "./translation.ts";
import { el3Control } from "./traps.ts";

// Registers of EL2 (Arm ARM D19.2), HCR_EL2.E2H being RES0.

function hcrChanged(a: Access): void {
  a.host.timers.controlsChanged();
  a.host.contextChanged();
}

const EL2 = { feature: "EL2" } as const;
/** What SCTLR_EL2 and SCTLR_EL3 have in common. */
export const SCTLR_HIGH = {
  ...SCTLR_BITS,
  bitsWith: { ...SCTLR_BITS.bitsWith, BTI: "36" },
  res1: "4 5 11 16 18 22 23 28 29",
} as const;

export const EL2_ROWS: readonly SysregRow[] = [
  rw("VPIDR_EL2", 2, {
    ...EL2,
    slot: slots.VPIDR_EL2,
    reset: (a) => a.host.model.id.MIDR_EL1,
    bits: "31:0",
  }),
  rw("VMPIDR_EL2", 2, {
    ...EL2,
    slot: slots.VMPIDR_EL2,
    reset: (a) => [a.host.options.mpidr, 0],
    bits: "39:32 30 24:0",
    res1: "31",
  }),
  rw("SCTLR_EL2", 2, { ...EL2, ...SCTLR_HIGH, slot: slots.SCTLR_EL2, changed: contextChanged }),
  rw("ACTLR_EL2", 2, EL2),
  rw("HCR_EL2", 2, {
    ...EL2,
    slot: slots.HCR_EL2,
    bits: "28:0 30 33:32",
    bitsWith: { VHE: "34", LOR: "35", PAuth: "41:40", NV: "44:42", NV2: "45" },
    // RW: EL1 is AArch64.
    res1: "31",
    changed: hcrChanged,
  }),
  rw("MDCR_EL2", 2, { ...EL2, slot: slots.MDCR_EL2, reset: [6, 0], bits: "11:0", changed: contextChanged }),
  rw("CPTR_EL2", 2, {
    ...EL2,
    slot: slots.CPTR_EL2,
    bits: "31 10",
    res1: "13:12 9:0",
    traps: [el3Control("CPTR_EL3.TCPAC", slots.CPTR_EL3, 31, true)],
    changed: contextChanged,
  }),
  rw("HSTR_EL2", 2, { ...EL2, slot: slots.HSTR_EL2, bits: "15 13:5 3:0" }),
  rw("HACR_EL2", 2, EL2),
  rw("TTBR0_EL2", 2, { ...EL2, ...TTBR_BITS, slot: slots.TTBR0_EL2, changed: contextChanged }),
  rw("TTBR1_EL2", 2, { feature: "VHE", ...TTBR_BITS, slot: slots.TTBR1_EL2, bits: "63:1", changed: contextChanged }),
  rw("TCR_EL2", 2, {
    ...EL2,
    slot: slots.TCR_EL2,
    bits: "5:0 15:8 18:16 20",
    bitsWith: { HAFDBS: "21 22", HPDS: "24", PAuth: "29" },
    res1: "23 31",
    changed: contextChanged,
  }),
  rw("CONTEXTIDR_EL2", 2, { feature: "VHE", slot: slots.CONTEXTIDR_EL2, bits: "31:0", changed: contextChanged }),
  rw("VNCR_EL2", 2, { feature: "NV2", slot: slots.VNCR_EL2, bits: "63:12" }),
  rw("VTTBR_EL2", 2, {
    ...EL2,
    slot: slots.VTTBR_EL2,
    bits: "55:48 47:1",
    bitsWith: { VMID16: "63:56", TTCNP: "0" },
    changed: contextChanged,
  }),
  rw("VTCR_EL2", 2, {
    ...EL2,
    slot: slots.VTCR_EL2,
    bits: "18:0",
    bitsWith: { VMID16: "19", HAFDBS: "21 22" },
    res1: "31",
    changed: contextChanged,
  }),
  rw("SPSR_EL2", 2, { ...EL2, ...SPSR_BITS, slot: slots.SPSR_EL2 }),
  rw("ELR_EL2", 2, { ...EL2, slot: slots.ELR_EL2 }),
  rw("SP_EL1", 2, { slot: slots.SP_EL1 }),
  rw("AFSR0_EL2", 2, EL2),
  rw("AFSR1_EL2", 2, EL2),
  rw("ESR_EL2", 2, { ...EL2, slot: slots.ESR_EL2, bits: "31:0" }),
  rw("FAR_EL2", 2, { ...EL2, slot: slots.FAR_EL2 }),
  rw("HPFAR_EL2", 2, { ...EL2, slot: slots.HPFAR_EL2, bits: "39:4" }),
  rw("MAIR_EL2", 2, { ...EL2, slot: slots.MAIR_EL2 }),
  rw("AMAIR_EL2", 2, EL2),
  rw("VBAR_EL2", 2, { ...EL2, slot: slots.VBAR_EL2, bits: "63:11" }),
  ro("RVBAR_EL2", 2, {
    ...EL2,
    traps: [trap("", (a) => (a.highestEL === 2 ? 0 : UNDEFINED))],
    get: (a) => a.giveSlot(slots.RVBAR),
  }),
  rw("TPIDR_EL2", 2, { ...EL2, slot: slots.TPIDR_EL2 }),
];
