import type { Builder, I32, I64, IntOps } from "../ir/builder.ts";
import { gpr, insn } from "./format.ts";
import type { Int } from "./operand2.ts";
import { type Row, row } from "./row.ts";

// Data processing with one source register (Arm ARM C4.1.95), CRC32, and what sets flags alone.

/** Exchanges neighbouring groups of bits: `mask` has ones for the lower group of each pair, `n` is the group's size. */
function swapGroups(ops: IntOps, v: Int, mask: Int, n: number): Int {
  const shift = ops.const(n);
  return ops.or(ops.shl(ops.and(v, mask), shift), ops.and(ops.shr_u(v, shift), mask));
}

function pattern(b: Builder, ops: IntOps, word: number): Int {
  return ops.bits === 64 ? b.const64(word, word) : b.const32(word);
}

/** Reverses the bytes of each container of `bytes` bytes: 2, 4 or 8. */
function reverseBytes(b: Builder, ops: IntOps, v: Int, bytes: number): Int {
  const halves = swapGroups(ops, v, pattern(b, ops, 0x00ff00ff), 8);
  if (bytes === 2) return halves;
  if (ops.bits === 32) return ops.rotr(halves, ops.const(16));
  const words = swapGroups(ops, halves, pattern(b, ops, 0x0000ffff), 16);
  return bytes === 4 ? words : ops.rotr(words, ops.const(32));
}

function reverseBits(b: Builder, ops: IntOps, v: Int): Int {
  let r = swapGroups(ops, v, pattern(b, ops, 0x55555555), 1);
  r = swapGroups(ops, r, pattern(b, ops, 0x33333333), 2);
  r = swapGroups(ops, r, pattern(b, ops, 0x0f0f0f0f), 4);
  return reverseBytes(b, ops, r, ops.bits / 8);
}

/** NZCV with N, Z, C and V as 0 or 1. */
function packNZCV(b: Builder, n: I32, z: I32, c: I32, v: I32): I32 {
  const { i32 } = b;
  const at = (bit: I32, shift: number): I32 => i32.shl(bit, b.const32(shift));
  return i32.or(i32.or(at(n, 31), at(z, 30)), i32.or(at(c, 29), at(v, 28)));
}

function flagBit(b: Builder, nzcv: I32, bit: number): I32 {
  return b.i32.and(b.i32.shr_u(nzcv, b.const32(bit)), b.const32(1));
}

function checksumValue(b: Builder, v: I64, size: number): I64 {
  if (size === 3) return v;
  return b.i64.and(v, b.const64([0xff, 0xffff, -1][size] as number, 0));
}

