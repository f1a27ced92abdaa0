import type { Builder, I32, Value } from "../../ir/builder.ts";
import { CONDITIONS, insn } from "../format.ts";
import { type Row, row } from "../row.ts";
import { fill, vfpExpandImm } from "./encoding.ts";
import { type Fsize, fp, fpAbs, fpNeg, fpZero, getFp, precisions, ROUNDING, setFp } from "./float.ts";
import * as text from "./text.ts";

// Scalar floating point: data-processing, compare, conditional select, immediate (Arm ARM C4.1.96, "Data Processing --
// Scalar Floating-Point and Advanced SIMD"). Conversions are in scalar-float-convert.ts.

type Op1 = (b: Builder, e: Fsize, x: Value) => Value;
type Op2 = (b: Builder, e: Fsize, x: Value, y: Value) => Value;

/** Data-processing (1 source). */
function oneSource(mnemonic: string, opcode: string, op: Op1): Row[] {
  return precisions((p) =>
    row({
      ...p.named(`${mnemonic}_float`),
      asm: `${mnemonic} (scalar)`,
      bits: p.bits(fill("000111100P1------10000nnnnnddddd", opcode)),
      fp: true,
      ops: { d: "v", n: "v" },
      execute(b, o, s) {
        const e = p.esize(s);
        setFp(b, e, o.d, op(b, e, getFp(b, e, o.n)));
      },
      text: (f) => insn(mnemonic.toLowerCase(), text.s(f.d, p.esize(f)), text.s(f.n, p.esize(f))),
    }),
  );
}

const round =
  (rounding: number, exact = 0): Op1 =>
  (b, e, x) =>
    fp(b, "fpRoundInt", e, x, b.const32(rounding), b.const32(exact));

const ONE_SOURCE: readonly Row[] = [
  ...oneSource("FMOV", "000000", (_b, _e, x) => x),
  ...oneSource("FABS", "000001", fpAbs),
  ...oneSource("FNEG", "000010", fpNeg),
  ...oneSource("FSQRT", "000011", (b, e, x) => fp(b, "fpSqrt", e, x)),
  ...oneSource("FRINTN", "001000", round(ROUNDING.N)),
  ...oneSource("FRINTP", "001001", round(ROUNDING.P)),
  ...oneSource("FRINTM", "001010", round(ROUNDING.M)),
  ...oneSource("FRINTZ", "001011", round(ROUNDING.Z)),
  ...oneSource("FRINTA", "001100", round(ROUNDING.A)),
  ...oneSource("FRINTX", "001110", round(ROUNDING.FPCR, 1)),
  ...oneSource("FRINTI", "001111", round(ROUNDING.FPCR)),
];

/** FRINT32Z and its kin: to an integral number that fits `intsize` bits. */
function roundToSize(mnemonic: string, opcode: string, rounding: number, intsize: number): Row {
  const esize = (s: { readonly P: number }) => (s.P ? 64 : 32);
  return row({
    id: `${mnemonic}_float`,
    asm: `${mnemonic} (scalar)`,
    bits: fill("000111100P1------10000nnnnnddddd", opcode),
    feat: "FRINTTS",
    fp: true,
    ops: { d: "v", n: "v" },
    execute(b, o, s) {
      const e = esize(s);
      setFp(b, e, o.d, fp(b, "fpRoundIntN", e, getFp(b, e, o.n), b.const32(rounding), b.const32(intsize)));
    },
    text: (f) => insn(mnemonic.toLowerCase(), text.s(f.d, esize(f)), text.s(f.n, esize(f))),
  });
}

const ROUND_TO_SIZE: readonly Row[] = [
  roundToSize("FRINT32Z", "010000", ROUNDING.Z, 32),
  roundToSize("FRINT32X", "010001", ROUNDING.FPCR, 32),
  roundToSize("FRINT64Z", "010010", ROUNDING.Z, 64),
  roundToSize("FRINT64X", "010011", ROUNDING.FPCR, 64),
];

