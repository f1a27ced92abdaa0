import type { Feature } from "../arch/features.ts";
import { encodeSysreg, sysregId } from "../arch/sysreg-names.ts";
import { PLAIN_SYSREGS } from "../arch/sysreg-plain.ts";
import { DAIF, EL, FPCR, FPSR, LINES, SPSEL } from "../cpu/state-layout.ts";
import * as slots from "../cpu/sysreg-layout.ts";
import type { Builder, I32 } from "../ir/builder.ts";
import { gpr, insn } from "./format.ts";
import { type Row, row } from "./row.ts";
import { pstateName, sysInsnText, sysregName } from "./system-names.ts";

// Hints, barriers, PSTATE, system instructions, system registers (Arm ARM C4.1.93, C5).
// System register numbers are op0:op1:CRn:CRm:op2 as 16 bits.

/** The register number of MRS and MSR: the pattern has all of op0 but its upper bit. */
export const OP0_HIGH = 0x8000;
/** Of SYS: op0 = 1. */
const OP0_SYS = 0x4000;
/** Marks the number of a SYSL. */
const SYSL = 0x10000;

/** FPCR: AHP, DN, FZ, RMode, FZ16. Trapped exceptions are not supported, so their enables are RAZ/WI. */
const FPCR_MASK = 0x07c80000;
/** FPSR: QC and the cumulative exception flags. */
const FPSR_MASK = 0x0800009f;

/** MRS and MSR: the processing element does it; a plain slot that may be accessed from EL0 (1), EL1 (2), or EL2 (3) on. */
const BY_HOST = 0;
const GUARDS = [0, slots.GUARD_EL0, slots.GUARD_EL1, slots.GUARD_EL2] as const;

function plainVariant(id: number, write: boolean): { i: number; h: number; variant: number } {
  const plain = PLAIN_SYSREGS.get(id);
  if (!plain || (write && !plain.writable)) return { i: id, h: id & 0x7fff, variant: BY_HOST };
  return { i: plain.offset, h: id & 0x7fff, variant: 1 + plain.minEL };
}

/** The access rule of a slot. `h` is the register's number without the upper bit of op0, for the processing element. */
function checkAccess(b: Builder, variant: number, how: "sysregRead" | "sysregWrite", h: I32, r: I32): void {
  b.hostIf(isGuarded(b, GUARDS[variant] as number), how, b.i32.or(h, b.const32(OP0_HIGH)), r);
}

/** Not zero when something is UNDEFINED, trapped or redirected at the current exception level. */
function isGuarded(b: Builder, guard: number): I32 {
  return b.i32.and(b.getWord(SYSREG_GUARD), b.const32(guard));
}

function isEL0(b: Builder): I32 {
  return b.i32.eqz(b.getWord(EL));
}

/** Not zero where EL2 or EL3 is implemented, whose controls may trap what EL1 does. */
function hasHigherLevels(b: Builder): I32 {
  return b.i32.and(b.getWord(PE_FEATURES), b.const32(FEATURE_EL2 | FEATURE_EL3));
}

/** HCR_EL2.{VF,VI,VSE} and MDSCR_EL1.{SS,MDE}: with them, or a line that is up, unmasking may mean an exception at once. */
const { CNTHCTL_EL2, CNTKCTL_EL1, DCZID_EL0, FEATURE_EL2, FEATURE_EL3, GUARD_KEYS, GUARD_ZVA } = slots;
const { GUARD_CLEAN, HCR_EL2, MDSCR_EL1, PE_FEATURES, SP_EL0, SYSREG_GUARD } = slots;
const HCR_VIRTUAL = 0x1c0;
const HCR_VSE = 0x100;
/** The number of ESB among hints that the processing element executes. */
const ESB = 5;
const MDSCR_DEBUG = 0x8001;

