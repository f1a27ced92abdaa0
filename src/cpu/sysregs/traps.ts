import { HCR_EL2, MDCR_EL2, MDCR_EL3, SCTLR_EL1 } from "../sysreg-layout.ts";
import { type Trap, trap } from "./row.ts";

// Trap controls that several registers share.

/** HCR_EL2 bits that trap accesses from EL1 and EL0 to EL2. */
export const HCR = {
  TID1: 16,
  TID2: 17,
  TID3: 18,
  TIDCP: 20,
  TACR: 21,
  TSW: 22,
  TPCP: 23,
  TPU: 24,
  TTLB: 25,
  TVM: 26,
  TDZ: 28,
  TRVM: 30,
  TLOR: 35,
  APK: 40,
  AT: 44,
} as const;

/** Accesses from below EL2 trap to it while a bit of HCR_EL2 is set. */
export function hcr(bit: number): Trap {
  return trap(`HCR_EL2.${nameOf(HCR, bit)}`, (a) => (a.el < 2 && a.el2Enabled && a.bit(HCR_EL2, bit) ? 2 : 0));
}

/** HCR_EL2.TVM and TRVM: writes and reads of the registers of stage 1 translation. */
export const virtualMemory: Trap = trap("HCR_EL2.TVM, HCR_EL2.TRVM", (a) =>
  a.el < 2 && a.el2Enabled && a.bit(HCR_EL2, a.write ? HCR.TVM : HCR.TRVM) ? 2 : 0,
);

/** MDCR_EL2 and MDCR_EL3 have these at the same places, but for TPMCR, TDE and TDRA, which are EL2's alone. */
const MDCR = { TPMCR: 5, TPM: 6, TDE: 8, TDA: 9, TDOSA: 10, TDRA: 11 } as const;

/** Accesses from below trap to EL2 and EL3 while a bit of MDCR_EL2, or of MDCR_EL3, is set. */
export function mdcr(el2Bit: number, el3Bit: number | undefined, tde: boolean): Trap {
  const controls = [
    `MDCR_EL2.${nameOf(MDCR, el2Bit)}`,
    ...(tde ? ["MDCR_EL2.TDE"] : []),
    ...(el3Bit === undefined ? [] : [`MDCR_EL3.${nameOf(MDCR, el3Bit)}`]),
  ];
  return trap(controls.join(", "), (a) => {
    if (a.el < 2 && a.el2Enabled && (a.bit(MDCR_EL2, el2Bit) || (tde && a.bit(MDCR_EL2, MDCR.TDE)))) return 2;
    if (a.el < 3 && el3Bit !== undefined && a.host.options.el3 && a.bit(MDCR_EL3, el3Bit)) return 3;
    return 0;
  });
}

/** Accesses from below EL3 trap to it while a bit of `slot`, `control`, is, or is not, as said. */
export function el3Control(control: string, slot: number, bit: number, when: boolean): Trap {
  return trap(control, (a) => (a.el < 3 && a.host.options.el3 && a.bit(slot, bit) === when ? 3 : 0));
}

/** Accesses from EL0 trap to EL1 while a bit of SCTLR_EL1 is clear. */
export function sctlrEnable(bit: number): Trap {
  return trap(`SCTLR_EL1.${nameOf(SCTLR, bit)}`, (a) => (a.el === 0 && !a.bit(SCTLR_EL1, bit) ? 1 : 0));
}

/** SCTLR_EL1 bits that let EL0 do something. */
const SCTLR = { UMA: 9, EnRCTX: 10, DZE: 14, UCT: 15, UCI: 26 } as const;

function nameOf(bits: Readonly<Record<string, number>>, bit: number): string {
  return Object.keys(bits).find((name) => bits[name] === bit) ?? String(bit);
}
