import type { Builder, I32, I64, Reg } from "../ir/builder.ts";
import {
  baseAddress,
  baseVariant,
  offsetText,
  postIndexText,
  preIndexText,
  registerOffset,
  registerOffsetText,
} from "./address.ts";
import { hex, signed } from "./bits.ts";
import { insn, scalar } from "./format.ts";
import { type Row, row } from "./row.ts";

// Loads and stores of one SIMD and FP register: B, H, S, D or Q (Arm ARM C4.1.94). Size and opc<1> together are log2 of the size.

interface SizeFields {
  readonly S: number;
  readonly Q: number;
}

/** log2 of the size in bytes: 0 (B) to 4 (Q). */
function sizeOf(f: SizeFields): number {
  return f.Q * 4 + f.S;
}

function decodeSize(f: SizeFields & { readonly n: number }): { variant: number } | "unallocated" {
  return sizeOf(f) > 4 ? "unallocated" : baseVariant(f);
}

/** Of S, D and Q, which are loaded and stored as vectors. */
function bytesOf(size: number): 4 | 8 | 16 {
  return size === 4 ? 16 : size === 3 ? 8 : 4;
}

function load(b: Builder, t: Reg, address: I64, size: number): void {
  if (size >= 2) b.setV(t, b.loadV(address, {}, bytesOf(size)));
  else b.setD(t, b.load(address, 1 << size));
}

function store(b: Builder, t: Reg, address: I64, size: number): void {
  if (size >= 2) b.storeV(address, b.getV(t), {}, bytesOf(size));
  else b.store(address, b.getD(t), 1 << size);
}

function add(b: Builder, base: I64, offset: I32): I64 {
  return b.i64.add(base, b.i64.extend_i32_s(offset));
}

function text(name: string, f: SizeFields & { readonly t: number }, address: string): string {
  return insn(name, scalar(sizeOf(f), f.t), address);
}

