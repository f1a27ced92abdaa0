import type { Builder, I64, V128 } from "../../ir/builder.ts";
import { insn } from "../format.ts";
import { type Row, row } from "../row.ts";
import { esizeOf, fill, scalar, undefinedShape, vector } from "./encoding.ts";
import type { Arrangement, Esize } from "./lanes.ts";
import { highHalves, int, mulWiden, range, splatConst, wide, widen, write, writePart } from "./lanes.ts";
import { addSat, subSat } from "./saturate.ts";
import * as text from "./text.ts";

// Advanced SIMD three different: operands and result have elements of different sizes. Q selects the half ("2") of a narrow operand.

/** `half` is a part of the narrow vectors x and y, `e` the narrow size; the result has elements of twice the size. */
type Long = (b: Builder, e: Esize, x: V128, y: V128, part: number, d: () => V128) => V128;

const PATTERN = "0Q-01110ZZ1mmmmm----00nnnnnddddd";
type Shown = "long" | "wide" | "narrow";

function threeDifferent(
  mnemonic: string,
  u: 0 | 1,
  opcode: string,
  kind: Shown,
  execute: Long,
  sizes: readonly Esize[] = [8, 16, 32],
): Row {
  return row({
    id: mnemonic,
    asm: `${mnemonic}, ${mnemonic}2`,
    bits: fill(PATTERN, u + opcode),
    fp: true,
    ops: { d: "v", n: "v", m: "v" },
    decode: (f) => (sizes.includes(esizeOf(f.Z)) ? {} : "unallocated"),
    execute(b, o, s) {
      const e = esizeOf(s.Z);
      if (!sizes.includes(e)) return undefinedShape(b);
      const r = execute(b, e, b.getV(o.n), b.getV(o.m), s.Q, () => b.getV(o.d));
      if (kind === "narrow") writePart(b, o.d, r, s.Q);
      else b.setV(o.d, r);
    },
    text(f) {
      const e = esizeOf(f.Z);
      if (e === 64) return insn(`${mnemonic.toLowerCase()}${f.Q ? "2" : ""}`);
      const [narrow, whole] = [vector(f.Q, e), vector(1, wide(e))];
      const regs = {
        long: [text.v(f.d, whole), text.v(f.n, narrow), text.v(f.m, narrow)],
        wide: [text.v(f.d, whole), text.v(f.n, whole), text.v(f.m, narrow)],
        narrow: [text.v(f.d, narrow), text.v(f.n, whole), text.v(f.m, whole)],
      }[kind];
      return insn(`${mnemonic.toLowerCase()}${f.Q ? "2" : ""}`, ...regs);
    },
  });
}

const addLong =
  (op: "add" | "sub", signed: boolean): Long =>
  (b, e, x, y, part) =>
    int(b, wide(e))[op](widen(b, e, x, part, signed), widen(b, e, y, part, signed));

const addWide =
  (op: "add" | "sub", signed: boolean): Long =>
  (b, e, x, y, part) =>
    int(b, wide(e))[op](x, widen(b, e, y, part, signed));

/** ADDHN and its kin: the high half of each sum. */
const highNarrow =
  (op: "add" | "sub", rounding: boolean): Long =>
  (b, e, x, y) => {
    const r = int(b, wide(e))[op](x, y);
    const half = e === 32 ? splatConst(b, 64, 0x80000000, 0) : splatConst(b, wide(e), 2 ** (e - 1), 0);
    return highHalves(b, e, rounding ? int(b, wide(e)).add(r, half) : r);
  };

const absDifference =
  (signed: boolean): Long =>
  (b, e, x, y, part) =>
    int(b, wide(e)).abs(int(b, wide(e)).sub(widen(b, e, x, part, signed), widen(b, e, y, part, signed)));

const product =
  (signed: boolean): Long =>
  (b, e, x, y, part) =>
    mulWiden(b, e, x, y, part, signed);

const accumulate =
  (op: "add" | "sub", term: Long): Long =>
  (b, e, x, y, part, d) =>
    int(b, wide(e))[op](d(), term(b, e, x, y, part, d));

/** SQDMULL, SQDMLAL, SQDMLSL: of the product, doubled with saturation. `a` has the wide elements. */
export type DoublingKind = "SQDMULL" | "SQDMLAL" | "SQDMLSL";

export function doublingLong(b: Builder, kind: DoublingKind, a: Arrangement, product: V128, d: () => V128): V128 {
  const doubled = addSat(b, a, product, product, true);
  if (kind === "SQDMULL") return doubled;
  return kind === "SQDMLAL" ? addSat(b, a, d(), doubled, true) : subSat(b, a, d(), doubled, true);
}