/** FCVT between precisions; half precision needs no feature here. */
function convertPrecision(from: Fsize, to: Fsize): Row {
  const code = { 16: "11", 32: "00", 64: "01" } as const;
  return row({
    id: `FCVT_${from}to${to}`,
    asm: "FCVT",
    bits: fill("00011110--10001--10000nnnnnddddd", code[from] + code[to]),
    fp: true,
    ops: { d: "v", n: "v" },
    execute: (b, o) => setFp(b, to, o.d, b.call(`fpConvert${from}to${to}`, getFp(b, from, o.n))),
    text: (f) => insn("fcvt", text.s(f.d, to), text.s(f.n, from)),
  });
}

const SIZES = [16, 32, 64] as const;
const CONVERT_PRECISION = SIZES.flatMap((from) =>
  SIZES.filter((to) => to !== from).map((to) => convertPrecision(from, to)),
);

/** Data-processing (2 source). */
function twoSource(mnemonic: string, opcode: string, op: Op2): Row[] {
  return precisions((p) =>
    row({
      ...p.named(`${mnemonic}_float`),
      asm: `${mnemonic} (scalar)`,
      bits: p.bits(fill("000111100P1mmmmm----10nnnnnddddd", opcode)),
      fp: true,
      ops: { d: "v", n: "v", m: "v" },
      execute(b, o, s) {
        const e = p.esize(s);
        setFp(b, e, o.d, op(b, e, getFp(b, e, o.n), getFp(b, e, o.m)));
      },
      text(f) {
        const e = p.esize(f);
        return insn(mnemonic.toLowerCase(), text.s(f.d, e), text.s(f.n, e), text.s(f.m, e));
      },
    }),
  );
}

const call2 =
  (name: string): Op2 =>
  (b, e, x, y) =>
    fp(b, name, e, x, y);

const TWO_SOURCE: readonly Row[] = [
  ...twoSource("FMUL", "0000", call2("fpMul")),
  ...twoSource("FDIV", "0001", call2("fpDiv")),
  ...twoSource("FADD", "0010", call2("fpAdd")),
  ...twoSource("FSUB", "0011", call2("fpSub")),
  ...twoSource("FMAX", "0100", call2("fpMax")),
  ...twoSource("FMIN", "0101", call2("fpMin")),
  ...twoSource("FMAXNM", "0110", call2("fpMaxNum")),
  ...twoSource("FMINNM", "0111", call2("fpMinNum")),
  ...twoSource("FNMUL", "1000", (b, e, x, y) => fpNeg(b, e, fp(b, "fpMul", e, x, y))),
];

/** Data-processing (3 source): a + n * m with operands negated first, so that there is one rounding. */
function threeSource(mnemonic: string, o1: string, o0: string, negate: { a: boolean; n: boolean }): Row[] {
  return precisions((p) =>
    row({
      ...p.named(mnemonic),
      asm: mnemonic,
      bits: p.bits(fill("000111110P-mmmmm-aaaaannnnnddddd", o1 + o0)),
      fp: true,
      ops: { d: "v", n: "v", m: "v", a: "v" },
      execute(b, o, s) {
        const e = p.esize(s);
        const [a, n, m] = [getFp(b, e, o.a), getFp(b, e, o.n), getFp(b, e, o.m)] as const;
        const addend = negate.a ? fpNeg(b, e, a) : a;
        setFp(b, e, o.d, fp(b, "fpMulAdd", e, addend, negate.n ? fpNeg(b, e, n) : n, m));
      },
      text(f) {
        const e = p.esize(f);
        return insn(mnemonic.toLowerCase(), text.s(f.d, e), text.s(f.n, e), text.s(f.m, e), text.s(f.a, e));
      },
    }),
  );
}

const THREE_SOURCE: readonly Row[] = [
  ...threeSource("FMADD", "0", "0", { a: false, n: false }),
  ...threeSource("FMSUB", "0", "1", { a: false, n: true }),
  ...threeSource("FNMADD", "1", "0", { a: true, n: true }),
  ...threeSource("FNMSUB", "1", "1", { a: true, n: false }),
];

/** FPCompare() into the flags. */
function setCompareFlags(b: Builder, e: Fsize, x: Value, y: Value, signalAllNaNs: number): void {
  if (e !== 16) {
    b.flagsFloat(e, x, y, b.const32(signalAllNaNs));
    return;
  }
  const nzcv = fp(b, "fpCompare", e, x, y, b.const32(signalAllNaNs)) as I32;
  b.setNZCV(b.i32.shl(nzcv, b.const32(28)));
}

