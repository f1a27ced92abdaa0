import type { Feature } from "../../arch/features.ts";
import {
  type FineTrap,
  INSTRUCTION_TRAPS,
  READ_TRAPS,
  TRAP_REGISTERS,
  WRITE_TRAPS,
} from "../../cpu/sysregs/fine-grained.ts";
import { type Bits, mask } from "../../cpu/sysregs/row.ts";

// Values of the registers by which EL2 traps: none, all, or one alone. E2H is 0.

/** Bits that trap while they are 1, and those that trap while they are 0. */
interface Register {
  readonly set: Readonly<Record<string, number>>;
  readonly clear?: Readonly<Record<string, number>>;
  /** Bits that trap, but that a hypervisor sets for one purpose only. */
  readonly special?: Readonly<Record<string, number>>;
  /** Bits that are 1 either way. */
  readonly always: Bits;
}

/** What a control comes with; all others are of Armv8.0. */
const FEATURES: Readonly<Record<string, Feature>> = {
  ...{
    "HCR_EL2.TID4": "EVT",
    "HCR_EL2.TICAB": "EVT",
    "HCR_EL2.TOCU": "EVT",
    "HCR_EL2.TTLBIS": "EVT",
    "HCR_EL2.TTLBOS": "EVT",
  },
  ...{ "HCR_EL2.TLOR": "LOR", "HCR_EL2.TERR": "RAS", "HCR_EL2.APK": "PAuth", "HCR_EL2.API": "PAuth" },
  ...{ "HCR_EL2.AT": "NV", "HCR_EL2.NV": "NV", "CNTHCTL_EL2.EL1TVT": "ECV", "CNTHCTL_EL2.EL1TVCT": "ECV" },
  "MDCR_EL2.TDCC": "FGT",
};

/** Whether a PE with some features has a control. */
export function hasControl(control: string, features: ReadonlySet<Feature>): boolean {
  const feature = FEATURES[control] ?? (/^HD?FG/.test(control) ? "FGT" : undefined);
  return feature === undefined || features.has(feature);
}

const REGISTERS: Readonly<Record<string, Register>> = {
  HCR_EL2: {
    set: {
      ...{ TWI: 13, TWE: 14, TID1: 16, TID2: 17, TID3: 18, TSC: 19, TIDCP: 20, TACR: 21, TSW: 22, TPCP: 23, TPU: 24 },
      ...{
        TTLB: 25,
        TVM: 26,
        TDZ: 28,
        TRVM: 30,
        TLOR: 35,
        TERR: 36,
        AT: 44,
        TID4: 49,
        TICAB: 50,
        TOCU: 52,
        TTLBIS: 54,
        TTLBOS: 55,
      },
    },
    clear: { APK: 40, API: 41 },
    special: { NV: 42 },
    // RW, and IMO, FMO, AMO, as hypervisors have them.
    always: "31 5:3",
  },
  // TFP, TTA, TAM and what is RES1.
  CPTR_EL2: { set: { TFP: 10, TTA: 20, TAM: 30, TCPAC: 31 }, always: "13:12 9:0" },
  // HPMN.
  MDCR_EL2: { set: { TPMCR: 5, TPM: 6, TDE: 8, TDA: 9, TDOSA: 10, TDRA: 11, TDCC: 27 }, always: "2:1" },
  CNTHCTL_EL2: {
    set: { EL1TVT: 13, EL1TVCT: 14 },
    clear: { EL1PCTEN: 0, EL1PCEN: 1 },
    always: "",
  },
  HFGITR_EL2: { set: { ERET: 51, SVC_EL0: 52, SVC_EL1: 53 }, always: "" },
  ICH_HCR_EL2: { set: { TC: 10, TALL0: 11, TALL1: 12, TDIR: 14 }, always: "0" },
};

/** Halves of a register by name. */
export type Setting = Map<string, [low: number, high: number]>;

const one = (bit: number): readonly [number, number] => (bit < 32 ? [1 << bit, 0] : [0, 1 << (bit - 32)]);

function add(setting: Setting, name: string, [low, high]: readonly [number, number]): void {
  const value = setting.get(name) ?? [0, 0];
  setting.set(name, [value[0] | low, value[1] | high]);
}

function remove(setting: Setting, name: string, [low, high]: readonly [number, number]): void {
  const value = setting.get(name) ?? [0, 0];
  setting.set(name, [value[0] & ~low, value[1] & ~high]);
}

/** Nothing that EL2 could trap by these is trapped. */
export function noTraps(): Setting {
  const setting: Setting = new Map();
  for (const [name, { always, clear }] of Object.entries(REGISTERS)) {
    add(setting, name, mask(always));
    for (const bit of Object.values(clear ?? {})) add(setting, name, one(bit));
  }
  for (const { name } of TRAP_REGISTERS) setting.set(name, [0, 0]);
  return setting;
}

/** Everything that EL2 can trap is trapped, but for what nested virtualization would have (HCR_EL2.NV). */
export function allTraps(): Setting {
  const setting = noTraps();
  for (const [name, { set, clear }] of Object.entries(REGISTERS)) {
    for (const bit of Object.values(set)) add(setting, name, one(bit));
    for (const bit of Object.values(clear ?? {})) remove(setting, name, one(bit));
  }
  for (const { name, bits } of TRAP_REGISTERS) add(setting, name, mask(bits));
  return setting;
}

/** One control traps and no other; undefined: it is none of EL2's that `allTraps` sets. */
export function onlyTrap(control: string): Setting | undefined {
  const [name = "", field = ""] = control.split(".");
  const setting = noTraps();
  const register = REGISTERS[name];
  const bit = register?.set[field] ?? register?.special?.[field];
  if (bit !== undefined) add(setting, name, one(bit));
  else if (register?.clear?.[field] !== undefined) remove(setting, name, one(register.clear[field]));
  else {
    const fine = FINE.get(control);
    const slot = TRAP_REGISTERS.find((r) => r.name === name)?.slot;
    if (fine === undefined || slot === undefined) return undefined;
    add(setting, name, fine.word === slot ? [fine.mask, 0] : [0, fine.mask]);
  }
  return setting;
}

const FINE: ReadonlyMap<string, FineTrap> = new Map(
  [...READ_TRAPS.values(), ...WRITE_TRAPS.values(), ...INSTRUCTION_TRAPS.values()].map((trap) => [trap.control, trap]),
);

/** Whether a name is one of a control that `onlyTrap` knows. */
export function isControl(name: string): boolean {
  return onlyTrap(name) !== undefined;
}
