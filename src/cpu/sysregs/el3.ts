import * as slots from "../sysreg-layout.ts";
import { SCTLR_HIGH } from "./el2.ts";
import { SPSR_BITS } from "./exception.ts";
import { ro, rw, type SysregRow } from "./row.ts";
import { contextChanged, TTBR_BITS } from "./translation.ts";

// Registers of EL3 (Arm ARM D19.2).

const EL3 = { feature: "EL3" } as const;

export const EL3_ROWS: readonly SysregRow[] = [
  rw("SCTLR_EL3", 3, {
    ...EL3,
    ...SCTLR_HIGH,
    res1: `${SCTLR_HIGH.res1} 4 16 18 23`,
    slot: slots.SCTLR_EL3,
    changed: contextChanged,
  }),
  rw("ACTLR_EL3", 3, EL3),
  rw("SCR_EL3", 3, {
    ...EL3,
    slot: slots.SCR_EL3,
    // NS, IRQ, FIQ, EA, SMD, HCE, SIF, ST, TWI, TWE.
    bits: "3:0 9:7 13:11",
    bitsWith: { LOR: "14", RAS: "15", PAuth: "17:16", SEL2: "18", FGT: "27", ECV: "28" },
    // RW: the next level is AArch64.
    res1: "5:4 10",
    changed(a) {
      a.host.timers.controlsChanged();
      a.host.contextChanged();
    },
  }),
  rw("CPTR_EL3", 3, { ...EL3, slot: slots.CPTR_EL3, bits: "31 10", changed: contextChanged }),
  rw("MDCR_EL3", 3, {
    ...EL3,
    slot: slots.MDCR_EL3,
    bits: "6 10:9 17:16 21:20",
    bitsWith: { FGT: "27" },
    changed: contextChanged,
  }),
  rw("TTBR0_EL3", 3, { ...EL3, ...TTBR_BITS, slot: slots.TTBR0_EL3, changed: contextChanged }),
  rw("TCR_EL3", 3, {
    ...EL3,
    slot: slots.TCR_EL3,
    bits: "5:0 15:8 18:16 20",
    bitsWith: { HAFDBS: "21 22", HPDS: "24", PAuth: "29" },
    res1: "23 31",
    changed: contextChanged,
  }),
  rw("SPSR_EL3", 3, { ...EL3, ...SPSR_BITS, slot: slots.SPSR_EL3 }),
  rw("ELR_EL3", 3, { ...EL3, slot: slots.ELR_EL3 }),
  rw("SP_EL2", 3, { ...EL3, slot: slots.SP_EL2 }),
  rw("AFSR0_EL3", 3, EL3),
  rw("AFSR1_EL3", 3, EL3),
  rw("ESR_EL3", 3, { ...EL3, slot: slots.ESR_EL3, bits: "31:0" }),
  rw("FAR_EL3", 3, { ...EL3, slot: slots.FAR_EL3 }),
  rw("MAIR_EL3", 3, { ...EL3, slot: slots.MAIR_EL3 }),
  rw("AMAIR_EL3", 3, EL3),
  rw("VBAR_EL3", 3, { ...EL3, slot: slots.VBAR_EL3, bits: "63:11" }),
  ro("RVBAR_EL3", 3, { ...EL3, get: (a) => a.giveSlot(slots.RVBAR) }),
  rw("TPIDR_EL3", 3, { ...EL3, slot: slots.TPIDR_EL3 }),
];
