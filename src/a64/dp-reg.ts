import type { Builder, I64, IntOps, Value } from "../ir/builder.ts";
import { hex } from "./bits.ts";
import { CONDITIONS, EXTENDS, gpr, gprSp, insn, SHIFTS } from "./format.ts";
import { extendReg, type Int, shiftReg } from "./operand2.ts";
import { type Row, row } from "./row.ts";

// Data processing, register, with two source registers or three (Arm ARM C4.1.95).

function addSubFlags(b: Builder, ops: IntOps, sub: number, a: Int, m: Int): void {
  if (sub) b.flagsSub(ops, a, m);
  else b.flagsAdd(ops, a, m);
}

function addSub(ops: IntOps, sub: number, a: Int, m: Int): Int {
  return sub ? ops.sub(a, m) : ops.add(a, m);
}

interface Shifted {
  readonly Z: number;
  readonly H: number;
  readonly i: number;
}

/** Variant 1: the second operand is not shifted. */
function shiftedAmount(f: Shifted): { variant: number } | "unallocated" {
  if (!f.Z && f.i >= 32) return "unallocated";
  return { variant: f.i === 0 ? 1 : 0 };
}

function shiftText(f: Shifted): string {
  return f.i === 0 && f.H === 0 ? "" : `${SHIFTS[f.H]} #${f.i}`;
}

function logicalText(f: Shifted & { P: number; N: number; m: number; n: number; d: number }): string {
  const [d, n, m] = [gpr(f.Z, f.d), gpr(f.Z, f.n), gpr(f.Z, f.m)];
  if (f.P === 3 && !f.N && f.d === 31) return insn("tst", n, m, shiftText(f));
  if (f.P === 1 && f.n === 31) {
    if (f.N) return insn("mvn", d, m, shiftText(f));
    if (f.i === 0 && f.H === 0) return insn("mov", d, m);
  }
  const name = (f.N ? ["bic", "orn", "eon", "bics"] : ["and", "orr", "eor", "ands"])[f.P] as string;
  return insn(name, d, n, m, shiftText(f));
}

function addSubShiftedText(f: Shifted & { P: number; F: number; m: number; n: number; d: number }): string {
  const [d, n, m] = [gpr(f.Z, f.d), gpr(f.Z, f.n), gpr(f.Z, f.m)];
  if (f.F && f.d === 31) return insn(f.P ? "cmp" : "cmn", n, m, shiftText(f));
  const s = f.F ? "s" : "";
  if (f.P && f.n === 31) return insn(`neg${s}`, d, m, shiftText(f));
  return insn(`${f.P ? "sub" : "add"}${s}`, d, n, m, shiftText(f));
}

interface Extended {
  readonly Z: number;
  readonly P: number;
  readonly E: number;
  readonly i: number;
  readonly m: number;
  readonly n: number;
  readonly d: number;
}

function addSubExtendedText(f: Extended, flags: boolean): string {
  const wide = f.Z === 1 && (f.E & 3) === 3;
  // UXTX (UXTW for 32 bits) reads as LSL when SP is an operand.
  const plain = f.E === (f.Z ? 3 : 2) && (f.n === 31 || (!flags && f.d === 31));
  const extend = plain ? (f.i ? `lsl #${f.i}` : "") : `${EXTENDS[f.E]}${f.i ? ` #${f.i}` : ""}`;
  const operands = [gprSp(f.Z, f.n), gpr(wide ? 1 : 0, f.m), extend];
  if (flags && f.d === 31) return insn(f.P ? "cmp" : "cmn", ...operands);
  const d = flags ? gpr(f.Z, f.d) : gprSp(f.Z, f.d);
  return insn(`${f.P ? "sub" : "add"}${flags ? "s" : ""}`, d, ...operands);
}

function extendedOperand(b: Builder, ops: IntOps, m: I64, option: number, amount: Int): Int {
  return ops.shl(ops.from64(extendReg(b, m, option)), amount);
}