export const LOAD_STORE_FP_ROWS: readonly Row[] = [
  row({
    id: "STR_fp_uimm",
    asm: "STR (immediate, SIMD&FP), unsigned offset",
    bits: "SS 111 1 01 Q0 iiiiiiiiiiii nnnnn ttttt",
    fp: true,
    ops: { i: "i32", n: "sp", t: "v" },
    variants: 2,
    decode: (f) => (sizeOf(f) > 4 ? "unallocated" : { i: f.i << sizeOf(f), ...baseVariant(f) }),
    execute: (b, { i, n, t }, s) => store(b, t, add(b, baseAddress(b, n, s.variant), i), sizeOf(s)),
    text: (f) => text("str", f, offsetText(f.n, f.i << sizeOf(f))),
  }),
  row({
    id: "LDR_fp_uimm",
    asm: "LDR (immediate, SIMD&FP), unsigned offset",
    bits: "SS 111 1 01 Q1 iiiiiiiiiiii nnnnn ttttt",
    fp: true,
    ops: { i: "i32", n: "sp", t: "v" },
    variants: 2,
    decode: (f) => (sizeOf(f) > 4 ? "unallocated" : { i: f.i << sizeOf(f), ...baseVariant(f) }),
    execute: (b, { i, n, t }, s) => load(b, t, add(b, baseAddress(b, n, s.variant), i), sizeOf(s)),
    text: (f) => text("ldr", f, offsetText(f.n, f.i << sizeOf(f))),
  }),
  row({
    id: "STUR_fp",
    asm: "STUR (SIMD&FP)",
    bits: "SS 111 1 00 Q0 0 iiiiiiiii 00 nnnnn ttttt",
    fp: true,
    ops: { i: "s32", n: "sp", t: "v" },
    variants: 2,
    decode: decodeSize,
    execute: (b, { i, n, t }, s) => store(b, t, add(b, baseAddress(b, n, s.variant), i), sizeOf(s)),
    text: (f) => text("stur", f, offsetText(f.n, signed(f.i, 9))),
  }),
  row({
    id: "LDUR_fp",
    asm: "LDUR (SIMD&FP)",
    bits: "SS 111 1 00 Q1 0 iiiiiiiii 00 nnnnn ttttt",
    fp: true,
    ops: { i: "s32", n: "sp", t: "v" },
    variants: 2,
    decode: decodeSize,
    execute: (b, { i, n, t }, s) => load(b, t, add(b, baseAddress(b, n, s.variant), i), sizeOf(s)),
    text: (f) => text("ldur", f, offsetText(f.n, signed(f.i, 9))),
  }),
  row({
    id: "STR_fp_post",
    asm: "STR (immediate, SIMD&FP), post-index",
    bits: "SS 111 1 00 Q0 0 iiiiiiiii 01 nnnnn ttttt",
    fp: true,
    ops: { i: "s32", n: "sp", t: "v" },
    variants: 2,
    decode: decodeSize,
    execute(b, { i, n, t }, s) {
      const address = baseAddress(b, n, s.variant);
      store(b, t, address, sizeOf(s));
      b.setX(n, add(b, address, i));
    },
    text: (f) => text("str", f, postIndexText(f.n, signed(f.i, 9))),
  }),
  row({
    id: "LDR_fp_post",
    asm: "LDR (immediate, SIMD&FP), post-index",
    bits: "SS 111 1 00 Q1 0 iiiiiiiii 01 nnnnn ttttt",
    fp: true,
    ops: { i: "s32", n: "sp", t: "v" },
    variants: 2,
    decode: decodeSize,
    execute(b, { i, n, t }, s) {
      const address = baseAddress(b, n, s.variant);
      load(b, t, address, sizeOf(s));
      b.setX(n, add(b, address, i));
    },
    text: (f) => text("ldr", f, postIndexText(f.n, signed(f.i, 9))),
  }),
  row({
    id: "STR_fp_pre",
    asm: "STR (immediate, SIMD&FP), pre-index",
    bits: "SS 111 1 00 Q0 0 iiiiiiiii 11 nnnnn ttttt",
    fp: true,
    ops: { i: "s32", n: "sp", t: "v" },
    variants: 2,
    decode: decodeSize,
    execute(b, { i, n, t }, s) {
      const address = add(b, baseAddress(b, n, s.variant), i);
      store(b, t, address, sizeOf(s));
      b.setX(n, address);
    },
    text: (f) => text("str", f, preIndexText(f.n, signed(f.i, 9))),
  }),
  row({
    id: "LDR_fp_pre",
    asm: "LDR (immediate, SIMD&FP), pre-index",
    bits: "SS 111 1 00 Q1 0 iiiiiiiii 11 nnnnn ttttt",
    fp: true,
    ops: { i: "s32", n: "sp", t: "v" },
    variants: 2,
    decode: decodeSize,
    execute(b, { i, n, t }, s) {
      const address = add(b, baseAddress(b, n, s.variant), i);
      load(b, t, address, sizeOf(s));
      b.setX(n, address);
    },
    text: (f) => text("ldr", f, preIndexText(f.n, signed(f.i, 9))),
  }),
  row({
    id: "STR_fp_reg",
    asm: "STR (register, SIMD&FP)",
    bits: "SS 111 1 00 Q0 1 mmmmm E1D H 10 nnnnn ttttt",
    fp: true,
    ops: { n: "sp", m: "xr", t: "v" },
    variants: 2,
    decode: decodeSize,
    execute(b, { n, m, t }, s) {
      const size = sizeOf(s);
      const offset = registerOffset(b, m, s.E * 4 + 2 + s.D, s.H * size);
      store(b, t, b.i64.add(baseAddress(b, n, s.variant), offset), size);
    },
    text: (f) => text("str", f, registerOffsetText(f, sizeOf(f))),
  }),
  row({
    id: "LDR_fp_reg",
    asm: "LDR (register, SIMD&FP)",
    bits: "SS 111 1 00 Q1 1 mmmmm E1D H 10 nnnnn ttttt",
    fp: true,
    ops: { n: "sp", m: "xr", t: "v" },
    variants: 2,
    decode: decodeSize,
    execute(b, { n, m, t }, s) {
      const size = sizeOf(s);
      const offset = registerOffset(b, m, s.E * 4 + 2 + s.D, s.H * size);
      load(b, t, b.i64.add(baseAddress(b, n, s.variant), offset), size);
    },
    text: (f) => text("ldr", f, registerOffsetText(f, sizeOf(f))),
  }),
  row({
    id: "LDR_fp_lit",
    asm: "LDR (literal, SIMD&FP)",
    bits: "OO 011 1 00 iiiiiiiiiiiiiiiiiii ttttt",
    fp: true,
    ops: { i: "s32", t: "v" },
    decode: (f) => (f.O === 3 ? "unallocated" : { i: signed(f.i, 19) * 4 }),
    execute: (b, { i, t }, s) => load(b, t, add(b, b.pc(), i), 2 + s.O),
    text: (f, pc) => insn("ldr", scalar(2 + f.O, f.t), hex(pc + signed(f.i, 19) * 4)),
  }),
];
