import type { Row } from "./row.ts";

// Which instructions an exception level may not have, and which are sensitive in the sense of Popek and Goldberg (Formal requirements for
// virtualizable third generation architectures, 1974): control-sensitive ones change the processor's resources, modes or what is taken
// where; behaviour-sensitive ones do something else depending on those. All rows that are not here may be executed by everybody, and are
// innocuous. System registers and system instructions are described beside their rows (cpu/sysregs/sensitivity.ts).

export type Sensitivity = "control" | "behaviour";

export interface Privilege {
  /** The lowest exception level that has the instruction; 4: none, outside of Debug state. */
  readonly el: 0 | 1 | 4;
  readonly sensitive?: Sensitivity;
  /** The bits that trap it, by their names in the Arm ARM. */
  readonly controls?: readonly string[];
  /** Why a sensitive one does no harm where it executes below EL2, though nothing traps it. */
  readonly virtualized?: string;
}

export const OWN_PSTATE = "PSTATE of the virtual machine's own: an exception to EL2 saves it in SPSR_EL2";
export const MASKS_VIRTUAL =
  "masks virtual interrupts only: with HCR_EL2.{IMO,FMO,AMO} physical ones go to EL2, and PSTATE of EL1 does not mask them";

const waits = (bit: string): Privilege => ({
  el: 0,
  sensitive: "control",
  controls: [`SCTLR_EL1.n${bit}`, `HCR_EL2.${bit}`, `SCR_EL3.${bit}`],
});
const returns: Privilege = {
  el: 1,
  sensitive: "control",
  controls: ["HCR_EL2.NV", "HFGITR_EL2.ERET"],
  virtualized: "returns to EL1 or EL0 only: to a higher level it is an illegal return, which sets PSTATE.IL",
};
const pstate = (el: 0 | 1): Privilege => ({ el, sensitive: "control", virtualized: OWN_PSTATE });
const debugState: Privilege = { el: 4, sensitive: "control" };
const mask: Privilege = { el: 0, sensitive: "control", controls: ["SCTLR_EL1.UMA"], virtualized: MASKS_VIRTUAL };
const unprivileged: Privilege = {
  el: 0,
  sensitive: "behaviour",
  virtualized: "asks for EL0's permissions of the virtual machine's own stage 1; stage 2 applies as to all accesses",
};

const PRIVILEGES: Readonly<Record<string, Privilege>> = {
  SVC: { el: 0, controls: ["HFGITR_EL2.SVC_EL0", "HFGITR_EL2.SVC_EL1"] },
  HVC: { el: 1, sensitive: "control", controls: ["SCR_EL3.HCE"] },
  SMC: { el: 1, sensitive: "control", controls: ["HCR_EL2.TSC", "SCR_EL3.SMD"] },
  BRK: { el: 0, controls: ["MDCR_EL2.TDE"] },
  HLT: debugState,
  DCPS: debugState,
  DRPS: debugState,
  ERET: returns,
  ERETAA: returns,
  WFE: waits("TWE"),
  WFI: waits("TWI"),
  MSR_imm_UAO: pstate(1),
  MSR_imm_PAN: pstate(1),
  MSR_imm_SPSel: pstate(1),
  MSR_imm_DAIFSet: mask,
  MSR_imm_DAIFClr: mask,
};

/** LDTR, STTR and their relatives. */
const UNPRIVILEGED = /^(LD|ST)TR/;
/** XPAC uses no key, so that nothing traps it. */
const STRIPPING = /^XPAC/;
const AUTHENTICATION = ["HCR_EL2.API", "SCR_EL3.API"];
const FLOATING_POINT = ["CPACR_EL1.FPEN", "CPTR_EL2.TFP", "CPTR_EL3.TFP"];

export function privilegeOf(row: Row): Privilege {
  const found = PRIVILEGES[row.id] ?? (UNPRIVILEGED.test(row.id) ? unprivileged : { el: 0 as const });
  const more = [...(row.fp ? FLOATING_POINT : []), ...(row.feat === "PAuth" ? AUTHENTICATION : [])];
  return more.length === 0 || STRIPPING.test(row.id)
    ? found
    : { ...found, controls: [...(found.controls ?? []), ...more] };
}
