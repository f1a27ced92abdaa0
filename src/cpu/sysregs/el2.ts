import type { Halves } from "../../arch/cpu-models.ts";
import { SCR_EEL2, SCR_FGTEN } from "../levels.ts";
import { PMU_COUNTERS } from "../pmu.ts";
import { SECURE } from "../state-layout.ts";
import * as slots from "../sysreg-layout.ts";
import type { Access } from "./access.ts";
import { SPSR_BITS } from "./exception.ts";
import { TRAP_REGISTERS } from "./fine-grained.ts";
import { type Bits, mask, ro, rw, type SysregRow, trap, UNDEFINED } from "./row.ts";
import { contextChanged, SCTLR_BITS, TTBR_BITS } from "./translation.ts";
import { coprocessorAccessEL3 } from "./traps.ts";

// Registers of EL2 (Arm ARM D19.2). Those whose layout is another with HCR_EL2.E2H have the bits of both with FEAT_VHE: a bit that is RES0
// or RES1 in one context only keeps what was written.

function hcrChanged(a: Access): void {
  a.host.timers.controlsChanged();
  a.host.contextChanged();
}

const EL2 = { feature: "EL2" } as const;
/** What SCTLR_EL2 and SCTLR_EL3 have in common. */
export const SCTLR_HIGH = {
  ...SCTLR_BITS,
  bitsWith: { ...SCTLR_BITS.bitsWith, BTI: "36" },
  res1: "5 11 22 28 29",
} as const;
/** RES1 where there are no applications of a host. */
const SCTLR_RES1 = "4 16 18 23";
const CPTR_RES1 = "13:12 9:0";
const TCR_RES1 = "23 31";
/** The reset value of RES1 bits that are not fixed. */
const initially = (bits: Bits) => (): Halves => mask(bits);

/** Registers of Secure EL2: in Secure state, and at EL3 while SCR_EL3.EEL2 has it. */
const secureOnly = trap("SCR_EL3.EEL2", (a) =>
  (a.el < 3 ? a.state.word(SECURE) : a.state.word(slots.SCR_EL3) & SCR_EEL2) ? 0 : UNDEFINED,
);

/** The registers of FEAT_FGT are EL3's until it gives them away. */
const fineGrainedControl = trap("SCR_EL3.FGTEn", (a) =>
  a.el === 2 && a.host.options.el3 && !(a.state.word(slots.SCR_EL3) & SCR_FGTEN) ? 3 : 0,
);

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
  rw("SCTLR_EL2", 2, {
    ...EL2,
    ...SCTLR_HIGH,
    slot: slots.SCTLR_EL2,
    reset: initially(SCTLR_RES1),
    // With E2H: SA0, DZE, UCT, nTWI, nTWE, SPAN, UCI, ITD, SED, TSCXT; EnRCTX; BT0.
    bitsWith: { ...SCTLR_HIGH.bitsWith, VHE: "26 23 20 18 16:14 8:7 4", SPECRES: "10", BTI: "36:35" },
    res1Without: { VHE: SCTLR_RES1 },
    changed: contextChanged,
  }),
  rw("ACTLR_EL2", 2, EL2),
  rw("HCR_EL2", 2, {
    ...EL2,
    slot: slots.HCR_EL2,
    // TID0 is for AArch32.
    bits: "14:0 28:16 30 33:32",
    bitsWith: {
      VHE: "34",
      LOR: "35",
      // TERR, TEA.
      RAS: "37:36",
      PAuth: "41:40",
      NV: "44:42",
      NV2: "45",
      S2FWB: "46",
      // TID4, TICAB, TOCU, TTLBIS, TTLBOS.
      EVT: "50:49 52 55:54",
    },
    // HCD.
    bitsWithout: { EL3: "29" },
    // RW: EL1 is AArch64.
    res1: "31",
    changed: hcrChanged,
  }),
  rw("MDCR_EL2", 2, {
    ...EL2,
    slot: slots.MDCR_EL2,
    // HPMN.
    reset: [PMU_COUNTERS, 0],
    bits: "11:0",
    // TDCC.
    bitsWith: { FGT: "27" },
    set(a, low) {
      a.host.pmu.sync();
      a.state.set64(slots.MDCR_EL2, low, 0);
      a.host.pmu.interruptChanged();
      a.host.contextChanged();
    },
  }),
  rw("CPTR_EL2", 2, {
    ...EL2,
    slot: slots.CPTR_EL2,
    reset: initially(CPTR_RES1),
    // TCPAC, TFP; with E2H, FPEN.
    bits: "31 10",
    bitsWith: { VHE: `21:20 ${CPTR_RES1}` },
    res1Without: { VHE: CPTR_RES1 },
    traps: [coprocessorAccessEL3],
    changed: contextChanged,
  }),
  // What it traps is of AArch32.
  rw("HSTR_EL2", 2, EL2),
  rw("HACR_EL2", 2, EL2),
  ...TRAP_REGISTERS.map(({ name, slot, bits }) =>
    rw(name, 2, { feature: "FGT", slot, bits, traps: [fineGrainedControl], changed: contextChanged }),
  ),
  rw("TTBR0_EL2", 2, {
    ...EL2,
    slot: slots.TTBR0_EL2,
    bits: TTBR_BITS.bits,
    // ASID.
    bitsWith: { ...TTBR_BITS.bitsWith, VHE: "63:48" },
    changed: contextChanged,
  }),
  rw("TTBR1_EL2", 2, { feature: "VHE", ...TTBR_BITS, slot: slots.TTBR1_EL2, bits: "63:1", changed: contextChanged }),
  rw("TCR_EL2", 2, {
    ...EL2,
    slot: slots.TCR_EL2,
    reset: initially(TCR_RES1),
    bits: "5:0 15:8 18:16 20",
    // With E2H, as TCR_EL1: of the features that come with VHE in every model that has it.
    bitsWith: { HAFDBS: "21 22", HPDS: "24", PAuth: "29", VHE: "31:7 34:32 42:36 52:51 56:55" },
    res1Without: { VHE: TCR_RES1 },
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
    // NSW and NSA are for Secure EL1&0.
    bitsWith: { VMID16: "19", HAFDBS: "21 22", SEL2: "30:29" },
    res1: "31",
    changed: contextChanged,
  }),
  rw("VSTTBR_EL2", 2, {
    feature: "SEL2",
    ...TTBR_BITS,
    slot: slots.VSTTBR_EL2,
    traps: [secureOnly],
    changed: contextChanged,
  }),
  rw("VSTCR_EL2", 2, {
    feature: "SEL2",
    slot: slots.VSTCR_EL2,
    // T0SZ, SL0, TG0, SW, SA.
    bits: "7:0 15:14 30:29",
    res1: "31",
    traps: [secureOnly],
    changed: contextChanged,
  }),
  rw("SPSR_EL2", 2, { ...EL2, ...SPSR_BITS, slot: slots.SPSR_EL2 }),
  rw("ELR_EL2", 2, { ...EL2, slot: slots.ELR_EL2 }),
  rw("SP_EL1", 2, { slot: slots.SP_EL1 }),
  rw("AFSR0_EL2", 2, EL2),
  rw("AFSR1_EL2", 2, EL2),
  rw("ESR_EL2", 2, { ...EL2, slot: slots.ESR_EL2, bits: "31:0" }),
  rw("FAR_EL2", 2, { ...EL2, slot: slots.FAR_EL2 }),
  rw("HPFAR_EL2", 2, { ...EL2, slot: slots.HPFAR_EL2, bits: "39:4", bitsWith: { SEL2: "63" } }),
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
