import type { Builder, I32, V128 } from "../../ir/builder.ts";
import { insn } from "../format.ts";
import { type Row, row } from "../row.ts";
import {
  arrangement,
  esizeOf,
  type Form,
  fill,
  inForm,
  reserved,
  scalar,
  titled,
  undefinedShape,
  vector,
} from "./encoding.ts";
import type { Arrangement, Esize } from "./lanes.ts";
import {
  greater,
  int,
  lowHalves,
  permute,
  range,
  shr,
  signBits,
  splatConst,
  wide,
  widen,
  write,
  writePart,
} from "./lanes.ts";
import { clamp, type Narrowing, saturateWhere } from "./saturate.ts";
import { countLeadingZeros, saturateLeast } from "./shift.ts";
import * as text from "./text.ts";

// Advanced SIMD two-register miscellaneous, and scalar two-register miscellaneous: integer elements (Arm ARM C4.1.96).

const PATTERN = "0Q-01110ZZ10000-----10nnnnnddddd";
const B = [8] as const;
const BH = [8, 16] as const;
const BHS = [8, 16, 32] as const;
const ALL = [8, 16, 32, 64] as const;
const D = [64] as const;

/** `d` gives the destination's old value. */
type Op = (b: Builder, a: Arrangement, x: V128, d: () => V128) => V128;

interface TwoRegister {
  readonly mnemonic: string;
  readonly u: 0 | 1;
  readonly opcode: string;
  readonly sizes: readonly Esize[];
  readonly scalar?: readonly Esize[];
  readonly op: Op;
  /** What the disassembler shows after the registers. */
  readonly immediate?: string;
}

function twoRegister(spec: TwoRegister): Row[] {
  const make = (form: Form, sizes: readonly Esize[]) =>
    row({
      ...titled(spec.mnemonic, form),
      id: `${titled(spec.mnemonic, form).id}${spec.immediate ? "_zero" : ""}`,
      bits: inForm(fill(PATTERN, spec.u + spec.opcode), form),
      fp: true,
      ops: { d: "v", n: "v" },
      decode: (f) => (reserved(form, f.Q, f.Z, sizes) ? "unallocated" : {}),
      execute(b, o, s) {
        const a = arrangement(form, s.Q, esizeOf(s.Z));
        if (!sizes.includes(a.esize)) return undefinedShape(b);
        write(
          b,
          o.d,
          spec.op(b, a, b.getV(o.n), () => b.getV(o.d)),
          a.datasize,
        );
      },
      text(f) {
        const a = arrangement(form, f.Q, esizeOf(f.Z));
        return insn(spec.mnemonic.toLowerCase(), text.v(f.d, a), text.v(f.n, a), spec.immediate ?? "");
      },
    });
  return [make("vector", spec.sizes), ...(spec.scalar ? [make("scalar", spec.scalar)] : [])];
}

/** The elements of each container of `bits` bits in reverse order. */
const reverse =
  (bits: number): Op =>
  (b, a, x) => {
    const last = bits / a.esize - 1;
    const order = range(128 / a.esize).map((i) => i ^ last);
    return permute(b, a.esize, x, x, order);
  };

const compareZero =
  (op: "eq" | "gt_s" | "ge_s" | "lt_s" | "le_s"): Op =>
  (b, a, x) =>
    int(b, a.esize)[op](x, b.zeroV());

const leadingSigns: Op = (b, a, x) => {
  const edges = b.v128.xor(x, shr(b, a.esize, x, b.const32(1), true));
  return int(b, a.esize).sub(countLeadingZeros(b, a, edges), splatConst(b, a.esize, 1));
};

/** SUQADD: the signed destination plus an unsigned number. It overflows if the number exceeds what is left. */
const addUnsigned: Op = (b, a, x, d) => {
  const e = a.esize;
  const most = b.v128.not(signBits(b, e));
  const acc = d();
  const over = greater(b, e, x, int(b, e).sub(most, acc), false);
  return saturateWhere(b, a, over, most, int(b, e).add(acc, x));
};

/** USQADD: the unsigned destination plus a signed number. */
const addSigned: Op = (b, a, x, d) => {
  const e = a.esize;
  const acc = d();
  const sum = int(b, e).add(acc, x);
  const negative = int(b, e).shr_s(x, b.const32(e - 1));
  const wrapped = b.v128.bitselect(greater(b, e, sum, acc, false), greater(b, e, acc, sum, false), negative);
  return saturateWhere(b, a, wrapped, b.v128.not(negative), sum);
};

