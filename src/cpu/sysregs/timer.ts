import { RESULT, SECURE } from "../state-layout.ts";
import * as slots from "../sysreg-layout.ts";
import { TIMERS, type TimerRegisters } from "../timers.ts";
import type { Access } from "./access.ts";
import { ro, rw, type SysregRow, type Trap, trap, UNDEFINED } from "./row.ts";

// Generic timer registers (Arm ARM D19.12).

/** CNTKCTL_EL1 bits. */
const KCTL = { EL0PCTEN: 0, EL0VCTEN: 1, EL0VTEN: 8, EL0PTEN: 9 } as const;
/** CNTHCTL_EL2 bits, HCR_EL2.E2H being 0. */
const HCTL = { EL1PCTEN: 0, EL1PCEN: 1 } as const;

const SCR_EL3_ST = 11;

/** EL0 traps to EL1 unless one of some bits of CNTKCTL_EL1 is set. */
function kernelControl(...names: readonly (keyof typeof KCTL)[]): Trap {
  const bits = names.map((name) => KCTL[name]);
  return trap(names.map((name) => `CNTKCTL_EL1.${name}`).join(", "), (a) =>
    a.el === 0 && !bits.some((bit) => a.bit(slots.CNTKCTL_EL1, bit)) ? 1 : 0,
  );
}

/** EL0 and EL1 trap to EL2 while a bit of CNTHCTL_EL2 is clear. */
function hypervisorControl(name: keyof typeof HCTL): Trap {
  return trap(`CNTHCTL_EL2.${name}`, (a) =>
    a.el < 2 && a.el2Enabled && !a.bit(slots.CNTHCTL_EL2, HCTL[name]) ? 2 : 0,
  );
}

/** CNTPS_*: EL3, and Secure EL1 while SCR_EL3.ST is set. */
const secureTimer: Trap = trap("SCR_EL3.ST", (a) => {
  if (a.el === 3) return 0;
  if (a.el === 2 || a.state.word(SECURE) === 0) return UNDEFINED;
  return a.bit(slots.SCR_EL3, SCR_EL3_ST) ? 0 : 3;
});

function counter(kind: 0 | 1): (a: Access) => void {
  return (a) => {
    a.host.native.readCounter(a.state.cpu, kind);
    a.giveSlot(RESULT);
  };
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

export const TIMER_ROWS: readonly SysregRow[] = [
  rw("CNTKCTL_EL1", 1, { slot: slots.CNTKCTL_EL1, bits: "9:0" }),
  {
    name: "CNTFRQ_EL0",
    read: 0,
    write: 1,
    slot: slots.CNTFRQ_EL0,
    bits: "31:0",
    traps: [
      kernelControl("EL0PCTEN", "EL0VCTEN"),
      // Only the highest exception level may write it.
      trap("", (a) => (a.write && a.el < a.highestEL ? UNDEFINED : 0)),
    ],
  },
  ro("CNTPCT_EL0", 0, { traps: [kernelControl("EL0PCTEN"), hypervisorControl("EL1PCTEN")], get: counter(0) }),
  ro("CNTVCT_EL0", 0, { traps: [kernelControl("EL0VCTEN")], get: counter(1) }),
  ...timer("CNTP_*_EL0", 0, TIMERS.physical, {
    traps: [kernelControl("EL0PTEN"), hypervisorControl("EL1PCEN")],
  }),
  ...timer("CNTV_*_EL0", 0, TIMERS.virtual, { traps: [kernelControl("EL0VTEN")] }),
  ...timer("CNTHP_*_EL2", 2, TIMERS.hypervisor, { feature: "EL2" }),
  ...timer("CNTPS_*_EL1", 1, TIMERS.secure, { feature: "EL3", traps: [secureTimer] }),
  rw("CNTHCTL_EL2", 2, { feature: "EL2", slot: slots.CNTHCTL_EL2, reset: [3, 0], bits: "7:0" }),
  rw("CNTVOFF_EL2", 2, { feature: "EL2", slot: slots.CNTVOFF_EL2, changed: (a) => a.host.timers.update() }),
];