/** Not zero when the processing element has to see an unmasking: something may be waiting for it, or EL0 may not do it. */
function unmaskMatters(b: Builder): I32 {
  const { i32 } = b;
  const virtual = i32.and(b.getWord(HCR_EL2), b.const32(HCR_VIRTUAL));
  const debug = i32.and(b.getWord(MDSCR_EL1), b.const32(MDSCR_DEBUG));
  return i32.or(i32.or(isEL0(b), b.getWord(LINES)), i32.or(virtual, debug));
}

/** MSR of half a pointer authentication key, which Linux does at each change between user and kernel. */
function keyWrite(name: (typeof KEYS)[number], slot: number): Row {
  const id = sysregId(name);
  const bits = (id & 0x7fff).toString(2).padStart(15, "0");
  return row({
    id: `MSR_${name}`,
    asm: `MSR ${name}`,
    bits: `1101010100 0 1 ${bits} ttttt`,
    feat: "PAuth",
    ops: { t: "xr", r: "u8:t" },
    execute(b, { t, r }) {
      b.hostIf(isGuarded(b, GUARD_KEYS), "sysregWrite", b.const32(id), r);
      b.setSlot(b.const32(slot), b.getX(t));
    },
    text: (f) => insn("msr", name.toLowerCase(), gpr(1, (f as { t: number }).t)),
  });
}

/** DC CVAC and its like: hypervisors and DMA clean all of what they hand over, line by line. */
function cleaning(name: string, crm: number, feat: Feature): Row {
  const id = encodeSysreg(1, 3, 7, crm, 1);
  return row({
    id: `DC_${name}`,
    asm: `DC ${name}`,
    bits: `1101010100 0 01 011 0111 ${crm.toString(2)} 001 ttttt`,
    feat,
    ops: { t: "xr", r: "u8:t" },
    execute(b, { t, r }) {
      b.hostIf(isGuarded(b, GUARD_CLEAN), "systemInstruction", b.const32(id), r);
      b.call("cleanLine", b.getX(t));
    },
    text: (f) => insn("dc", name.toLowerCase(), gpr(1, (f as { t: number }).t)),
  });
}

/** Where DAIF begins in its word and in the register. */
const DAIF_SHIFT = 6;
const DAIF_MASK = 0x3c0;

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

/** `execute`: for one that generated code can do itself; `number` is what tells it from others to the processing element. */
function pstate(
  id: string,
  op1: number,
  op2: number,
  feat: Feature = "base",
  execute = (b: Builder, m: I32, number: I32): void => b.host("pstateWrite", number, m),
): Row {
  const bits = (v: number): string => v.toString(2).padStart(3, "0");
  return row({
    id: `MSR_imm_${id}`,
    asm: `MSR (immediate), ${id}`,
    bits: `1101010100000${bits(op1)}0100mmmm${bits(op2)}11111`,
    feat,
    ops: { m: "u8" },
    execute: (b, { m }) => execute(b, m, b.const32(op1 * 8 + op2)),
    text: (f: Readonly<Record<string, number>>) =>
      insn("msr", pstateName(op1, op2), `#0x${(f.m as number).toString(16)}`),
  });
}