const INTEGER: readonly TwoRegister[] = [
  { mnemonic: "REV64", u: 0, opcode: "00000", sizes: BHS, op: reverse(64) },
  { mnemonic: "REV32", u: 1, opcode: "00000", sizes: BH, op: reverse(32) },
  { mnemonic: "REV16", u: 0, opcode: "00001", sizes: B, op: reverse(16) },
  { mnemonic: "SUQADD", u: 0, opcode: "00011", sizes: ALL, scalar: ALL, op: addUnsigned },
  { mnemonic: "USQADD", u: 1, opcode: "00011", sizes: ALL, scalar: ALL, op: addSigned },
  { mnemonic: "CLS", u: 0, opcode: "00100", sizes: BHS, op: leadingSigns },
  { mnemonic: "CLZ", u: 1, opcode: "00100", sizes: BHS, op: countLeadingZeros },
  { mnemonic: "CNT", u: 0, opcode: "00101", sizes: B, op: (b, _a, x) => b.i8x16.popcnt(x) },
  {
    mnemonic: "SQABS",
    u: 0,
    opcode: "00111",
    sizes: ALL,
    scalar: ALL,
    op: (b, a, x) => saturateLeast(b, a, x, int(b, a.esize).abs(x)),
  },
  {
    mnemonic: "SQNEG",
    u: 1,
    opcode: "00111",
    sizes: ALL,
    scalar: ALL,
    op: (b, a, x) => saturateLeast(b, a, x, int(b, a.esize).neg(x)),
  },
  { mnemonic: "CMGT", u: 0, opcode: "01000", sizes: ALL, scalar: D, op: compareZero("gt_s"), immediate: "#0" },
  { mnemonic: "CMGE", u: 1, opcode: "01000", sizes: ALL, scalar: D, op: compareZero("ge_s"), immediate: "#0" },
  { mnemonic: "CMEQ", u: 0, opcode: "01001", sizes: ALL, scalar: D, op: compareZero("eq"), immediate: "#0" },
  { mnemonic: "CMLE", u: 1, opcode: "01001", sizes: ALL, scalar: D, op: compareZero("le_s"), immediate: "#0" },
  { mnemonic: "CMLT", u: 0, opcode: "01010", sizes: ALL, scalar: D, op: compareZero("lt_s"), immediate: "#0" },
  { mnemonic: "ABS", u: 0, opcode: "01011", sizes: ALL, scalar: D, op: (b, a, x) => int(b, a.esize).abs(x) },
  { mnemonic: "NEG", u: 1, opcode: "01011", sizes: ALL, scalar: D, op: (b, a, x) => int(b, a.esize).neg(x) },
];

/** NOT and RBIT: of bytes, selected by size. */
function bitwise(mnemonic: string, shown: string, size: string, op: (b: Builder, x: V128) => V128): Row {
  return row({
    id: `${mnemonic}_vec`,
    asm: `${mnemonic} (vector)`,
    bits: fill("0Q101110--1000000101 10nnnnnddddd", size),
    fp: true,
    ops: { d: "v", n: "v" },
    execute: (b, o, s) => write(b, o.d, op(b, b.getV(o.n)), s.Q ? 128 : 64),
    text: (f) => insn(shown, text.v(f.d, vector(f.Q, 8)), text.v(f.n, vector(f.Q, 8))),
  });
}

function reverseBits(b: Builder, x: V128): V128 {
  const reversed = (i: number) => ((i & 1) << 3) | ((i & 2) << 1) | ((i & 4) >> 1) | (i >> 3);
  const nibbles = b.constV(range(16).map(reversed));
  const low = b.i8x16.swizzle(nibbles, b.v128.and(x, splatConst(b, 8, 15)));
  const high = b.i8x16.swizzle(nibbles, b.i8x16.shr_u(x, b.const32(4)));
  return b.v128.or(b.i8x16.shl(low, b.const32(4)), high);
}

/** Sums of neighbours, twice as wide. */
function addLongPairs(b: Builder, e: Esize, x: V128, signed: boolean): V128 {
  const s = signed ? "s" : "u";
  if (e === 8) return b.i16x8[`extadd_pairwise_i8x16_${s}`](x);
  if (e === 16) return b.i32x4[`extadd_pairwise_i16x8_${s}`](x);
  const by: I32 = b.const32(32);
  return b.i64x2.add(shr(b, 64, b.i64x2.shl(x, by), by, signed), shr(b, 64, x, by, signed));
}

