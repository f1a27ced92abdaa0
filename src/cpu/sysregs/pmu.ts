import { ALL_COUNTERS, CYCLE_COUNTER, PMCEID0, PMCR_C, PMCR_P, PMU_COUNTERS } from "../pmu.ts";
import * as slots from "../sysreg-layout.ts";
import type { Access } from "./access.ts";
import { ro, rw, type SysregRow, type Trap, trap, UNDEFINED, wo } from "./row.ts";
import { mdcr } from "./traps.ts";

// Performance monitors registers (Arm ARM D19.5). N is PMU_COUNTERS.

/** PMUSERENR_EL0 bits. */
const USER = { EN: 0, SW: 1, CR: 2, ER: 3 } as const;
const MDCR_TPMCR = 5;
const MDCR_TPM = 6;
const HPMN = 0x1f;

const COUNTERS = "31 5:0";
const TYPE_BITS = "31:26 9:0";
const FILTER_BITS = "31:26";

/** EL0 traps to EL1 unless PMUSERENR_EL0.EN, or another of its bits, is set. */
function user(bit?: number, reads = true, writes = true): Trap {
  const controls = Object.entries(USER).filter(([, n]) => n === USER.EN || n === bit);
  return trap(controls.map(([name]) => `PMUSERENR_EL0.${name}`).join(", "), (a) => {
    if (a.el !== 0 || a.bit(slots.PMUSERENR_EL0, USER.EN)) return 0;
    const allowed = bit !== undefined && (a.write ? writes : reads) && a.bit(slots.PMUSERENR_EL0, bit);
    return allowed ? 0 : 1;
  });
}

const monitors = mdcr(MDCR_TPM, MDCR_TPM, false);
const always = [user(), monitors];

/** The counters that an access may be about: below EL2, those that it does not keep (MDCR_EL2.HPMN). */
function accessible(a: Access): number {
  return a.el < 2 && a.el2Enabled ? a.host.pmu.ofEL1 : ALL_COUNTERS;
}

/** Accesses to a counter that EL2 keeps trap to it with FEAT_FGT, and are UNDEFINED without. */
function kept(counter: (a: Access) => number): Trap {
  return trap("MDCR_EL2.HPMN", (a) => {
    const n = counter(a);
    if (n >= PMU_COUNTERS || (accessible(a) >>> n) & 1) return 0;
    return a.features.has("FGT") ? 2 : UNDEFINED;
  });
}
const keptSelected = kept((a) => a.state.word(slots.PMSELR_EL0));

/** A register whose ones set or clear the bits of `slot`. */
function ones(name: string, el: 0 | 1, slot: number, set: boolean, traps: readonly Trap[]): SysregRow {
  return rw(name, el, {
    bits: COUNTERS,
    traps,
    get(a) {
      a.host.pmu.sync();
      a.give(a.state.word(slot) & accessible(a));
    },
    set(a, low) {
      a.host.pmu.sync();
      const old = a.state.word(slot);
      const bits = low & accessible(a);
      a.state.set64(slot, set ? old | bits : old & ~bits, 0);
      a.host.pmu.interruptChanged();
    },
  });
}

function setAfterSync(slot: number): NonNullable<SysregRow["set"]> {
  return (a, low, high) => {
    a.host.pmu.sync();
    a.state.set64(slot, low, high);
  };
}

function getAfterSync(slot: number): NonNullable<SysregRow["get"]> {
  return (a) => {
    a.host.pmu.sync();
    a.giveSlot(slot);
  };
}

/** The slot of counter or type PMSELR_EL0.SEL; undefined: not implemented, RAZ/WI. */
function selected(a: Access, first: number, cycle: number | undefined): number | undefined {
  const n = a.state.word(slots.PMSELR_EL0);
  if (n === CYCLE_COUNTER) return cycle;
  return n < PMU_COUNTERS ? first + 8 * n : undefined;
}

