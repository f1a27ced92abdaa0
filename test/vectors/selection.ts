// Which instructions the vectors cover, and how each is to be fed: read off the IR that its row emits.

import { shapesOf } from "../../src/a64/decoder.ts";
import { operandKind, type Row } from "../../src/a64/row.ts";
import { Builder, type I32, type I64, type Inst, type Reg } from "../../src/ir/builder.ts";

export interface RowEffects {
  readonly memory: boolean;
  /** Where it is matters. */
  readonly placed: boolean;
  /** The address of memory is PC-relative. */
  readonly literal: boolean;
  readonly branches: "imm26" | "imm19" | "imm14" | "register" | undefined;
  readonly insts: readonly Inst[];
}

const cache = new Map<string, RowEffects>();

export function effectsOf(row: Row): RowEffects {
  const known = cache.get(row.id);
  if (known) return known;
  const insts: Inst[] = [];
  for (const { shape } of shapesOf(row)) {
    const b = new Builder();
    row.execute(b, openOperands(b, row), shape);
    insts.push(...b.insts);
    if (insts.length > 200) break;
  }
  const ops = new Set<string>(insts.map((i) => i.op));
  const calls = new Set(insts.map((i) => i.attrs.name));
  const memory =
    ["load", "store", "probeWrite"].some((op) => ops.has(op)) || calls.has("zeroBlock") || calls.has("storeExclusive");
  const top = row.bits.slice(0, 8);
  const branches = ops.has("branchTo")
    ? "register"
    : !ops.has("branch") && !ops.has("branchIf")
      ? undefined
      : top.slice(1, 6) === "00101"
        ? "imm26"
        : /011011/.test(row.bits.slice(1, 7))
          ? "imm14"
          : "imm19";
  const literal = memory && ops.has("pc");
  const effects: RowEffects = { memory, placed: ops.has("pc") || branches !== undefined, literal, branches, insts };
  cache.set(row.id, effects);
  return effects;
}

/** Operands whose values are not known, as the interpreter's handlers have them. */
function openOperands(b: Builder, row: Row): Record<string, Reg & I32 & I64> {
  return Object.fromEntries(
    Object.entries(row.ops).map(([name, spec]) => {
      const kind = operandKind(spec);
      const register = kind === "xr" || kind === "xw" || kind === "sp" || kind === "v";
      const operand = register
        ? { file: kind === "v" ? "v" : "x", slot: undefined, name }
        : b.emit("operand", kind === "i64" ? "i64" : "i32", [], { operand: name });
      return [name, operand as Reg & I32 & I64];
    }),
  );
}

/** Why the vectors leave an instruction out, or undefined. */
export function excluded(row: Row): string | undefined {
  const { insts } = effectsOf(row);
  if (insts.some((i) => i.op === "host" || i.op === "hostIf"))
    return "needs an exception level above EL0, or an operating system";
  if (insts.some((i) => i.op === "exception")) return "takes an exception";
  if (insts.some((i) => /PAC|pac/.test(i.attrs.name ?? "")))
    return "the oracle's keys are random: see the pointer authentication tests";
  if (/^(RETA|BRA|BLRA|LDRA)/.test(row.id)) return "pointer authentication";
  // MRS and MSR of a register with op1 = 0.
  if (/^1101010100.1.000/.test(row.bits)) return "undefined at EL0, where the oracle runs";
  return undefined;
}
