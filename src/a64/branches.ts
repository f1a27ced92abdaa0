import { SLOT_SP } from "../cpu/state-layout.ts";
import type { Builder, I32 } from "../ir/builder.ts";
import { hex, signed } from "./bits.ts";
import { CONDITIONS, gpr, gprSp, insn } from "./format.ts";
import { type Row, row } from "./row.ts";

// Branches (Arm ARM C4.1.93). PSTATE.BTYPE that an indirect branch leaves (D8.4.4, "PSTATE.BTYPE"): 1 for BR through X16 or X17, 2 for
// BLR, 3 for any other BR; the engine makes a 3 from a page that is not guarded a 1.

const LINK = 30;

function link(b: Builder): void {
  b.setX(b.xreg(LINK), b.i64.add(b.pc(), b.const64(4)));
}

/** Variant 1: the target comes through X16 or X17. */
function jumpVariant(f: { readonly n: number }): { variant: number } {
  return { variant: f.n === 16 || f.n === 17 ? 1 : 0 };
}

function jumpType(variant: number): number {
  return variant === 1 ? 1 : 3;
}

const words = (width: number) => (f: { readonly i: number }) => ({ i: signed(f.i, width) * 4 });

function target(pc: number, i: number, width: number): string {
  const address = pc + signed(i, width) * 4;
  return address < 0 ? hex64Wrapped(address) : hex(address);
}

function hex64Wrapped(address: number): string {
  return `0xffff${(2 ** 48 + address).toString(16).padStart(12, "0")}`;
}

function bitTest(b: Builder, t: I32, bit: I32): I32 {
  return b.i32.and(b.i32.shr_u(t, bit), b.const32(1));
}

