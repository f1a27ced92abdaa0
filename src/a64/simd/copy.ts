import type { I32, I64 } from "../../ir/builder.ts";
import { gpr, insn } from "../format.ts";
import { type Row, row } from "../row.ts";
import { esizeOf, scalar, undefinedShape, vector } from "./encoding.ts";
import { broadcast, extract, extract64, extractAt, replace, splat, write } from "./lanes.ts";
import * as text from "./text.ts";

// Advanced SIMD copy: DUP, INS, SMOV, UMOV. The lowest one of imm5 tells the size, the bits above it the index.
// The element of a source that is broadcast is an operand; elements that are replaced or moved to X registers are shapes.

/** Size (log2 of bytes) and index; size 4 and more is reserved. */
function imm5Of(imm5: number): { readonly size: number; readonly index: number } {
  const size = imm5 === 0 ? 4 : 31 - Math.clz32(imm5 & -imm5);
  return { size, index: imm5 >> (size + 1) };
}

const isDup = (f: { readonly i: number; readonly Q: number }) => {
  const { size } = imm5Of(f.i);
  return size > 3 || (size === 3 && !f.Q);
};

const DUP_ELEMENT = row({
  id: "DUP_elem",
  asm: "DUP (element)",
  bits: "0Q001110000iiiii000001nnnnnddddd",
  fp: true,
  ops: { d: "v", n: "v", at: "u8" },
  variants: 4,
  decode(f) {
    const { size, index } = imm5Of(f.i);
    return isDup(f) ? "unallocated" : { variant: size, at: index << size };
  },
  execute: (b, o, s) => write(b, o.d, broadcast(b, esizeOf(s.variant), b.getV(o.n), o.at), s.Q ? 128 : 64),
  text(f) {
    const { size, index } = imm5Of(f.i);
    return insn("dup", text.v(f.d, vector(f.Q, esizeOf(size))), text.element(f.n, esizeOf(size), index));
  },
});

const DUP_SCALAR = row({
  id: "DUP_elem_scalar",
  asm: "DUP (element)",
  bits: "01011110000iiiii000001nnnnnddddd",
  fp: true,
  ops: { d: "v", n: "v", at: "u8" },
  variants: 4,
  decode(f) {
    const { size, index } = imm5Of(f.i);
    return size > 3 ? "unallocated" : { variant: size, at: index << size };
  },
  execute(b, o, s) {
    const e = esizeOf(s.variant);
    write(b, o.d, broadcast(b, e, b.getV(o.n), o.at), e);
  },
  text(f) {
    const { size, index } = imm5Of(f.i);
    return insn("mov", text.v(f.d, scalar(esizeOf(size))), text.element(f.n, esizeOf(size), index));
  },
});

const DUP_GENERAL = row({
  id: "DUP_gen",
  asm: "DUP (general)",
  bits: "0Q001110000iiiii000011nnnnnddddd",
  fp: true,
  ops: { d: "v", n: "xr" },
  variants: 4,
  decode: (f) => (isDup(f) ? "unallocated" : { variant: imm5Of(f.i).size }),
  execute(b, o, s) {
    const e = esizeOf(s.variant);
    const v = b.getX(o.n);
    write(b, o.d, splat(b, e, e === 64 ? v : b.i32.wrap_i64(v)), s.Q ? 128 : 64);
  },
  text(f) {
    const { size } = imm5Of(f.i);
    return insn("dup", text.v(f.d, vector(f.Q, esizeOf(size))), gpr(size === 3 ? 1 : 0, f.n));
  },
});

const INS_GENERAL = row({
  id: "INS_gen",
  asm: "INS (general)",
  bits: "01001110000IIIII000111nnnnnddddd",
  fp: true,
  ops: { d: "v", n: "xr" },
  decode: (f) => (imm5Of(f.I).size > 3 ? "unallocated" : {}),
  execute(b, o, s) {
    const { size, index } = imm5Of(s.I);
    if (size > 3) return undefinedShape(b);
    const v = b.getX(o.n);
    b.setV(o.d, replace(b, esizeOf(size), b.getV(o.d), index, size === 3 ? v : b.i32.wrap_i64(v)));
  },
  text(f) {
    const { size, index } = imm5Of(f.I);
    return insn("mov", text.element(f.d, esizeOf(size), index), gpr(size === 3 ? 1 : 0, f.n));
  },
});

const INS_ELEMENT = row({
  id: "INS_elem",
  asm: "INS (element)",
  bits: "01101110000IIIII0jjjj1nnnnnddddd",
  fp: true,
  ops: { d: "v", n: "v", at: "u8" },
  decode(f) {
    const { size } = imm5Of(f.I);
    return size > 3 ? "unallocated" : { at: (f.j >> size) << size };
  },
  execute(b, o, s) {
    const { size, index } = imm5Of(s.I);
    if (size > 3) return undefinedShape(b);
    const e = esizeOf(size);
    b.setV(o.d, replace(b, e, b.getV(o.d), index, extractAt(b, e, b.getV(o.n), o.at)));
  },
  text(f) {
    const { size, index } = imm5Of(f.I);
    return insn("mov", text.element(f.d, esizeOf(size), index), text.element(f.n, esizeOf(size), f.j >> size));
  },
});

const SMOV = row({
  id: "SMOV",
  asm: "SMOV",
  bits: "0Q001110000IIIII001011nnnnnddddd",
  fp: true,
  ops: { d: "xw", n: "v" },
  decode: (f) => (imm5Of(f.I).size > 1 + f.Q ? "unallocated" : {}),
  execute(b, o, s) {
    const { size, index } = imm5Of(s.I);
    if (size > 2) return undefinedShape(b);
    const v = extract64(b, esizeOf(size), b.getV(o.n), index, true);
    b.setX(o.d, s.Q ? v : b.i64.and(v, b.const64(-1, 0)));
  },
  text(f) {
    const { size, index } = imm5Of(f.I);
    return insn("smov", gpr(f.Q, f.d), text.element(f.n, esizeOf(size), index));
  },
});

const UMOV = row({
  id: "UMOV",
  asm: "UMOV",
  bits: "0Q001110000IIIII001111nnnnnddddd",
  fp: true,
  ops: { d: "xw", n: "v" },
  decode(f) {
    const { size } = imm5Of(f.I);
    return (f.Q ? size === 3 : size < 3) ? {} : "unallocated";
  },
  execute(b, o, s) {
    const { size, index } = imm5Of(s.I);
    if (size > 3) return undefinedShape(b);
    const v = extract(b, esizeOf(size), b.getV(o.n), index);
    b.setX(o.d, size === 3 ? (v as I64) : b.i64.extend_i32_u(v as I32));
  },
  text(f) {
    const { size, index } = imm5Of(f.I);
    return insn(size < 2 ? "umov" : "mov", gpr(f.Q, f.d), text.element(f.n, esizeOf(size), index));
  },
});

export const COPY: readonly Row[] = [DUP_ELEMENT, DUP_SCALAR, DUP_GENERAL, INS_GENERAL, INS_ELEMENT, SMOV, UMOV];
