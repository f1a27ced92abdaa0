import { sysregId } from "../../arch/sysreg-names.ts";
import { effectiveHcr, HCR_FMO, HCR_IMO, SCR_FIQ, SCR_IRQ } from "../levels.ts";
import { SCR_EL3 } from "../sysreg-layout.ts";
import type { Access } from "./access.ts";
import { type Trap, trap } from "./row.ts";

// Which accesses to the registers of a GICv3's CPU interface trap, and which of them are virtual (IHI0069 12.2 to 12.4, the
// accessibility of each register).

/** A register of the CPU interface, as far as exception levels go. */
export interface InterruptRegister {
  /** The lowest exception level that may access it. */
  readonly el: 1 | 2 | 3;
  readonly traps: readonly Trap[];
  /** EL1 reaches the ICV_* register of the same number while one of these bits of HCR_EL2 is set. */
  readonly virtual: number;
}

const BOTH = HCR_IMO | HCR_FMO;

// ICH_HCR_EL2.
const TC = 1 << 10;
const TALL0 = 1 << 11;
const TALL1 = 1 << 12;
const TDIR = 1 << 14;

/** Whether EL2 rules an access. */
const below2 = (a: Access): boolean => a.el < 2 && a.el2Enabled;

/** Whether an access is to the ICV_* register. */
export function isVirtual(a: Access, register: InterruptRegister): boolean {
  return register.virtual !== 0 && a.el === 1 && (effectiveHcr(a.state) & register.virtual) !== 0;
}

const hypervisorControl = (name: string, bit: number): Trap =>
  trap(`ICH_HCR_EL2.${name}`, (a) =>
    below2(a) && (a.host.interrupts?.hypervisorControl(a.host.index) ?? 0) & bit ? 2 : 0,
  );

/** EL3 takes the interrupts of the groups that the register is for, so that its owner is not Non-secure, nor EL1's. */
const routedToEL3 = (control: string, bits: number, virtual: number): Trap =>
  trap(control, (a) => {
    if (a.el === 3 || !a.host.options.el3 || (a.state.word(SCR_EL3) & bits) !== bits) return 0;
    return a.el === 1 && effectiveHcr(a.state) & virtual ? 0 : 3;
  });

const sreEnable = (el: 2 | 3): Trap =>
  trap(`ICC_SRE_EL${el}.Enable`, (a) => {
    const rules = el === 2 ? below2(a) : a.el < 3 && a.host.options.el3;
    return rules && !a.host.interrupts?.sreEnabled(a.host.index, el) ? el : 0;
  });

const sgiTrap = trap("HCR_EL2.FMO, HCR_EL2.IMO", (a) => (below2(a) && effectiveHcr(a.state) & BOTH ? 2 : 0));

const EITHER_TO_EL3 = "SCR_EL3.IRQ and SCR_EL3.FIQ";
const common: InterruptRegister = {
  el: 1,
  traps: [hypervisorControl("TC", TC), routedToEL3(EITHER_TO_EL3, SCR_IRQ | SCR_FIQ, BOTH)],
  virtual: BOTH,
};
const deactivation: InterruptRegister = {
  el: 1,
  traps: [
    hypervisorControl("TC", TC),
    hypervisorControl("TDIR", TDIR),
    routedToEL3(EITHER_TO_EL3, SCR_IRQ | SCR_FIQ, BOTH),
  ],
  virtual: BOTH,
};
const generation: InterruptRegister = {
  el: 1,
  traps: [hypervisorControl("TC", TC), sgiTrap, routedToEL3(EITHER_TO_EL3, SCR_IRQ | SCR_FIQ, 0)],
  virtual: 0,
};
const group0: InterruptRegister = {
  el: 1,
  traps: [hypervisorControl("TALL0", TALL0), routedToEL3("SCR_EL3.FIQ", SCR_FIQ, HCR_FMO)],
  virtual: HCR_FMO,
};
const group1: InterruptRegister = {
  el: 1,
  traps: [hypervisorControl("TALL1", TALL1), routedToEL3("SCR_EL3.IRQ", SCR_IRQ, HCR_IMO)],
  virtual: HCR_IMO,
};
const hypervisor: InterruptRegister = { el: 2, traps: [], virtual: 0 };
const monitor: InterruptRegister = { el: 3, traps: [], virtual: 0 };

const active = (group: number): string[] => Array.from({ length: 4 }, (_, n) => `ICC_AP${group}R${n}_EL1`);
const ofGroup = (group: number): string[] => [
  ...["IAR", "EOIR", "HPPIR", "BPR", "IGRPEN"].map((stem) => `ICC_${stem}${group}_EL1`),
  ...active(group),
];
const HYPERVISOR = [
  ...["HCR", "VTR", "MISR", "EISR", "ELRSR", "VMCR"].map((stem) => `ICH_${stem}_EL2`),
  ...Array.from({ length: 4 }, (_, n) => [`ICH_AP0R${n}_EL2`, `ICH_AP1R${n}_EL2`]).flat(),
  ...Array.from({ length: 16 }, (_, n) => `ICH_LR${n}_EL2`),
];

const KINDS: readonly (readonly [readonly string[], InterruptRegister])[] = [
  [["ICC_PMR_EL1", "ICC_RPR_EL1", "ICC_CTLR_EL1"], common],
  [["ICC_DIR_EL1"], deactivation],
  [["ICC_SGI0R_EL1", "ICC_SGI1R_EL1", "ICC_ASGI1R_EL1"], generation],
  [ofGroup(0), group0],
  [ofGroup(1), group1],
  [["ICC_SRE_EL1"], { el: 1, traps: [sreEnable(2), sreEnable(3)], virtual: 0 }],
  [["ICC_SRE_EL2"], { el: 2, traps: [sreEnable(3)], virtual: 0 }],
  [HYPERVISOR, hypervisor],
  [["ICC_CTLR_EL3", "ICC_SRE_EL3", "ICC_IGRPEN1_EL3"], monitor],
];

/** By name: every register that a GICv3's CPU interface may have. */
export const INTERRUPT_REGISTERS: ReadonlyMap<string, InterruptRegister> = new Map(
  KINDS.flatMap(([names, register]) => names.map((name) => [name, register] as const)),
);

const BY_ID: ReadonlyMap<number, InterruptRegister> = new Map(
  [...INTERRUPT_REGISTERS].map(([name, register]) => [sysregId(name), register]),
);

/** `id`: op0:op1:CRn:CRm:op2 as 16 bits. */
export function interruptRegister(id: number): InterruptRegister | undefined {
  return BY_ID.get(id);
}
