// What a machine tells people about itself.

import type { PeState } from "../cpu/pe-state.ts";
import { CF, DAIF, EL, HALTED, NF, PC, POWER, SLOT_SP, SPSEL, VF, X, ZF } from "../cpu/state-layout.ts";
import { ELR_EL1, ESR_EL1, FAR_EL1, SCTLR_EL1, TCR_EL1, TTBR0_EL1, TTBR1_EL1, VBAR_EL1 } from "../cpu/sysreg-layout.ts";

/** [name, offset of a 64-bit slot] */
const SYSTEM: readonly (readonly [string, number])[] = [
  ["SCTLR_EL1", SCTLR_EL1],
  ["TCR_EL1", TCR_EL1],
  ["TTBR0_EL1", TTBR0_EL1],
  ["TTBR1_EL1", TTBR1_EL1],
  ["VBAR_EL1", VBAR_EL1],
  ["ESR_EL1", ESR_EL1],
  ["ELR_EL1", ELR_EL1],
  ["FAR_EL1", FAR_EL1],
];
const COLUMNS = 4;

/** A 64-bit slot as 16 hexadecimal digits. */
export function hex64(state: PeState, offset: number): string {
  const half = (word: number): string => (word >>> 0).toString(16).padStart(8, "0");
  return half(state.high(offset)) + half(state.word(offset));
}

/** Registers of one PE, a few to a line. */
export function registersOf(state: PeState, index: number): string {
  const flag = (name: string, set: boolean): string => (set ? name : "-");
  const flags =
    flag("N", state.word(NF) < 0) +
    flag("Z", state.word(ZF) === 0) +
    flag("C", state.word(CF) !== 0) +
    flag("V", state.word(VF) < 0);
  const daif = state.word(DAIF);
  const masks = Array.from("DAIF", (name, i) => flag(name, ((daif >> (9 - i)) & 1) === 1)).join("");
  const power = ["", ", off", ", starting"][state.word(POWER)] ?? "";
  const mode = `EL${state.word(EL)}${state.word(SPSEL) ? "h" : "t"}`;
  const registers = [
    ...Array.from({ length: 31 }, (_, n) => [`X${n}`, X + n * 8] as const),
    ["SP", X + SLOT_SP * 8] as const,
  ];
  const lines = [`CPU ${index}${power}${state.word(HALTED) ? ", waiting" : ""}`];
  lines.push(`PC=${hex64(state, PC)} ${flags} ${masks} ${mode}`);
  for (const row of rows([...registers, ...SYSTEM])) {
    lines.push(row.map(([name, offset]) => `${name.padStart(9)}=${hex64(state, offset)}`).join(" "));
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
