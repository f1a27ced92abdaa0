import {
  FEATURE_ASID16,
  FEATURE_BTI,
  FEATURE_E0PD,
  FEATURE_EL2,
  FEATURE_EL3,
  FEATURE_HAFDBS,
  FEATURE_HPDS,
  FEATURE_LSE2,
  FEATURE_PAN,
  FEATURE_PAUTH,
  FEATURE_TTCNP,
  FEATURE_UAO,
  FEATURE_VHE,
  FEATURE_VMID16,
} from "../cpu/sysreg-layout.ts";
import type { Feature } from "./features.ts";

// Models of processing elements: what a guest finds in the identification registers, and the features behind them.
// AArch32 and big-endian data are at no exception level of any model, so the fields that would offer them say so.

/** A 64-bit value as [low, high], unsigned. */
export type Halves = readonly [low: number, high: number];

/** Identification registers that are a constant of the model, by name. Others of the ID space read as zero. */
export type IdRegister =
  | "MIDR_EL1"
  | "REVIDR_EL1"
  | "ID_AA64PFR0_EL1"
  | "ID_AA64PFR1_EL1"
  | "ID_AA64DFR0_EL1"
  | "ID_AA64DFR1_EL1"
  | "ID_AA64ISAR0_EL1"
  | "ID_AA64ISAR1_EL1"
  | "ID_AA64ISAR2_EL1"
  | "ID_AA64MMFR0_EL1"
  | "ID_AA64MMFR1_EL1"
  | "ID_AA64MMFR2_EL1"
  | "ID_AA64ZFR0_EL1"
  | "ID_AA64SMFR0_EL1"
  | "CTR_EL0"
  | "DCZID_EL0"
  | "CLIDR_EL1";

export interface CpuModel {
  readonly name: string;
  readonly features: ReadonlySet<Feature>;
  /** As for a machine without EL2, EL3 and GICv3 system registers; `idRegisters` gives them for a machine. */
  readonly id: Readonly<Record<IdRegister, Halves>>;
  /** CCSIDR_EL1 by CSSELR_EL1 (Level << 1 | InD). */
  readonly ccsidr: ReadonlyMap<number, number>;
  /** PMCR_EL0.IMP and IDCODE, in their places. */
  readonly pmcr: number;
  /** FEATURE_* bits of sysreg-layout.ts, without those that `ModelOptions` decides. */
  readonly peFeatures: number;
  /** Physical address bits, as ID_AA64MMFR0_EL1.PARange says. */
  readonly paBits: number;
  /** With EL2. */
  readonly el2: ModelExtension;
  /** With EL2 and EL3. */
  readonly secureEL2: ModelExtension;
}

/** What a model has besides in some machines. */
export interface ModelExtension {
  readonly features: readonly Feature[];
  /** Fields of identification registers that are 0 otherwise. */
  readonly id: Readonly<Partial<Record<IdRegister, Halves>>>;
  readonly peFeatures: number;
}

/** What a machine makes of a model. */
export interface ModelOptions {
  readonly el2: boolean;
  readonly el3: boolean;
  /** The interrupt controller's CPU interface is reached by system registers. */
  readonly gicv3: boolean;
}

/** A register from its fields of four bits, the lowest first. */
function nibbles(...fields: readonly number[]): Halves {
  const half = (from: number): number =>
    fields.slice(from, from + 8).reduce((word, field, i) => word + field * 2 ** (4 * i), 0);
  return [half(0), half(8)];
}

const ARMV8_0: readonly Feature[] = ["base", "FP", "AdvSIMD", "CRC32", "AES", "PMULL", "SHA1", "SHA256"];

// 32 KB data and 48 KB instruction caches, 1 MB unified level 2, lines of 64 bytes.
const CACHES = new Map([
  [0, 0x701fe00a],
  [1, 0x201fe012],
  [2, 0x70ffe07a],
]);

const NOTHING: ModelExtension = { features: [], id: {}, peFeatures: 0 };

