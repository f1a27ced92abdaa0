import type { Feature } from "../../arch/features.ts";
import type { Builder, I32, Reg, V128 } from "../../ir/builder.ts";
import { insn } from "../format.ts";
import { type Row, row } from "../row.ts";
import { complexMultiplyAdd, type FloatElements } from "./complex.ts";
import { dotProduct } from "./dot-product.ts";
import { arrangement, esizeOf, type Form, fill, inForm, scalar, undefinedShape, vector } from "./encoding.ts";
import { fpNegs, fpVector } from "./float.ts";
import { type Arrangement, broadcast, type Esize, int, mul, mulWiden, wide, write } from "./lanes.ts";
import { doublingHigh } from "./saturate.ts";
import * as text from "./text.ts";
import { type DoublingKind, doublingLong } from "./three-different.ts";

// Advanced SIMD vector x indexed element, and scalar x indexed element (Arm ARM C4.1.96). The index is an operand, as the offset of
// the element in bytes; H:L:M for halfwords, whose register has four bits, H:L for words, H for doublewords.

interface IndexFields {
  readonly l: number;
  readonly r: number;
  readonly m: number;
  readonly h: number;
}

function indexOf(e: Esize, f: IndexFields): number {
  if (e === 16) return (f.h << 2) | (f.l << 1) | f.r;
  return e === 32 ? (f.h << 1) | f.l : f.h;
}

/** Operands of the indexed element: the register, and where in it. */
function elementOf(e: Esize, f: IndexFields): { readonly m: number; readonly at: number } {
  return { m: e === 16 ? f.m : (f.r << 4) | f.m, at: (indexOf(e, f) * e) / 8 };
}

function elementText(e: Esize, f: IndexFields): string {
  return text.element(elementOf(e, f).m, e, indexOf(e, f));
}

function named(mnemonic: string, form: Form, suffix = "") {
  return {
    id: `${mnemonic}_${form === "vector" ? "elem" : "elem_scalar"}${suffix}`,
    asm: `${mnemonic} (by element)`,
  };
}

const OPS = { d: "v", n: "v", m: "v", at: "u8" } as const;
const HALF_WORDS_AND_WORDS = (f: { readonly Z: number }) => f.Z === 1 || f.Z === 2;

interface Select {
  readonly mnemonic: string;
  readonly u: 0 | 1;
  readonly opcode: string;
  readonly feat?: Feature;
}

/** Elements of one size: halfwords or words. `y` has the indexed element in every place. */
type SameOp = (b: Builder, a: Arrangement, x: V128, y: V128, d: () => V128) => V128;

function same({ mnemonic, u, opcode, feat }: Select, forms: readonly Form[], op: SameOp): Row[] {
  return forms.map((form) =>
    row({
      ...named(mnemonic, form),
      bits: inForm(fill("0Q-01111ZZlrmmmm----h0nnnnnddddd", u + opcode), form),
      ...(feat && { feat }),
      fp: true,
      ops: OPS,
      decode: (f) => (HALF_WORDS_AND_WORDS(f) ? elementOf(esizeOf(f.Z), f) : "unallocated"),
      execute(b, o, s) {
        if (!HALF_WORDS_AND_WORDS(s)) return undefinedShape(b);
        const a = arrangement(form, s.Q, esizeOf(s.Z));
        const y = broadcast(b, a.esize, b.getV(o.m), o.at);
        write(
          b,
          o.d,
          op(b, a, b.getV(o.n), y, () => b.getV(o.d)),
          a.datasize,
        );
      },
      text(f) {
        const a = arrangement(form, f.Q, esizeOf(f.Z));
        return insn(mnemonic.toLowerCase(), text.v(f.d, a), text.v(f.n, a), elementText(a.esize, f));
      },
    }),
  );
}

/** The result has elements of twice the size; Q selects the half of the operand. */
type LongOp = (b: Builder, w: Arrangement, product: V128, d: () => V128) => V128;

