import type { Access, Builder, I64, Reg } from "../ir/builder.ts";
import { ACC_UNPRIV } from "../ir/guest-ops.ts";
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
import { gpr, insn } from "./format.ts";
import { type Row, row } from "./row.ts";

// Loads and stores of one general register (Arm ARM C4.1.94).
// S is log2 of the size in bytes. O is opc: 0 store, 1 load, 2 load and sign-extend to 64 bits, 3 to 32 bits.
//
// With writeback and Rt = Rn (CONSTRAINED UNPREDICTABLE) a store stores the old value, and a load leaves the written-back address.

interface LoadShape {
  readonly S: number;
  readonly O: number;
}

/** Sign extension to 64 bits needs a smaller size than 64, to 32 bits a smaller one than 32. */
export function noSuchLoad(f: LoadShape): boolean {
  return f.O === 0 || f.O + f.S > 4;
}

/** Extends what was loaded, and writes it to the register. */
export function setLoaded(b: Builder, t: Reg, v: I64, s: LoadShape): void {
  if (s.O === 1) {
    b.setX(t, v);
    return;
  }
  const { i64 } = b;
  const wide = s.S === 0 ? i64.extend8_s(v) : s.S === 1 ? i64.extend16_s(v) : i64.extend32_s(v);
  if (s.O === 2) b.setX(t, wide);
  else b.w.set(t, b.i32.wrap_i64(wide));
}

function load(b: Builder, t: Reg, address: I64, s: LoadShape, access: Access = {}): void {
  setLoaded(b, t, b.load(address, 1 << s.S, access), s);
}

function store(b: Builder, t: Reg, address: I64, s: { readonly S: number }, access: Access = {}): void {
  b.store(address, b.getX(t), 1 << s.S, access);
}

function add(b: Builder, base: I64, offset: Parameters<Builder["i64"]["extend_i32_s"]>[0]): I64 {
  return b.i64.add(base, b.i64.extend_i32_s(offset));
}

const SUFFIXES = ["b", "h", "", ""];

/** "ldrsb w0": mnemonic with `stem` "ldr", "ldur", "ldtr", ..., and the register. */
function nameAndRegister(stem: string, f: { S: number; O: number; t: number }): [string, string] {
  if (f.O < 2) return [`${stem}${SUFFIXES[f.S]}`, gpr(f.S === 3 ? 1 : 0, f.t)];
  return [`${stem}s${f.S === 2 ? "w" : SUFFIXES[f.S]}`, gpr(f.O === 2 ? 1 : 0, f.t)];
}

function text(stem: string, f: { S: number; O?: number; t: number }, address: string): string {
  const [name, t] = nameAndRegister(stem, { S: f.S, O: f.O ?? 0, t: f.t });
  return insn(name, t, address);
}

const unprivileged: Access = { acc: ACC_UNPRIV };

const PREFETCH_TYPES = ["pld", "pli", "pst"];

/** The operation of a prefetch. */
function prefetch(t: number): string {
  const type = PREFETCH_TYPES[t >> 3];
  const level = (t >> 1) & 3;
  const number = `#0x${t.toString(16).padStart(2, "0")}`;
  return type === undefined || level === 3 ? number : `${type}l${level + 1}${t & 1 ? "strm" : "keep"}`;
}

