import type { Builder, I32, I64, V128, Value } from "../../ir/builder.ts";
import { insn } from "../format.ts";
import { type Row, row } from "../row.ts";
import { type Form, fill, vector } from "./encoding.ts";
import {
  type Fsize,
  fixedToFp,
  fp,
  fpAbsolutes,
  fpLanes,
  fpMasks,
  fpNegs,
  fpToFixed,
  fpVector,
  getFp,
  ROUNDING,
  setFp,
} from "./float.ts";
import { BOTH_FORMS, type FloatArrangement, floatForms, SCALAR_ONLY, VECTOR_ONLY } from "./float-forms.ts";
import { build, type Esize, elements, extract, permute, replace, wide, write, writePart } from "./lanes.ts";
import * as text from "./text.ts";

// Advanced SIMD two-register miscellaneous, and scalar two-register miscellaneous: floating-point elements; half precision is a
// class of its own (Arm ARM C4.1.96).

type Op = (b: Builder, a: FloatArrangement, x: V128) => V128;

interface TwoRegister {
  readonly mnemonic: string;
  /** U, bit 23 (a), and the opcode. */
  readonly select: readonly [u: string, a: string, opcode: string];
  readonly op: Op;
  readonly forms?: readonly Form[];
  /** Compared with zero. */
  readonly zero?: true;
}

const CLASS = { singleDouble: "0Q-01110-P10000-----10nnnnnddddd", half: "0Q-01110-111100-----10nnnnnddddd" } as const;

function twoRegister({ mnemonic, select, op, forms = VECTOR_ONLY, zero }: TwoRegister): Row[] {
  return floatForms(CLASS, forms, (form) =>
    row({
      ...form.named(mnemonic, zero ? "_zero" : ""),
      bits: form.bits(select.join("")),
      fp: true,
      ops: { d: "v", n: "v" },
      decode: form.decode,
      execute(b, o, s) {
        const a = form.arrangement(s);
        write(b, o.d, op(b, a, b.getV(o.n)), a.datasize);
      },
      text(f) {
        const a = form.arrangement(f);
        return insn(mnemonic.toLowerCase(), text.v(f.d, a), text.v(f.n, a), zero ? "#0.0" : "");
      },
    }),
  );
}

const call =
  (name: string): Op =>
  (b, a, x) =>
    fpVector(b, name, a, [x]);

/** FRECPE and its kin, element by element. */
const estimates =
  (name: string): Op =>
  (b, a, x) =>
    fpLanes(b, a, [x], (v) => fp(b, name, a.esize, v as Value));

const round =
  (rounding: number, exact = 0): Op =>
  (b, a, x) =>
    fpVector(b, "fpRoundInt", a, [x], b.const32(rounding), b.const32(exact));

const toInteger =
  (rounding: number, unsigned: number): Op =>
  (b, a, x) =>
    fpToFixed(b, a, x, b.const32(0), b.const32(unsigned), b.const32(rounding));

const fromInteger =
  (unsigned: number): Op =>
  (b, a, x) =>
    fixedToFp(b, a, x, b.const32(0), b.const32(unsigned));

const compareZero =
  (name: string): Op =>
  (b, a, x) =>
    fpMasks(b, name, a, x, b.zeroV());

const compareWithZero =
  (name: string): Op =>
  (b, a, x) =>
    fpMasks(b, name, a, b.zeroV(), x);

const both = { forms: BOTH_FORMS } as const;
const zero = { forms: BOTH_FORMS, zero: true } as const;

function conversions(mode: "N" | "P" | "M" | "Z" | "A", a: string, opcode: string): TwoRegister[] {
  return [0, 1].map((u) => ({
    mnemonic: `FCVT${mode}${u ? "U" : "S"}`,
    select: [String(u), a, opcode],
    op: toInteger(ROUNDING[mode], u),
    ...both,
  }));
}