const DAIF_ID = sysregId("DAIF");
const CURRENTEL_ID = sysregId("CURRENTEL");
const DCZID_ID = sysregId("DCZID_EL0");
const DC_ZVA_ID = encodeSysreg(1, 3, 7, 4, 1);
/** The data cache maintenance that programs may be allowed, by VA: [name, CRm, feature]. */
const CLEANING: readonly (readonly [string, number, Feature])[] = [
  ["CVAC", 10, "base"],
  ["CVAU", 11, "base"],
  ["CVAP", 12, "DPB"],
  ["CVADP", 13, "DPB2"],
  ["CIVAC", 14, "base"],
];
const CNTVCT_ID = sysregId("CNTVCT_EL0");
const KEYS = [
  "APIAKEYLO_EL1",
  "APIAKEYHI_EL1",
  "APIBKEYLO_EL1",
  "APIBKEYHI_EL1",
  "APDAKEYLO_EL1",
  "APDAKEYHI_EL1",
  "APDBKEYLO_EL1",
  "APDBKEYHI_EL1",
  "APGAKEYLO_EL1",
  "APGAKEYHI_EL1",
] as const;
const CNTKCTL_EL0VCTEN = 2;
const CNTHCTL_EL1TVCT = 1 << 14;
const HCR_TGE_BIT = 27;

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
  // Where no SError is pending, physical or virtual, there is nothing to defer.
  row({
    id: "ESB",
    asm: "ESB",
    bits: "11010101000000110010001000011111",
    feat: "RAS",
    execute(b) {
      const virtual = b.i32.and(b.getWord(HCR_EL2), b.const32(HCR_VSE));
      b.hostIf(b.i32.or(b.getWord(LINES), virtual), "waitHint", b.const32(ESB));
    },
    text: () => insn("esb"),
  }),
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
    execute: (b, { m }) => b.hostIf(b.getWord(LINES), "isb", m),
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
  pstate("DAIFSet", 3, 6, "base", (b, m, number) => {
    b.hostIf(isEL0(b), "pstateWrite", number, m);
    b.setWord(DAIF, b.i32.or(b.getWord(DAIF), b.i32.shl(m, b.const32(DAIF_SHIFT))));
  }),
  pstate("DAIFClr", 3, 7, "base", (b, m, number) => {
    b.hostIf(unmaskMatters(b), "pstateWrite", number, m);
    const kept = b.i32.xor(b.i32.shl(m, b.const32(DAIF_SHIFT)), b.const32(-1));
    b.setWord(DAIF, b.i32.and(b.getWord(DAIF), kept));
  }),
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
    ops: { t: "xr", r: "u8:t" },
    execute: (b, { t, r }) => {
      b.hostIf(isGuarded(b, GUARD_ZVA), "systemInstruction", b.const32(DC_ZVA_ID), r);
      b.call("zeroBlock", b.getX(t));
    },
    text: (f) => insn("dc", "zva", gpr(1, f.t)),
  }),
  ...CLEANING.map((line) => cleaning(...line)),
  row({
    id: "MRS",
    asm: "MRS",
    bits: "1101010100 1 1 iiiiiiiiiiiiiii ttttt",
    ops: { i: "i32", h: "i32", t: "xw", r: "u8:t" },
    variants: 4,
    decode: (f) => plainVariant(OP0_HIGH | f.i, false),
    execute(b, { i, h, t, r }, s) {
      if (s.variant === BY_HOST) {
        b.host("sysregRead", i, r);
        return;
      }
      checkAccess(b, s.variant, "sysregRead", h, r);
      b.setX(t, b.getSlot(i));
    },
    text: (f) => insn("mrs", gpr(1, f.t), sysreg(f)),
  }),
  row({
    id: "MSR_reg",
    asm: "MSR (register)",
    bits: "1101010100 0 1 iiiiiiiiiiiiiii ttttt",
    ops: { i: "i32", h: "i32", t: "xr", r: "u8:t" },
    variants: 4,
    decode: (f) => plainVariant(OP0_HIGH | f.i, true),
    execute(b, { i, h, t, r }, s) {
      if (s.variant === BY_HOST) {
        b.host("sysregWrite", i, r);
        return;
      }
      checkAccess(b, s.variant, "sysregWrite", h, r);
      b.setSlot(i, b.getX(t));
    },
    text: (f) => insn("msr", sysreg(f), gpr(1, f.t)),
  }),
  // The stack pointer in use is no register to MRS and MSR (Arm ARM C5.2.18). Linux keeps its current task in SP_EL0.
  row({
    id: "MRS_SP_EL0",
    asm: "MRS SP_EL0",
    bits: "1101010100 1 11 000 0100 0001 000 ttttt",
    ops: { t: "xw" },
    execute(b, { t }) {
      b.trapIf(b.i32.or(isEL0(b), b.i32.eqz(b.getWord(SPSEL))));
      b.setX(t, b.getSlot(b.const32(SP_EL0)));
    },
    text: (f) => insn("mrs", gpr(1, f.t), "sp_el0"),
  }),
  row({
    id: "MSR_SP_EL0",
    asm: "MSR SP_EL0",
    bits: "1101010100 0 11 000 0100 0001 000 ttttt",
    ops: { t: "xr" },
    execute(b, { t }) {
      b.trapIf(b.i32.or(isEL0(b), b.i32.eqz(b.getWord(SPSEL))));
      b.setSlot(b.const32(SP_EL0), b.getX(t));
    },
    text: (f) => insn("msr", "sp_el0", gpr(1, f.t)),
  }),
  row({
    id: "MRS_DAIF",
    asm: "MRS DAIF",
    bits: "1101010100 1 11 011 0100 0010 001 ttttt",
    ops: { t: "xw", r: "u8:t" },
    execute(b, { t, r }) {
      b.hostIf(isEL0(b), "sysregRead", b.const32(DAIF_ID), r);
      b.w.set(t, b.getWord(DAIF));
    },
    text: (f) => insn("mrs", gpr(1, f.t), "daif"),
  }),
  row({
    id: "MSR_DAIF",
    asm: "MSR DAIF",
    bits: "1101010100 0 11 011 0100 0010 001 ttttt",
    ops: { t: "xr", r: "u8:t" },
    execute(b, { t, r }) {
      b.hostIf(unmaskMatters(b), "sysregWrite", b.const32(DAIF_ID), r);
      b.setWord(DAIF, b.i32.and(b.w.get(t), b.const32(DAIF_MASK)));
    },
    text: (f) => insn("msr", "daif", gpr(1, f.t)),
  }),
  ...KEYS.map((name) => keyWrite(name, slots[name])),
  // DCZID_EL0.DZP depends on what traps DC ZVA.
  row({
    id: "MRS_DCZID",
    asm: "MRS DCZID_EL0",
    bits: "1101010100 1 11 011 0000 0000 111 ttttt",
    ops: { t: "xw", r: "u8:t" },
    execute(b, { t, r }) {
      b.hostIf(isGuarded(b, GUARD_ZVA), "sysregRead", b.const32(DCZID_ID), r);
      b.w.set(t, b.getWord(DCZID_EL0));
    },
    text: (f) => insn("mrs", gpr(1, f.t), "dczid_el0"),
  }),
  // CNTKCTL_EL1.EL0VCTEN lets EL0 read the virtual counter, unless HCR_EL2.TGE makes it EL2's; CNTHCTL_EL2.EL1TVCT traps EL1, too.
  row({
    id: "MRS_CNTVCT",
    asm: "MRS CNTVCT_EL0",
    bits: "1101010100 1 11 011 1110 0000 010 ttttt",
    ops: { t: "xw", r: "u8:t" },
    execute(b, { t, r }) {
      const enabled = b.i32.and(b.getWord(CNTKCTL_EL1), b.const32(CNTKCTL_EL0VCTEN));
      const ofHost = b.i32.and(b.i32.shr_u(b.getWord(HCR_EL2), b.const32(HCR_TGE_BIT)), b.const32(1));
      const refused = b.i32.and(isEL0(b), b.i32.or(ofHost, b.i32.eqz(enabled)));
      const trapped = b.i32.and(b.getWord(CNTHCTL_EL2), b.const32(CNTHCTL_EL1TVCT));
      b.hostIf(b.i32.or(refused, trapped), "sysregRead", b.const32(CNTVCT_ID), r);
      b.setX(t, b.call<"i64">("counter", b.const32(1)));
    },
    text: (f) => insn("mrs", gpr(1, f.t), "cntvct_el0"),
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
    ops: { t: "xw", r: "u8:t" },
    execute(b, { t, r }) {
      // A nested hypervisor (FEAT_NV) finds itself at EL2.
      b.hostIf(hasHigherLevels(b), "sysregRead", b.const32(CURRENTEL_ID), r);
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
