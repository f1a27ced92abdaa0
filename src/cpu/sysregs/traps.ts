import { HCR_TGE, sctlrOf } from "../levels.ts";
import { CPTR_EL2, CPTR_EL3, HCR_EL2, MDCR_EL2, MDCR_EL3, SCR_EL3 } from "../sysreg-layout.ts";
import { type Trap, trap } from "./row.ts";

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

const hcrNames = (bits: readonly number[]): string => bits.map((bit) => `HCR_EL2.${nameOf(HCR, bit)}`).join(", ");

/** Accesses from below EL2 trap to it while one of some bits of HCR_EL2 is set. */
export function hcr(...bits: readonly number[]): Trap {
  return trap(hcrNames(bits), (a) => {
    if (a.underEL2) for (const bit of bits) if (a.bit(HCR_EL2, bit)) return 2;
    return 0;
  });
}

/** Accesses from below EL2 trap to it while a bit of HCR_EL2 is clear. */
export function hcrClear(bit: number): Trap {
  return trap(hcrNames([bit]), (a) => (a.underEL2 && !a.bit(HCR_EL2, bit) ? 2 : 0));
}

/** HCR_EL2.TVM and TRVM: writes and reads of the registers of stage 1 translation. */
export const virtualMemory: Trap = trap("HCR_EL2.TVM, HCR_EL2.TRVM", (a) =>
  a.underEL2 && a.bit(HCR_EL2, a.write ? HCR.TVM : HCR.TRVM) ? 2 : 0,
);

/** CPTR_EL2.TCPAC and CPTR_EL3.TCPAC, which is for CPACR_EL1 and CPTR_EL2. */
const TCPAC = 31;
export const coprocessorAccess: Trap = trap("CPTR_EL2.TCPAC", (a) => (a.underEL2 && a.bit(CPTR_EL2, TCPAC) ? 2 : 0));
export const coprocessorAccessEL3: Trap = el3Control("CPTR_EL3.TCPAC", CPTR_EL3, TCPAC, true);

/** MDCR_EL2 and MDCR_EL3 have these at the same places, but for TPMCR, TDE and TDRA, which are EL2's alone. */
export const MDCR = { TPMCR: 5, TPM: 6, TDE: 8, TDA: 9, TDOSA: 10, TDRA: 11, TDCC: 27 } as const;

/**
 * Accesses from below, from a host's applications, too, trap to EL2 and EL3 while a bit of MDCR_EL2, or of MDCR_EL3, is set. `tde`:
 * MDCR_EL2.TDE does the same, and so does HCR_EL2.TGE, which makes TDE count as 1.
 */
export function mdcr(el2Bit: number, el3Bit: number | undefined, tde: boolean): Trap {
  const controls = [
    `MDCR_EL2.${nameOf(MDCR, el2Bit)}`,
    ...(tde ? ["MDCR_EL2.TDE"] : []),
    ...(el3Bit === undefined ? [] : [`MDCR_EL3.${nameOf(MDCR, el3Bit)}`]),
  ];
  return trap(controls.join(", "), (a) => {
    if (a.el < 2 && a.el2Enabled) {
      if (a.bit(MDCR_EL2, el2Bit)) return 2;
      if (tde && (a.bit(MDCR_EL2, MDCR.TDE) || (a.state.word(HCR_EL2) & HCR_TGE) !== 0)) return 2;
    }
    if (a.el < 3 && el3Bit !== undefined && a.host.options.el3 && a.bit(MDCR_EL3, el3Bit)) return 3;
    return 0;
  });
}

/** SCR_EL3 bits that trap accesses from below EL3. */
const SCR = { TLOR: 14, TERR: 15, APK: 16 } as const;

/** Accesses from below EL3 trap to it while a bit of SCR_EL3 is, or is not, as said. */
export function scr(name: keyof typeof SCR, when = true): Trap {
  return el3Control(`SCR_EL3.${name}`, SCR_EL3, SCR[name], when);
}

/** Accesses from below EL3 trap to it while a bit of `slot`, `control`, is, or is not, as said. */
export function el3Control(control: string, slot: number, bit: number, when: boolean): Trap {
  return trap(control, (a) => (a.el < 3 && a.host.options.el3 && a.bit(slot, bit) === when ? 3 : 0));
}

/** SCTLR_ELx bits that let EL0 do something. UMA is RES0 in SCTLR_EL2: a host's applications never may. */
const SCTLR = { UMA: 9, EnRCTX: 10, DZE: 14, UCT: 15, UCI: 26 } as const;

/** Accesses from EL0 trap while a bit of the SCTLR_ELx that rules it is clear: to EL1, or EL2 where that has EL0's exceptions. */
export function sctlrEnable(bit: number): Trap {
  return trap(`SCTLR_EL1.${nameOf(SCTLR, bit)}`, (a) => (a.el === 0 && !a.bit(sctlrOf(a.state, 0), bit) ? 1 : 0));
}

function nameOf(bits: Readonly<Record<string, number>>, bit: number): string {
  return Object.keys(bits).find((name) => bits[name] === bit) ?? String(bit);
}
