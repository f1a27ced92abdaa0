import { type FoundShape, shapesOf } from "../../a64/decoder.ts";
import { ALL_ROWS } from "../../a64/index.ts";
import { type Privilege, privilegeOf, type Sensitivity } from "../../a64/privilege.ts";
import type { Row } from "../../a64/row.ts";
import type { Feature } from "../../arch/features.ts";
import { sysregId } from "../../arch/sysreg-names.ts";
import { INSTRUCTION_TRAPS, READ_TRAPS, WRITE_TRAPS } from "../../cpu/sysregs/fine-grained.ts";
import { isImplementationDefined, SYSREG_ROWS } from "../../cpu/sysregs/index.ts";
import { INTERRUPT_REGISTERS } from "../../cpu/sysregs/interrupt-traps.ts";
import { ALIASES } from "../../cpu/sysregs/redirection.ts";
import type { Trap } from "../../cpu/sysregs/row.ts";
import { instructionSensitivity, registerSensitivity } from "../../cpu/sysregs/sensitivity.ts";
import { SYSTEM_ROWS } from "../../cpu/sysregs/system.ts";
import type { SystemRow } from "../../cpu/sysregs/system-row.ts";
import { accessText } from "../trace/syndrome.ts";
import { hasControl } from "./controls.ts";

/** One line of the audit: an instruction, or one direction of access to a system register. */
export interface Item {
  readonly kind: "instruction" | "register" | "system instruction";
  /** "ADD (immediate)", "MSR SCTLR_EL1", "TLBI VAE1". */
  readonly name: string;
  /** Without it the encoding is unallocated; "": Armv8.0. Names of two go by "+". */
  readonly feature: string;
  /** An instruction word of it. */
  readonly word: number;
  /** The lowest exception level that has it; 4: none. */
  readonly el: 0 | 1 | 2 | 3 | 4;
  readonly sensitive: Sensitivity | undefined;
  /** The control bits that can trap it. */
  readonly controls: readonly string[];
  readonly virtualized: string | undefined;
  /** op0:op1:CRn:CRm:op2, of accesses and system instructions. */
  readonly id?: number;
}

/** Whether EL0 cannot execute it. */
export function isPrivileged(item: Item): boolean {
  return item.el > 0;
}

/** Rt of the accesses. */
const RT = 3;

/** Everything that a PE with some features, and EL3, has, in the order of the Arm ARM's classes. */
export function auditItems(model: string, features: ReadonlySet<Feature>): Item[] {
  const has = (feature: Feature | undefined): boolean =>
    feature === undefined || feature === "base" || feature === "EL3" || features.has(feature);
  const rows = ALL_ROWS.filter((row) => has(row.feat) && !isAccess(row)).flatMap(ofRow);
  const registers = SYSREG_ROWS.filter((row) => has(row.feature) && (row.model ?? model) === model);
  const instructions = SYSTEM_ROWS.filter((row) => row.features?.every(has) ?? true);
  const items = [
    ...rows,
    ...registers.flatMap(({ name, read, write, traps, feature }) => [
      ...(read === undefined ? [] : [access(name, read, false, traps, feature)]),
      ...(write === undefined ? [] : [access(name, write, true, traps, feature)]),
    ]),
    ...(features.has("VHE") ? [...ALIASES] : []).flatMap(([alias, name]) => {
      const { read, write, traps } = registers.find((row) => row.name === name) ?? {};
      return [
        ...(read === undefined ? [] : [access(alias, 2, false, traps, "VHE")]),
        ...(write === undefined ? [] : [access(alias, 2, true, traps, "VHE")]),
      ];
    }),
    ...[...INTERRUPT_REGISTERS].flatMap(([name, { el, traps }]) => [
      ...(/_(EOIR\d|DIR|A?SGI\dR)_/.test(name) ? [] : [access(name, el, false, traps)]),
      ...(/_(IAR\d|HPPIR\d|RPR|VTR|MISR|EISR|ELRSR)_/.test(name) ? [] : [access(name, el, true, traps)]),
    ]),
    ...instructions.map(ofSystemRow),
  ];
  return items.map((item) => ({
    ...item,
    controls: [...item.controls, ...generalControls(item)].filter((name) => hasControl(name, features)),
  }));
}

/** Controls of whole groups, which no row names. */
function generalControls({ id, el }: Item): string[] {
  if (el === 2) return ["HCR_EL2.NV"];
  return el === 1 && id !== undefined && isImplementationDefined(id) ? ["HCR_EL2.TIDCP"] : [];
}

function ofSystemRow({ id, el, traps, features }: SystemRow): Item {
  const name = accessText(id, 31, true).replace(/,? xzr$/i, "");
  const { sensitive, virtualized } = instructionSensitivity(name);
  const controls = controlNames(traps, INSTRUCTION_TRAPS.get(id)?.control, true);
  const feature = (features ?? []).join("+");
  return {
    kind: "system instruction",
    name,
    feature,
    word: wordOf(id, RT, false),
    el,
    sensitive,
    controls,
    virtualized,
    id,
  };
}

/** MRS, MSR (register), SYS and its special cases are what the registers and system instructions are reached by. */
function isAccess({ id }: Row): boolean {
  return /^(MRS|MSR)(_(?!imm)|$)|^SYSL?$|^DC_/.test(id);
}

function ofRow(row: Row): Item[] {
  const sample = shapesOf(row).find((shape: FoundShape) => shape.sample !== undefined)?.sample;
  if (sample === undefined) return [];
  const { el, sensitive, controls = [], virtualized }: Privilege = privilegeOf(row);
  const feature = row.feat === "base" ? "" : row.feat;
  return [{ kind: "instruction", name: row.asm, feature, word: sample, el, sensitive, controls, virtualized }];
}

function access(
  name: string,
  el: 0 | 1 | 2 | 3,
  write: boolean,
  traps: readonly Trap[] | undefined,
  feature = "",
): Item {
  const id = sysregId(name);
  const { read: reads, write: writes, virtualized } = registerSensitivity(name);
  const control = (write ? WRITE_TRAPS : READ_TRAPS).get(id)?.control;
  return {
    kind: "register",
    name: `${write ? "MSR" : "MRS"} ${name}`,
    feature,
    word: wordOf(id, RT, !write),
    el,
    sensitive: write ? writes : reads,
    controls: controlNames(traps, control, write),
    virtualized,
    id,
  };
}

/** HCR_EL2.TVM is for writes, and TRVM for reads. */
function controlNames(traps: readonly Trap[] | undefined, fine: string | undefined, write: boolean): string[] {
  const names = (traps ?? []).flatMap(({ control }) => control.split(/, | and /)).filter(Boolean);
  const unfit = write ? "HCR_EL2.TRVM" : "HCR_EL2.TVM";
  return [...new Set([...names, ...(fine === undefined ? [] : [fine])])].filter((name) => name !== unfit);
}

function wordOf(id: number, rt: number, read: boolean): number {
  return 0xd500_0000 | (read ? 1 << 21 : 0) | (id << 5) | rt | 0;
}
