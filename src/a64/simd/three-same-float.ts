import type { Builder, V128 } from "../../ir/builder.ts";
import { insn } from "../format.ts";
import { type Row, row } from "../row.ts";
import type { Form } from "./encoding.ts";
import { fpAbsolutes, fpMasks, fpNegs, fpVector } from "./float.ts";
import { BOTH_FORMS, type FloatArrangement, floatForms, VECTOR_ONLY } from "./float-forms.ts";
import { pairs, write } from "./lanes.ts";
import * as text from "./text.ts";

// Advanced SIMD three same, and scalar three same: floating-point elements; half precision is a class of its own ("three same
// (FP16)", Arm ARM C4.1.96).

/** `d`: the destination's old value, where it is accumulated. */
type Op = (b: Builder, a: FloatArrangement, x: V128, y: V128, d: V128 | undefined) => V128;

interface ThreeSame {
  readonly mnemonic: string;
  /** U, bit 23 (a), and the low three bits of the opcode. */
  readonly select: readonly [u: string, a: string, opcode: string];
  readonly op: Op;
  readonly forms?: readonly Form[];
  readonly pairwise?: true;
  readonly accumulate?: true;
}

const CLASS = { singleDouble: "0Q-01110-P1mmmmm11---1nnnnnddddd", half: "0Q-01110-10mmmmm00---1nnnnnddddd" } as const;

function threeSame({ mnemonic, select, op, forms = VECTOR_ONLY, pairwise, accumulate }: ThreeSame): Row[] {
  return floatForms(CLASS, forms, (form) =>
    row({
      ...form.named(mnemonic),
      bits: form.bits(select.join("")),
      fp: true,
      ops: { d: "v", n: "v", m: "v" },
      decode: form.decode,
      execute(b, o, s) {
        const a = form.arrangement(s);
        let [x, y] = [b.getV(o.n), b.getV(o.m)] as const;
        if (pairwise) [x, y] = pairs(b, a, x, y);
        write(b, o.d, op(b, a, x, y, accumulate && b.getV(o.d)), a.datasize);
      },
      text(f) {
        const a = form.arrangement(f);
        return insn(mnemonic.toLowerCase(), text.v(f.d, a), text.v(f.n, a), text.v(f.m, a));
      },
    }),
  );
}

const call =
  (name: string): Op =>
  (b, a, x, y) =>
    fpVector(b, name, a, [x, y]);

/** FMLA, and FMLS with the first factor negated. */
const multiplyAdd =
  (negate: boolean): Op =>
  (b, a, x, y, d) =>
    fpVector(b, "fpMulAdd", a, [d as V128, negate ? fpNegs(b, a.esize, x) : x, y]);

const compare =
  (name: string): Op =>
  (b, a, x, y) =>
    fpMasks(b, name, a, x, y);

const compareAbsolute =
  (name: string): Op =>
  (b, a, x, y) =>
    fpMasks(b, name, a, fpAbsolutes(b, a.esize, x), fpAbsolutes(b, a.esize, y));

const absDifference: Op = (b, a, x, y) => fpAbsolutes(b, a.esize, fpVector(b, "fpSub", a, [x, y]));

const both = { forms: BOTH_FORMS } as const;
const pairwise = { pairwise: true } as const;
const accumulate = { accumulate: true } as const;

const SPECS: readonly ThreeSame[] = [
  { mnemonic: "FMAXNM", select: ["0", "0", "000"], op: call("fpMaxNum") },
  { mnemonic: "FMINNM", select: ["0", "1", "000"], op: call("fpMinNum") },
  { mnemonic: "FMAXNMP", select: ["1", "0", "000"], op: call("fpMaxNum"), ...pairwise },
  { mnemonic: "FMINNMP", select: ["1", "1", "000"], op: call("fpMinNum"), ...pairwise },
  { mnemonic: "FMLA", select: ["0", "0", "001"], op: multiplyAdd(false), ...accumulate },
  { mnemonic: "FMLS", select: ["0", "1", "001"], op: multiplyAdd(true), ...accumulate },
  { mnemonic: "FADD", select: ["0", "0", "010"], op: call("fpAdd") },
  { mnemonic: "FSUB", select: ["0", "1", "010"], op: call("fpSub") },
  { mnemonic: "FADDP", select: ["1", "0", "010"], op: call("fpAdd"), ...pairwise },
  { mnemonic: "FABD", select: ["1", "1", "010"], op: absDifference, ...both },
  { mnemonic: "FMULX", select: ["0", "0", "011"], op: call("fpMulX"), ...both },
  { mnemonic: "FMUL", select: ["1", "0", "011"], op: call("fpMul") },
  { mnemonic: "FCMEQ", select: ["0", "0", "100"], op: compare("fpCmpEQ"), ...both },
  { mnemonic: "FCMGE", select: ["1", "0", "100"], op: compare("fpCmpGE"), ...both },
  { mnemonic: "FCMGT", select: ["1", "1", "100"], op: compare("fpCmpGT"), ...both },
  { mnemonic: "FACGE", select: ["1", "0", "101"], op: compareAbsolute("fpCmpGE"), ...both },
  { mnemonic: "FACGT", select: ["1", "1", "101"], op: compareAbsolute("fpCmpGT"), ...both },
  { mnemonic: "FMAX", select: ["0", "0", "110"], op: call("fpMax") },
  { mnemonic: "FMIN", select: ["0", "1", "110"], op: call("fpMin") },
  { mnemonic: "FMAXP", select: ["1", "0", "110"], op: call("fpMax"), ...pairwise },
  { mnemonic: "FMINP", select: ["1", "1", "110"], op: call("fpMin"), ...pairwise },
  { mnemonic: "FRECPS", select: ["0", "0", "111"], op: call("fpRecipStep"), ...both },
  { mnemonic: "FRSQRTS", select: ["0", "1", "111"], op: call("fpRSqrtStep"), ...both },
  { mnemonic: "FDIV", select: ["1", "0", "111"], op: call("fpDiv") },
];

export const THREE_SAME_FLOAT: readonly Row[] = SPECS.flatMap(threeSame);
