import { hex } from "./bits.ts";
import { insn } from "./format.ts";
import { type Row, row } from "./row.ts";

// Exception generation and return (Arm ARM C4.1.93). What depends on exception levels is the processing element's to decide.

/** Exception class of BRK in AArch64 state. */
const EC_BRK64 = 0x3c;
const EC_UNKNOWN = 0;

const imm = (f: { readonly i: number }): string => `#${hex(f.i)}`;

export const EXCEPTION_ROWS: readonly Row[] = [
  row({
    id: "SVC",
    asm: "SVC",
    bits: "11010100 000 iiiiiiiiiiiiiiii 00001",
    ops: { i: "i32" },
    execute: (b, { i }) => b.host("svc", i),
    text: (f) => insn("svc", imm(f)),
  }),
  row({
    id: "HVC",
    asm: "HVC",
    bits: "11010100 000 iiiiiiiiiiiiiiii 00010",
    ops: { i: "i32" },
    execute: (b, { i }) => b.host("hvc", i),
    text: (f) => insn("hvc", imm(f)),
  }),
  row({
    id: "SMC",
    asm: "SMC",
    bits: "11010100 000 iiiiiiiiiiiiiiii 00011",
    ops: { i: "i32" },
    execute: (b, { i }) => b.host("smc", i),
    text: (f) => insn("smc", imm(f)),
  }),
  row({
    id: "BRK",
    asm: "BRK",
    bits: "11010100 001 iiiiiiiiiiiiiiii 00000",
    ops: { i: "i32" },
    execute: (b, { i }) => b.exception(EC_BRK64, i),
    text: (f) => insn("brk", imm(f)),
  }),
  row({
    id: "HLT",
    asm: "HLT",
    bits: "11010100 010 iiiiiiiiiiiiiiii 00000",
    ops: { i: "i32" },
    execute: (b, { i }) => b.host("hlt", i),
    text: (f) => insn("hlt", imm(f)),
  }),
  row({
    id: "DCPS",
    asm: "DCPS1, DCPS2, DCPS3",
    bits: "11010100 101 iiiiiiiiiiiiiiii 000 LL",
    ops: { i: "i32" },
    decode: (f) => (f.L === 0 ? "unallocated" : {}),
    execute: (b, { i }, s) => b.host("debugState", b.const32(s.L), i),
    text: (f) => insn(`dcps${f.L}`, f.i === 0 ? "" : imm(f)),
  }),
  row({
    id: "UDF",
    asm: "UDF",
    bits: "0000000000000000 iiiiiiiiiiiiiiii",
    execute: (b) => b.exception(EC_UNKNOWN, b.const32(0)),
    text: (f) => insn("udf", `#${f.i}`),
  }),
  row({
    id: "ERET",
    asm: "ERET",
    bits: "1101011 0100 11111 000000 11111 00000",
    execute: (b) => b.host("exceptionReturn", b.const32(0)),
    text: () => insn("eret"),
  }),
  row({
    id: "ERETAA",
    asm: "ERETAA, ERETAB",
    bits: "1101011 0100 11111 00001 K 11111 11111",
    feat: "PAuth",
    execute: (b, _, s) => b.host("exceptionReturn", b.const32(1 + s.K)),
    text: (f) => insn(f.K ? "eretab" : "eretaa"),
  }),
  row({
    id: "DRPS",
    asm: "DRPS",
    bits: "1101011 0101 11111 000000 11111 00000",
    execute: (b) => b.host("debugState", b.const32(0), b.const32(0)),
    text: () => insn("drps"),
  }),
];