const SPECS: readonly TwoRegister[] = [
  { mnemonic: "FCMGT", select: ["0", "1", "01100"], op: compareZero("fpCmpGT"), ...zero },
  { mnemonic: "FCMGE", select: ["1", "1", "01100"], op: compareZero("fpCmpGE"), ...zero },
  { mnemonic: "FCMEQ", select: ["0", "1", "01101"], op: compareZero("fpCmpEQ"), ...zero },
  { mnemonic: "FCMLE", select: ["1", "1", "01101"], op: compareWithZero("fpCmpGE"), ...zero },
  { mnemonic: "FCMLT", select: ["0", "1", "01110"], op: compareWithZero("fpCmpGT"), ...zero },
  { mnemonic: "FABS", select: ["0", "1", "01111"], op: (b, a, x) => fpAbsolutes(b, a.esize, x) },
  { mnemonic: "FNEG", select: ["1", "1", "01111"], op: (b, a, x) => fpNegs(b, a.esize, x) },
  { mnemonic: "FRINTN", select: ["0", "0", "11000"], op: round(ROUNDING.N) },
  { mnemonic: "FRINTM", select: ["0", "0", "11001"], op: round(ROUNDING.M) },
  { mnemonic: "FRINTP", select: ["0", "1", "11000"], op: round(ROUNDING.P) },
  { mnemonic: "FRINTZ", select: ["0", "1", "11001"], op: round(ROUNDING.Z) },
  { mnemonic: "FRINTA", select: ["1", "0", "11000"], op: round(ROUNDING.A) },
  { mnemonic: "FRINTX", select: ["1", "0", "11001"], op: round(ROUNDING.FPCR, 1) },
  { mnemonic: "FRINTI", select: ["1", "1", "11001"], op: round(ROUNDING.FPCR) },
  ...conversions("N", "0", "11010"),
  ...conversions("M", "0", "11011"),
  ...conversions("A", "0", "11100"),
  ...conversions("P", "1", "11010"),
  ...conversions("Z", "1", "11011"),
  { mnemonic: "SCVTF", select: ["0", "0", "11101"], op: fromInteger(0), ...both },
  { mnemonic: "UCVTF", select: ["1", "0", "11101"], op: fromInteger(1), ...both },
  { mnemonic: "FRECPE", select: ["0", "1", "11101"], op: estimates("fpRecipEstimate"), ...both },
  { mnemonic: "FRSQRTE", select: ["1", "1", "11101"], op: estimates("fpRSqrtEstimate"), ...both },
  { mnemonic: "FRECPX", select: ["0", "1", "11111"], op: estimates("fpRecpX"), forms: SCALAR_ONLY },
  { mnemonic: "FSQRT", select: ["1", "1", "11111"], op: call("fpSqrt") },
];

/** FRINT32Z and its kin: single and double precision only. */
function roundToSize(mnemonic: string, u: string, opcode: string, rounding: number, intsize: number): Row[] {
  return floatForms(
    CLASS,
    VECTOR_ONLY,
    (form) =>
      row({
        ...form.named(mnemonic),
        bits: form.bits(`${u}0${opcode}`),
        feat: "FRINTTS",
        fp: true,
        ops: { d: "v", n: "v" },
        decode: form.decode,
        execute(b, o, s) {
          const a = form.arrangement(s);
          const r = fpLanes(b, a, [b.getV(o.n)], (v) =>
            fp(b, "fpRoundIntN", a.esize, v as Value, b.const32(rounding), b.const32(intsize)),
          );
          write(b, o.d, r, a.datasize);
        },
        text(f) {
          const a = form.arrangement(f);
          return insn(mnemonic.toLowerCase(), text.v(f.d, a), text.v(f.n, a));
        },
      }),
    false,
  );
}

/** URECPE and URSQRTE: of unsigned words. */
function estimate(mnemonic: string, u: string, helper: string): Row {
  return row({
    id: mnemonic,
    asm: mnemonic,
    bits: fill("0Q-01110101000011100 10nnnnnddddd", u),
    fp: true,
    ops: { d: "v", n: "v" },
    execute(b, o, s) {
      const a = vector(s.Q, 32);
      write(
        b,
        o.d,
        fpLanes(b, a, [b.getV(o.n)], (v) => b.call(helper, v as Value)),
        a.datasize,
      );
    },
    text: (f) => insn(mnemonic.toLowerCase(), text.v(f.d, vector(f.Q, 32)), text.v(f.n, vector(f.Q, 32))),
  });
}

/** The narrow size of FCVTL, FCVTN: half or single precision. */
const narrowOf = (f: { readonly P: number }): Fsize => (f.P ? 32 : 16);