export const PMU_ROWS: readonly SysregRow[] = [
  rw("PMCR_EL0", 0, {
    reset: (a) => [a.host.model.pmcr | (PMU_COUNTERS << 11), 0],
    slot: slots.PMCR_EL0,
    // E, P, C, DP. LC is RES1 and D is RES0 without AArch32.
    bits: "2:0 5",
    res1: "6",
    traps: [user(), mdcr(MDCR_TPMCR, undefined, false), monitors],
    get(a) {
      const value = a.state.word(slots.PMCR_EL0);
      const limited = a.el < 2 && a.el2Enabled;
      a.give(limited ? (value & ~(HPMN << 11)) | ((a.state.word(slots.MDCR_EL2) & HPMN) << 11) : value);
    },
    set(a, low) {
      a.host.pmu.sync();
      a.host.pmu.clear(low, accessible(a));
      const fixed = a.host.model.pmcr | (PMU_COUNTERS << 11);
      a.state.set64(slots.PMCR_EL0, fixed | (low & ~(PMCR_P | PMCR_C)), 0);
      a.host.pmu.interruptChanged();
    },
  }),
  ones("PMCNTENSET_EL0", 0, slots.PMCNTENSET_EL0, true, always),
  ones("PMCNTENCLR_EL0", 0, slots.PMCNTENSET_EL0, false, always),
  ones("PMOVSSET_EL0", 0, slots.PMOVSSET_EL0, true, always),
  ones("PMOVSCLR_EL0", 0, slots.PMOVSSET_EL0, false, always),
  ones("PMINTENSET_EL1", 1, slots.PMINTENSET_EL1, true, [monitors]),
  ones("PMINTENCLR_EL1", 1, slots.PMINTENSET_EL1, false, [monitors]),
  wo("PMSWINC_EL0", 0, {
    bits: "5:0",
    traps: [user(USER.SW), monitors],
    set: (a, low) => a.host.pmu.softwareIncrement(low & accessible(a)),
  }),
  rw("PMSELR_EL0", 0, { slot: slots.PMSELR_EL0, bits: "4:0", traps: [user(USER.ER), monitors] }),
  ro("PMCEID0_EL0", 0, { traps: always, get: (a) => a.give(PMCEID0) }),
  ro("PMCEID1_EL0", 0, { traps: always }),
  rw("PMCCNTR_EL0", 0, {
    traps: [user(USER.CR, true, false), monitors],
    get: getAfterSync(slots.PMCCNTR_EL0),
    set: setAfterSync(slots.PMCCNTR_EL0),
  }),
  rw("PMCCFILTR_EL0", 0, {
    slot: slots.PMCCFILTR_EL0,
    bits: FILTER_BITS,
    traps: always,
    set: setAfterSync(slots.PMCCFILTR_EL0),
  }),
  rw("PMXEVTYPER_EL0", 0, {
    bits: TYPE_BITS,
    traps: [user(), keptSelected, monitors],
    get(a) {
      const slot = selected(a, slots.PMEVTYPER0_EL0, slots.PMCCFILTR_EL0);
      if (slot === undefined) a.give(0);
      else a.giveSlot(slot);
    },
    set(a, low) {
      const slot = selected(a, slots.PMEVTYPER0_EL0, slots.PMCCFILTR_EL0);
      if (slot === undefined) return;
      setAfterSync(slot)(a, slot === slots.PMCCFILTR_EL0 ? low & 0xfc000000 : low, 0);
    },
  }),
  rw("PMXEVCNTR_EL0", 0, {
    bits: "31:0",
    traps: [user(USER.ER, true, false), keptSelected, monitors],
    get(a) {
      const slot = selected(a, slots.PMEVCNTR0_EL0, undefined);
      if (slot === undefined) a.give(0);
      else getAfterSync(slot)(a);
    },
    set(a, low) {
      const slot = selected(a, slots.PMEVCNTR0_EL0, undefined);
      if (slot !== undefined) setAfterSync(slot)(a, low, 0);
    },
  }),
  ...Array.from({ length: PMU_COUNTERS }, (_, n) => [
    rw(`PMEVCNTR${n}_EL0`, 0, {
      bits: "31:0",
      traps: [user(USER.ER, true, false), kept(() => n), monitors],
      get: getAfterSync(slots.PMEVCNTR0_EL0 + 8 * n),
      set: setAfterSync(slots.PMEVCNTR0_EL0 + 8 * n),
    }),
    rw(`PMEVTYPER${n}_EL0`, 0, {
      slot: slots.PMEVTYPER0_EL0 + 8 * n,
      bits: TYPE_BITS,
      traps: [user(), kept(() => n), monitors],
      set: setAfterSync(slots.PMEVTYPER0_EL0 + 8 * n),
    }),
  ]).flat(),
  { name: "PMUSERENR_EL0", read: 0, write: 1, slot: slots.PMUSERENR_EL0, bits: "3:0", traps: [monitors] },
];
