import type { Feature } from "../arch/features.ts";
import { PLAIN_SYSREGS } from "../arch/sysreg-plain.ts";
import { EL, FPCR, FPSR } from "../cpu/state-layout.ts";
import type { Builder } from "../ir/builder.ts";
import { gpr, insn } from "./format.ts";
import { type Row, row } from "./row.ts";
import { pstateName, sysInsnText, sysregName } from "./system-names.ts";

// Hints, barriers, PSTATE, system instructions, system registers (Arm ARM C4.1.93, C5).
// System register numbers are op0:op1:CRn:CRm:op2 as 16 bits.

/** The register number of MRS and MSR: the pattern has all of op0 but its upper bit. */
const OP0_HIGH = 0x8000;
/** Of SYS: op0 = 1. */
const OP0_SYS = 0x4000;
/** Marks the number of a SYSL. */
const SYSL = 0x10000;

/** FPCR: AHP, DN, FZ, RMode, FZ16. Trapped exceptions are not supported, so their enables are RAZ/WI. */
const FPCR_MASK = 0x07c80000;
/** FPSR: QC and the cumulative exception flags. */
const FPSR_MASK = 0x0800009f;

/** Variant 0: the processing element does it; 1 + EL: a plain slot, UNDEFINED below that exception level. */
function plainVariant(id: number, write: boolean): { i: number; variant: number } {
  const plain = PLAIN_SYSREGS.get(id);
  if (!plain || (write && !plain.writable)) return { i: id, variant: 0 };
  return { i: plain.offset, variant: 1 + plain.minEL };
}

function requireEL(b: Builder, variant: number): void {
  const minEL = variant - 1;
  if (minEL > 0) b.trapIf(b.i32.lt_u(b.getWord(EL), b.const32(minEL)));
}

function sysreg(f: { readonly i: number }): string {
  return sysregName(OP0_HIGH | f.i);
}

function hint(id: string, number: number, wait?: number, feat: Feature = "base"): Row {
  const op = number.toString(2).padStart(7, "0");
  return row({
    id,
    asm: id,
    bits: `11010101000000110010${op}11111`,
    feat,
    execute: (b) => {
      if (wait !== undefined) b.host("waitHint", b.const32(wait));
    },
    text: () => insn(id.toLowerCase().replace("_", "\t")),
  });
}

function pstate(id: string, op1: number, op2: number, feat: Feature = "base"): Row {
  const bits = (v: number): string => v.toString(2).padStart(3, "0");
  return row({
    id: `MSR_imm_${id}`,
    asm: `MSR (immediate), ${id}`,
    bits: `1101010100000${bits(op1)}0100mmmm${bits(op2)}11111`,
    feat,
    ops: { m: "u8" },
    execute: (b, { m }) => b.host("pstateWrite", b.const32(op1 * 8 + op2), m),
    text: (f: Readonly<Record<string, number>>) =>
      insn("msr", pstateName(op1, op2), `#0x${(f.m as number).toString(16)}`),
  });
}

const BARRIERS = "#0x00 oshld oshst osh #0x04 nshld nshst nsh #0x08 ishld ishst ish #0x0c ld st sy".split(" ");