function doubling(mnemonic: DoublingKind, opcode: string): Row[] {
  return [
    threeDifferent(
      mnemonic,
      0,
      opcode,
      "long",
      (b, e, x, y, part, d) => doublingLong(b, mnemonic, vector(1, wide(e)), mulWiden(b, e, x, y, part, true), d),
      [16, 32],
    ),
    row({
      id: `${mnemonic}_scalar`,
      asm: `${mnemonic} (scalar)`,
      bits: fill("01011110ZZ1mmmmm----00nnnnnddddd", opcode),
      fp: true,
      ops: { d: "v", n: "v", m: "v" },
      decode: (f) => (f.Z === 1 || f.Z === 2 ? {} : "unallocated"),
      execute(b, o, s) {
        if (s.Z !== 1 && s.Z !== 2) return undefinedShape(b);
        const e = esizeOf(s.Z);
        const a = scalar(wide(e));
        const p = mulWiden(b, e, b.getV(o.n), b.getV(o.m), 0, true);
        write(
          b,
          o.d,
          doublingLong(b, mnemonic, a, p, () => b.getV(o.d)),
          a.datasize,
        );
      },
      text(f) {
        const e = esizeOf(f.Z);
        return insn(mnemonic.toLowerCase(), text.s(f.d, wide(e)), text.s(f.n, e), text.s(f.m, e));
      },
    }),
  ];
}

/** PMULL of bytes; of doublewords it is a feature of its own. */
const PMULL: readonly Row[] = [
  threeDifferent(
    "PMULL",
    0,
    "1110",
    "long",
    (b, _e, x, y, part) => {
      const half = (v: V128) => (part ? b.shuffle(v, v, [...range(8).map((i) => 8 + i), ...range(8)]) : v);
      return b.call("pmull8", half(x), half(y));
    },
    [8],
  ),
  row({
    id: "PMULL_1q",
    asm: "PMULL, PMULL2",
    bits: "0Q001110111mmmmm111000nnnnnddddd",
    feat: "PMULL",
    fp: true,
    ops: { d: "v", n: "v", m: "v" },
    execute(b, o, s) {
      const part = (r: typeof o.n) => b.lane("i64x2.extract_lane", b.getV(r), s.Q) as I64;
      b.setV(o.d, b.call("pmull64", part(o.n), part(o.m)));
    },
    text(f) {
      const a = vector(f.Q, 64);
      return insn(f.Q ? "pmull2" : "pmull", `v${f.d}.1q`, text.v(f.n, a), text.v(f.m, a));
    },
  }),
];

function signedAndUnsigned(signed: boolean): Row[] {
  const u = signed ? 0 : 1;
  const s = signed ? "S" : "U";
  return [
    threeDifferent(`${s}ADDL`, u, "0000", "long", addLong("add", signed)),
    threeDifferent(`${s}ADDW`, u, "0001", "wide", addWide("add", signed)),
    threeDifferent(`${s}SUBL`, u, "0010", "long", addLong("sub", signed)),
    threeDifferent(`${s}SUBW`, u, "0011", "wide", addWide("sub", signed)),
    threeDifferent(`${s}ABAL`, u, "0101", "long", accumulate("add", absDifference(signed))),
    threeDifferent(`${s}ABDL`, u, "0111", "long", absDifference(signed)),
    threeDifferent(`${s}MLAL`, u, "1000", "long", accumulate("add", product(signed))),
    threeDifferent(`${s}MLSL`, u, "1010", "long", accumulate("sub", product(signed))),
    threeDifferent(`${s}MULL`, u, "1100", "long", product(signed)),
  ];
}

export const THREE_DIFFERENT: readonly Row[] = [
  ...signedAndUnsigned(true),
  ...signedAndUnsigned(false),
  threeDifferent("ADDHN", 0, "0100", "narrow", highNarrow("add", false)),
  threeDifferent("SUBHN", 0, "0110", "narrow", highNarrow("sub", false)),
  threeDifferent("RADDHN", 1, "0100", "narrow", highNarrow("add", true)),
  threeDifferent("RSUBHN", 1, "0110", "narrow", highNarrow("sub", true)),
  ...doubling("SQDMLAL", "1001"),
  ...doubling("SQDMLSL", "1011"),
  ...doubling("SQDMULL", "1101"),
  ...PMULL,
];
