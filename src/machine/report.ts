// What a machine tells people about itself.

import { haveEL } from "../cpu/levels.ts";
import type { PeState } from "../cpu/pe-state.ts";
import { CF, DAIF, EL, HALTED, NF, PC, POWER, SECURE, SLOT_SP, SPSEL, VF, X, ZF } from "../cpu/state-layout.ts";
import * as R from "../cpu/sysreg-layout.ts";

/** Of each exception level: [name, offset of a 64-bit slot]. */
const SYSTEM: Readonly<Record<1 | 2 | 3, readonly (readonly [string, number])[]>> = {
  1: [
    ["SCTLR_EL1", R.SCTLR_EL1],
    ["TCR_EL1", R.TCR_EL1],
    ["TTBR0_EL1", R.TTBR0_EL1],
    ["TTBR1_EL1", R.TTBR1_EL1],
    ["VBAR_EL1", R.VBAR_EL1],
    ["ESR_EL1", R.ESR_EL1],
    ["ELR_EL1", R.ELR_EL1],
    ["FAR_EL1", R.FAR_EL1],
  ],
  2: [
    ["HCR_EL2", R.HCR_EL2],
    ["VTCR_EL2", R.VTCR_EL2],
    ["VTTBR_EL2", R.VTTBR_EL2],
    ["HPFAR_EL2", R.HPFAR_EL2],
    ["SCTLR_EL2", R.SCTLR_EL2],
    ["TCR_EL2", R.TCR_EL2],
    ["TTBR0_EL2", R.TTBR0_EL2],
    ["TTBR1_EL2", R.TTBR1_EL2],
    ["VBAR_EL2", R.VBAR_EL2],
    ["ESR_EL2", R.ESR_EL2],
    ["ELR_EL2", R.ELR_EL2],
    ["FAR_EL2", R.FAR_EL2],
  ],
  3: [
    ["SCR_EL3", R.SCR_EL3],
    ["SCTLR_EL3", R.SCTLR_EL3],
    ["TCR_EL3", R.TCR_EL3],
    ["TTBR0_EL3", R.TTBR0_EL3],
    ["VBAR_EL3", R.VBAR_EL3],
    ["ESR_EL3", R.ESR_EL3],
    ["ELR_EL3", R.ELR_EL3],
    ["FAR_EL3", R.FAR_EL3],
  ],
};
const COLUMNS = 4;

/** A 64-bit slot as 16 hexadecimal digits. */
export function hex64(state: PeState, offset: number): string {
  const half = (word: number): string => (word >>> 0).toString(16).padStart(8, "0");
  return half(state.high(offset)) + half(state.word(offset));
}

/** A PE as people want to see it. */
export interface PeReport {
  readonly index: number;
  readonly power: "on" | "off" | "starting";
  readonly waiting: boolean;
  readonly level: number;
  /** "EL1h", with the Security state where there are two. */
  readonly mode: string;
  /** "N-C-", "DAIF": letters of those that are set. */
  readonly flags: string;
  readonly masks: string;
  /** 16 hexadecimal digits each. */
  readonly pc: string;
  readonly registers: readonly (readonly [name: string, value: string])[];
  /** Of each exception level that the PE has, from 1. */
  readonly system: readonly (readonly [name: string, value: string])[];
}

export function peReport(state: PeState, index: number): PeReport {
  const flag = (name: string, set: boolean): string => (set ? name : "-");
  const flags =
    flag("N", state.word(NF) < 0) +
    flag("Z", state.word(ZF) === 0) +
    flag("C", state.word(CF) !== 0) +
    flag("V", state.word(VF) < 0);
  const daif = state.word(DAIF);
  const masks = Array.from("DAIF", (name, i) => flag(name, ((daif >> (9 - i)) & 1) === 1)).join("");
  const world = haveEL(state, 3) ? ` ${state.word(SECURE) ? "Secure" : "Non-secure"}` : "";
  const mode = `EL${state.word(EL)}${state.word(SPSEL) ? "h" : "t"}${world}`;
  const registers = [
    ...Array.from({ length: 31 }, (_, n) => [`X${n}`, X + n * 8] as const),
    ["SP", X + SLOT_SP * 8] as const,
  ];
  const system = ([1, 2, 3] as const).flatMap((el) => (haveEL(state, el) ? SYSTEM[el] : []));
  const valued = (list: readonly (readonly [string, number])[]): PeReport["registers"] =>
    list.map(([name, offset]) => [name, hex64(state, offset)] as const);
  return {
    ...{ index, flags, masks, mode, level: state.word(EL), pc: hex64(state, PC) },
    power: (["on", "off", "starting"] as const)[state.word(POWER)] ?? "on",
    waiting: state.word(HALTED) !== 0,
    registers: valued(registers),
    system: valued(system),
  };
}

/** Registers of one PE, a few to a line. */
export function registersOf(state: PeState, index: number): string {
  const { power, waiting, pc, flags, masks, mode, registers, system } = peReport(state, index);
  const lines = [`CPU ${index}${power === "on" ? "" : `, ${power}`}${waiting ? ", waiting" : ""}`];
  lines.push(`PC=${pc} ${flags} ${masks} ${mode}`);
  for (const row of rows([...registers, ...system])) {
    lines.push(row.map(([name, value]) => `${name.padStart(9)}=${value}`).join(" "));
  }
  return lines.join("\n");
}

function rows<T>(items: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(items.length / COLUMNS) }, (_, i) =>
    items.slice(i * COLUMNS, (i + 1) * COLUMNS),
  );
}

/** A map of the physical address space, by address. */
export function memoryMapOf(windows: readonly { name: string; base: number; size: number; note?: string }[]): string {
  const hex = (n: number): string => n.toString(16).padStart(12, "0");
  return [...windows]
    .sort((a, b) => a.base - b.base)
    .map(({ name, base, size, note }) => `${hex(base)}-${hex(base + size - 1)} ${name}${note ? ` (${note})` : ""}`)
    .join("\n");
}
