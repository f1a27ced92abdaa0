import { peFeatures } from "../../arch/cpu-models.ts";
import { SYSREG_NAMES, sysregId } from "../../arch/sysreg-names.ts";
import { fineGrainedTraps, isNested } from "../levels.ts";
import { SLOT_ZR, X } from "../state-layout.ts";
import { PE_FEATURES, RVBAR } from "../sysreg-layout.ts";
import { Access, SYSL } from "./access.ts";
import { DEBUG_ROWS } from "./debug.ts";
import { EL2_ROWS } from "./el2.ts";
import { EL3_ROWS } from "./el3.ts";
import { EXCEPTION_ROWS } from "./exception.ts";
import { type FineTrap, INSTRUCTION_TRAPS, READ_TRAPS, WRITE_TRAPS } from "./fine-grained.ts";
import type { SysregHost } from "./host.ts";
import { ID_ROWS } from "./id.ts";
import {
  inspectInterruptRegister,
  isInterruptRegister,
  modifyInterruptRegister,
  readInterruptRegister,
  writeInterruptRegister,
} from "./interrupt.ts";
import { accessMemory, isElsewhere, NESTED_NAMES, type NestedName } from "./nested.ts";
import { PMU_ROWS } from "./pmu.ts";
import { PSTATE_ROWS } from "./pstate.ts";
import { RAS_ROWS } from "./ras.ts";
import { ALIASES, HOST_REGISTERS, hasAliases, redirection } from "./redirection.ts";
import { type Bits, mask, type SysregRow, type Trap } from "./row.ts";
import { SYSTEM_ROWS } from "./system.ts";
import type { SystemRow } from "./system-row.ts";
import { TIMER_ROWS } from "./timer.ts";
import { TRANSLATION_ROWS } from "./translation.ts";
import { HCR, hcr } from "./traps.ts";

export type { SysregHost, SysregOptions } from "./host.ts";

/** All rows, whatever the model. */
export const SYSREG_ROWS: readonly SysregRow[] = [
  ...ID_ROWS,
  ...TRANSLATION_ROWS,
  ...EXCEPTION_ROWS,
  ...RAS_ROWS,
  ...PSTATE_ROWS,
  ...TIMER_ROWS,
  ...PMU_ROWS,
  ...DEBUG_ROWS,
  ...EL2_ROWS,
  ...EL3_ROWS,
];

/** A row as one model has it. */
interface Register {
  readonly row: SysregRow;
  readonly maskLow: number;
  readonly maskHigh: number;
  readonly res1Low: number;
  readonly res1High: number;
  /** What a host at EL2 reaches under this name, and in Secure state. */
  host?: Register;
  secureHost?: Register;
}

/** What an access reaches under a register's name. */
function reached(a: Access, register: Register): Register {
  if (register.host === undefined) return register;
  const way = redirection(a);
  return (way === 0 ? undefined : way === 1 ? register.host : register.secureHost) ?? register;
}

function readRegister(a: Access, { row }: Register): true {
  if (row.get) row.get(a);
  else if (row.slot === undefined) a.give(0);
  else a.giveSlot(row.slot);
  return true;
}

function writeRegister(a: Access, register: Register): true {
  const { row } = register;
  const low = (a.low & register.maskLow) | register.res1Low;
  const high = (a.high & register.maskHigh) | register.res1High;
  if (row.set) row.set(a, low, high);
  else if (row.slot !== undefined) {
    const oldLow = a.state.word(row.slot);
    const oldHigh = a.state.high(row.slot);
    a.state.set64(row.slot, low, high);
    row.changed?.(a, oldLow, oldHigh);
  }
  return true;
}

/** The reserved part of the ID space: op0 = 3, op1 = 0, CRn = 0, CRm = 1..7 reads as zero (Arm ARM D19.1.1). */
function isReservedId(id: number): boolean {
  return (id & ~0x3f) === 0xc000 && (id & 0x38) !== 0;
}

