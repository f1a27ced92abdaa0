import { SLOT_SP } from "../cpu/state-layout.ts";
import type { Builder, I64, Reg } from "../ir/builder.ts";
import { baseAddress, baseVariant, offsetText } from "./address.ts";
import { signed } from "./bits.ts";
import { gpr, gprSp, insn } from "./format.ts";
import { type Row, row } from "./row.ts";

// Pointer authentication (FEAT_PAuth), except branches. K is the key: 0 IA, 1 IB, 2 DA, 3 DB. U: 0 PAC, 1 AUT.

const KEYS = ["ia", "ib", "da", "db"];

/** AddPAC or Auth. Authentication may fault, so it comes before the write. */
function sign(b: Builder, s: { readonly U: number; readonly K: number }, pointer: I64, modifier: I64): I64 {
  return b.call<"i64">(s.U ? "authPAC" : "addPAC", pointer, modifier, b.const32(s.K));
}

function name(f: { readonly U: number; readonly K: number }): string {
  return `${f.U ? "aut" : "pac"}${KEYS[f.K]}`;
}

function signFixed(b: Builder, s: { readonly U: number; readonly K: number }, d: Reg, modifier: I64): void {
  b.setX(d, sign(b, s, b.getX(d), modifier));
}

export const PAUTH_ROWS: readonly Row[] = [
  row({
    id: "PACIA",
    asm: "PACIA, PACIB, PACDA, PACDB, AUTIA, AUTIB, AUTDA, AUTDB",
    bits: "1 10 11010110 00001 000 UKK nnnnn ddddd",
    feat: "PAuth",
    ops: { d: "xw", p: "xr:d", n: "sp" },
    execute: (b, o, s) => b.setX(o.d, sign(b, s, b.getX(o.p), b.getX(o.n))),
    text: (f) => insn(name(f), gpr(1, f.d), gprSp(1, f.n)),
  }),
  row({
    id: "PACIZA",
    asm: "PACIZA, PACIZB, PACDZA, PACDZB, AUTIZA, AUTIZB, AUTDZA, AUTDZB",
    bits: "1 10 11010110 00001 001 UKK 11111 ddddd",
    feat: "PAuth",
    ops: { d: "xw", p: "xr:d" },
    execute: (b, o, s) => b.setX(o.d, sign(b, s, b.getX(o.p), b.const64(0))),
    text: (f) => insn(name(f).replace(/(.)$/, "z$1"), gpr(1, f.d)),
  }),
  row({
    id: "XPAC",
    asm: "XPACI, XPACD",
    bits: "1 10 11010110 00001 01000 K 11111 ddddd",
    feat: "PAuth",
    ops: { d: "xw", p: "xr:d" },
    execute: (b, o, s) => b.setX(o.d, b.call<"i64">("stripPAC", b.getX(o.p), b.const32(s.K))),
    text: (f) => insn(f.K ? "xpacd" : "xpaci", gpr(1, f.d)),
  }),
  row({
    id: "PACGA",
    asm: "PACGA",
    bits: "1 00 11010110 mmmmm 001100 nnnnn ddddd",
    feat: "PAuth",
    ops: { d: "xw", n: "xr", m: "sp" },
    execute: (b, o) => b.setX(o.d, b.call<"i64">("pacGeneric", b.getX(o.n), b.getX(o.m))),
    text: (f) => insn("pacga", gpr(1, f.d), gpr(1, f.n), gprSp(1, f.m)),
  }),
  row({
    id: "PACIA1716",
    asm: "PACIA1716, PACIB1716, AUTIA1716, AUTIB1716",
    bits: "11010101000000110010 0001 UK0 11111",
    feat: "PAuth",
    execute: (b, _, s) => signFixed(b, s, b.xreg(17), b.getX(b.xreg(16))),
    text: (f) => insn(`${name(f)}1716`),
  }),
  row({
    id: "PACIASP",
    asm: "PACIAZ, PACIASP, PACIBZ, PACIBSP, AUTIAZ, AUTIASP, AUTIBZ, AUTIBSP",
    bits: "11010101000000110010 0011 UKS 11111",
    feat: "PAuth",
    execute: (b, _, s) => signFixed(b, s, b.xreg(30), s.S ? b.getX(b.xreg(SLOT_SP)) : b.const64(0)),
    text: (f) => insn(`${name(f)}${f.S ? "sp" : "z"}`),
  }),
  row({
    id: "XPACLRI",
    asm: "XPACLRI",
    bits: "11010101000000110010 0000 111 11111",
    feat: "PAuth",
    execute: (b) => b.setX(b.xreg(30), b.call<"i64">("stripPAC", b.getX(b.xreg(30)), b.const32(0))),
    text: () => insn("xpaclri"),
  }),
  row({
    id: "LDRAA",
    asm: "LDRAA, LDRAB",
    bits: "11 111000 K h 1 iiiiiiiii W 1 nnnnn ttttt",
    feat: "PAuth",
    ops: { i: "s32", n: "sp", t: "xw" },
    variants: 2,
    decode: (f) => ({ i: signed((f.h << 9) | f.i, 10) * 8, ...baseVariant(f) }),
    execute(b, { i, n, t }, s) {
      const base = baseAddress(b, n, s.variant);
      const pointer = b.call<"i64">("authPAC", base, b.const64(0), b.const32(2 + s.K));
      const address = b.i64.add(pointer, b.i64.extend_i32_s(i));
      b.setX(t, b.load(address, 8));
      if (s.W) b.setX(n, address);
    },
    text(f) {
      const offset = signed((f.h << 9) | f.i, 10) * 8;
      return insn(f.K ? "ldrab" : "ldraa", gpr(1, f.t), `${offsetText(f.n, offset)}${f.W ? "!" : ""}`);
    },
  }),
];
