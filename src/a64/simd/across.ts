import type { Builder, I32, I64, V128, Value } from "../../ir/builder.ts";
import { insn } from "../format.ts";
import { type Row, row } from "../row.ts";
import { esizeOf, fill, undefinedShape, vector } from "./encoding.ts";
import { type Fsize, fp, fpReduce, setFp } from "./float.ts";
import { type Arrangement, type Esize, int, max, min, reduce, wide, widen, write } from "./lanes.ts";
import * as text from "./text.ts";

// Advanced SIMD across lanes, and scalar pairwise: one element from all of a vector, or from the two of a pair.

type Op = (b: Builder, e: Esize, x: V128, y: V128) => V128;

/** Words need a full vector. */
const isReserved = (f: { readonly Q: number; readonly Z: number }) => f.Z === 3 || (f.Z === 2 && !f.Q);

function across(mnemonic: string, u: 0 | 1, opcode: string, op: Op, long?: { readonly signed: boolean }): Row {
  const resultSize = (e: Esize) => (long ? wide(e) : e);
  return row({
    id: mnemonic,
    asm: mnemonic,
    bits: fill("0Q-01110ZZ11000-----10nnnnnddddd", u + opcode),
    fp: true,
    ops: { d: "v", n: "v" },
    decode: (f) => (isReserved(f) ? "unallocated" : {}),
    execute(b, o, s) {
      if (isReserved(s)) return undefinedShape(b);
      const a = vector(s.Q, esizeOf(s.Z));
      const w = resultSize(a.esize);
      const all: Arrangement = { ...a, esize: w };
      let x = b.getV(o.n);
      if (long) {
        // The sums of two halves, or all of a half, in elements of twice the size.
        const low = widen(b, a.esize, x, 0, long.signed);
        x = s.Q ? int(b, w).add(low, widen(b, a.esize, x, 1, long.signed)) : low;
      }
      const r = reduce(b, long ? { ...all, datasize: 128 } : all, x, (y, z) => op(b, w, y, z));
      write(b, o.d, r, w);
    },
    text(f) {
      const e = esizeOf(f.Z);
      if (e === 64) return insn(mnemonic.toLowerCase());
      return insn(mnemonic.toLowerCase(), text.s(f.d, resultSize(e)), text.v(f.n, vector(f.Q, e)));
    },
  });
}

const add: Op = (b, e, x, y) => int(b, e).add(x, y);
const largest =
  (signed: boolean): Op =>
  (b, e, x, y) =>
    max(b, e, x, y, signed);
const least =
  (signed: boolean): Op =>
  (b, e, x, y) =>
    min(b, e, x, y, signed);

/** FMAXV and its kin: of four words, or of half precision. */
function acrossFloat(mnemonic: string, a: string, opcode: string, helper: string): Row[] {
  const execute = (b: Builder, arr: Arrangement, e: Fsize, x: V128): Value =>
    fpReduce(b, arr, x, (low, high) => fp(b, helper, e, low, high));
  const select = a + opcode;
  return [
    row({
      id: `${mnemonic}_f`,
      asm: mnemonic,
      bits: fill("01101110-011000-----10nnnnnddddd", select),
      fp: true,
      ops: { d: "v", n: "v" },
      execute: (b, o) => setFp(b, 32, o.d, execute(b, vector(1, 32), 32, b.getV(o.n))),
      text: (f) => insn(mnemonic.toLowerCase(), text.s(f.d, 32), text.v(f.n, vector(1, 32))),
    }),
    row({
      id: `${mnemonic}_h`,
      asm: mnemonic,
      bits: fill("0Q001110-011000-----10nnnnnddddd", select),
      feat: "FP16",
      fp: true,
      ops: { d: "v", n: "v" },
      execute: (b, o, s) => setFp(b, 16, o.d, execute(b, vector(s.Q, 16), 16, b.getV(o.n))),
      text: (f) => insn(mnemonic.toLowerCase(), text.s(f.d, 16), text.v(f.n, vector(f.Q, 16))),
    }),
  ];
}

/** The two lowest elements, which scalar pairwise instructions take. */
const pairOf = (e: Esize): Arrangement => ({ esize: e, datasize: 2 * e, scalar: false });

const ADDP = row({
  id: "ADDP_scalar",
  asm: "ADDP (scalar)",
  bits: "010111101111000 11011 10nnnnnddddd",
  fp: true,
  ops: { d: "v", n: "v" },
  execute(b, o) {
    const half = (i: number) => b.lane("i64x2.extract_lane", b.getV(o.n), i) as I64;
    b.setD(o.d, b.i64.add(half(0), half(1)));
  },
  text: (f) => insn("addp", text.s(f.d, 64), text.v(f.n, pairOf(64))),
});

/** FADDP and its kin (scalar). */
function pairwiseFloat(mnemonic: string, a: string, opcode: string, helper: string): Row[] {
  const execute = (b: Builder, e: Fsize, x: V128) =>
    fpReduce(b, pairOf(e), x, (low, high) => fp(b, helper, e, low, high));
  const shown = (d: number, n: number, e: Fsize) => insn(mnemonic.toLowerCase(), text.s(d, e), text.v(n, pairOf(e)));
  const esize = (s: { readonly P: number }) => (s.P ? 64 : 32);
  return [
    row({
      id: `${mnemonic}_scalar_f`,
      asm: `${mnemonic} (scalar)`,
      bits: fill("01111110-P11000-----10nnnnnddddd", a + opcode),
      fp: true,
      ops: { d: "v", n: "v" },
      execute: (b, o, s) => setFp(b, esize(s), o.d, execute(b, esize(s), b.getV(o.n))),
      text: (f) => shown(f.d, f.n, esize(f)),
    }),
    row({
      id: `${mnemonic}_scalar_h`,
      asm: `${mnemonic} (scalar)`,
      bits: fill("01011110-011000-----10nnnnnddddd", a + opcode),
      feat: "FP16",
      fp: true,
      ops: { d: "v", n: "v" },
      execute: (b, o) => setFp(b, 16, o.d, execute(b, 16, b.getV(o.n)) as I32),
      text: (f) => shown(f.d, f.n, 16),
    }),
  ];
}

export const ACROSS: readonly Row[] = [
  across("SADDLV", 0, "00011", add, { signed: true }),
  across("UADDLV", 1, "00011", add, { signed: false }),
  across("SMAXV", 0, "01010", largest(true)),
  across("UMAXV", 1, "01010", largest(false)),
  across("SMINV", 0, "11010", least(true)),
  across("UMINV", 1, "11010", least(false)),
  across("ADDV", 0, "11011", add),
  ...acrossFloat("FMAXNMV", "0", "01100", "fpMaxNum"),
  ...acrossFloat("FMINNMV", "1", "01100", "fpMinNum"),
  ...acrossFloat("FMAXV", "0", "01111", "fpMax"),
  ...acrossFloat("FMINV", "1", "01111", "fpMin"),
];

export const SCALAR_PAIRWISE: readonly Row[] = [
  ADDP,
  ...pairwiseFloat("FMAXNMP", "0", "01100", "fpMaxNum"),
  ...pairwiseFloat("FMINNMP", "1", "01100", "fpMinNum"),
  ...pairwiseFloat("FADDP", "0", "01101", "fpAdd"),
  ...pairwiseFloat("FMAXP", "0", "01111", "fpMax"),
  ...pairwiseFloat("FMINP", "1", "01111", "fpMin"),
];
