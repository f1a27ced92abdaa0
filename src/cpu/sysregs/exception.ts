import { physicalInterrupts } from "../interrupts.ts";
import { LINES, SPSEL } from "../state-layout.ts";
import * as slots from "../sysreg-layout.ts";
import type { Access } from "./access.ts";
import { nestedTrap } from "./nested.ts";
import { ro, rw, type SysregRow, trap, UNDEFINED } from "./row.ts";
import { virtualMemory } from "./traps.ts";

// Exception handling and thread registers of EL1 and EL0 (Arm ARM D19.2).

/** The bits of an SPSR_ELx for exceptions from AArch64 state. */
export const SPSR_BITS = {
  bits: "4:0 9:6 21:20 31:28",
  bitsWith: { BTI: "11:10", SSBS: "12", PAN: "22", UAO: "23", DIT: "24" },
} as const;

/** The stack pointer in use is no register to MRS and MSR (Arm ARM C5.2.18). */
const spEL0 = trap("PSTATE.SP", (a) => (a.state.word(SPSEL) === 0 ? UNDEFINED : 0));

// LINES: the virtual lines are four bits above the physical ones.
const VIRTUAL_LINES = 4;

/** A bit of ISR_EL1: what is pending, or virtually where EL2 has the physical interrupt (HCR_EL2.`route`) and makes it up. */
function isPending(a: Access, line: number, route: number, virtual: number): number {
  const guest = a.el === 1 && a.el2Enabled && a.bit(slots.HCR_EL2, route);
  if (!guest) return (physicalInterrupts(a.state) >>> line) & 1;
  return ((a.state.word(LINES) >>> (line + VIRTUAL_LINES)) & 1) | (a.bit(slots.HCR_EL2, virtual) ? 1 : 0);
}

/** A, I, F: HCR_EL2.AMO and VSE, IMO and VI, FMO and VF. */
function interruptStatus(a: Access): void {
  a.give((isPending(a, 2, 5, 8) << 8) | (isPending(a, 0, 4, 7) << 7) | (isPending(a, 1, 3, 6) << 6));
}

export const EXCEPTION_ROWS: readonly SysregRow[] = [
  rw("SPSR_EL1", 1, { slot: slots.SPSR_EL1, ...SPSR_BITS, traps: [nestedTrap] }),
  rw("ELR_EL1", 1, { slot: slots.ELR_EL1, traps: [nestedTrap] }),
  rw("SP_EL0", 1, { slot: slots.SP_EL0, traps: [spEL0] }),
  rw("AFSR0_EL1", 1, { traps: [virtualMemory] }),
  rw("AFSR1_EL1", 1, { traps: [virtualMemory] }),
  rw("ESR_EL1", 1, { slot: slots.ESR_EL1, bits: "31:0", traps: [virtualMemory] }),
  rw("FAR_EL1", 1, { slot: slots.FAR_EL1, traps: [virtualMemory] }),
  rw("VBAR_EL1", 1, { slot: slots.VBAR_EL1, bits: "63:11", traps: [nestedTrap] }),
  ro("RVBAR_EL1", 1, {
    // Only the highest exception level has one.
    traps: [trap("", (a) => (a.highestEL === 1 ? 0 : UNDEFINED))],
    get: (a) => a.giveSlot(slots.RVBAR),
  }),
  ro("ISR_EL1", 1, { get: interruptStatus }),
  rw("TPIDR_EL0", 0, { slot: slots.TPIDR_EL0 }),
  { name: "TPIDRRO_EL0", read: 0, write: 1, slot: slots.TPIDRRO_EL0 },
  rw("TPIDR_EL1", 1, { slot: slots.TPIDR_EL1 }),
];
