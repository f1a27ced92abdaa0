import type { Builder, Reg, V128 } from "../../ir/builder.ts";
import { insn } from "../format.ts";
import { type Row, row } from "../row.ts";
import { arrangement, esizeOf, type Form, fill, inForm, reserved, titled, undefinedShape, vector } from "./encoding.ts";
import type { Arrangement, Esize } from "./lanes.ts";
import { greater, int, max, min, mul, pairs, shr, write } from "./lanes.ts";
import { addSat, doublingHigh, subSat } from "./saturate.ts";
import { type ShiftKind, shiftByRegister } from "./shift.ts";
import * as text from "./text.ts";

// Advanced SIMD three same, and scalar three same: integer elements (Arm ARM C4.1.96).

type Op = (b: Builder, a: Arrangement, x: V128, y: V128, d: Reg) => V128;

interface ThreeSame {
  readonly mnemonic: string;
  readonly u: 0 | 1;
  readonly opcode: string;
  /** Sizes of elements that the vector form takes. */
  readonly sizes: readonly Esize[];
  /** Sizes that the scalar form takes, if there is one. */
  readonly scalar?: readonly Esize[];
  readonly op: Op;
}

const BHS = [8, 16, 32] as const;
const ALL = [8, 16, 32, 64] as const;
const HS = [16, 32] as const;
const D = [64] as const;

function threeSame(spec: ThreeSame): Row[] {
  const { mnemonic, op } = spec;
  const make = (form: Form, sizes: readonly Esize[]) =>
    row({
      ...titled(mnemonic, form),
      bits: inForm(fill("0Q-01110ZZ1mmmmm-----1nnnnnddddd", spec.u + spec.opcode), form),
      fp: true,
      ops: { d: "v", n: "v", m: "v" },
      decode: (f) => (reserved(form, f.Q, f.Z, sizes) ? "unallocated" : {}),
      execute(b, o, s) {
        const a = arrangement(form, s.Q, esizeOf(s.Z));
        if (!sizes.includes(a.esize)) return undefinedShape(b);
        write(b, o.d, op(b, a, b.getV(o.n), b.getV(o.m), o.d), a.datasize);
      },
      text(f) {
        const a = arrangement(form, f.Q, esizeOf(f.Z));
        return insn(mnemonic.toLowerCase(), text.v(f.d, a), text.v(f.n, a), text.v(f.m, a));
      },
    });
  return [make("vector", spec.sizes), ...(spec.scalar ? [make("scalar", spec.scalar)] : [])];
}

/** (x + y) >> 1 without the carry's loss: what both have, and half of what one has. */
const halvingAdd =
  (signed: boolean): Op =>
  (b, a, x, y) =>
    int(b, a.esize).add(b.v128.and(x, y), shr(b, a.esize, b.v128.xor(x, y), b.const32(1), signed));

const roundingHalvingAdd =
  (signed: boolean): Op =>
  (b, a, x, y) =>
    int(b, a.esize).sub(b.v128.or(x, y), shr(b, a.esize, b.v128.xor(x, y), b.const32(1), signed));

const halvingSub =
  (signed: boolean): Op =>
  (b, a, x, y) =>
    int(b, a.esize).sub(shr(b, a.esize, b.v128.xor(x, y), b.const32(1), signed), b.v128.andnot(y, x));

const shift =
  (kind: ShiftKind): Op =>
  (b, a, x, y) =>
    shiftByRegister(b, a, kind, x, y);

const absDifference =
  (signed: boolean): Op =>
  (b, a, x, y) =>
    int(b, a.esize).sub(max(b, a.esize, x, y, signed), min(b, a.esize, x, y, signed));

const accumulate =
  (op: Op): Op =>
  (b, a, x, y, d) =>
    int(b, a.esize).add(b.getV(d), op(b, a, x, y, d));

const pairwise =
  (op: Op): Op =>
  (b, a, x, y, d) => {
    const [even, odd] = pairs(b, a, x, y);
    return op(b, a, even, odd, d);
  };

const add: Op = (b, a, x, y) => int(b, a.esize).add(x, y);
const multiply: Op = (b, a, x, y) => mul(b, a.esize, x, y);
const largest =
  (signed: boolean): Op =>
  (b, a, x, y) =>
    max(b, a.esize, x, y, signed);
const least =
  (signed: boolean): Op =>
  (b, a, x, y) =>
    min(b, a.esize, x, y, signed);