function longPairs(mnemonic: string, signed: boolean, opcode: string, accumulate: boolean): Row {
  return row({
    id: mnemonic,
    asm: mnemonic,
    bits: fill(PATTERN, (signed ? "0" : "1") + opcode),
    fp: true,
    ops: { d: "v", n: "v" },
    decode: (f) => (f.Z === 3 ? "unallocated" : {}),
    execute(b, o, s) {
      const e = esizeOf(s.Z);
      if (e === 64) return undefinedShape(b);
      const r = addLongPairs(b, e, b.getV(o.n), signed);
      write(b, o.d, accumulate ? int(b, wide(e)).add(b.getV(o.d), r) : r, s.Q ? 128 : 64);
    },
    text(f) {
      const e = esizeOf(f.Z);
      if (e === 64) return insn(mnemonic.toLowerCase());
      return insn(mnemonic.toLowerCase(), text.v(f.d, vector(f.Q, wide(e))), text.v(f.n, vector(f.Q, e)));
    },
  });
}

/** XTN and its kin: Q selects the half of the destination. `how` undefined: the high bits are dropped. */
function extractNarrow(mnemonic: string, u: 0 | 1, opcode: string, how?: Narrowing): Row[] {
  const narrow = (b: Builder, e: Esize, x: V128, bits: number) => lowHalves(b, e, how ? clamp(b, e, x, how, bits) : x);
  const make = (form: Form) =>
    row({
      ...titled(mnemonic, form),
      bits: inForm(fill(PATTERN, u + opcode), form),
      fp: true,
      ops: { d: "v", n: "v" },
      decode: (f) => (f.Z === 3 ? "unallocated" : {}),
      execute(b, o, s) {
        const e = esizeOf(s.Z);
        if (e === 64) return undefinedShape(b);
        if (form === "vector") writePart(b, o.d, narrow(b, e, b.getV(o.n), 128), s.Q);
        else write(b, o.d, narrow(b, e, b.getV(o.n), 2 * e), e);
      },
      text(f) {
        const e = esizeOf(f.Z);
        const name = `${mnemonic.toLowerCase()}${form === "vector" && f.Q ? "2" : ""}`;
        if (e === 64) return insn(name);
        const source = form === "vector" ? vector(1, wide(e)) : scalar(wide(e));
        return insn(name, text.v(f.d, arrangement(form, f.Q, e)), text.v(f.n, source));
      },
    });
  return how ? [make("vector"), make("scalar")] : [make("vector")];
}

const SHLL = row({
  id: "SHLL",
  asm: "SHLL, SHLL2",
  bits: fill(PATTERN, "1 10011"),
  fp: true,
  ops: { d: "v", n: "v" },
  decode: (f) => (f.Z === 3 ? "unallocated" : {}),
  execute(b, o, s) {
    const e = esizeOf(s.Z);
    if (e === 64) return undefinedShape(b);
    b.setV(o.d, int(b, wide(e)).shl(widen(b, e, b.getV(o.n), s.Q, false), b.const32(e)));
  },
  text(f) {
    const e = esizeOf(f.Z);
    const name = f.Q ? "shll2" : "shll";
    if (e === 64) return insn(name);
    return insn(name, text.v(f.d, vector(1, wide(e))), text.v(f.n, vector(f.Q, e)), `#${e}`);
  },
});

export const TWO_REGISTER: readonly Row[] = [
  ...INTEGER.flatMap(twoRegister),
  bitwise("NOT", "mvn", "00", (b, x) => b.v128.not(x)),
  bitwise("RBIT", "rbit", "01", reverseBits),
  longPairs("SADDLP", true, "00010", false),
  longPairs("UADDLP", false, "00010", false),
  longPairs("SADALP", true, "00110", true),
  longPairs("UADALP", false, "00110", true),
  ...extractNarrow("XTN", 0, "10010"),
  ...extractNarrow("SQXTUN", 1, "10010", "signedToUnsigned"),
  ...extractNarrow("SQXTN", 0, "10100", "signed"),
  ...extractNarrow("UQXTN", 1, "10100", "unsigned"),
  SHLL,
];
