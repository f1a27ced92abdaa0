// Where this machine's disassembler and GNU objdump (2.40) rightly differ.

import type { Row } from "../src/a64/row.ts";
import { isAsPrinted, notHere } from "../test/vectors/allocation-differences.ts";
import { matcher } from "../test/vectors/encoding-classes.ts";

/** Extensions that objdump knows, beyond those that QEMU 7.2 has. */
const NEWER: Readonly<Record<string, (word: number) => boolean>> = {
  FEAT_SME: matcher("1-- 0000"),
  FEAT_HBC: matcher("01010100 ------------------- 1"),
  FEAT_MOPS: matcher("00 011 -01 --0 ----- ---- 01"),
  FEAT_LS64: matcher("11 111 000 001 ----- 1 0-- 00", "11 111 000 001 ----- 1101 00"),
  FEAT_CSSC: matcher("--0 1000111", "-10 11010110 00000 000", "-00 11010110 ----- 0110"),
  FEAT_TME: matcher("11010100 011"),
  // It ignores bit 22, which is 0.
  FEAT_FHM: matcher("0-0 01110 --1 ----- 111011", "0-1 01110 --1 ----- 110011"),
};

/** Names that one of us knows and the other has not, of system registers and hints. */
const isUnnamed = /^(mrs x\d+|mrs xzr|msr) ?,? s\d_\d_c\d+_c\d+_\d/;
const ALIASES: Readonly<Record<string, string>> = { dgh: "hint #0x6", "hint #0x16": "clearbhb" };

function normal(text: string): string {
  return text
    .replace(/\s*\/\/.*$/, "")
    .replace(/\s*<[^>]*>$/, "")
    .replace(/\s+/g, " ")
    .trim()
    .toLowerCase();
}

/** Undefined when two disassemblies say the same; else what kind of difference it is. `row`: whose pattern the word matches. */
export function difference(word: number, row: Row | undefined, our: string, their: string): string | undefined {
  const a = normal(our);
  const b = normal(their);
  if (a === b || ALIASES[a] === b) return undefined;
  const weUndefined = a.startsWith(".inst");
  const theyUndefined = b.startsWith(".inst") || b.includes("undefined");
  if (weUndefined && theyUndefined) return undefined;
  if (weUndefined) {
    // It writes what is unallocated among system instructions as a register of op0 = 0.
    const isKnown = notHere(word) || Object.values(NEWER).some((has) => has(word)) || /^(mrs|msr) .*\bs0_/.test(b);
    return isKnown ? undefined : "we say unallocated";
  }
  if (row && !isAsPrinted(row, word)) return undefined;
  // It refuses what is CONSTRAINED UNPREDICTABLE: one register twice, or the base register loaded and written back.
  if (theyUndefined) return row?.id === "LDPSW" ? undefined : "they say unallocated";
  if (isUnnamed.test(a) || isUnnamed.test(b)) return undefined;
  // ORR of an immediate to SP is MOV to it, whatever MoveWidePreferred() says; the Arm ARM lets MOV (wide immediate) have those.
  if (row?.id === "AND_ORR_EOR_imm" && (word & 31) === 31 && a.startsWith("orr sp, xzr,")) return undefined;
  // Only bit 0 of CRm counts (Arm ARM C6.2.231), but it names no PSTATE field with others set.
  if (/^MSR_imm_(DIT|PAN|SPSel|SSBS|UAO)$/.test(row?.id ?? "") && ((word >>> 8) & 14) !== 0) return undefined;
  return "text";
}