export const DP_REG_UNARY_ROWS: readonly Row[] = [
  row({
    id: "RBIT",
    asm: "RBIT",
    bits: "Z 10 11010110 00000 000000 nnnnn ddddd",
    ops: { d: "xw", n: "xr" },
    execute(b, { d, n }, s) {
      const ops = b.int(s.Z);
      ops.set(d, reverseBits(b, ops, ops.get(n)));
    },
    text: (f) => insn("rbit", gpr(f.Z, f.d), gpr(f.Z, f.n)),
  }),
  row({
    id: "REV16",
    asm: "REV16",
    bits: "Z 10 11010110 00000 000001 nnnnn ddddd",
    ops: { d: "xw", n: "xr" },
    execute(b, { d, n }, s) {
      const ops = b.int(s.Z);
      ops.set(d, reverseBytes(b, ops, ops.get(n), 2));
    },
    text: (f) => insn("rev16", gpr(f.Z, f.d), gpr(f.Z, f.n)),
  }),
  row({
    id: "REV32",
    asm: "REV (32-bit), REV32",
    bits: "Z 10 11010110 00000 000010 nnnnn ddddd",
    ops: { d: "xw", n: "xr" },
    execute(b, { d, n }, s) {
      const ops = b.int(s.Z);
      ops.set(d, reverseBytes(b, ops, ops.get(n), 4));
    },
    text: (f) => insn(f.Z ? "rev32" : "rev", gpr(f.Z, f.d), gpr(f.Z, f.n)),
  }),
  row({
    id: "REV64",
    asm: "REV (64-bit)",
    bits: "1 10 11010110 00000 000011 nnnnn ddddd",
    ops: { d: "xw", n: "xr" },
    execute: (b, { d, n }) => b.setX(d, reverseBytes(b, b.int(1), b.getX(n), 8) as I64),
    text: (f) => insn("rev", gpr(1, f.d), gpr(1, f.n)),
  }),
  row({
    id: "CLZ",
    asm: "CLZ",
    bits: "Z 10 11010110 00000 000100 nnnnn ddddd",
    ops: { d: "xw", n: "xr" },
    execute(b, { d, n }, s) {
      const ops = b.int(s.Z);
      ops.set(d, ops.clz(ops.get(n)));
    },
    text: (f) => insn("clz", gpr(f.Z, f.d), gpr(f.Z, f.n)),
  }),
  row({
    id: "CLS",
    asm: "CLS",
    bits: "Z 10 11010110 00000 000101 nnnnn ddddd",
    ops: { d: "xw", n: "xr" },
    execute(b, { d, n }, s) {
      const ops = b.int(s.Z);
      const v = ops.get(n);
      // Bit i of the difference is set where bits i and i + 1 differ; its top bit never is.
      const differences = ops.xor(v, ops.shr_s(v, ops.const(1)));
      ops.set(d, ops.sub(ops.clz(differences), ops.const(1)));
    },
    text: (f) => insn("cls", gpr(f.Z, f.d), gpr(f.Z, f.n)),
  }),
  row({
    id: "CRC32",
    asm: "CRC32B, CRC32H, CRC32W, CRC32X, CRC32CB, CRC32CH, CRC32CW, CRC32CX",
    bits: "Z 0 0 11010110 mmmmm 010 C SS nnnnn ddddd",
    feat: "CRC32",
    ops: { d: "xw", n: "xr", m: "xr" },
    decode: (f) => ((f.S === 3) === (f.Z === 1) ? {} : "unallocated"),
    execute(b, o, s) {
      const value = checksumValue(b, b.getX(o.m), s.S);
      const crc = b.call<"i32">("crc32", b.w.get(o.n), value, b.const32(1 << s.S), b.const32(s.C));
      b.w.set(o.d, crc);
    },
    text: (f) => insn(`crc32${f.C ? "c" : ""}${"bhwx"[f.S]}`, gpr(0, f.d), gpr(0, f.n), gpr(f.Z, f.m)),
  }),
  row({
    id: "RMIF",
    asm: "RMIF",
    bits: "1 0 1 11010000 iiiiii 00001 nnnnn 0 mmmm",
    feat: "FlagM",
    ops: { n: "xr", i: "u8", m: "u8" },
    execute(b, { n, i, m }) {
      const { i32 } = b;
      const mask = i32.shl(m, b.const32(28));
      const rotated = i32.wrap_i64(b.i64.rotr(b.getX(n), b.i64.extend_i32_u(i)));
      const inserted = i32.and(i32.shl(rotated, b.const32(28)), mask);
      b.setNZCV(i32.or(i32.and(b.getNZCV(), b.w.not(mask)), inserted));
    },
    text: (f) => insn("rmif", gpr(1, f.n), `#${f.i}`, `#${f.m}`),
  }),
  row({
    id: "SETF",
    asm: "SETF8, SETF16",
    bits: "0 0 1 11010000 000000 S 0010 nnnnn 0 1101",
    feat: "FlagM",
    ops: { n: "xr" },
    execute(b, { n }, s) {
      const { i32 } = b;
      const size = s.S ? 16 : 8;
      const v = b.w.get(n);
      const sign = flagBit(b, v, size - 1);
      const zero = i32.eqz(i32.shl(v, b.const32(32 - size)));
      const overflow = i32.xor(flagBit(b, v, size), sign);
      b.setNZCV(packNZCV(b, sign, zero, b.getC(), overflow));
    },
    text: (f) => insn(f.S ? "setf16" : "setf8", gpr(0, f.n)),
  }),
  row({
    id: "CFINV",
    asm: "CFINV",
    bits: "1101010100000 000 0100 ---- 000 11111",
    feat: "FlagM",
    execute: (b) => b.setNZCV(b.i32.xor(b.getNZCV(), b.const32(1 << 29))),
    text: () => insn("cfinv"),
  }),
  row({
    id: "XAFLAG",
    asm: "XAFLAG",
    bits: "1101010100000 000 0100 ---- 001 11111",
    feat: "FlagM2",
    execute(b) {
      const { i32 } = b;
      const nzcv = b.getNZCV();
      const z = flagBit(b, nzcv, 30);
      const c = flagBit(b, nzcv, 29);
      const notC = i32.eqz(c);
      const notZ = i32.eqz(z);
      b.setNZCV(packNZCV(b, i32.and(notC, notZ), i32.and(z, c), i32.or(c, z), i32.and(notC, z)));
    },
    text: () => insn("xaflag"),
  }),
  row({
    id: "AXFLAG",
    asm: "AXFLAG",
    bits: "1101010100000 000 0100 ---- 010 11111",
    feat: "FlagM2",
    execute(b) {
      const { i32 } = b;
      const nzcv = b.getNZCV();
      const v = flagBit(b, nzcv, 28);
      const zero = b.const32(0);
      const z = i32.or(flagBit(b, nzcv, 30), v);
      const c = i32.and(flagBit(b, nzcv, 29), i32.eqz(v));
      b.setNZCV(packNZCV(b, zero, z, c, zero));
    },
    text: () => insn("axflag"),
  }),
];