/** The feature ID space, as FEAT_IDST has it: op0 = 3, op1 = 0, 1 or 3, CRn = 0, CRm = 0..7. */
function isFeatureId(id: number): boolean {
  const op1 = (id >> 11) & 7;
  return id >> 14 === 3 && (op1 === 0 || op1 === 1 || op1 === 3) && (id & 0x7c0) === 0;
}

/** What is implementation defined: CRn = 11 or 15 of op0 = 3 and of the system instructions (Arm ARM D17.3.3). */
export function isImplementationDefined(id: number): boolean {
  return (id & 0x4000) !== 0 && (id & 0x580) === 0x580;
}

const TID3 = hcr(HCR.TID3);
const TIDCP = hcr(HCR.TIDCP);
const NO_TRAPS: readonly Trap[] = [];

/** The row that a register of EL2 has in a machine with EL3 and without EL2: RES0 (Arm ARM D1.1.2). */
function withoutEL2({ name, read, write }: SysregRow): SysregRow {
  return { name, ...(read === 2 && { read: 3 }), ...(write === 2 && { write: 3 }) };
}

/** Reads that change something: entropy is used up, an interrupt is acknowledged, received data is taken. */
const READ_EFFECTS: ReadonlySet<number> = new Set(
  ["RNDR", "RNDRRS", "DBGDTR_EL0", "DBGDTRRX_EL0", "ICC_IAR0_EL1", "ICC_IAR1_EL1"].map(sysregId),
);

/** System registers and system instructions of one PE. */
export class Sysregs {
  readonly #access: Access;
  readonly #registers = new Map<number, Register>();
  readonly #instructions = new Map<number, SystemRow>();
  /** The _EL12 and _EL02 names. */
  readonly #aliases = new Map<number, Register>();
  /** What FEAT_NV2 finds elsewhere. */
  readonly #nestedNames = new Map<number, NestedName>();

  constructor(host: SysregHost) {
    this.#access = new Access(host);
    for (const row of SYSREG_ROWS) {
      if (row.model !== undefined && row.model !== host.model.name) continue;
      if (row.feature === undefined || this.#access.features.has(row.feature)) {
        this.#registers.set(sysregId(row.name), this.#register(row));
      } else if ((row.read === 2 || row.write === 2) && host.options.el3 && !host.options.el2) {
        this.#registers.set(sysregId(row.name), this.#register(withoutEL2(row)));
      }
    }
    for (const row of SYSTEM_ROWS) {
      if (!row.features || row.features.every((f) => this.#access.features.has(f))) this.#instructions.set(row.id, row);
    }
    const { features } = this.#access;
    if (features.has("EL2") && features.has("VHE")) this.#addHostNames();
    if (features.has("EL2") && features.has("NV2")) {
      for (const [id, name] of SYSREG_NAMES) {
        const nested = NESTED_NAMES.get(name);
        if (nested) this.#nestedNames.set(id, nested);
      }
    }
  }

  #addHostNames(): void {
    const find = (name: string): Register | undefined => this.#registers.get(sysregId(name));
    for (const [name, { host, secure }] of HOST_REGISTERS) {
      const register = find(name);
      if (!register) continue;
      const own = find(host);
      const ofSecure = (secure && find(secure)) || own;
      if (own) register.host = own;
      if (ofSecure) register.secureHost = ofSecure;
    }
    for (const [alias, name] of ALIASES) {
      const register = find(name);
      if (register) this.#aliases.set(sysregId(alias), register);
    }
  }

  #register(row: SysregRow): Register {
    const { features } = this.#access;
    const more = (with_: SysregRow["bitsWith"], present: boolean): Bits =>
      Object.entries(with_ ?? {})
        .filter(([feature]) => features.has(feature as never) === present)
        .map(([, bits]) => bits)
        .join(" ");
    const [maskLow, maskHigh] =
      row.bits === undefined
        ? [-1, -1]
        : mask(`${row.bits} ${more(row.bitsWith, true)} ${more(row.bitsWithout, false)}`);
    const [res1Low, res1High] = mask(`${row.res1 ?? ""} ${more(row.res1Without, false)}`);
    return { row, maskLow, maskHigh, res1Low, res1High };
  }

