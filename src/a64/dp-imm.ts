import type { Builder, I32, I64, IntOps, Value } from "../ir/builder.ts";
import { decodeBitMasks, hex, hex64, ones64, shiftLeft64, signed } from "./bits.ts";
import { gpr, gprSp, insn, SHIFTS } from "./format.ts";
import type { Int } from "./operand2.ts";
import { type Imm64, type Row, row } from "./row.ts";

// Data processing, immediate (Arm ARM C4.1.92 in issue J.a).

const ADD_SUB = ["add", "sub"];
const LOGICAL = ["and", "orr", "eor", "ands"];

function addSub(ops: IntOps, sub: number, a: Int, m: Int): Int {
  return sub ? ops.sub(a, m) : ops.add(a, m);
}

function addSubText(f: { Z: number; P: number; h: number; i: number; n: number; d: number }, flags: boolean): string {
  const imm = `#${hex(f.i)}`;
  const shift = f.h ? "lsl #12" : "";
  const n = gprSp(f.Z, f.n);
  if (flags && f.d === 31) return insn(f.P ? "cmp" : "cmn", n, imm, shift);
  if (!flags && !f.P && !f.h && f.i === 0 && (f.d === 31 || f.n === 31)) return insn("mov", gprSp(f.Z, f.d), n);
  const d = flags ? gpr(f.Z, f.d) : gprSp(f.Z, f.d);
  return insn(`${ADD_SUB[f.P]}${flags ? "s" : ""}`, d, n, imm, shift);
}

function logicalOp(ops: IntOps, opc: number, a: Int, m: Int): Int {
  if (opc === 1) return ops.or(a, m);
  return opc === 2 ? ops.xor(a, m) : ops.and(a, m);
}

function logicalImmediate(f: { Z: number; k: number; s: number; r: number }): { i: Imm64 } | "unallocated" {
  const i = decodeBitMasks(f.Z, f.k, f.s, f.r);
  return i ? { i } : "unallocated";
}

/** MoveWidePreferred(): the immediate is one that MOVZ or MOVN can make, so ORR is not shown as MOV. */
function moveWidePreferred({ lo, hi }: Imm64, sf: number): boolean {
  const halves = [lo & 0xffff, lo >>> 16, hi & 0xffff, hi >>> 16].slice(0, sf ? 4 : 2);
  return halves.filter((h) => h !== 0).length <= 1 || halves.filter((h) => h !== 0xffff).length <= 1;
}

function logicalText(f: { Z: number; k: number; s: number; r: number; n: number; d: number }, opc: number): string {
  const imm = decodeBitMasks(f.Z, f.k, f.s, f.r) as Imm64;
  const text = `#${hex64(imm)}`;
  if (opc === 3 && f.d === 31) return insn("tst", gpr(f.Z, f.n), text);
  const d = opc === 3 ? gpr(f.Z, f.d) : gprSp(f.Z, f.d);
  if (opc === 1 && f.n === 31 && !moveWidePreferred(imm, f.Z)) return insn("mov", d, text);
  return insn(LOGICAL[opc] as string, d, gpr(f.Z, f.n), text);
}

interface MoveWide {
  readonly Z: number;
  readonly h: number;
  readonly i: number;
  readonly d: number;
}

/** MOVZ and MOVN: the result is known when decoding. */
function moveWide(f: MoveWide, inverted: boolean): { i: Imm64 } | "unallocated" {
  if (!f.Z && f.h >= 2) return "unallocated";
  const { lo, hi } = shiftLeft64({ lo: f.i, hi: 0 }, f.h * 16);
  const flip = inverted ? -1 : 0;
  return { i: { lo: lo ^ flip, hi: f.Z ? hi ^ flip : 0 } };
}

function moveWideText(f: MoveWide, inverted: boolean): string {
  const hidden = f.i === 0 && f.h !== 0;
  if (hidden || (inverted && !f.Z && f.i === 0xffff)) {
    return insn(inverted ? "movn" : "movz", gpr(f.Z, f.d), `#${hex(f.i)}`, f.h ? `lsl #${f.h * 16}` : "");
  }
  return insn("mov", gpr(f.Z, f.d), `#${hex64((moveWide(f, inverted) as { i: Imm64 }).i)}`);
}