/** The upper 64 bits of a product, from products of 32-bit halves. */
function multiplyHigh(b: Builder, x: I64, y: I64, isSigned: boolean): I64 {
  const { i64 } = b;
  const word = b.const64(32);
  const low = (v: I64): I64 => i64.extend_i32_u(b.i32.wrap_i64(v));
  const high = (v: I64): I64 => (isSigned ? i64.shr_s(v, word) : i64.shr_u(v, word));
  const [xl, xh, yl, yh] = [low(x), high(x), low(y), high(y)];
  const middle = i64.add(i64.mul(xh, yl), i64.shr_u(i64.mul(xl, yl), word));
  const cross = i64.add(i64.mul(xl, yh), low(middle));
  return i64.add(i64.add(i64.mul(xh, yh), high(middle)), high(cross));
}

/** Division by zero gives zero; the most negative number divided by -1 gives itself. */
function divide(ops: IntOps, b: Builder, isSigned: boolean, a: Int, m: Int): Int {
  const one = ops.const(1);
  const byZero = ops.eqz(m);
  if (!isSigned) return b.select(byZero, ops.const(0), ops.div_u(a, b.select(byZero, one, m)));
  const byMinusOne = ops.eq(m, ops.const(-1));
  const quotient = ops.div_s(a, b.select(b.i32.or(byZero, byMinusOne), one, m));
  const negated = ops.sub(ops.const(0), a);
  return b.select(byZero, ops.const(0), b.select(byMinusOne, negated, quotient));
}

function condCompareText(f: { Z: number; P: number; C: number; n: number; v: number }, second: string): string {
  return insn(f.P ? "ccmp" : "ccmn", gpr(f.Z, f.n), second, `#${hex(f.v)}`, CONDITIONS[f.C] as string);
}

function condCompare(
  b: Builder,
  s: { readonly Z: number; readonly P: number; readonly C: number },
  a: Int,
  m: Int,
  otherwise: Value<"i32">,
): void {
  b.if(
    b.cond(s.C),
    () => addSubFlags(b, b.int(s.Z), s.P, a, m),
    () => b.setNZCV(b.i32.shl(otherwise, b.const32(28))),
  );
}

function condSelectText(f: { Z: number; P: number; K: number; C: number; m: number; n: number; d: number }): string {
  const [d, n, m] = [gpr(f.Z, f.d), gpr(f.Z, f.n), gpr(f.Z, f.m)];
  const inverse = CONDITIONS[f.C ^ 1] as string;
  const op = f.P * 2 + f.K;
  if (op !== 0 && f.m === f.n && f.C < 14) {
    if (op === 1 && f.n === 31) return insn("cset", d, inverse);
    if (op === 2 && f.n === 31) return insn("csetm", d, inverse);
    return insn(["", "cinc", "cinv", "cneg"][op] as string, d, n, inverse);
  }
  return insn(["csel", "csinc", "csinv", "csneg"][op] as string, d, n, m, CONDITIONS[f.C] as string);
}

