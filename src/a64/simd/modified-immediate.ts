import type { Builder, V128 } from "../../ir/builder.ts";
import { insn } from "../format.ts";
import { type Imm64, type Row, row } from "../row.ts";
import { fill, vector, vfpExpandImm } from "./encoding.ts";
import { write } from "./lanes.ts";
import * as text from "./text.ts";

// Advanced SIMD modified immediate: MOVI, MVNI, ORR, BIC, FMOV (vector, immediate).
// One row for each op:cmode, because what they mean has nothing of a field.

/** AdvSIMDExpandImm(). */
export function advSimdExpandImm(op: number, cmode: number, imm8: number): Imm64 {
  const twice = (word: number): Imm64 => ({ lo: word | 0, hi: word | 0 });
  switch (cmode >> 1) {
    case 0:
    case 1:
    case 2:
    case 3:
      return twice(imm8 << ((cmode >> 1) * 8));
    case 4:
      return twice(imm8 | (imm8 << 16));
    case 5:
      return twice((imm8 << 8) | (imm8 << 24));
    case 6:
      return twice(cmode & 1 ? (imm8 << 16) | 0xffff : (imm8 << 8) | 0xff);
    default:
      if (!(cmode & 1)) return op ? { lo: byteMask(imm8 & 15), hi: byteMask(imm8 >> 4) } : twice(imm8 * 0x01010101);
      return op ? vfpExpandImm(imm8, 64) : twice(vfpExpandImm(imm8, 32).lo);
  }
}

/** A byte of ones for each one among the four bits. */
function byteMask(bits: number): number {
  return [0, 1, 2, 3].reduce((word, i) => word | (bits & (1 << i) ? 0xff << (i * 8) : 0), 0);
}

type Operation = "MOVI" | "MVNI" | "ORR" | "BIC" | "FMOV";

function operationOf(op: number, cmode: number): Operation {
  if (cmode === 15) return "FMOV";
  if (cmode < 12 && cmode & 1) return op ? "BIC" : "ORR";
  return op && cmode !== 14 ? "MVNI" : "MOVI";
}

const EXECUTE: Readonly<Record<Operation, (b: Builder, d: () => V128, imm: V128) => V128>> = {
  MOVI: (_b, _d, imm) => imm,
  FMOV: (_b, _d, imm) => imm,
  MVNI: (b, _d, imm) => b.v128.not(imm),
  ORR: (b, d, imm) => b.v128.or(d(), imm),
  BIC: (b, d, imm) => b.v128.andnot(d(), imm),
};

function hex64(v: Imm64): string {
  const word = (w: number) => (w >>> 0).toString(16).padStart(8, "0");
  return `0x${`${word(v.hi)}${word(v.lo)}`.replace(/^0+(?=.)/, "")}`;
}

/** The operands of GNU's disassembly: the eight bits, and how they are shifted. */
function operandsText(op: number, cmode: number, q: number, d: number, imm8: number): string[] {
  const esize = cmode === 15 ? (op ? 64 : 32) : cmode < 8 || cmode >> 1 === 6 ? 32 : cmode < 12 ? 16 : op ? 64 : 8;
  const reg = esize === 64 && !q ? text.s(d, 64) : text.v(d, vector(q, esize));
  if (cmode === 15) return [reg, text.fpImmediate(imm8)];
  if (cmode === 14 && op) return [reg, `#${hex64(advSimdExpandImm(op, cmode, imm8))}`];
  const amount = cmode < 8 ? (cmode >> 1) * 8 : cmode < 12 ? ((cmode >> 1) & 1) * 8 : ((cmode & 1) + 1) * 8;
  const kind = cmode >> 1 === 6 ? "msl" : "lsl";
  const shift = cmode === 14 || amount === 0 ? "" : `${kind} #${amount}`;
  return [reg, `#0x${imm8.toString(16)}`, shift];
}

function modifiedImmediate(op: number, cmode: number): Row {
  const operation = operationOf(op, cmode);
  return row({
    id: `${operation}_vec_imm_${op}_${cmode}`,
    asm: `${operation} (vector, immediate)`,
    bits: fill("0Q-0111100000aaa----01aaaaaddddd", `${op}${cmode.toString(2).padStart(4, "0")}`),
    fp: true,
    ops: { d: "v", value: "i64" },
    decode: (f) => (op && cmode === 15 && !f.Q ? "unallocated" : { value: advSimdExpandImm(op, cmode, f.a) }),
    execute: (b, o, s) =>
      write(
        b,
        o.d,
        EXECUTE[operation](b, () => b.getV(o.d), b.i64x2.splat(o.value)),
        s.Q ? 128 : 64,
      ),
    text: (f) => insn(operation.toLowerCase(), ...operandsText(op, cmode, f.Q, f.d, f.a)),
  });
}

const FMOV_HALF = row({
  id: "FMOV_vec_imm_h",
  asm: "FMOV (vector, immediate)",
  bits: "0Q00111100000aaa111111aaaaaddddd",
  feat: "FP16",
  fp: true,
  ops: { d: "v", value: "i32" },
  decode: (f) => ({ value: vfpExpandImm(f.a, 16).lo }),
  execute: (b, o, s) => write(b, o.d, b.i16x8.splat(o.value), s.Q ? 128 : 64),
  text: (f) => insn("fmov", text.v(f.d, vector(f.Q, 16)), text.fpImmediate(f.a)),
});

export const MODIFIED_IMMEDIATE: readonly Row[] = [
  ...[0, 1].flatMap((op) => [...Array(16).keys()].map((cmode) => modifiedImmediate(op, cmode))),
  FMOV_HALF,
];