interface Bitfield {
  readonly Z: number;
  readonly k: number;
  readonly r: number;
  readonly s: number;
  readonly n: number;
  readonly d: number;
}

function bitfieldReserved(f: Bitfield): boolean {
  return f.k !== f.Z || (!f.Z && (f.r >= 32 || f.s >= 32));
}

/**
 * SBFM and UBFM are a shift left that drops what is above the field and a shift right that puts it in its place.
 * Variant 0: both, 1: the left shift is by 0, 2: the right shift is by 0.
 */
function bitfieldShifts(f: Bitfield): { l: number; r: number; variant: number } | "unallocated" {
  if (bitfieldReserved(f)) return "unallocated";
  const top = f.Z ? 63 : 31;
  const l = top - f.s;
  const r = f.s >= f.r ? l + f.r : f.r - f.s - 1;
  return { l, r, variant: l === 0 ? 1 : r === 0 ? 2 : 0 };
}

function bitfieldText(f: Bitfield, prefix: "s" | "" | "u"): string {
  const width = f.Z ? 64 : 32;
  const d = gpr(f.Z, f.d);
  const n = gpr(f.Z, f.n);
  const numbers = (a: number, b: number): string[] => [`#${a}`, `#${b}`];
  if (prefix !== "" && f.s === width - 1) return insn(prefix === "s" ? "asr" : "lsr", d, n, `#${f.r}`);
  if (prefix === "u" && f.s + 1 === f.r) return insn("lsl", d, n, `#${width - f.r}`);
  if (prefix !== "" && f.r === 0 && (prefix === "s" || !f.Z)) {
    const letter = { 7: "b", 15: "h", 31: "w" }[f.s];
    if (letter) return insn(`${prefix}xt${letter}`, d, gpr(0, f.n));
  }
  if (f.s < f.r) {
    if (prefix === "" && f.n === 31) return insn("bfc", d, ...numbers(width - f.r, f.s + 1));
    return insn(prefix === "" ? "bfi" : `${prefix}bfiz`, d, n, ...numbers(width - f.r, f.s + 1));
  }
  return insn(prefix === "" ? "bfxil" : `${prefix}bfx`, d, n, ...numbers(f.r, f.s - f.r + 1));
}

// With the amounts known, as the translator knows them, there are shorter ways for most fields than two shifts.

/** SXTB, SXTH and SXTW. */
function signExtension(b: Builder, l: I32, r: I32, v: Int): Int | undefined {
  const left = known(l);
  if (left === undefined || left !== known(r)) return undefined;
  switch (v.type === "i32" ? left : left - 32) {
    case 24:
      return v.type === "i32" ? b.i32.extend8_s(v as I32) : b.i64.extend8_s(v as I64);
    case 16:
      return v.type === "i32" ? b.i32.extend16_s(v as I32) : b.i64.extend16_s(v as I64);
    case 0:
      return v.type === "i32" ? undefined : b.i64.extend32_s(v as I64);
    default:
      return undefined;
  }
}

/** Of up to 31 bits, by a mask. */
function unsignedField(ops: IntOps, l: I32, r: I32, v: Int): Int | undefined {
  const left = known(l);
  const right = known(r);
  if (left === undefined || right === undefined) return undefined;
  const bits = ops.bits - Math.max(left, right);
  if (bits > 31) return undefined;
  const mask = ops.const(2 ** bits - 1);
  if (right < left) return ops.shl(ops.and(v, mask), ops.const(left - right));
  return ops.and(right === left ? v : ops.shr_u(v, ops.const(right - left)), mask);
}

function known({ inst }: Value): number | undefined {
  return inst.op === "const" ? inst.attrs.lo : undefined;
}

function pcRelativePage(b: Builder, pages: I64): I64 {
  const { i64 } = b;
  return i64.add(i64.and(b.pc(), b.const64(-4096)), i64.shl(pages, b.const64(12)));
}

