import type { Builder, I32, Reg, V128 } from "../../ir/builder.ts";
import { insn } from "../format.ts";
import { type Row, row } from "../row.ts";
import { arrangement, esizeOf, type Form, fill, inForm, scalar, titled, undefinedShape, vector } from "./encoding.ts";
import { fixedToFp, fpToFixed, ROUNDING } from "./float.ts";
import type { Arrangement, Esize } from "./lanes.ts";
import { int, lowHalves, shr, wide, widen, write, writePart } from "./lanes.ts";
import { clamp, type Narrowing } from "./saturate.ts";
import { insertMask, shiftLeftSat, shiftLeftUnsignedSat, shiftRight, shiftRightRounding } from "./shift.ts";
import * as text from "./text.ts";

// Advanced SIMD shift by immediate, and scalar shift by immediate. The highest one of immh tells the size of the elements, which
// is the variant; the amount is an operand.

const PATTERN = "0Q-011110hhhhbbb-----1nnnnnddddd";
const ALL = [8, 16, 32, 64] as const;

interface Fields {
  readonly Q: number;
  readonly h: number;
  readonly b: number;
  readonly n: number;
  readonly d: number;
}

function esizeOfImmh(f: Fields): Esize {
  return esizeOf(31 - Math.clz32(f.h));
}

/** To the right by 1 to esize, to the left by 0 to esize - 1. */
function rightAmount(f: Fields): number {
  return 2 * esizeOfImmh(f) - ((f.h << 3) | f.b);
}
function leftAmount(f: Fields): number {
  return ((f.h << 3) | f.b) - esizeOfImmh(f);
}

/** What the operand of a shift is, and what the disassembler shows. */
interface Amount {
  readonly shown: (f: Fields) => number;
  readonly operand: (f: Fields) => number;
}
/** One less than the amount, for shifts that do the last place apart. */
const RIGHT: Amount = { shown: rightAmount, operand: (f) => rightAmount(f) - 1 };
/** An arithmetic shift by all places is one by all but one. */
const ARITHMETIC: Amount = { shown: rightAmount, operand: (f) => Math.min(rightAmount(f), esizeOfImmh(f) - 1) };
const NARROW: Amount = { shown: rightAmount, operand: rightAmount };
const LEFT: Amount = { shown: leftAmount, operand: leftAmount };

interface Shift {
  readonly mnemonic: string;
  readonly u: 0 | 1;
  readonly opcode: string;
  readonly scalar: readonly Esize[];
  readonly amount: Amount;
  readonly op: (b: Builder, a: Arrangement, x: V128, n: I32, d: Reg) => V128;
}

function shiftRows(spec: Shift): Row[] {
  const make = (form: Form, sizes: readonly Esize[]) =>
    row({
      ...titled(spec.mnemonic, form),
      id: `${titled(spec.mnemonic, form).id}_imm`,
      bits: inForm(fill(PATTERN, spec.u + spec.opcode), form),
      fp: true,
      ops: { d: "v", n: "v", amount: "u8" },
      variants: 4,
      decode(f) {
        if (f.h === 0 || !sizes.includes(esizeOfImmh(f))) return "unallocated";
        if (form === "vector" && esizeOfImmh(f) === 64 && !f.Q) return "unallocated";
        return { variant: Math.log2(esizeOfImmh(f) / 8), amount: spec.amount.operand(f) };
      },
      execute(b, o, s) {
        const a = arrangement(form, s.Q, esizeOf(s.variant));
        if (!sizes.includes(a.esize)) return undefinedShape(b);
        write(b, o.d, spec.op(b, a, b.getV(o.n), o.amount, o.d), a.datasize);
      },
      text(f) {
        const a = arrangement(form, f.Q, esizeOfImmh(f));
        return insn(spec.mnemonic.toLowerCase(), text.v(f.d, a), text.v(f.n, a), `#${spec.amount.shown(f)}`);
      },
    });
  return [make("vector", ALL), make("scalar", spec.scalar)];
}

const accumulate =
  (op: Shift["op"]): Shift["op"] =>
  (b, a, x, n, d) =>
    int(b, a.esize).add(b.getV(d), op(b, a, x, n, d));

const insert =
  (left: boolean): Shift["op"] =>
  (b, a, x, n, d) => {
    const shifted = left ? int(b, a.esize).shl(x, n) : shiftRight(b, a.esize, x, n, false);
    return b.v128.bitselect(shifted, b.getV(d), insertMask(b, a.esize, n, left));
  };