export const BRANCH_ROWS: readonly Row[] = [
  row({
    id: "B",
    asm: "B",
    bits: "0 00101 iiiiiiiiiiiiiiiiiiiiiiiiii",
    ops: { i: "s32" },
    decode: words(26),
    execute: (b, { i }) => b.branch(i),
    text: (f, pc) => insn("b", target(pc, f.i, 26)),
  }),
  row({
    id: "BL",
    asm: "BL",
    bits: "1 00101 iiiiiiiiiiiiiiiiiiiiiiiiii",
    ops: { i: "s32" },
    decode: words(26),
    execute(b, { i }) {
      link(b);
      b.branch(i);
    },
    text: (f, pc) => insn("bl", target(pc, f.i, 26)),
  }),
  row({
    id: "B_cond",
    asm: "B.cond",
    bits: "0101010 0 iiiiiiiiiiiiiiiiiii 0 CCCC",
    ops: { i: "s32" },
    decode: words(19),
    execute: (b, { i }, s) => b.branchIf(b.cond(s.C), i),
    text: (f, pc) => insn(`b.${CONDITIONS[f.C]}`, target(pc, f.i, 19)),
  }),
  row({
    id: "CBZ_CBNZ",
    asm: "CBZ, CBNZ",
    bits: "Z 011010 P iiiiiiiiiiiiiiiiiii ttttt",
    ops: { i: "s32", t: "xr" },
    decode: words(19),
    execute(b, { i, t }, s) {
      const ops = b.int(s.Z);
      const v = ops.get(t);
      b.branchIf(s.P ? ops.ne(v, ops.const(0)) : ops.eqz(v), i);
    },
    text: (f, pc) => insn(f.P ? "cbnz" : "cbz", gpr(f.Z, f.t), target(pc, f.i, 19)),
  }),
  row({
    id: "TBZ_TBNZ",
    asm: "TBZ, TBNZ",
    // Z: the upper half of the register
    bits: "Z 011011 P bbbbb iiiiiiiiiiiiii ttttt",
    ops: { i: "s32", t: "xr", b: "u8" },
    decode: words(14),
    execute(b, o, s) {
      const v = b.getX(o.t);
      const half = b.i32.wrap_i64(s.Z ? b.i64.shr_u(v, b.const64(32)) : v);
      const bit = bitTest(b, half, o.b);
      b.branchIf(s.P ? bit : b.i32.eqz(bit), o.i);
    },
    text: (f, pc) => insn(f.P ? "tbnz" : "tbz", gpr(f.Z, f.t), `#${f.Z * 32 + f.b}`, target(pc, f.i, 14)),
  }),
  row({
    id: "BR",
    asm: "BR",
    bits: "1101011 0000 11111 000000 nnnnn 00000",
    ops: { n: "xr" },
    variants: 2,
    decode: jumpVariant,
    execute: (b, { n }, s) => b.branchTo(b.getX(n), "jump", jumpType(s.variant)),
    text: (f) => insn("br", gpr(1, f.n)),
  }),
  row({
    id: "BLR",
    asm: "BLR",
    bits: "1101011 0001 11111 000000 nnnnn 00000",
    ops: { n: "xr" },
    execute(b, { n }) {
      const to = b.getX(n);
      link(b);
      b.branchTo(to, "call", 2);
    },
    text: (f) => insn("blr", gpr(1, f.n)),
  }),
  row({
    id: "RET",
    asm: "RET",
    bits: "1101011 0010 11111 000000 nnnnn 00000",
    ops: { n: "xr" },
    execute: (b, { n }) => b.branchTo(b.getX(n), "return", 0),
    text: (f) => (f.n === LINK ? insn("ret") : insn("ret", gpr(1, f.n))),
  }),
  row({
    id: "BRAA",
    asm: "BRAA, BRAB",
    bits: "1101011 1000 11111 00001 K nnnnn mmmmm",
    feat: "PAuth",
    ops: { n: "xr", m: "sp" },
    variants: 2,
    decode: jumpVariant,
    execute(b, { n, m }, s) {
      const to = b.call<"i64">("authPAC", b.getX(n), b.getX(m), b.const32(s.K));
      b.branchTo(to, "jump", jumpType(s.variant));
    },
    text: (f) => insn(f.K ? "brab" : "braa", gpr(1, f.n), gprSp(1, f.m)),
  }),
  row({
    id: "BRAAZ",
    asm: "BRAAZ, BRABZ",
    bits: "1101011 0000 11111 00001 K nnnnn 11111",
    feat: "PAuth",
    ops: { n: "xr" },
    variants: 2,
    decode: jumpVariant,
    execute(b, { n }, s) {
      const to = b.call<"i64">("authPAC", b.getX(n), b.const64(0), b.const32(s.K));
      b.branchTo(to, "jump", jumpType(s.variant));
    },
    text: (f) => insn(f.K ? "brabz" : "braaz", gpr(1, f.n)),
  }),
  row({
    id: "BLRAA",
    asm: "BLRAA, BLRAB",
    bits: "1101011 1001 11111 00001 K nnnnn mmmmm",
    feat: "PAuth",
    ops: { n: "xr", m: "sp" },
    execute(b, { n, m }, s) {
      const to = b.call<"i64">("authPAC", b.getX(n), b.getX(m), b.const32(s.K));
      link(b);
      b.branchTo(to, "call", 2);
    },
    text: (f) => insn(f.K ? "blrab" : "blraa", gpr(1, f.n), gprSp(1, f.m)),
  }),
  row({
    id: "BLRAAZ",
    asm: "BLRAAZ, BLRABZ",
    bits: "1101011 0001 11111 00001 K nnnnn 11111",
    feat: "PAuth",
    ops: { n: "xr" },
    execute(b, { n }, s) {
      const to = b.call<"i64">("authPAC", b.getX(n), b.const64(0), b.const32(s.K));
      link(b);
      b.branchTo(to, "call", 2);
    },
    text: (f) => insn(f.K ? "blrabz" : "blraaz", gpr(1, f.n)),
  }),
  row({
    id: "RETAA",
    asm: "RETAA, RETAB",
    bits: "1101011 0010 11111 00001 K 11111 11111",
    feat: "PAuth",
    execute(b, _, s) {
      const sp = b.getX(b.xreg(SLOT_SP));
      b.branchTo(b.call<"i64">("authPAC", b.getX(b.xreg(LINK)), sp, b.const32(s.K)), "return", 0);
    },
    text: (f) => insn(f.K ? "retab" : "retaa"),
  }),
];