export const DP_IMM_ROWS: readonly Row[] = [
  row({
    id: "ADR",
    asm: "ADR",
    bits: "0 ll 10000 iiiiiiiiiiiiiiiiiii ddddd",
    ops: { d: "xw", i: "s32" },
    decode: (f) => ({ i: signed((f.i << 2) | f.l, 21) }),
    execute: (b, { d, i }) => b.setX(d, b.i64.add(b.pc(), b.i64.extend_i32_s(i))),
    text: (f, pc) => insn("adr", gpr(1, f.d), hex(pc + signed((f.i << 2) | f.l, 21))),
  }),
  row({
    id: "ADRP",
    asm: "ADRP",
    bits: "1 ll 10000 iiiiiiiiiiiiiiiiiii ddddd",
    ops: { d: "xw", i: "s32" },
    decode: (f) => ({ i: signed((f.i << 2) | f.l, 21) }),
    execute: (b, { d, i }) => b.setX(d, pcRelativePage(b, b.i64.extend_i32_s(i))),
    text: (f, pc) => insn("adrp", gpr(1, f.d), hex(pc - (pc % 4096) + signed((f.i << 2) | f.l, 21) * 4096)),
  }),
  row({
    id: "ADD_SUB_imm",
    asm: "ADD, SUB (immediate)",
    bits: "Z P 0 100010 h iiiiiiiiiiii nnnnn ddddd",
    ops: { i: "i32", d: "sp", n: "sp" },
    decode: (f) => ({ i: f.h ? f.i << 12 : f.i }),
    execute(b, { i, d, n }, s) {
      const ops = b.int(s.Z);
      ops.set(d, addSub(ops, s.P, ops.get(n), ops.from32(i)));
    },
    text: (f) => addSubText(f, false),
  }),
  row({
    id: "ADDS_SUBS_imm",
    asm: "ADDS, SUBS (immediate)",
    bits: "Z P 1 100010 h iiiiiiiiiiii nnnnn ddddd",
    ops: { i: "i32", d: "xw", n: "sp" },
    decode: (f) => ({ i: f.h ? f.i << 12 : f.i }),
    execute(b, { i, d, n }, s) {
      const ops = b.int(s.Z);
      const a = ops.get(n);
      const m = ops.from32(i);
      if (s.P) b.flagsSub(ops, a, m);
      else b.flagsAdd(ops, a, m);
      ops.set(d, addSub(ops, s.P, a, m));
    },
    text: (f) => addSubText(f, true),
  }),
  row({
    id: "AND_ORR_EOR_imm",
    asm: "AND, ORR, EOR (immediate)",
    bits: "Z PP 100100 k rrrrrr ssssss nnnnn ddddd",
    ops: { i: "i64", d: "sp", n: "xr" },
    decode: (f) => (f.P === 3 ? "unallocated" : logicalImmediate(f)),
    execute(b, { i, d, n }, s) {
      const ops = b.int(s.Z);
      ops.set(d, logicalOp(ops, s.P, ops.get(n), ops.from64(i)));
    },
    text: (f) => logicalText(f, f.P),
  }),
  row({
    id: "ANDS_imm",
    asm: "ANDS (immediate)",
    bits: "Z 11 100100 k rrrrrr ssssss nnnnn ddddd",
    ops: { i: "i64", d: "xw", n: "xr" },
    decode: logicalImmediate,
    execute(b, { i, d, n }, s) {
      const ops = b.int(s.Z);
      const result = ops.and(ops.get(n), ops.from64(i));
      b.flagsLogic(ops, result);
      ops.set(d, result);
    },
    text: (f) => logicalText(f, 3),
  }),
  row({
    id: "MOVN",
    asm: "MOVN",
    bits: "Z 00 100101 hh iiiiiiiiiiiiiiii ddddd",
    ops: { i: "i64", d: "xw" },
    decode: (f) => moveWide(f, true),
    execute: (b, { i, d }) => b.setX(d, i),
    text: (f) => moveWideText(f, true),
  }),
  row({
    id: "MOVZ",
    asm: "MOVZ",
    bits: "Z 10 100101 hh iiiiiiiiiiiiiiii ddddd",
    ops: { i: "i64", d: "xw" },
    decode: (f) => moveWide(f, false),
    execute: (b, { i, d }) => b.setX(d, i),
    text: (f) => moveWideText(f, false),
  }),
  row({
    id: "MOVK",
    asm: "MOVK",
    bits: "Z 11 100101 hh iiiiiiiiiiiiiiii ddddd",
    ops: { i: "i32", d: "xw", a: "xr:d", h: "u8" },
    decode: (f) => (!f.Z && f.h >= 2 ? "unallocated" : { h: f.h * 16 }),
    execute(b, { i, d, a, h }, s) {
      const ops = b.int(s.Z);
      const shift = ops.from32(h);
      const hole = ops.not(ops.shl(ops.const(0xffff), shift));
      ops.set(d, ops.or(ops.and(ops.get(a), hole), ops.shl(ops.from32(i), shift)));
    },
    text: (f) => insn("movk", gpr(f.Z, f.d), `#${hex(f.i)}`, f.h ? `lsl #${f.h * 16}` : ""),
  }),
  row({
    id: "SBFM",
    asm: "SBFM",
    bits: "Z 00 100110 k rrrrrr ssssss nnnnn ddddd",
    ops: { d: "xw", n: "xr", l: "u8", r: "u8" },
    variants: 3,
    decode: bitfieldShifts,
    execute(b, { d, n, l, r }, s) {
      const ops = b.int(s.Z);
      let v = ops.get(n);
      const low = signExtension(b, l, r, v);
      if (low) {
        ops.set(d, low);
        return;
      }
      if (s.variant !== 1) v = ops.shl(v, ops.from32(l));
      if (s.variant !== 2) v = ops.shr_s(v, ops.from32(r));
      ops.set(d, v);
    },
    text: (f) => bitfieldText(f, "s"),
  }),
  row({
    id: "UBFM",
    asm: "UBFM",
    bits: "Z 10 100110 k rrrrrr ssssss nnnnn ddddd",
    ops: { d: "xw", n: "xr", l: "u8", r: "u8" },
    variants: 3,
    decode: bitfieldShifts,
    execute(b, { d, n, l, r }, s) {
      const ops = b.int(s.Z);
      let v = ops.get(n);
      const field = s.variant === 0 ? unsignedField(ops, l, r, v) : undefined;
      if (field) {
        ops.set(d, field);
        return;
      }
      if (s.variant !== 1) v = ops.shl(v, ops.from32(l));
      if (s.variant !== 2) v = ops.shr_u(v, ops.from32(r));
      ops.set(d, v);
    },
    text: (f) => bitfieldText(f, "u"),
  }),
  row({
    id: "BFM",
    asm: "BFM",
    bits: "Z 01 100110 k rrrrrr ssssss nnnnn ddddd",
    // m: the bits of the destination that the field replaces
    ops: { m: "i64", d: "xw", a: "xr:d", n: "xr", r: "u8" },
    decode(f) {
      if (bitfieldReserved(f)) return "unallocated";
      if (f.s >= f.r) return { m: ones64(f.s - f.r + 1) };
      const { lo, hi } = shiftLeft64(ones64(f.s + 1), (f.Z ? 64 : 32) - f.r);
      return { m: { lo, hi: f.Z ? hi : 0 } };
    },
    execute(b, { m, d, a, n, r }, s) {
      const ops = b.int(s.Z);
      const mask = ops.from64(m);
      const field = ops.and(ops.rotr(ops.get(n), ops.from32(r)), mask);
      ops.set(d, ops.or(ops.and(ops.get(a), ops.not(mask)), field));
    },
    text: (f) => bitfieldText(f, ""),
  }),
  row({
    id: "EXTR",
    asm: "EXTR",
    bits: "Z 00 100111 k 0 mmmmm ssssss nnnnn ddddd",
    ops: { d: "xw", n: "xr", m: "xr", s: "u8" },
    // 1: a rotation, 2: the low operand itself
    variants: 3,
    decode(f) {
      if (f.k !== f.Z || (!f.Z && f.s >= 32)) return "unallocated";
      return { variant: f.n === f.m ? 1 : f.s === 0 ? 2 : 0 };
    },
    execute(b, o, s) {
      const ops = b.int(s.Z);
      const low = ops.get(o.m);
      const lsb = ops.from32(o.s);
      if (s.variant === 2) ops.set(o.d, low);
      else if (s.variant === 1) ops.set(o.d, ops.rotr(low, lsb));
      else {
        const high = ops.shl(ops.get(o.n), ops.sub(ops.const(ops.bits), lsb));
        ops.set(o.d, ops.or(ops.shr_u(low, lsb), high));
      }
    },
    text(f) {
      const [d, n, m] = [gpr(f.Z, f.d), gpr(f.Z, f.n), gpr(f.Z, f.m)];
      return f.n === f.m ? insn(SHIFTS[3] as string, d, n, `#${f.s}`) : insn("extr", d, n, m, `#${f.s}`);
    },
  }),
];