  /** To the state after reset: of the slots that have one; the others keep what they hold. Resets timers and PMU, too. */
  reset(): void {
    const a = this.#access;
    const { host, state } = a;
    state.set64(PE_FEATURES, peFeatures(host.model, host.options), 0);
    state.setNumber(RVBAR, host.options.resetVector ?? 0);
    for (const { row, res1Low, res1High } of this.#registers.values()) {
      if (row.slot === undefined) continue;
      const [low, high] = typeof row.reset === "function" ? row.reset(a) : (row.reset ?? [0, 0]);
      state.set64(row.slot, low | res1Low, high | res1High);
    }
    host.timers.reset();
    host.pmu.restart();
  }

  /** MRS: false with an exception pending. `id` is op0:op1:CRn:CRm:op2 as 16 bits, `rt` 0..31, 31 being XZR. */
  read(id: number, rt: number): boolean {
    const a = this.#access;
    a.begin(id, rt, false);
    if (!this.#read(id)) return false;
    if (rt !== SLOT_ZR) a.state.set64(X + 8 * rt, a.low, a.high);
    return true;
  }

  #read(id: number): boolean {
    const a = this.#access;
    if (isNested(a.state)) {
      const done = this.#nested(id);
      if (done !== undefined) return done;
    }
    const register = this.#registers.get(id);
    if (!register) {
      const known = hasAliases(a) ? this.#aliases.get(id) : undefined;
      if (known) return this.#checked(known) && readRegister(a, known);
      if (isInterruptRegister(id)) return this.#allowed(NO_TRAPS, READ_TRAPS.get(id)) && readInterruptRegister(a);
      if (!isReservedId(id) || a.el < 1) return this.#refuse(id);
      const target = TID3(a);
      if (target) return a.trapped(target);
      a.give(0);
      return true;
    }
    if (register.row.read === undefined || a.el < register.row.read) return this.#refuse(id);
    return this.#checked(register) && readRegister(a, reached(a, register));
  }

  /** MSR (register): false with an exception pending. */
  write(id: number, rt: number): boolean {
    const a = this.#access;
    a.begin(id, rt, true);
    a.giveSlot(X + 8 * rt);
    if (isNested(a.state)) {
      const done = this.#nested(id);
      if (done !== undefined) return done;
    }
    const register = this.#registers.get(id);
    if (!register) {
      const known = hasAliases(a) ? this.#aliases.get(id) : undefined;
      if (known) return this.#checked(known) && writeRegister(a, known);
      if (!isInterruptRegister(id)) return this.#refuse(id);
      return this.#allowed(NO_TRAPS, WRITE_TRAPS.get(id)) && writeInterruptRegister(a);
    }
    if (register.row.write === undefined || a.el < register.row.write) return this.#refuse(id);
    return this.#checked(register) && writeRegister(a, reached(a, register));
  }

  /** For a debugger: the ids of the registers that it may look at, those of the interrupt controller among them. */
  ids(): number[] {
    return [...SYSREG_NAMES.keys()].filter((id) => this.inspect(id) !== undefined);
  }

  /** For a debugger: the value, in signed halves, whatever the exception level and traps. Undefined: no such register, or reading changes something. */
  inspect(id: number): readonly [low: number, high: number] | undefined {
    if (READ_EFFECTS.has(id)) return undefined;
    const a = this.#access;
    const register = this.#registers.get(id);
    a.begin(id, SLOT_ZR, false);
    if (register) {
      if (register.row.read === undefined) return undefined;
      readRegister(a, register);
      return [a.low, a.high];
    }
    return isInterruptRegister(id) && inspectInterruptRegister(a) ? [a.low, a.high] : undefined;
  }

