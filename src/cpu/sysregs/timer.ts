import { hostApplications, SCR_EEL2 } from "../levels.ts";
import { RESULT, SECURE } from "../state-layout.ts";
import * as slots from "../sysreg-layout.ts";
import { physicalOffsetApplies, TIMERS, type TimerRegisters } from "../timers.ts";
import type { Access } from "./access.ts";
import { ro, rw, type SysregRow, type Trap, trap, UNDEFINED } from "./row.ts";

// Generic timer registers (Arm ARM D19.12). What EL0 may do CNTKCTL_EL1 says, and CNTHCTL_EL2 in its place for applications of a host
// (HCR_EL2.{E2H,TGE} = {1,1}); what a guest's EL0 and EL1 may do CNTHCTL_EL2 says, whose layout is another with E2H.

/** CNTKCTL_EL1 bits, and CNTHCTL_EL2's with HCR_EL2.E2H. */
const EL0 = { EL0PCTEN: 0, EL0VCTEN: 1, EL0VTEN: 8, EL0PTEN: 9 } as const;
/** CNTHCTL_EL2 bits without and with HCR_EL2.E2H. EL1PTEN's name without it is EL1PCEN. */
const ENABLES = { EL1PCTEN: [0, 10], EL1PTEN: [1, 11] } as const;
/** CNTHCTL_EL2 bits of FEAT_ECV. */
const TRAPS = { EL1TVT: 13, EL1TVCT: 14 } as const;

const HCR_E2H = 34;
const SCR_EL3_ST = 11;
const SCR_EL3_ECVEN = 28;

/** EL0 traps, to EL1 or the host at EL2, unless one of some bits of CNTKCTL_EL1, or CNTHCTL_EL2, is set. */
function fromEL0(...names: readonly (keyof typeof EL0)[]): Trap {
  const controls = ["CNTKCTL_EL1", "CNTHCTL_EL2"].flatMap((register) => names.map((name) => `${register}.${name}`));
  return trap(controls.join(", "), (a) => {
    if (a.el !== 0) return 0;
    const host = hostApplications(a.state);
    const control = host ? slots.CNTHCTL_EL2 : slots.CNTKCTL_EL1;
    return names.some((name) => a.bit(control, EL0[name])) ? 0 : host ? 2 : 1;
  });
}

/** Whether an access is one of a guest's EL0 or EL1 that CNTHCTL_EL2 can trap. */
function ofGuest(a: Access): boolean {
  return a.el < 2 && a.el2Enabled && !(a.el === 0 && hostApplications(a.state));
}

/** A guest's accesses trap to EL2 while a bit of CNTHCTL_EL2 is clear. */
function guestEnable(name: keyof typeof ENABLES): Trap {
  return trap(`CNTHCTL_EL2.${name}`, (a) =>
    ofGuest(a) && !a.bit(slots.CNTHCTL_EL2, ENABLES[name][a.bit(slots.HCR_EL2, HCR_E2H) ? 1 : 0]) ? 2 : 0,
  );
}

/** A guest's accesses trap to EL2 while a bit of CNTHCTL_EL2 is set. */
function guestTrap(name: keyof typeof TRAPS): Trap {
  return trap(`CNTHCTL_EL2.${name}`, (a) => (ofGuest(a) && a.bit(slots.CNTHCTL_EL2, TRAPS[name]) ? 2 : 0));
}

/** CNTPS_*: EL3, and Secure EL1 while SCR_EL3.ST is set and Secure EL2 is not enabled. */
const secureTimer: Trap = trap("SCR_EL3.ST", (a) => {
  if (a.el === 3) return 0;
  if (a.el === 2 || a.state.word(SECURE) === 0 || a.state.word(slots.SCR_EL3) & SCR_EEL2) return UNDEFINED;
  return a.bit(slots.SCR_EL3, SCR_EL3_ST) ? 0 : 3;
});

/** CNTHPS_* and CNTHVS_*: Secure EL2, and EL3 while that is enabled. */
const secureHypervisorTimer: Trap = trap("", (a) => {
  const there = a.el === 3 ? a.state.word(slots.SCR_EL3) & SCR_EEL2 : a.state.word(SECURE);
  return there ? 0 : UNDEFINED;
});

const physicalOffset: Trap = trap("SCR_EL3.ECVEn", (a) =>
  a.el === 2 && a.host.options.el3 && !a.bit(slots.SCR_EL3, SCR_EL3_ECVEN) ? 3 : 0,
);

