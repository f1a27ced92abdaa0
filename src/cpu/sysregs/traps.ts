import { HCR_TGE, hostApplications, sctlrOf } from "../levels.ts";
import { CPTR_EL2, CPTR_EL3, HCR_EL2, MDCR_EL2, MDCR_EL3, SCR_EL3 } from "../sysreg-layout.ts";
import type { Access } from "./access.ts";
import type { Trap } from "./row.ts";

// Trap controls that several registers share. In the list of a row those of EL1 come first, then those of EL2, then those of EL3, which is
// the order in which the Arm ARM has them checked.

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
  TERR: 36,
  APK: 40,
  AT: 44,
  TID4: 49,
  TICAB: 50,
  TOCU: 52,
  TTLBIS: 54,
  TTLBOS: 55,
} as const;

/** Accesses from below EL2 trap to it while one of some bits of HCR_EL2 is set. */
export function hcr(...bits: readonly number[]): Trap {
  return (a) => (a.underEL2 && isAnySet(a, HCR_EL2, bits) ? 2 : 0);
}

/** Accesses from below EL2 trap to it while a bit of HCR_EL2 is clear. */
export function hcrClear(bit: number): Trap {
  return (a) => (a.underEL2 && !a.bit(HCR_EL2, bit) ? 2 : 0);
}

function isAnySet(a: Access, slot: number, bits: readonly number[]): boolean {
  for (const bit of bits) if (a.bit(slot, bit)) return true;
  return false;
}

/** HCR_EL2.TVM and TRVM: writes and reads of the registers of stage 1 translation. */
export const virtualMemory: Trap = (a) => (a.underEL2 && a.bit(HCR_EL2, a.write ? HCR.TVM : HCR.TRVM) ? 2 : 0);

/** CPTR_EL2.TCPAC and CPTR_EL3.TCPAC. */
const TCPAC = 31;
export const coprocessorAccess: Trap = (a) => (a.underEL2 && a.bit(CPTR_EL2, TCPAC) ? 2 : 0);
export const coprocessorAccessEL3 = el3Control(CPTR_EL3, TCPAC, true);

export const MDCR_TPM = 6;
export const MDCR_TDA = 9;
export const MDCR_TDOSA = 10;
export const MDCR_TDRA = 11;
export const MDCR_TDCC = 27;
const MDCR_EL2_TDE = 8;

/**
 * Accesses from EL1 and EL0, of a host's applications, too, trap to EL2 while a bit of MDCR_EL2 is set. `tde`: TDE does the same, and so
 * does HCR_EL2.TGE, which makes TDE count as 1.
 */
export function mdcrEL2(bit: number, tde = false): Trap {
  return (a) => {
    if (a.el > 1 || !a.el2Enabled) return 0;
    if (a.bit(MDCR_EL2, bit)) return 2;
    return tde && (a.bit(MDCR_EL2, MDCR_EL2_TDE) || (a.state.word(HCR_EL2) & HCR_TGE) !== 0) ? 2 : 0;
  };
}

/** Accesses from below EL3 trap to it while a bit of MDCR_EL3 is set. */
export const mdcrEL3 = (bit: number): Trap => el3Control(MDCR_EL3, bit, true);

/** Accesses from below EL3 trap to it while a bit of SCR_EL3 is, or is not, as said. */
export const scr = (bit: number, when: boolean): Trap => el3Control(SCR_EL3, bit, when);

/** Accesses from below EL3 trap to it while a bit of `slot` is, or is not, as said. */
export function el3Control(slot: number, bit: number, when: boolean): Trap {
  return (a) => (a.el < 3 && a.host.options.el3 && a.bit(slot, bit) === when ? 3 : 0);
}

/** Accesses from EL0 trap while a bit of the SCTLR_ELx that rules it is clear: to EL1, or EL2 where that has EL0's exceptions. */
export function sctlrEnable(bit: number): Trap {
  return (a) => (a.el === 0 && !a.bit(sctlrOf(a.state, 0), bit) ? 1 : 0);
}

/** SCTLR_EL1.UMA; applications of a host may never change the masks (SCTLR_EL2 has no such bit). */
const SCTLR_UMA = 9;
const uma = sctlrEnable(SCTLR_UMA);
export const userMasks: Trap = (a) => (a.el === 0 && hostApplications(a.state) ? 1 : uma(a));
