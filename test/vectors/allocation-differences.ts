// Words of which the oracle, QEMU 7.2 at EL0, and this machine are right to disagree whether they are allocated; by encoding.

import type { Row } from "../../src/a64/row.ts";
import { matcher } from "./encoding-classes.ts";

/** Features of QEMU's "max" that no model of ours has. (It has FEAT_SME, too, but disabled until an operating system enables it.) */
export const FEATURES_NOT_HERE: Readonly<Record<string, (word: number) => boolean>> = {
  FEAT_SVE: matcher("--- 0010"),
  FEAT_MTE: matcher(
    // ADDG, SUBG
    "1-0 100011 0",
    // STG, STZG, ST2G, STZ2G, LDG, and those of many tags
    "11011001 --1",
    // STGP
    "01 101 00 -- 0",
    // SUBP, SUBPS, IRG, GMI
    "10-11010110 ----- 000000",
    "10011010110 ----- 0001 0-",
  ),
  FEAT_BF16: matcher(
    // BFCVTN, BFDOT, BFMMLA, BFMLAL, and by element; BFCVT
    "0-0 01110 101 00001 011010",
    "0-1 01110 010 ----- 111111",
    "011 01110 010 ----- 111011",
    "0-1 01110 110 ----- 111111",
    "0-0 01111 01- ----- 1111-0",
    "0-0 01111 11- ----- 1111-0",
    "00011110 011 00011 010000",
  ),
  FEAT_I8MM: matcher(
    // SMMLA, UMMLA, USMMLA, USDOT, and USDOT, SUDOT by element
    "01- 01110 100 ----- 10100 1",
    "010 01110 100 ----- 10101 1",
    "0-0 01110 100 ----- 10011 1",
    "0-0 01111 10- ----- 1111-0",
    "0-0 01111 00- ----- 1111-0",
  ),
  FEAT_FHM: matcher(
    // FMLAL, FMLSL, FMLAL2, FMLSL2, and by element
    "0-0 01110 -01 ----- 111011",
    "0-1 01110 -01 ----- 110011",
    "0-0 01111 10- ----- 0-00-0",
    "0-1 01111 10- ----- 1-00-0",
  ),
  // EOR3, BCAX, XAR, RAX1
  FEAT_SHA3: matcher("11001110 00- ----- 0", "11001110 100", "11001110 011 ----- 100011"),
  FEAT_SHA512: matcher("11001110 011 ----- 1000 --", "11001110 110 00000 100000"),
  // SM3SS1, SM3TT1A to SM3TT2B, SM3PARTW1 and 2
  FEAT_SM3: matcher("11001110 010 ----- 0", "11001110 010 ----- 10", "11001110 011 ----- 11000-"),
  FEAT_SM4: matcher("11001110 110 00000 100001", "11001110 011 ----- 110010"),
};

/** Encodings that QEMU 7.2 runs although the Arm ARM has them unallocated. */
export const ALLOCATED_BY_MISTAKE: Readonly<Record<string, (word: number) => boolean>> = {
  "scalar two-register FP16: FABS and FNEG are vectors only": matcher(
    "01- 11110 111 11000 011 1110",
    "01- 11110 111 11000 111110",
  ),
  "scalar pairwise FP16: bit 22 is 0": matcher("010 11110 -1 11000 ----- 10"),
  "across lanes FP16: bit 22 is 0": matcher("0-0 01110 -1 11000 01100 10", "0-0 01110 -1 11000 01111 10"),
  "modified immediate with o2 = 1: FMOV (vector, half) has op = 0": matcher("0-1 0111100000 --- 1111 11"),
};

/** Instructions that are UNDEFINED at EL0, by what they are, not by their encoding; and system registers, which are the PE's business. */
const isPrivileged = matcher(
  // HVC, SMC, DCPS1 to DCPS3
  "11010100 000 ---------------- 0001-",
  "11010100 101 ---------------- 000",
  // ERET, ERETAA, ERETAB, DRPS
  "1101011 010",
  // MSR (immediate) of PSTATE, SYS, SYSL, MSR, MRS
  "1101010100 0 00 --- 0100",
  "1101010100 - 01",
  "1101010100 - 1",
);

/** Are the bits that the row ignores as the Arm ARM prints them, (1) for registers and (0) for others? If not: CONSTRAINED UNPREDICTABLE. */
export function isAsPrinted(row: Row, word: number): boolean {
  let ones = 0;
  let ignored = 0;
  [...row.bits].forEach((c, i) => {
    if (c === "-") ignored |= 1 << (31 - i);
  });
  for (const m of row.bits.matchAll(/-{5}/g)) ones |= 31 << (27 - m.index);
  return (word & ignored) === ones;
}

/** Why a word is not compared; undefined: it is. `row`: whose pattern it matches here. */
export function reasonNotCompared(word: number, row: Row | undefined): string | undefined {
  if (isPrivileged(word)) return "privileged";
  if (row && !isAsPrinted(row, word)) return "CONSTRAINED UNPREDICTABLE";
  return undefined;
}

export function notHere(word: number): string | undefined {
  return Object.entries(FEATURES_NOT_HERE).find(([, has]) => has(word))?.[0];
}

export function mistake(word: number): string | undefined {
  return Object.entries(ALLOCATED_BY_MISTAKE).find(([, has]) => has(word))?.[0];
}