function long({ mnemonic, u, opcode }: Select, forms: readonly Form[], signed: boolean, op: LongOp): Row[] {
  return forms.map((form) =>
    row({
      ...named(mnemonic, form),
      bits: inForm(fill("0Q-01111ZZlrmmmm----h0nnnnnddddd", u + opcode), form),
      fp: true,
      ops: OPS,
      decode: (f) => (HALF_WORDS_AND_WORDS(f) ? elementOf(esizeOf(f.Z), f) : "unallocated"),
      execute(b, o, s) {
        if (!HALF_WORDS_AND_WORDS(s)) return undefinedShape(b);
        const e = esizeOf(s.Z);
        const w = form === "vector" ? vector(1, wide(e)) : scalar(wide(e));
        const y = broadcast(b, e, b.getV(o.m), o.at);
        const product = mulWiden(b, e, b.getV(o.n), y, form === "vector" ? s.Q : 0, signed);
        write(
          b,
          o.d,
          op(b, w, product, () => b.getV(o.d)),
          w.datasize,
        );
      },
      text(f) {
        const e = esizeOf(f.Z);
        const element = HALF_WORDS_AND_WORDS(f) ? elementText(e, f) : "";
        if (form === "scalar") return insn(mnemonic.toLowerCase(), text.s(f.d, w2(e)), text.s(f.n, e), element);
        const name = `${mnemonic.toLowerCase()}${f.Q ? "2" : ""}`;
        return insn(name, text.v(f.d, vector(1, w2(e))), text.v(f.n, vector(f.Q, e)), element);
      },
    }),
  );
}

const VECTOR: readonly Form[] = ["vector"];
const BOTH: readonly Form[] = ["vector", "scalar"];

function longRows(signed: boolean): Row[] {
  const u = signed ? 0 : 1;
  const s = signed ? "S" : "U";
  return [
    ...long({ mnemonic: `${s}MLAL`, u, opcode: "0010" }, VECTOR, signed, (b, w, p, d) => int(b, w.esize).add(d(), p)),
    ...long({ mnemonic: `${s}MLSL`, u, opcode: "0110" }, VECTOR, signed, (b, w, p, d) => int(b, w.esize).sub(d(), p)),
    ...long({ mnemonic: `${s}MULL`, u, opcode: "1010" }, VECTOR, signed, (_b, _w, p) => p),
  ];
}

function doubling(mnemonic: DoublingKind, opcode: string): Row[] {
  return long({ mnemonic, u: 0, opcode }, BOTH, true, (b, w, p, d) => doublingLong(b, mnemonic, w, p, d));
}

const high =
  (rounding: boolean): SameOp =>
  (b, a, x, y) =>
    doublingHigh(b, a, x, y, rounding);

const highAccumulate =
  (subtract: boolean): SameOp =>
  (b, a, x, y, d) =>
    doublingHigh(b, a, x, y, true, { d: d(), subtract });

/** Floating point: half precision with a pattern of its own, single and double with P. */
type FloatOp = (b: Builder, a: Arrangement, x: V128, y: V128, d: V128 | undefined) => V128;

function float(mnemonic: string, u: 0 | 1, opcode: string, accumulate: boolean, op: FloatOp): Row[] {
  const execute = (b: Builder, a: Arrangement, o: { d: Reg; n: Reg; m: Reg; at: I32 }) => {
    const y = broadcast(b, a.esize, b.getV(o.m), o.at);
    write(b, o.d, op(b, a, b.getV(o.n), y, accumulate ? b.getV(o.d) : undefined), a.datasize);
  };
  const shown = (f: IndexFields & { readonly d: number; readonly n: number }, a: Arrangement) =>
    insn(mnemonic.toLowerCase(), text.v(f.d, a), text.v(f.n, a), elementText(a.esize, f));
  const esize = (s: { readonly P: number }) => (s.P ? 64 : 32);
  return BOTH.flatMap((form) => [
    row({
      ...named(mnemonic, form, "_f"),
      bits: inForm(fill("0Q-011111Plrmmmm----h0nnnnnddddd", u + opcode), form),
      fp: true,
      ops: OPS,
      decode: (f) => (f.P && (f.l || (form === "vector" && !f.Q)) ? "unallocated" : elementOf(esize(f), f)),
      execute: (b, o, s) => execute(b, arrangement(form, s.Q, esize(s)), o),
      text: (f) => shown(f, arrangement(form, f.Q, esize(f))),
    }),
    row({
      ...named(mnemonic, form, "_h"),
      bits: inForm(fill("0Q-0111100lrmmmm----h0nnnnnddddd", u + opcode), form),
      feat: "FP16",
      fp: true,
      ops: OPS,
      decode: (f) => elementOf(16, f),
      execute: (b, o, s) => execute(b, arrangement(form, s.Q, 16), o),
      text: (f) => shown(f, arrangement(form, f.Q, 16)),
    }),
  ]);
}

