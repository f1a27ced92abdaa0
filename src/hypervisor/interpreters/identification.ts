import { sysregId } from "../../arch/sysreg-names.ts";
import type { PeState } from "../../cpu/pe-state.ts";
import * as slots from "../../cpu/sysreg-layout.ts";

// The identification registers as a domain sees them: the PE's, without what a domain has not (Arm ARM D19.2; HCR_EL2.TID3 traps them).

/** A field of four bits at `shift` is at most `value`. */
interface Limit {
  readonly shift: number;
  readonly value: number;
}
const none = (shift: number): Limit => ({ shift, value: 0 });
const atMost = (shift: number, value: number): Limit => ({ shift, value });

interface Register {
  readonly slot: number;
  readonly limits: readonly Limit[];
}

const REGISTERS: ReadonlyMap<number, Register> = new Map(
  (
    [
      // EL2, EL3, SVE, MPAM, AMU.
      ["ID_AA64PFR0_EL1", slots.ID_AA64PFR0_EL1, [none(8), none(12), none(32), none(40), none(44)]],
      ["ID_AA64PFR1_EL1", slots.ID_AA64PFR1_EL1, []],
      ["ID_AA64ZFR0_EL1", slots.ID_AA64ZFR0_EL1, []],
      ["ID_AA64SMFR0_EL1", slots.ID_AA64SMFR0_EL1, []],
      // TraceVer, PMUVer, PMSVer, TraceFilt, TraceBuffer.
      ["ID_AA64DFR0_EL1", slots.ID_AA64DFR0_EL1, [none(4), none(8), none(32), none(40), none(44)]],
      ["ID_AA64DFR1_EL1", slots.ID_AA64DFR1_EL1, []],
      ["ID_AA64ISAR0_EL1", slots.ID_AA64ISAR0_EL1, []],
      ["ID_AA64ISAR1_EL1", slots.ID_AA64ISAR1_EL1, []],
      ["ID_AA64ISAR2_EL1", slots.ID_AA64ISAR2_EL1, []],
      // PARange is 36 bits, of the 39 that stage 2 has; FGT; ECV without CNTPOFF_EL2.
      ["ID_AA64MMFR0_EL1", slots.ID_AA64MMFR0_EL1, [atMost(0, 1), none(56), atMost(60, 1)]],
      // VH, HCX.
      ["ID_AA64MMFR1_EL1", slots.ID_AA64MMFR1_EL1, [none(8), none(40)]],
      // NV.
      ["ID_AA64MMFR2_EL1", slots.ID_AA64MMFR2_EL1, [none(24)]],
    ] as const
  ).map(([name, slot, limits]) => [sysregId(name), { slot, limits }]),
);

/** op0 = 3, op1 = 0, CRn = 0, CRm = 1 to 7. */
export function isIdentification(id: number): boolean {
  return (id & ~0x3f) === 0xc000 && (id & 0x38) !== 0;
}

/** The high half of what `identificationLow` gave last. */
export let identificationHigh = 0;

/** What is not there reads as zero. */
export function identificationLow(s: PeState, id: number): number {
  identificationHigh = 0;
  const register = REGISTERS.get(id);
  if (register === undefined) return 0;
  let low = s.word(register.slot);
  let high = s.high(register.slot);
  for (const { shift, value } of register.limits) {
    if (shift < 32) low = limited(low, shift, value);
    else high = limited(high, shift - 32, value);
  }
  identificationHigh = high;
  return low;
}

function limited(word: number, shift: number, value: number): number {
  const field = (word >>> shift) & 15;
  return field <= value ? word : (word & ~(15 << shift)) | (value << shift);
}