/** FCVTL: Q selects the half of the source. */
const FCVTL = row({
  id: "FCVTL",
  asm: "FCVTL, FCVTL2",
  bits: "0Q0011100P10000 10111 10nnnnnddddd",
  fp: true,
  ops: { d: "v", n: "v" },
  execute(b, o, s) {
    const e = narrowOf(s);
    const a = vector(1, wide(e));
    const x = b.getV(o.n);
    if (e === 32) {
      b.setV(o.d, b.call<"v128">("fpConvert32to64x2", s.Q ? permute(b, 64, x, x, [1, 1]) : x));
      return;
    }
    const first = s.Q ? elements(a) : 0;
    b.setV(
      o.d,
      build(b, a, (i) => b.call(`fpConvert${e}to${wide(e)}`, extract(b, e, x, first + i))),
    );
  },
  text: (f) =>
    insn(f.Q ? "fcvtl2" : "fcvtl", text.v(f.d, vector(1, wide(narrowOf(f)))), text.v(f.n, vector(f.Q, narrowOf(f)))),
});

/** The elements of `x`, of size 2e, converted; they fill the low 64 bits. */
function narrowed(b: Builder, e: Esize, x: V128, convert: (v: Value) => Value): V128 {
  let r = b.zeroV();
  for (let i = 0; i < 64 / e; i++) r = replace(b, e, r, i, convert(extract(b, wide(e), x, i)));
  return r;
}

/** FCVTN: Q selects the half of the destination. */
const FCVTN = row({
  id: "FCVTN",
  asm: "FCVTN, FCVTN2",
  bits: "0Q0011100P10000 10110 10nnnnnddddd",
  fp: true,
  ops: { d: "v", n: "v" },
  execute(b, o, s) {
    const e = narrowOf(s);
    if (e === 32) {
      writePart(b, o.d, b.call<"v128">("fpConvert64to32x2", b.getV(o.n)), s.Q);
      return;
    }
    writePart(
      b,
      o.d,
      narrowed(b, e, b.getV(o.n), (v) => b.call(`fpConvert${wide(e)}to${e}`, v)),
      s.Q,
    );
  },
  text: (f) =>
    insn(f.Q ? "fcvtn2" : "fcvtn", text.v(f.d, vector(f.Q, narrowOf(f))), text.v(f.n, vector(1, wide(narrowOf(f))))),
});

// FCVTXN: double to single precision, rounding to odd.

const roundToOdd = (b: Builder) => (v: Value) => b.call<"i32">("fpConvert64to32Odd", v as I64) as I32;

const FCVTXN: readonly Row[] = [
  row({
    id: "FCVTXN_vec",
    asm: "FCVTXN, FCVTXN2",
    bits: "0Q1011100110000 10110 10nnnnnddddd",
    fp: true,
    ops: { d: "v", n: "v" },
    execute: (b, o, s) => writePart(b, o.d, narrowed(b, 32, b.getV(o.n), roundToOdd(b)), s.Q),
    text: (f) => insn(f.Q ? "fcvtxn2" : "fcvtxn", text.v(f.d, vector(f.Q, 32)), text.v(f.n, vector(1, 64))),
  }),
  row({
    id: "FCVTXN_scalar",
    asm: "FCVTXN",
    bits: "011111100110000 10110 10nnnnnddddd",
    fp: true,
    ops: { d: "v", n: "v" },
    execute: (b, o) => setFp(b, 32, o.d, roundToOdd(b)(getFp(b, 64, o.n))),
    text: (f) => insn("fcvtxn", text.s(f.d, 32), text.s(f.n, 64)),
  }),
];

export const TWO_REGISTER_FLOAT: readonly Row[] = [
  ...SPECS.flatMap(twoRegister),
  ...roundToSize("FRINT32Z", "0", "11110", ROUNDING.Z, 32),
  ...roundToSize("FRINT64Z", "0", "11111", ROUNDING.Z, 64),
  ...roundToSize("FRINT32X", "1", "11110", ROUNDING.FPCR, 32),
  ...roundToSize("FRINT64X", "1", "11111", ROUNDING.FPCR, 64),
  estimate("URECPE", "0", "recipEstimateU32"),
  estimate("URSQRTE", "1", "rsqrtEstimateU32"),
  FCVTL,
  FCVTN,
  ...FCVTXN,
];
