import assert from "node:assert/strict";
import { test } from "node:test";
import { Builder, type I32, type I64, type Inst, type Reg, type Value } from "../../ir/builder.ts";
import { GUEST_OPS } from "../../ir/guest-ops.ts";
import { HELPERS } from "../../ir/helpers.ts";
import { encodingOf, shapeAt, shapeCount } from "../encoding.ts";
import { operandKind, type Row } from "../row.ts";
import { SIMD_ROWS } from "./index.ts";

/** The IR of a shape: with open operands, as the interpreter wants it, or with known ones, as the translator does. */
function build(row: Row, shape: Readonly<Record<string, number>>, known: boolean): readonly Inst[] {
  const b = new Builder();
  let next = 0;
  const operands = Object.entries(row.ops).map(([name, spec]) => {
    const kind = operandKind(spec);
    switch (kind) {
      case "xr":
      case "xw":
      case "sp":
      case "v": {
        const reg: Reg = { file: kind === "v" ? "v" : "x", slot: known ? next++ : undefined, name };
        return [name, reg] as const;
      }
      case "i64":
        return [name, known ? b.const64(0) : b.emit("operand", "i64", [], { operand: name })] as const;
      default:
        return [name, known ? b.const32(0) : b.emit("operand", "i32", [], { operand: name })] as const;
    }
  });
  row.execute(b, Object.fromEntries(operands) as Record<string, Reg & I32 & I64>, shape);
  return b.insts;
}

function effects(inst: Inst): { readonly mayFault?: true; readonly writes?: true } {
  if (inst.op === "call") return HELPERS[inst.attrs.name as string] ?? {};
  const guest = (GUEST_OPS as Record<string, readonly [string, string, object]>)[inst.op];
  return guest?.[2] ?? {};
}

test("every shape of every row builds, with open and with known operands", () => {
  for (const row of SIMD_ROWS) {
    for (let i = 0; i < shapeCount(row); i++) {
      for (const known of [false, true]) {
        const insts = build(row, shapeAt(row, i), known);
        assert.ok(insts.length > 0, row.id);
        const lanes = insts
          .filter((x) => x.op === "lane")
          .map((x) => [x.attrs.name as string, x.attrs.lane as number] as const);
        for (const [name, lane] of lanes) {
          const count = Number(/x(\d+)\./.exec(name)?.[1]);
          assert.ok(lane >= 0 && lane < count, `${row.id}: lane ${lane} of ${name}`);
        }
        for (const x of insts.filter((x) => x.op === "shuffle")) {
          const lanes = x.attrs.lanes as readonly number[];
          assert.ok(lanes.length === 16 && lanes.every((l) => l >= 0 && l < 32), `${row.id}: lanes ${lanes}`);
        }
      }
    }
  }
});

test("nothing that may fault comes after the first write of a register", () => {
  for (const row of SIMD_ROWS) {
    for (let i = 0; i < shapeCount(row); i++) {
      const insts = build(row, shapeAt(row, i), false);
      const firstWrite = insts.findIndex((x) => effects(x).writes);
      const lastFault = insts.findLastIndex((x) => effects(x).mayFault);
      assert.ok(firstWrite < 0 || lastFault < firstWrite, `${row.id}: ${insts.map((x) => x.op).join(" ")}`);
    }
  }
});

test("values are used only after their definition, in the same branch", () => {
  for (const row of SIMD_ROWS) {
    for (let i = 0; i < shapeCount(row); i++) {
      const scopes: Set<Value>[] = [new Set()];
      for (const inst of build(row, shapeAt(row, i), false)) {
        for (const arg of inst.args)
          assert.ok(
            scopes.some((s) => s.has(arg)),
            `${row.id}: ${inst.op}`,
          );
        if (inst.op === "else" || inst.op === "end") scopes.pop();
        if (inst.op === "else" || inst.op === "if") scopes.push(new Set());
        if (inst.value) scopes.at(-1)?.add(inst.value);
      }
      assert.equal(scopes.length, 1, row.id);
    }
  }
});

test("identifiers are unique, every row traps with FP disabled and has text", () => {
  const ids = new Set<string>();
  for (const row of SIMD_ROWS) {
    assert.ok(!ids.has(row.id), row.id);
    ids.add(row.id);
    assert.ok(row.fp && row.text, row.id);
  }
});

test("where two patterns overlap, one refines the other", () => {
  const encodings = SIMD_ROWS.map((row) => ({ row, ...encodingOf(row) }));
  for (const [i, a] of encodings.entries()) {
    for (const b of encodings.slice(i + 1)) {
      const common = a.mask & b.mask;
      if (((a.value ^ b.value) & common) !== 0) continue;
      assert.ok(a.mask !== b.mask && (common === a.mask || common === b.mask), `${a.row.id} and ${b.row.id}`);
    }
  }
});