const FLOAT: readonly Row[] = [
  ...float("FMLA", 0, "0001", true, (b, a, x, y, d) => fpVector(b, "fpMulAdd", a, [d as V128, x, y])),
  ...float("FMLS", 0, "0101", true, (b, a, x, y, d) =>
    fpVector(b, "fpMulAdd", a, [d as V128, fpNegs(b, a.esize, x), y]),
  ),
  ...float("FMUL", 0, "1001", false, (b, a, x, y) => fpVector(b, "fpMul", a, [x, y])),
  ...float("FMULX", 1, "1001", false, (b, a, x, y) => fpVector(b, "fpMulX", a, [x, y])),
];

/** SDOT, UDOT: the element is four bytes. */
function dot(mnemonic: string, u: 0 | 1): Row {
  return row({
    ...named(mnemonic, "vector"),
    bits: fill("0Q-0111110lrmmmm1110h0nnnnnddddd", String(u)),
    feat: "DotProd",
    fp: true,
    ops: OPS,
    decode: (f) => elementOf(32, f),
    execute(b, o, s) {
      const y = broadcast(b, 32, b.getV(o.m), o.at);
      write(b, o.d, dotProduct(b, b.getV(o.d), b.getV(o.n), y, !u), s.Q ? 128 : 64);
    },
    text(f) {
      const { m } = elementOf(32, f);
      const element = `v${m}.4b[${indexOf(32, f)}]`;
      return insn(mnemonic.toLowerCase(), text.v(f.d, vector(f.Q, 32)), text.v(f.n, vector(f.Q, 8)), element);
    },
  });
}

/** FCMLA: the element is a complex number, so that the register has five bits for halfwords, too. */
function complexIndex(size: number, f: IndexFields): number {
  return size === 1 ? (f.h << 1) | f.l : f.h;
}

const FCMLA = row({
  ...named("FCMLA", "vector"),
  bits: "0Q101111ZZlrmmmm0RR1h0nnnnnddddd",
  feat: "FCMA",
  fp: true,
  ops: OPS,
  decode(f) {
    if (f.Z === 1 ? f.h && !f.Q : f.Z !== 2 || f.l || !f.Q) return "unallocated";
    return { m: (f.r << 4) | f.m, at: complexIndex(f.Z, f) * (f.Z === 1 ? 4 : 8) };
  },
  execute(b, o, s) {
    if (!HALF_WORDS_AND_WORDS(s)) return undefinedShape(b);
    const a = vector(s.Q, esizeOf(s.Z)) as FloatElements;
    const y = broadcast(b, wide(a.esize), b.getV(o.m), o.at);
    write(b, o.d, complexMultiplyAdd(b, a, b.getV(o.d), b.getV(o.n), y, s.R), a.datasize);
  },
  text(f) {
    const a = vector(f.Q, esizeOf(f.Z));
    const element = text.element((f.r << 4) | f.m, a.esize, complexIndex(f.Z, f));
    return insn("fcmla", text.v(f.d, a), text.v(f.n, a), element, `#${90 * f.R}`);
  },
});

/** Twice the size, as far as there is one. */
function w2(e: Esize): Esize {
  return e === 64 ? 64 : wide(e);
}

export const BY_ELEMENT: readonly Row[] = [
  ...same({ mnemonic: "MLA", u: 1, opcode: "0000" }, VECTOR, (b, a, x, y, d) =>
    int(b, a.esize).add(d(), mul(b, a.esize, x, y)),
  ),
  ...same({ mnemonic: "MLS", u: 1, opcode: "0100" }, VECTOR, (b, a, x, y, d) =>
    int(b, a.esize).sub(d(), mul(b, a.esize, x, y)),
  ),
  ...same({ mnemonic: "MUL", u: 0, opcode: "1000" }, VECTOR, (b, a, x, y) => mul(b, a.esize, x, y)),
  ...same({ mnemonic: "SQDMULH", u: 0, opcode: "1100" }, BOTH, high(false)),
  ...same({ mnemonic: "SQRDMULH", u: 0, opcode: "1101" }, BOTH, high(true)),
  ...same({ mnemonic: "SQRDMLAH", u: 1, opcode: "1101", feat: "RDM" }, BOTH, highAccumulate(false)),
  ...same({ mnemonic: "SQRDMLSH", u: 1, opcode: "1111", feat: "RDM" }, BOTH, highAccumulate(true)),
  ...longRows(true),
  ...longRows(false),
  ...doubling("SQDMLAL", "0011"),
  ...doubling("SQDMLSL", "0111"),
  ...doubling("SQDMULL", "1011"),
  ...FLOAT,
  dot("SDOT", 0),
  dot("UDOT", 1),
  FCMLA,
];