/** CNTPCT_EL0: less CNTPOFF_EL2 below EL2, where that counts. */
function physicalCounter(a: Access): void {
  const { state } = a;
  a.host.native.readCounter(state.cpu, 0);
  a.giveSlot(RESULT);
  if (a.el > 1 || !physicalOffsetApplies(state)) return;
  const low = a.low >>> 0;
  const offset = state.word(slots.CNTPOFF_EL2) >>> 0;
  a.give(low - offset, a.high - state.high(slots.CNTPOFF_EL2) - (low < offset ? 1 : 0));
}

function virtualCounter(a: Access): void {
  a.host.native.readCounter(a.state.cpu, 1);
  a.giveSlot(RESULT);
}

/** CTL, CVAL and TVAL of a timer. `name` has a star in the place of those. */
function timer(
  name: string,
  el: 0 | 1 | 2,
  registers: TimerRegisters,
  extra: Pick<SysregRow, "traps" | "feature">,
): SysregRow[] {
  return [
    rw(name.replace("*", "CTL"), el, {
      ...extra,
      bits: "1:0",
      get: (a) => a.give(a.host.timers.control(registers)),
      set: (a, low) => a.host.timers.setControl(registers, low),
    }),
    rw(name.replace("*", "CVAL"), el, {
      ...extra,
      get: (a) => a.giveSlot(registers.compare),
      set: (a, low, high) => a.host.timers.setCompare(registers, low, high),
    }),
    rw(name.replace("*", "TVAL"), el, {
      ...extra,
      bits: "31:0",
      get: (a) => a.give(a.host.timers.value(registers)),
      set: (a, low) => a.host.timers.setValue(registers, low),
    }),
  ];
}

const PHYSICAL_COUNTER = { traps: [fromEL0("EL0PCTEN"), guestEnable("EL1PCTEN")], get: physicalCounter } as const;
const VIRTUAL_COUNTER = { traps: [fromEL0("EL0VCTEN"), guestTrap("EL1TVCT")], get: virtualCounter } as const;
const updateTimers = (a: Access): void => a.host.timers.update();

export const TIMER_ROWS: readonly SysregRow[] = [
  rw("CNTKCTL_EL1", 1, { slot: slots.CNTKCTL_EL1, bits: "9:0", bitsWith: { ECV: "17" } }),
  {
    name: "CNTFRQ_EL0",
    read: 0,
    write: 1,
    slot: slots.CNTFRQ_EL0,
    bits: "31:0",
    traps: [
      fromEL0("EL0PCTEN", "EL0VCTEN"),
      // Only the highest exception level may write it.
      trap("", (a) => (a.write && a.el < a.highestEL ? UNDEFINED : 0)),
    ],
  },
  ro("CNTPCT_EL0", 0, PHYSICAL_COUNTER),
  ro("CNTVCT_EL0", 0, VIRTUAL_COUNTER),
  ro("CNTPCTSS_EL0", 0, { ...PHYSICAL_COUNTER, feature: "ECV" }),
  ro("CNTVCTSS_EL0", 0, { ...VIRTUAL_COUNTER, feature: "ECV" }),
  ...timer("CNTP_*_EL0", 0, TIMERS.physical, { traps: [fromEL0("EL0PTEN"), guestEnable("EL1PTEN")] }),
  ...timer("CNTV_*_EL0", 0, TIMERS.virtual, { traps: [fromEL0("EL0VTEN"), guestTrap("EL1TVT")] }),
  ...timer("CNTHP_*_EL2", 2, TIMERS.hypervisor, { feature: "EL2" }),
  ...timer("CNTHV_*_EL2", 2, TIMERS.hypervisorVirtual, { feature: "VHE" }),
  ...timer("CNTPS_*_EL1", 1, TIMERS.secure, { feature: "EL3", traps: [secureTimer] }),
  ...timer("CNTHPS_*_EL2", 2, TIMERS.secureHypervisor, { feature: "SEL2", traps: [secureHypervisorTimer] }),
  // With FEAT_VHE, which FEAT_SEL2 requires.
  ...timer("CNTHVS_*_EL2", 2, TIMERS.secureHypervisorVirtual, { feature: "SEL2", traps: [secureHypervisorTimer] }),
  rw("CNTHCTL_EL2", 2, {
    feature: "EL2",
    slot: slots.CNTHCTL_EL2,
    reset: [3, 0],
    bits: "7:0",
    bitsWith: { VHE: "11:8", ECV: "17:12" },
    changed: updateTimers,
  }),
  rw("CNTVOFF_EL2", 2, { feature: "EL2", slot: slots.CNTVOFF_EL2, changed: updateTimers }),
  rw("CNTPOFF_EL2", 2, { feature: "ECV", slot: slots.CNTPOFF_EL2, traps: [physicalOffset], changed: updateTimers }),
];