export const LOAD_STORE_REG_ROWS: readonly Row[] = [
  row({
    id: "STR_uimm",
    asm: "STRB, STRH, STR (immediate), unsigned offset",
    bits: "SS 111 0 01 00 iiiiiiiiiiii nnnnn ttttt",
    ops: { i: "i32", n: "sp", t: "xr" },
    variants: 2,
    decode: (f) => ({ i: f.i << f.S, variant: f.n === 31 ? 1 : 0 }),
    execute: (b, { i, n, t }, s) => store(b, t, add(b, baseAddress(b, n, s.variant), i), s),
    text: (f) => text("str", f, offsetText(f.n, f.i << f.S)),
  }),
  row({
    id: "LDR_uimm",
    asm: "LDRB, LDRH, LDR, LDRSB, LDRSH, LDRSW (immediate), unsigned offset",
    bits: "SS 111 0 01 OO iiiiiiiiiiii nnnnn ttttt",
    ops: { i: "i32", n: "sp", t: "xw" },
    variants: 2,
    decode: (f) => (noSuchLoad(f) ? "unallocated" : { i: f.i << f.S, variant: f.n === 31 ? 1 : 0 }),
    execute: (b, { i, n, t }, s) => load(b, t, add(b, baseAddress(b, n, s.variant), i), s),
    text: (f) => text("ldr", f, offsetText(f.n, f.i << f.S)),
  }),
  row({
    id: "STUR",
    asm: "STURB, STURH, STUR",
    bits: "SS 111 0 00 00 0 iiiiiiiii 00 nnnnn ttttt",
    ops: { i: "s32", n: "sp", t: "xr" },
    variants: 2,
    decode: baseVariant,
    execute: (b, { i, n, t }, s) => store(b, t, add(b, baseAddress(b, n, s.variant), i), s),
    text: (f) => text("stur", f, offsetText(f.n, signed(f.i, 9))),
  }),
  row({
    id: "LDUR",
    asm: "LDURB, LDURH, LDUR, LDURSB, LDURSH, LDURSW",
    bits: "SS 111 0 00 OO 0 iiiiiiiii 00 nnnnn ttttt",
    ops: { i: "s32", n: "sp", t: "xw" },
    variants: 2,
    decode: (f) => (noSuchLoad(f) ? "unallocated" : baseVariant(f)),
    execute: (b, { i, n, t }, s) => load(b, t, add(b, baseAddress(b, n, s.variant), i), s),
    text: (f) => text("ldur", f, offsetText(f.n, signed(f.i, 9))),
  }),
  row({
    id: "STR_post",
    asm: "STRB, STRH, STR (immediate), post-index",
    bits: "SS 111 0 00 00 0 iiiiiiiii 01 nnnnn ttttt",
    ops: { i: "s32", n: "sp", t: "xr" },
    variants: 2,
    decode: baseVariant,
    execute(b, { i, n, t }, s) {
      const address = baseAddress(b, n, s.variant);
      store(b, t, address, s);
      b.setX(n, add(b, address, i));
    },
    text: (f) => text("str", f, postIndexText(f.n, signed(f.i, 9))),
  }),
  row({
    id: "LDR_post",
    asm: "LDRB, LDRH, LDR, LDRSB, LDRSH, LDRSW (immediate), post-index",
    bits: "SS 111 0 00 OO 0 iiiiiiiii 01 nnnnn ttttt",
    ops: { i: "s32", n: "sp", t: "xw" },
    variants: 2,
    decode: (f) => (noSuchLoad(f) ? "unallocated" : baseVariant(f)),
    execute(b, { i, n, t }, s) {
      const address = baseAddress(b, n, s.variant);
      load(b, t, address, s);
      b.setX(n, add(b, address, i));
    },
    text: (f) => text("ldr", f, postIndexText(f.n, signed(f.i, 9))),
  }),
  row({
    id: "STTR",
    asm: "STTRB, STTRH, STTR",
    bits: "SS 111 0 00 00 0 iiiiiiiii 10 nnnnn ttttt",
    ops: { i: "s32", n: "sp", t: "xr" },
    variants: 2,
    decode: baseVariant,
    execute: (b, { i, n, t }, s) => store(b, t, add(b, baseAddress(b, n, s.variant), i), s, unprivileged),
    text: (f) => text("sttr", f, offsetText(f.n, signed(f.i, 9))),
  }),
  row({
    id: "LDTR",
    asm: "LDTRB, LDTRH, LDTR, LDTRSB, LDTRSH, LDTRSW",
    bits: "SS 111 0 00 OO 0 iiiiiiiii 10 nnnnn ttttt",
    ops: { i: "s32", n: "sp", t: "xw" },
    variants: 2,
    decode: (f) => (noSuchLoad(f) ? "unallocated" : baseVariant(f)),
    execute: (b, { i, n, t }, s) => load(b, t, add(b, baseAddress(b, n, s.variant), i), s, unprivileged),
    text: (f) => text("ldtr", f, offsetText(f.n, signed(f.i, 9))),
  }),
  row({
    id: "STR_pre",
    asm: "STRB, STRH, STR (immediate), pre-index",
    bits: "SS 111 0 00 00 0 iiiiiiiii 11 nnnnn ttttt",
    ops: { i: "s32", n: "sp", t: "xr" },
    variants: 2,
    decode: baseVariant,
    execute(b, { i, n, t }, s) {
      const address = add(b, baseAddress(b, n, s.variant), i);
      store(b, t, address, s);
      b.setX(n, address);
    },
    text: (f) => text("str", f, preIndexText(f.n, signed(f.i, 9))),
  }),
  row({
    id: "LDR_pre",
    asm: "LDRB, LDRH, LDR, LDRSB, LDRSH, LDRSW (immediate), pre-index",
    bits: "SS 111 0 00 OO 0 iiiiiiiii 11 nnnnn ttttt",
    ops: { i: "s32", n: "sp", t: "xw" },
    variants: 2,
    decode: (f) => (noSuchLoad(f) ? "unallocated" : baseVariant(f)),
    execute(b, { i, n, t }, s) {
      const address = add(b, baseAddress(b, n, s.variant), i);
      load(b, t, address, s);
      b.setX(n, address);
    },
    text: (f) => text("ldr", f, preIndexText(f.n, signed(f.i, 9))),
  }),
  row({
    id: "STR_reg",
    asm: "STRB, STRH, STR (register)",
    // E1D: option; D is its low bit. H: scaled
    bits: "SS 111 0 00 00 1 mmmmm E1D H 10 nnnnn ttttt",
    ops: { n: "sp", m: "xr", t: "xr" },
    variants: 2,
    decode: baseVariant,
    execute(b, { n, m, t }, s) {
      const offset = registerOffset(b, m, s.E * 4 + 2 + s.D, s.H * s.S);
      store(b, t, b.i64.add(baseAddress(b, n, s.variant), offset), s);
    },
    text: (f) => text("str", f, registerOffsetText(f, f.S)),
  }),
  row({
    id: "LDR_reg",
    asm: "LDRB, LDRH, LDR, LDRSB, LDRSH, LDRSW (register)",
    bits: "SS 111 0 00 OO 1 mmmmm E1D H 10 nnnnn ttttt",
    ops: { n: "sp", m: "xr", t: "xw" },
    variants: 2,
    decode: (f) => (noSuchLoad(f) ? "unallocated" : baseVariant(f)),
    execute(b, { n, m, t }, s) {
      const offset = registerOffset(b, m, s.E * 4 + 2 + s.D, s.H * s.S);
      load(b, t, b.i64.add(baseAddress(b, n, s.variant), offset), s);
    },
    text: (f) => text("ldr", f, registerOffsetText(f, f.S)),
  }),
  row({
    id: "LDR_lit",
    asm: "LDR, LDRSW (literal)",
    bits: "OO 011 0 00 iiiiiiiiiiiiiiiiiii ttttt",
    ops: { i: "s32", t: "xw" },
    decode: (f) => ({ i: signed(f.i, 19) * 4 }),
    execute(b, { i, t }, s) {
      const v = b.load(add(b, b.pc(), i), s.O === 1 ? 8 : 4);
      b.setX(t, s.O === 2 ? b.i64.extend32_s(v) : v);
    },
    text: (f, pc) => insn(f.O === 2 ? "ldrsw" : "ldr", gpr(f.O ? 1 : 0, f.t), hex(pc + signed(f.i, 19) * 4)),
  }),
  row({
    id: "PRFM_uimm",
    asm: "PRFM (immediate)",
    bits: "11 111 0 01 10 iiiiiiiiiiii nnnnn ttttt",
    execute: () => {},
    text: (f) => insn("prfm", prefetch(f.t), offsetText(f.n, f.i << 3)),
  }),
  row({
    id: "PRFUM",
    asm: "PRFUM",
    bits: "11 111 0 00 10 0 iiiiiiiii 00 nnnnn ttttt",
    execute: () => {},
    text: (f) => insn("prfum", prefetch(f.t), offsetText(f.n, signed(f.i, 9))),
  }),
  row({
    id: "PRFM_reg",
    asm: "PRFM (register)",
    bits: "11 111 0 00 10 1 mmmmm e1d h 10 nnnnn ttttt",
    execute: () => {},
    text: (f) => insn("prfm", prefetch(f.t), registerOffsetText({ ...f, E: f.e, D: f.d, H: f.h }, 3)),
  }),
  row({
    id: "PRFM_lit",
    asm: "PRFM (literal)",
    bits: "11 011 0 00 iiiiiiiiiiiiiiiiiii ttttt",
    execute: () => {},
    text: (f, pc) => insn("prfm", prefetch(f.t), hex(pc + signed(f.i, 19) * 4)),
  }),
];