const CORTEX_A72: CpuModel = {
  name: "cortex-a72",
  features: new Set(ARMV8_0),
  id: {
    MIDR_EL1: [0x410fd083, 0],
    REVIDR_EL1: [0, 0],
    // EL0, EL1: AArch64 only; FP and AdvSIMD.
    ID_AA64PFR0_EL1: nibbles(1, 1),
    ID_AA64PFR1_EL1: [0, 0],
    // Armv8 debug, PMUv3, 6 breakpoints of which 2 context-aware, 4 watchpoints.
    ID_AA64DFR0_EL1: nibbles(6, 0, 1, 5, 0, 3, 0, 1),
    ID_AA64DFR1_EL1: [0, 0],
    ID_AA64ISAR0_EL1: nibbles(0, 2, 1, 1, 1),
    ID_AA64ISAR1_EL1: [0, 0],
    ID_AA64ISAR2_EL1: [0, 0],
    // 44-bit physical addresses, 16-bit ASIDs, 4K and 64K granules.
    ID_AA64MMFR0_EL1: nibbles(4, 2, 0, 1),
    ID_AA64MMFR1_EL1: [0, 0],
    ID_AA64MMFR2_EL1: [0, 0],
    ID_AA64ZFR0_EL1: [0, 0],
    ID_AA64SMFR0_EL1: [0, 0],
    CTR_EL0: [0x8444c004, 0],
    DCZID_EL0: [4, 0],
    CLIDR_EL1: [0x0a200023, 0],
  },
  ccsidr: CACHES,
  pmcr: 0x41020000,
  peFeatures: FEATURE_ASID16,
  paBits: 44,
  el2: NOTHING,
  secureEL2: NOTHING,
};

const MAX: CpuModel = {
  name: "max",
  features: new Set<Feature>([
    ...ARMV8_0,
    ...([
      "LSE",
      "RDM",
      "PAN",
      "PAN2",
      "UAO",
      "FP16",
      "DotProd",
      "LRCPC",
      "LRCPC2",
      "FlagM",
      "FlagM2",
      "FRINTTS",
    ] as const),
    ...([
      "FCMA",
      "JSCVT",
      "PAuth",
      "BTI",
      "SB",
      "SPECRES",
      "SSBS",
      "DPB",
      "DPB2",
      "RNG",
      "HAFDBS",
      "HPDS",
      "LOR",
    ] as const),
    ...(["TTCNP", "TTL", "TLBIOS", "TLBIRANGE", "E0PD", "DIT", "LSE2", "CSV2", "CSV3", "IDST", "RAS"] as const),
  ]),
  id: {
    MIDR_EL1: [0x000f0510, 0],
    REVIDR_EL1: [0, 0],
    // EL0, EL1: AArch64 only; FP and AdvSIMD with half precision; RAS, DIT, CSV2, CSV3.
    ID_AA64PFR0_EL1: nibbles(1, 1, 0, 0, 1, 1, 0, 1, 0, 0, 0, 0, 1, 0, 1, 1),
    // BT, SSBS with MSR SSBS.
    ID_AA64PFR1_EL1: nibbles(1, 2),
    ID_AA64DFR0_EL1: nibbles(6, 0, 1, 5, 0, 3, 0, 1),
    ID_AA64DFR1_EL1: [0, 0],
    // AES, SHA1, SHA2, CRC32, Atomic, RDM; DP, TS, TLB, RNDR.
    ID_AA64ISAR0_EL1: nibbles(0, 2, 1, 1, 1, 2, 0, 1, 0, 0, 0, 1, 0, 2, 2, 1),
    // DPB, API, JSCVT, FCMA, LRCPC, GPI; FRINTTS, SB, SPECRES.
    ID_AA64ISAR1_EL1: nibbles(2, 0, 1, 1, 1, 2, 0, 1, 1, 1, 1),
    ID_AA64ISAR2_EL1: [0, 0],
    // 48-bit physical addresses, 16-bit ASIDs, all granules.
    ID_AA64MMFR0_EL1: nibbles(5, 2, 0, 1, 0, 1),
    // HAFDBS, HPDS, LO, PAN.
    ID_AA64MMFR1_EL1: nibbles(2, 0, 0, 1, 1, 2),
    // CnP, UAO; AT, IDS, TTL, E0PD.
    ID_AA64MMFR2_EL1: nibbles(1, 1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 1, 0, 0, 1),
    ID_AA64ZFR0_EL1: [0, 0],
    ID_AA64SMFR0_EL1: [0, 0],
    CTR_EL0: [0x8444c004, 0],
    DCZID_EL0: [4, 0],
    CLIDR_EL1: [0x0a200023, 0],
  },
  ccsidr: CACHES,
  pmcr: 0x41000000,
  peFeatures:
    FEATURE_ASID16 |
    FEATURE_PAN |
    FEATURE_UAO |
    FEATURE_HAFDBS |
    FEATURE_HPDS |
    FEATURE_PAUTH |
    FEATURE_BTI |
    FEATURE_E0PD |
    FEATURE_LSE2 |
    FEATURE_TTCNP,
  paBits: 48,
  el2: {
    features: ["VHE", "VMID16", "XNX", "S2FWB", "FGT", "EVT", "ECV", "NV", "NV2"],
    id: {
      // Armv8.1 debug, which comes with VHE.
      ID_AA64DFR0_EL1: nibbles(1),
      // FGT, ECV with CNTPOFF_EL2.
      ID_AA64MMFR0_EL1: nibbles(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2),
      // VMIDBits, VH, XNX.
      ID_AA64MMFR1_EL1: nibbles(0, 2, 1, 0, 0, 0, 0, 1),
      // NV, FWB, EVT.
      ID_AA64MMFR2_EL1: nibbles(0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2),
    },
    peFeatures: FEATURE_VHE | FEATURE_VMID16,
  },
  secureEL2: {
    features: ["SEL2"],
    id: { ID_AA64PFR0_EL1: nibbles(0, 0, 0, 0, 0, 0, 0, 0, 0, 1) },
    peFeatures: 0,
  },
};