function signedAndUnsigned(signed: boolean): Row[] {
  const u = signed ? 0 : 1;
  const s = signed ? "S" : "U";
  const plain: Shift["op"] = (b, a, x, n) => (signed ? shr : shiftRight)(b, a.esize, x, n, signed);
  const rounding: Shift["op"] = (b, a, x, n) => shiftRightRounding(b, a.esize, x, n, signed);
  const amount = signed ? ARITHMETIC : RIGHT;
  const D = [64] as const;
  const specs: readonly Shift[] = [
    { mnemonic: `${s}SHR`, u, opcode: "00000", scalar: D, amount, op: plain },
    { mnemonic: `${s}SRA`, u, opcode: "00010", scalar: D, amount, op: accumulate(plain) },
    { mnemonic: `${s}RSHR`, u, opcode: "00100", scalar: D, amount: RIGHT, op: rounding },
    { mnemonic: `${s}RSRA`, u, opcode: "00110", scalar: D, amount: RIGHT, op: accumulate(rounding) },
    {
      mnemonic: `${s}QSHL`,
      u,
      opcode: "01110",
      scalar: ALL,
      amount: LEFT,
      op: (b, a, x, n) => shiftLeftSat(b, a, x, n, signed),
    },
  ];
  return specs.flatMap(shiftRows);
}

const OTHER_SHIFTS: readonly Shift[] = [
  { mnemonic: "SRI", u: 1, opcode: "01000", scalar: [64], amount: RIGHT, op: insert(false) },
  { mnemonic: "SHL", u: 0, opcode: "01010", scalar: [64], amount: LEFT, op: (b, a, x, n) => int(b, a.esize).shl(x, n) },
  { mnemonic: "SLI", u: 1, opcode: "01010", scalar: [64], amount: LEFT, op: insert(true) },
  { mnemonic: "SQSHLU", u: 1, opcode: "01100", scalar: ALL, amount: LEFT, op: shiftLeftUnsignedSat },
];

interface NarrowingShift {
  readonly mnemonic: string;
  readonly u: 0 | 1;
  readonly opcode: string;
  readonly rounding: boolean;
  /** Undefined: the high bits are dropped. */
  readonly saturate?: Narrowing;
}

/** SHRN and its kin: Q selects the half of the destination. */
function narrowingRows(spec: NarrowingShift): Row[] {
  const amount = spec.rounding ? RIGHT : NARROW;
  const signed = spec.saturate !== "unsigned" && spec.saturate !== undefined;
  const shifted = (b: Builder, e: Esize, x: V128, n: I32, bits: number) => {
    const w = wide(e);
    const r = spec.rounding ? shiftRightRounding(b, w, x, n, signed) : shr(b, w, x, n, signed);
    return lowHalves(b, e, spec.saturate ? clamp(b, e, r, spec.saturate, bits) : r);
  };
  const make = (form: Form) =>
    row({
      ...titled(spec.mnemonic, form),
      bits: inForm(fill(PATTERN, spec.u + spec.opcode), form),
      fp: true,
      ops: { d: "v", n: "v", amount: "u8" },
      variants: 3,
      decode(f) {
        if (f.h === 0 || f.h > 7) return "unallocated";
        return { variant: Math.log2(esizeOfImmh(f) / 8), amount: amount.operand(f) };
      },
      execute(b, o, s) {
        const e = esizeOf(s.variant);
        if (form === "vector") writePart(b, o.d, shifted(b, e, b.getV(o.n), o.amount, 128), s.Q);
        else write(b, o.d, shifted(b, e, b.getV(o.n), o.amount, 2 * e), e);
      },
      text(f) {
        const e = esizeOfImmh(f);
        const name = `${spec.mnemonic.toLowerCase()}${form === "vector" && f.Q ? "2" : ""}`;
        const source = form === "vector" ? vector(1, wide(e)) : scalar(wide(e));
        return insn(name, text.v(f.d, arrangement(form, f.Q, e)), text.v(f.n, source), `#${amount.shown(f)}`);
      },
    });
  return spec.saturate ? [make("vector"), make("scalar")] : [make("vector")];
}

const NARROWING: readonly NarrowingShift[] = [
  { mnemonic: "SHRN", u: 0, opcode: "10000", rounding: false },
  { mnemonic: "RSHRN", u: 0, opcode: "10001", rounding: true },
  { mnemonic: "SQSHRN", u: 0, opcode: "10010", rounding: false, saturate: "signed" },
  { mnemonic: "SQRSHRN", u: 0, opcode: "10011", rounding: true, saturate: "signed" },
  { mnemonic: "SQSHRUN", u: 1, opcode: "10000", rounding: false, saturate: "signedToUnsigned" },
  { mnemonic: "SQRSHRUN", u: 1, opcode: "10001", rounding: true, saturate: "signedToUnsigned" },
  { mnemonic: "UQSHRN", u: 1, opcode: "10010", rounding: false, saturate: "unsigned" },
  { mnemonic: "UQRSHRN", u: 1, opcode: "10011", rounding: true, saturate: "unsigned" },
];