/** Nothing names a condition that always fails: NV holds, as AL does. */
export const DP_REG_ROWS: readonly Row[] = [
  row({
    id: "LOGICAL_shift",
    asm: "AND, BIC, ORR, ORN, EOR, EON, ANDS, BICS (shifted register)",
    bits: "Z PP 01010 HH N mmmmm iiiiii nnnnn ddddd",
    ops: { d: "xw", n: "xr", m: "xr", i: "u8" },
    variants: 2,
    decode: shiftedAmount,
    execute(b, o, s) {
      const ops = b.int(s.Z);
      let m = ops.get(o.m);
      if (s.variant === 0) m = shiftReg(ops, m, s.H, ops.from32(o.i));
      if (s.N) m = ops.not(m);
      const a = ops.get(o.n);
      const result = s.P === 1 ? ops.or(a, m) : s.P === 2 ? ops.xor(a, m) : ops.and(a, m);
      if (s.P === 3) b.flagsLogic(ops, result);
      ops.set(o.d, result);
    },
    text: logicalText,
  }),
  row({
    id: "MOV_reg",
    asm: "MOV (register)",
    bits: "Z 01 01010 00 0 mmmmm 000000 11111 ddddd",
    ops: { d: "xw", m: "xr" },
    execute(b, { d, m }, s) {
      const ops = b.int(s.Z);
      ops.set(d, ops.get(m));
    },
    text: (f) => insn("mov", gpr(f.Z, f.d), gpr(f.Z, f.m)),
  }),
  row({
    id: "ADD_SUB_shift",
    asm: "ADD, ADDS, SUB, SUBS (shifted register)",
    bits: "Z P F 01011 HH 0 mmmmm iiiiii nnnnn ddddd",
    ops: { d: "xw", n: "xr", m: "xr", i: "u8" },
    variants: 2,
    decode: (f) => (f.H === 3 ? "unallocated" : shiftedAmount(f)),
    execute(b, o, s) {
      const ops = b.int(s.Z);
      const a = ops.get(o.n);
      let m = ops.get(o.m);
      if (s.variant === 0) m = shiftReg(ops, m, s.H, ops.from32(o.i));
      if (s.F) addSubFlags(b, ops, s.P, a, m);
      ops.set(o.d, addSub(ops, s.P, a, m));
    },
    text: addSubShiftedText,
  }),
  row({
    id: "ADD_SUB_ext",
    asm: "ADD, SUB (extended register)",
    bits: "Z P 0 01011 00 1 mmmmm EEE iii nnnnn ddddd",
    ops: { d: "sp", n: "sp", m: "xr", i: "u8" },
    decode: (f) => (f.i > 4 ? "unallocated" : {}),
    execute(b, o, s) {
      const ops = b.int(s.Z);
      ops.set(o.d, addSub(ops, s.P, ops.get(o.n), extendedOperand(b, ops, b.getX(o.m), s.E, ops.from32(o.i))));
    },
    text: (f) => addSubExtendedText(f, false),
  }),
  row({
    id: "ADDS_SUBS_ext",
    asm: "ADDS, SUBS (extended register)",
    bits: "Z P 1 01011 00 1 mmmmm EEE iii nnnnn ddddd",
    ops: { d: "xw", n: "sp", m: "xr", i: "u8" },
    decode: (f) => (f.i > 4 ? "unallocated" : {}),
    execute(b, o, s) {
      const ops = b.int(s.Z);
      const a = ops.get(o.n);
      const m = extendedOperand(b, ops, b.getX(o.m), s.E, ops.from32(o.i));
      addSubFlags(b, ops, s.P, a, m);
      ops.set(o.d, addSub(ops, s.P, a, m));
    },
    text: (f) => addSubExtendedText(f, true),
  }),
  row({
    id: "ADC_SBC",
    asm: "ADC, ADCS, SBC, SBCS",
    bits: "Z P F 11010000 mmmmm 000000 nnnnn ddddd",
    ops: { d: "xw", n: "xr", m: "xr" },
    execute(b, o, s) {
      const ops = b.int(s.Z);
      const a = ops.get(o.n);
      const m = s.P ? ops.not(ops.get(o.m)) : ops.get(o.m);
      const carry = b.getC();
      if (s.F) b.flagsAdc(ops, a, m, carry);
      ops.set(o.d, ops.add(ops.add(a, m), ops.from32(carry)));
    },
    text(f) {
      const [d, n, m] = [gpr(f.Z, f.d), gpr(f.Z, f.n), gpr(f.Z, f.m)];
      const s = f.F ? "s" : "";
      if (f.P && f.n === 31) return insn(`ngc${s}`, d, m);
      return insn(`${f.P ? "sbc" : "adc"}${s}`, d, n, m);
    },
  }),
  row({
    id: "CCMN_CCMP_reg",
    asm: "CCMN, CCMP (register)",
    bits: "Z P 1 11010010 mmmmm CCCC 00 nnnnn 0 vvvv",
    ops: { n: "xr", m: "xr", v: "u8" },
    execute(b, { n, m, v }, s) {
      const ops = b.int(s.Z);
      condCompare(b, s, ops.get(n), ops.get(m), v);
    },
    text: (f) => condCompareText(f, gpr(f.Z, f.m)),
  }),
  row({
    id: "CCMN_CCMP_imm",
    asm: "CCMN, CCMP (immediate)",
    bits: "Z P 1 11010010 iiiii CCCC 10 nnnnn 0 vvvv",
    ops: { n: "xr", i: "u8", v: "u8" },
    execute(b, { n, i, v }, s) {
      const ops = b.int(s.Z);
      condCompare(b, s, ops.get(n), ops.from32(i), v);
    },
    text: (f) => condCompareText(f, `#${hex(f.i)}`),
  }),
  row({
    id: "CSEL",
    asm: "CSEL, CSINC, CSINV, CSNEG",
    bits: "Z P 0 11010100 mmmmm CCCC 0 K nnnnn ddddd",
    ops: { d: "xw", n: "xr", m: "xr" },
    execute(b, o, s) {
      const ops = b.int(s.Z);
      let m = ops.get(o.m);
      if (s.P) m = ops.not(m);
      if (s.K) m = ops.add(m, ops.const(1));
      ops.set(o.d, b.select(b.cond(s.C), ops.get(o.n), m));
    },
    text: condSelectText,
  }),
  row({
    id: "DIV",
    asm: "UDIV, SDIV",
    bits: "Z 0 0 11010110 mmmmm 00001 S nnnnn ddddd",
    ops: { d: "xw", n: "xr", m: "xr" },
    execute(b, o, s) {
      const ops = b.int(s.Z);
      ops.set(o.d, divide(ops, b, s.S === 1, ops.get(o.n), ops.get(o.m)));
    },
    text: (f) => insn(f.S ? "sdiv" : "udiv", gpr(f.Z, f.d), gpr(f.Z, f.n), gpr(f.Z, f.m)),
  }),
  row({
    id: "SHIFTV",
    asm: "LSLV, LSRV, ASRV, RORV",
    bits: "Z 0 0 11010110 mmmmm 0010 HH nnnnn ddddd",
    ops: { d: "xw", n: "xr", m: "xr" },
    execute(b, o, s) {
      const ops = b.int(s.Z);
      ops.set(o.d, shiftReg(ops, ops.get(o.n), s.H, ops.get(o.m)));
    },
    text: (f) => insn(SHIFTS[f.H] as string, gpr(f.Z, f.d), gpr(f.Z, f.n), gpr(f.Z, f.m)),
  }),
  row({
    id: "MADD_MSUB",
    asm: "MADD, MSUB",
    bits: "Z 00 11011 000 mmmmm K aaaaa nnnnn ddddd",
    ops: { d: "xw", n: "xr", m: "xr", a: "xr" },
    execute(b, o, s) {
      const ops = b.int(s.Z);
      ops.set(o.d, addSub(ops, s.K, ops.get(o.a), ops.mul(ops.get(o.n), ops.get(o.m))));
    },
    text(f) {
      const [d, n, m] = [gpr(f.Z, f.d), gpr(f.Z, f.n), gpr(f.Z, f.m)];
      if (f.a === 31) return insn(f.K ? "mneg" : "mul", d, n, m);
      return insn(f.K ? "msub" : "madd", d, n, m, gpr(f.Z, f.a));
    },
  }),
  row({
    id: "MADDL_MSUBL",
    asm: "SMADDL, SMSUBL, UMADDL, UMSUBL",
    bits: "1 00 11011 U 01 mmmmm K aaaaa nnnnn ddddd",
    ops: { d: "xw", n: "xr", m: "xr", a: "xr" },
    execute(b, o, s) {
      const widen = (v: Value<"i32">): I64 => (s.U ? b.i64.extend_i32_u(v) : b.i64.extend_i32_s(v));
      const product = b.i64.mul(widen(b.w.get(o.n)), widen(b.w.get(o.m)));
      b.setX(o.d, b.x[s.K ? "sub" : "add"](b.getX(o.a), product));
    },
    text(f) {
      const u = f.U ? "u" : "s";
      const operands = [gpr(1, f.d), gpr(0, f.n), gpr(0, f.m)];
      if (f.a === 31) return insn(`${u}${f.K ? "mnegl" : "mull"}`, ...operands);
      return insn(`${u}${f.K ? "msubl" : "maddl"}`, ...operands, gpr(1, f.a));
    },
  }),
  row({
    id: "MULH",
    asm: "SMULH, UMULH",
    bits: "1 00 11011 U 10 mmmmm 0 ----- nnnnn ddddd",
    ops: { d: "xw", n: "xr", m: "xr" },
    execute: (b, o, s) => b.setX(o.d, multiplyHigh(b, b.getX(o.n), b.getX(o.m), s.U === 0)),
    text: (f) => insn(f.U ? "umulh" : "smulh", gpr(1, f.d), gpr(1, f.n), gpr(1, f.m)),
  }),
];