// E = 1: quiet NaNs are invalid, too (FCMPE, FCCMPE).

const COMPARE = precisions((p) =>
  row({
    ...p.named("FCMP"),
    asm: "FCMP, FCMPE",
    bits: p.bits("000111100P1mmmmm001000nnnnnE0000"),
    fp: true,
    ops: { n: "v", m: "v" },
    execute(b, o, s) {
      const e = p.esize(s);
      setCompareFlags(b, e, getFp(b, e, o.n), getFp(b, e, o.m), s.E);
    },
    text: (f) => insn(f.E ? "fcmpe" : "fcmp", text.s(f.n, p.esize(f)), text.s(f.m, p.esize(f))),
  }),
);

const COMPARE_ZERO = precisions((p) =>
  row({
    ...p.named("FCMP_zero"),
    asm: "FCMP, FCMPE",
    bits: p.bits("000111100P1-----001000nnnnnE1000"),
    fp: true,
    ops: { n: "v" },
    execute(b, o, s) {
      const e = p.esize(s);
      setCompareFlags(b, e, getFp(b, e, o.n), fpZero(b, e), s.E);
    },
    text: (f) => insn(f.E ? "fcmpe" : "fcmp", text.s(f.n, p.esize(f)), "#0.0"),
  }),
);

const CONDITIONAL_COMPARE = precisions((p) =>
  row({
    ...p.named("FCCMP"),
    asm: "FCCMP, FCCMPE",
    bits: p.bits("000111100P1mmmmmCCCC01nnnnnEffff"),
    fp: true,
    ops: { n: "v", m: "v", f: "u8" },
    execute(b, o, s) {
      const e = p.esize(s);
      b.if(
        b.cond(s.C),
        () => setCompareFlags(b, e, getFp(b, e, o.n), getFp(b, e, o.m), s.E),
        () => b.setNZCV(b.i32.shl(o.f, b.const32(28))),
      );
    },
    text(f) {
      const e = p.esize(f);
      const flags = `#0x${f.f.toString(16)}`;
      return insn(f.E ? "fccmpe" : "fccmp", text.s(f.n, e), text.s(f.m, e), flags, CONDITIONS[f.C] as string);
    },
  }),
);

const CONDITIONAL_SELECT = precisions((p) =>
  row({
    ...p.named("FCSEL"),
    asm: "FCSEL",
    bits: p.bits("000111100P1mmmmmCCCC11nnnnnddddd"),
    fp: true,
    ops: { d: "v", n: "v", m: "v" },
    execute(b, o, s) {
      const e = p.esize(s);
      setFp(b, e, o.d, b.select(b.cond(s.C), getFp(b, e, o.n), getFp(b, e, o.m)));
    },
    text(f) {
      const e = p.esize(f);
      return insn("fcsel", text.s(f.d, e), text.s(f.n, e), text.s(f.m, e), CONDITIONS[f.C] as string);
    },
  }),
);

const IMMEDIATE = precisions((p) =>
  row({
    ...p.named("FMOV_float_imm"),
    asm: "FMOV (scalar, immediate)",
    bits: p.bits("000111100P1iiiiiiii10000000ddddd"),
    fp: true,
    ops: { d: "v", value: "i64" },
    decode: (f) => ({ value: vfpExpandImm(f.i, p.esize(f)) }),
    execute(b, o, s) {
      const e = p.esize(s);
      setFp(b, e, o.d, e === 64 ? o.value : b.i32.wrap_i64(o.value));
    },
    text: (f) => insn("fmov", text.s(f.d, p.esize(f)), text.fpImmediate(f.i)),
  }),
);

export const SCALAR_FLOAT: readonly Row[] = [
  ...ONE_SOURCE,
  ...ROUND_TO_SIZE,
  ...CONVERT_PRECISION,
  ...TWO_SOURCE,
  ...THREE_SOURCE,
  ...COMPARE,
  ...COMPARE_ZERO,
  ...CONDITIONAL_COMPARE,
  ...CONDITIONAL_SELECT,
  ...IMMEDIATE,
];
