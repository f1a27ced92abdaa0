import { sysregId } from "../../arch/sysreg-names.ts";
import { SYSREG_ROWS } from "../../cpu/sysregs/index.ts";
import type { Trap } from "../../cpu/sysregs/row.ts";
import { SYSTEM_ROWS } from "../../cpu/sysregs/system.ts";

let byId: Map<number, readonly Trap[]> | undefined;

/** The controls that can trap an access to a system register, or a system instruction, to an exception level: "HCR_EL2.TVM, ...". */
export function controlsOf(id: number, level: number): string {
  byId ??= new Map([
    ...SYSREG_ROWS.map((row) => [sysregId(row.name), row.traps ?? []] as const),
    ...SYSTEM_ROWS.map((row) => [row.id, row.traps ?? []] as const),
  ]);
  const names = (byId.get(id) ?? []).flatMap(({ control }) => control.split(", "));
  return [...new Set(names.filter((name) => name.includes(`_EL${level}.`)))].join(", ");
}