export const CPU_MODELS = { "cortex-a72": CORTEX_A72, max: MAX } as const satisfies Readonly<Record<string, CpuModel>>;

const EL2: ModelExtension = { features: ["EL2"], id: { ID_AA64PFR0_EL1: [1 << 8, 0] }, peFeatures: FEATURE_EL2 };
const EL3: ModelExtension = { features: ["EL3"], id: { ID_AA64PFR0_EL1: [1 << 12, 0] }, peFeatures: FEATURE_EL3 };
const GICV3: ModelExtension = { features: [], id: { ID_AA64PFR0_EL1: [1 << 24, 0] }, peFeatures: 0 };

/** What a machine adds to a model. */
function extensions(model: CpuModel, { el2, el3, gicv3 }: ModelOptions): ModelExtension[] {
  return [
    ...(el2 ? [EL2, model.el2] : []),
    ...(el3 ? [EL3] : []),
    ...(el2 && el3 ? [model.secureEL2] : []),
    ...(gicv3 ? [GICV3] : []),
  ];
}

/** The identification registers of a model in a machine. */
export function idRegisters(model: CpuModel, options: ModelOptions): Readonly<Record<IdRegister, Halves>> {
  const id: Record<IdRegister, Halves> = { ...model.id };
  for (const extension of extensions(model, options)) {
    for (const [name, [low, high]] of Object.entries(extension.id) as [IdRegister, Halves][]) {
      id[name] = [(id[name][0] | low) >>> 0, (id[name][1] | high) >>> 0];
    }
  }
  return id;
}

/** PE_FEATURES of a model in a machine. */
export function peFeatures(model: CpuModel, options: ModelOptions): number {
  return extensions(model, options).reduce((all, e) => all | e.peFeatures, model.peFeatures);
}

/** The features of a model in a machine. */
export function modelFeatures(model: CpuModel, options: ModelOptions): ReadonlySet<Feature> {
  return new Set([...model.features, ...extensions(model, options).flatMap((e) => e.features)]);
}