  /** For a debugger: writes a register whatever the exception level and traps. False: there is no such register to write. */
  modify(id: number, low: number, high: number): boolean {
    const a = this.#access;
    const register = this.#registers.get(id);
    a.begin(id, SLOT_ZR, true);
    a.give(low, high);
    if (register) return register.row.write !== undefined && writeRegister(a, register);
    return isInterruptRegister(id) && modifyInterruptRegister(a);
  }

  #checked({ row }: Register): boolean {
    const { id, write } = this.#access;
    return this.#allowed(row.traps ?? NO_TRAPS, (write ? WRITE_TRAPS : READ_TRAPS).get(id));
  }

  /** An access from EL1 with HCR_EL2.NV; undefined when it is like any other. False with an exception pending. */
  #nested(id: number): boolean | undefined {
    const a = this.#access;
    const register = this.#registers.get(id);
    const level = register && (a.write ? register.row.write : register.row.read);
    if (register && (level === undefined || level > 2)) return undefined;
    const name = this.#nestedNames.get(id);
    const elsewhere = name !== undefined && isElsewhere(a, name);
    if (level !== undefined && level < 2) {
      if (!elsewhere) return undefined;
      return this.#checked(register as Register) && accessMemory(a, name.offset ?? 0);
    }
    if (!register && !this.#aliases.has(id) && !this.#isHypervisorInterface(id)) return undefined;
    if (register?.row.traps?.some((trap) => trap(a) < 0)) return a.undefinedInstruction();
    if (!elsewhere) return a.trapped(2);
    if (name.offset !== undefined) return accessMemory(a, name.offset);
    const shared = this.#registers.get(sysregId(name.shared ?? "")) as Register;
    return a.write ? writeRegister(a, shared) : readRegister(a, shared);
  }

  /** EL2's part of the interrupt controller's CPU interface. */
  #isHypervisorInterface(id: number): boolean {
    const { host } = this.#access;
    return host.interrupts !== undefined && ((id >> 11) & 7) === 4 && isInterruptRegister(id) && SYSREG_NAMES.has(id);
  }

  /** SYS and SYSL: false with an exception pending, or when running code has to leave after the instruction. */
  system(id: number, rt: number): boolean {
    const a = this.#access;
    a.begin(id & 0xffff, rt, (id & SYSL) === 0);
    const row = a.write ? this.#instructions.get(id) : undefined;
    if (!row) return this.#refuse(a.id);
    if (a.el < row.el) return row.el === 2 && isNested(a.state) ? a.trapped(2) : a.undefinedInstruction();
    if (!this.#allowed(row.traps ?? NO_TRAPS, INSTRUCTION_TRAPS.get(id))) return false;
    a.giveSlot(X + 8 * rt);
    return row.execute(a);
  }

  /** False: the access traps, or is UNDEFINED. The checks of EL1 come first, then those of EL2, then those of EL3. */
  #allowed(traps: readonly Trap[], fine: FineTrap | undefined): boolean {
    const a = this.#access;
    let target = a.el === 1 && isImplementationDefined(a.id) ? TIDCP(a) : 0;
    for (let i = 0; target === 0 && i < traps.length; i++) target = (traps[i] as Trap)(a);
    if (fine && (target === 0 || target === 3) && a.state.word(fine.word) & fine.mask && fineGrainedTraps(a.state)) {
      target = 2;
    }
    if (target === 0) return true;
    return target > 0 ? a.trapped(target) : a.undefinedInstruction();
  }

  /**
   * What nothing allows: UNDEFINED; trapped with FEAT_IDST, when it reads the feature ID space from EL0, and with HCR_EL2.TIDCP, when it is
   * implementation defined.
   */
  #refuse(id: number): boolean {
    const a = this.#access;
    if (a.el === 0 && !a.write && isFeatureId(id) && a.features.has("IDST")) return a.trapped(1);
    if (a.el === 1 && isImplementationDefined(id) && TIDCP(a)) return a.trapped(2);
    return a.undefinedInstruction();
  }
}