/** SSHLL and USHLL: Q selects the half of the source. */
function wideningRow(signed: boolean): Row {
  const s = signed ? "s" : "u";
  return row({
    id: `${s.toUpperCase()}SHLL`,
    asm: `${s.toUpperCase()}SHLL, ${s.toUpperCase()}SHLL2`,
    bits: fill(PATTERN, `${signed ? 0 : 1}10100`),
    fp: true,
    ops: { d: "v", n: "v", amount: "u8" },
    variants: 3,
    decode(f) {
      if (f.h === 0 || f.h > 7) return "unallocated";
      return { variant: Math.log2(esizeOfImmh(f) / 8), amount: leftAmount(f) };
    },
    execute(b, o, shape) {
      const e = esizeOf(shape.variant);
      b.setV(o.d, int(b, wide(e)).shl(widen(b, e, b.getV(o.n), shape.Q, signed), o.amount));
    },
    text(f) {
      const e = esizeOfImmh(f);
      const two = f.Q ? "2" : "";
      const regs = [text.v(f.d, vector(1, wide(e))), text.v(f.n, vector(f.Q, e))];
      if (leftAmount(f) === 0) return insn(`${s}xtl${two}`, ...regs);
      return insn(`${s}shll${two}`, ...regs, `#${leftAmount(f)}`);
    },
  });
}

/** SCVTF, UCVTF, FCVTZS, FCVTZU with fraction bits. */
function fixedPointRows(mnemonic: string, u: 0 | 1, opcode: string, toFixed: boolean): Row[] {
  const convert = (b: Builder, a: Arrangement, x: V128, fbits: I32) =>
    toFixed ? fpToFixed(b, a, x, fbits, b.const32(u), b.const32(ROUNDING.Z)) : fixedToFp(b, a, x, fbits, b.const32(u));
  const asText = (form: Form, f: Fields, e: Esize, fbits: number) => {
    const a = arrangement(form, f.Q, e);
    return insn(mnemonic.toLowerCase(), text.v(f.d, a), text.v(f.n, a), `#${fbits}`);
  };
  const make = (form: Form) => [
    row({
      id: `${titled(mnemonic, form).id}_fix`,
      asm: `${mnemonic} (vector, fixed-point)`,
      bits: inForm(fill(PATTERN, u + opcode), form),
      fp: true,
      ops: { d: "v", n: "v", fbits: "u8" },
      variants: 2,
      decode(f) {
        if (f.h < 4 || (form === "vector" && f.h > 7 && !f.Q)) return "unallocated";
        return { variant: f.h > 7 ? 1 : 0, fbits: rightAmount(f) };
      },
      execute(b, o, s) {
        const a = arrangement(form, s.Q, s.variant ? 64 : 32);
        write(b, o.d, convert(b, a, b.getV(o.n), o.fbits), a.datasize);
      },
      text: (f) => asText(form, f, esizeOfImmh(f), rightAmount(f)),
    }),
    row({
      id: `${titled(mnemonic, form).id}_fix_h`,
      asm: `${mnemonic} (vector, fixed-point)`,
      bits: inForm(fill("0Q-011110001bbbb-----1nnnnnddddd", u + opcode), form),
      feat: "FP16",
      fp: true,
      ops: { d: "v", n: "v", fbits: "u8" },
      decode: (f) => ({ fbits: 16 - f.b }),
      execute(b, o, s) {
        const a = arrangement(form, s.Q, 16);
        write(b, o.d, convert(b, a, b.getV(o.n), o.fbits), a.datasize);
      },
      text: (f) => asText(form, { ...f, h: 2 }, 16, 16 - f.b),
    }),
  ];
  return [...make("vector"), ...make("scalar")];
}

export const SHIFT_IMMEDIATE: readonly Row[] = [
  ...signedAndUnsigned(true),
  ...signedAndUnsigned(false),
  ...OTHER_SHIFTS.flatMap(shiftRows),
  ...NARROWING.flatMap(narrowingRows),
  wideningRow(true),
  wideningRow(false),
  ...fixedPointRows("SCVTF", 0, "11100", false),
  ...fixedPointRows("UCVTF", 1, "11100", false),
  ...fixedPointRows("FCVTZS", 0, "11111", true),
  ...fixedPointRows("FCVTZU", 1, "11111", true),
];