/** The rows that come as a signed and an unsigned instruction with the same opcode. */
function signedAndUnsigned(signed: boolean): Row[] {
  const u = signed ? 0 : 1;
  const s = signed ? "S" : "U";
  const same = (mnemonic: string, opcode: string, sizes: readonly Esize[], op: Op, scalarSizes?: readonly Esize[]) =>
    threeSame({ mnemonic, u, opcode, sizes, op, ...(scalarSizes && { scalar: scalarSizes }) });
  const kind = (rounding: boolean, saturating: boolean) => shift({ signed, rounding, saturating });
  return [
    ...same(`${s}HADD`, "00000", BHS, halvingAdd(signed)),
    ...same(`${s}QADD`, "00001", ALL, (b, a, x, y) => addSat(b, a, x, y, signed), ALL),
    ...same(`${s}RHADD`, "00010", BHS, roundingHalvingAdd(signed)),
    ...same(`${s}HSUB`, "00100", BHS, halvingSub(signed)),
    ...same(`${s}QSUB`, "00101", ALL, (b, a, x, y) => subSat(b, a, x, y, signed), ALL),
    ...same(signed ? "CMGT" : "CMHI", "00110", ALL, (b, a, x, y) => greater(b, a.esize, x, y, signed), D),
    ...same(signed ? "CMGE" : "CMHS", "00111", ALL, (b, a, x, y) => greater(b, a.esize, x, y, signed, true), D),
    ...same(`${s}SHL`, "01000", ALL, kind(false, false), D),
    ...same(`${s}QSHL`, "01001", ALL, kind(false, true), ALL),
    ...same(`${s}RSHL`, "01010", ALL, kind(true, false), D),
    ...same(`${s}QRSHL`, "01011", ALL, kind(true, true), ALL),
    ...same(`${s}MAX`, "01100", BHS, largest(signed)),
    ...same(`${s}MIN`, "01101", BHS, least(signed)),
    ...same(`${s}ABD`, "01110", BHS, absDifference(signed)),
    ...same(`${s}ABA`, "01111", BHS, accumulate(absDifference(signed))),
    ...same(`${s}MAXP`, "10100", BHS, pairwise(largest(signed))),
    ...same(`${s}MINP`, "10101", BHS, pairwise(least(signed))),
    ...same(signed ? "SQDMULH" : "SQRDMULH", "10110", HS, (b, a, x, y) => doublingHigh(b, a, x, y, !signed), HS),
  ];
}

const PLAIN: readonly ThreeSame[] = [
  { mnemonic: "ADD", u: 0, opcode: "10000", sizes: ALL, scalar: D, op: add },
  { mnemonic: "SUB", u: 1, opcode: "10000", sizes: ALL, scalar: D, op: (b, a, x, y) => int(b, a.esize).sub(x, y) },
  {
    mnemonic: "CMTST",
    u: 0,
    opcode: "10001",
    sizes: ALL,
    scalar: D,
    op: (b, a, x, y) => int(b, a.esize).ne(b.v128.and(x, y), b.zeroV()),
  },
  { mnemonic: "CMEQ", u: 1, opcode: "10001", sizes: ALL, scalar: D, op: (b, a, x, y) => int(b, a.esize).eq(x, y) },
  { mnemonic: "MLA", u: 0, opcode: "10010", sizes: BHS, op: accumulate(multiply) },
  {
    mnemonic: "MLS",
    u: 1,
    opcode: "10010",
    sizes: BHS,
    op: (b, a, x, y, d) => int(b, a.esize).sub(b.getV(d), mul(b, a.esize, x, y)),
  },
  { mnemonic: "MUL", u: 0, opcode: "10011", sizes: BHS, op: multiply },
  { mnemonic: "PMUL", u: 1, opcode: "10011", sizes: [8], op: (b, _a, x, y) => b.call<"v128">("pmul8", x, y) },
  { mnemonic: "ADDP", u: 0, opcode: "10111", sizes: ALL, op: pairwise(add) },
];

/** The bitwise instructions: opcode 00011, selected by U and size. */
function logical(mnemonic: string, uSize: string, op: (b: Builder, x: V128, y: V128, d: Reg) => V128): Row {
  return row({
    id: `${mnemonic}_vec`,
    asm: `${mnemonic} (vector, register)`,
    bits: fill("0Q- 01110 --1 mmmmm 00011 1 nnnnn ddddd", uSize),
    fp: true,
    ops: { d: "v", n: "v", m: "v" },
    execute: (b, o, s) => write(b, o.d, op(b, b.getV(o.n), b.getV(o.m), o.d), s.Q ? 128 : 64),
    text(f) {
      const a = vector(f.Q, 8);
      if (mnemonic === "ORR" && f.n === f.m) return insn("mov", text.v(f.d, a), text.v(f.n, a));
      return insn(mnemonic.toLowerCase(), text.v(f.d, a), text.v(f.n, a), text.v(f.m, a));
    },
  });
}

const LOGICAL: readonly Row[] = [
  logical("AND", "0 00", (b, x, y) => b.v128.and(x, y)),
  logical("BIC", "0 01", (b, x, y) => b.v128.andnot(x, y)),
  logical("ORR", "0 10", (b, x, y) => b.v128.or(x, y)),
  logical("ORN", "0 11", (b, x, y) => b.v128.or(x, b.v128.not(y))),
  logical("EOR", "1 00", (b, x, y) => b.v128.xor(x, y)),
  logical("BSL", "1 01", (b, x, y, d) => b.v128.bitselect(x, y, b.getV(d))),
  logical("BIT", "1 10", (b, x, y, d) => b.v128.bitselect(x, b.getV(d), y)),
  logical("BIF", "1 11", (b, x, y, d) => b.v128.bitselect(b.getV(d), x, y)),
];

export const THREE_SAME: readonly Row[] = [
  ...PLAIN.flatMap(threeSame),
  ...LOGICAL,
  ...signedAndUnsigned(true),
  ...signedAndUnsigned(false),
];
