import { MASKS_VIRTUAL, OWN_PSTATE, type Sensitivity } from "../../a64/privilege.ts";

// Which accesses to system registers, and which system instructions, are sensitive in the sense of Popek and Goldberg (a64/privilege.ts).
// A register of a privileged exception level is part of how the processor is set up or shows it: writes are control-sensitive, reads
// behaviour-sensitive, unless it is named here.

export interface RegisterSensitivity {
  readonly read?: Sensitivity;
  readonly write?: Sensitivity;
  /** Why a virtual machine's access that nothing traps does no harm. */
  readonly virtualized?: string;
}

const OWN =
  "EL1's own: EL2 works with registers of its own, and gives each virtual machine its values back before it runs";
const THREAD = "a word for software's use";
const VIRTUAL_TIME = "of the virtual counter: physical time less CNTVOFF_EL2";
const VIRTUAL_ID = "at EL1 it gives the value that EL2 chose (VPIDR_EL2, VMPIDR_EL2)";
const VIRTUAL_INTERFACE = "with HCR_EL2.{IMO,FMO} it is the virtual CPU interface (ICV_*), of the list registers";
const CONSTANT = "a constant of the machine, the same for all that run on it";
const NO_RESOURCE = "the processor has the register for compatibility: it controls nothing here";

const BOTH = { read: "behaviour", write: "control" } as const;
const INNOCUOUS: RegisterSensitivity = {};

/** By name; the first that fits decides. */
const REGISTERS: readonly (readonly [RegExp, RegisterSensitivity])[] = [
  [/^(NZCV|FPCR|FPSR|DIT|SSBS|RNDR|RNDRRS|TPIDR_EL0)$/, INNOCUOUS],
  [/^TPIDRRO_EL0$/, { write: "control", virtualized: THREAD }],
  [/^TPIDR_EL1$/, { ...BOTH, virtualized: THREAD }],
  [/^DAIF$/, { ...BOTH, virtualized: MASKS_VIRTUAL }],
  [/^(PAN|UAO|SPSEL)$/, { ...BOTH, virtualized: OWN_PSTATE }],
  [
    /^CURRENTEL$/,
    {
      read: "behaviour",
      virtualized:
        "says EL1, which is where a virtual machine without EL2 is; to one that has EL2, HCR_EL2.NV makes it say EL2",
    },
  ],
  [/^(MIDR_EL1|MPIDR_EL1)$/, { read: "behaviour", virtualized: VIRTUAL_ID }],
  [/^(CNTVCT|CNTVCTSS|CNTV_\w+)_EL0$/, { ...BOTH, virtualized: VIRTUAL_TIME }],
  [/^(CNTFRQ_EL0|DCZID_EL0)$/, { read: "behaviour", virtualized: CONSTANT }],
  [/^ISR_EL1$/, { read: "behaviour", virtualized: "shows virtual interrupts where HCR_EL2.{IMO,FMO,AMO} are set" }],
  [/^ICC_SRE_EL1$/, { ...BOTH, virtualized: "the system register interface is the only one there is" }],
  [/^ICC_/, { ...BOTH, virtualized: VIRTUAL_INTERFACE }],
  [/^(AFSR[01]|AMAIR|ACTLR)_EL1$/, { ...BOTH, virtualized: NO_RESOURCE }],
  [
    /^(ELR|SPSR|VBAR|ESR|FAR|PAR|CNTKCTL|CONTEXTIDR|MAIR|TCR|TTBR0|TTBR1|SCTLR|CPACR|CSSELR|DISR|SCXTNUM)_EL1$/,
    { ...BOTH, virtualized: OWN },
  ],
  [/^SP_EL0$/, { ...BOTH, virtualized: OWN }],
  [/^AP[ID][AB]KEY|^APGAKEY/, { ...BOTH, virtualized: OWN }],
];

export function registerSensitivity(name: string): RegisterSensitivity {
  return REGISTERS.find(([pattern]) => pattern.test(name))?.[1] ?? BOTH;
}

export interface InstructionSensitivity {
  readonly sensitive?: Sensitivity;
  readonly virtualized?: string;
}

const TRANSLATES =
  "translates by the virtual machine's own stage 1: what PAR_EL1 gets is an intermediate physical address";
const INVALIDATES = "caches are coherent with memory: what it does can only be seen as time";

/** Of a system instruction, by its mnemonic and operation: "TLBI VAE1". */
export function instructionSensitivity(text: string): InstructionSensitivity {
  if (/^TLBI/.test(text)) return { sensitive: "control" };
  if (/^AT S1E[01]/.test(text)) return { sensitive: "behaviour", virtualized: TRANSLATES };
  if (/^AT/.test(text)) return { sensitive: "behaviour" };
  if (/^DC (C?I?SW|IVAC)|^IC IALLU/.test(text)) return { sensitive: "control", virtualized: INVALIDATES };
  return {};
}