export const SYSTEM_ROWS: readonly Row[] = [
  row({
    id: "HINT",
    asm: "HINT (unallocated hints are NOP)",
    bits: "11010101000000110010 iiiiiii 11111",
    execute: () => {},
    text: (f) => insn("hint", `#0x${f.i.toString(16)}`),
  }),
  hint("NOP", 0),
  hint("YIELD", 1, 4),
  hint("WFE", 2, 0),
  hint("WFI", 3, 1),
  hint("SEV", 4, 2),
  hint("SEVL", 5, 3),
  hint("DGH", 6),
  hint("ESB", 16, undefined, "RAS"),
  hint("PSB_csync", 17),
  hint("TSB_csync", 18),
  hint("CSDB", 20),
  hint("BTI", 32),
  hint("BTI_c", 34),
  hint("BTI_j", 36),
  hint("BTI_jc", 38),
  row({
    id: "CLREX",
    asm: "CLREX",
    bits: "11010101000000110011 mmmm 010 11111",
    execute: (b) => {
      b.call("clearExclusive");
    },
    text: (f) => (f.m === 15 ? insn("clrex") : insn("clrex", `#0x${f.m.toString(16)}`)),
  }),
  // One host thread runs all PEs, in program order: there is nothing to wait for.
  row({
    id: "DSB",
    asm: "DSB",
    bits: "11010101000000110011 mmmm 100 11111",
    execute: () => {},
    text: (f) => (f.m === 0 ? insn("ssbb") : f.m === 4 ? insn("pssbb") : insn("dsb", BARRIERS[f.m] as string)),
  }),
  row({
    id: "DMB",
    asm: "DMB",
    bits: "11010101000000110011 mmmm 101 11111",
    execute: () => {},
    text: (f) => insn("dmb", BARRIERS[f.m] as string),
  }),
  row({
    id: "ISB",
    asm: "ISB",
    bits: "11010101000000110011 mmmm 110 11111",
    ops: { m: "u8" },
    execute: (b, { m }) => b.host("isb", m),
    text: (f) => (f.m === 15 ? insn("isb") : insn("isb", `#0x${f.m.toString(16)}`)),
  }),
  row({
    id: "SB",
    asm: "SB",
    bits: "11010101000000110011 ---- 111 11111",
    feat: "SB",
    execute: () => {},
    text: () => insn("sb"),
  }),
  pstate("UAO", 0, 3, "UAO"),
  pstate("PAN", 0, 4, "PAN"),
  pstate("SPSel", 0, 5),
  pstate("SSBS", 3, 1, "SSBS"),
  pstate("DIT", 3, 2, "DIT"),
  pstate("DAIFSet", 3, 6),
  pstate("DAIFClr", 3, 7),
  row({
    id: "SYS",
    asm: "SYS",
    bits: "1101010100 0 01 iiiiiiiiiiiiii ttttt",
    ops: { i: "i32", t: "u8" },
    decode: (f) => ({ i: OP0_SYS | f.i }),
    execute: (b, { i, t }) => b.host("systemInstruction", i, t),
    text: (f) => sysInsnText(OP0_SYS | f.i, f.t),
  }),
  row({
    id: "SYSL",
    asm: "SYSL",
    bits: "1101010100 1 01 iiiiiiiiiiiiii ttttt",
    ops: { i: "i32", t: "u8" },
    decode: (f) => ({ i: SYSL | OP0_SYS | f.i }),
    execute: (b, { i, t }) => b.host("systemInstruction", i, t),
    text(f) {
      const [op1, n, m, op2] = [f.i >> 11, (f.i >> 7) & 15, (f.i >> 3) & 15, f.i & 7];
      return insn("sysl", gpr(1, f.t), `#${op1}`, `C${n}`, `C${m}`, `#${op2}`);
    },
  }),
  row({
    id: "DC_ZVA",
    asm: "DC ZVA",
    bits: "1101010100 0 01 011 0111 0100 001 ttttt",
    ops: { t: "xr" },
    execute: (b, { t }) => {
      b.call("zeroBlock", b.getX(t));
    },
    text: (f) => insn("dc", "zva", gpr(1, f.t)),
  }),
  row({
    id: "MRS",
    asm: "MRS",
    bits: "1101010100 1 1 iiiiiiiiiiiiiii ttttt",
    ops: { i: "i32", t: "xw", r: "u8:t" },
    variants: 5,
    decode: (f) => plainVariant(OP0_HIGH | f.i, false),
    execute(b, { i, t, r }, s) {
      if (s.variant === 0) {
        b.host("sysregRead", i, r);
        return;
      }
      requireEL(b, s.variant);
      b.setX(t, b.getSlot(i));
    },
    text: (f) => insn("mrs", gpr(1, f.t), sysreg(f)),
  }),
  row({
    id: "MSR_reg",
    asm: "MSR (register)",
    bits: "1101010100 0 1 iiiiiiiiiiiiiii ttttt",
    ops: { i: "i32", t: "xr", r: "u8:t" },
    variants: 5,
    decode: (f) => plainVariant(OP0_HIGH | f.i, true),
    execute(b, { i, t, r }, s) {
      if (s.variant === 0) {
        b.host("sysregWrite", i, r);
        return;
      }
      requireEL(b, s.variant);
      b.setSlot(i, b.getX(t));
    },
    text: (f) => insn("msr", sysreg(f), gpr(1, f.t)),
  }),
  row({
    id: "MRS_NZCV",
    asm: "MRS NZCV",
    bits: "1101010100 1 11 011 0100 0010 000 ttttt",
    ops: { t: "xw" },
    execute: (b, { t }) => b.w.set(t, b.getNZCV()),
    text: (f) => insn("mrs", gpr(1, f.t), "nzcv"),
  }),
  row({
    id: "MSR_NZCV",
    asm: "MSR NZCV",
    bits: "1101010100 0 11 011 0100 0010 000 ttttt",
    ops: { t: "xr" },
    execute: (b, { t }) => b.setNZCV(b.i32.and(b.w.get(t), b.const32(0xf0000000))),
    text: (f) => insn("msr", "nzcv", gpr(1, f.t)),
  }),
  row({
    id: "MRS_CurrentEL",
    asm: "MRS CurrentEL",
    bits: "1101010100 1 11 000 0100 0010 010 ttttt",
    ops: { t: "xw" },
    execute(b, { t }) {
      const el = b.getWord(EL);
      b.trapIf(b.i32.eqz(el));
      b.w.set(t, b.i32.shl(el, b.const32(2)));
    },
    text: (f) => insn("mrs", gpr(1, f.t), "currentel"),
  }),
  row({
    id: "MRS_FPCR",
    asm: "MRS FPCR",
    bits: "1101010100 1 11 011 0100 0100 000 ttttt",
    fp: true,
    ops: { t: "xw" },
    execute: (b, { t }) => b.w.set(t, b.getWord(FPCR)),
    text: (f) => insn("mrs", gpr(1, f.t), "fpcr"),
  }),
  row({
    id: "MSR_FPCR",
    asm: "MSR FPCR",
    bits: "1101010100 0 11 011 0100 0100 000 ttttt",
    fp: true,
    ops: { t: "xr" },
    execute(b, { t }) {
      b.setWord(FPCR, b.i32.and(b.w.get(t), b.const32(FPCR_MASK)));
      b.call("fpUpdateFast");
    },
    text: (f) => insn("msr", "fpcr", gpr(1, f.t)),
  }),
  row({
    id: "MRS_FPSR",
    asm: "MRS FPSR",
    bits: "1101010100 1 11 011 0100 0100 001 ttttt",
    fp: true,
    ops: { t: "xw" },
    execute: (b, { t }) => b.w.set(t, b.getWord(FPSR)),
    text: (f) => insn("mrs", gpr(1, f.t), "fpsr"),
  }),
  row({
    id: "MSR_FPSR",
    asm: "MSR FPSR",
    bits: "1101010100 0 11 011 0100 0100 001 ttttt",
    fp: true,
    ops: { t: "xr" },
    execute(b, { t }) {
      b.setWord(FPSR, b.i32.and(b.w.get(t), b.const32(FPSR_MASK)));
      b.call("fpUpdateFast");
    },
    text: (f) => insn("msr", "fpsr", gpr(1, f.t)),
  }),
];
