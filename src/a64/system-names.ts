import { SYSREG_NAMES } from "../arch/sysreg-names.ts";
import { gpr, insn } from "./format.ts";

// Names of system registers, PSTATE fields and system instructions, for the disassembler.

/** The register's name if the processing element gave it one, else S<op0>_<op1>_C<n>_C<m>_<op2>, which assemblers take, too. */
export function sysregName(id: number): string {
  const known = SYSREG_NAMES.get(id);
  if (known) return known.toLowerCase();
  return `s${id >> 14}_${(id >> 11) & 7}_c${(id >> 7) & 15}_c${(id >> 3) & 15}_${id & 7}`;
}

const PSTATE_FIELDS: Readonly<Record<number, string>> = {
  3: "uao",
  4: "pan",
  5: "spsel",
  25: "ssbs",
  26: "dit",
  30: "daifset",
  31: "daifclr",
};

export function pstateName(op1: number, op2: number): string {
  return PSTATE_FIELDS[op1 * 8 + op2] ?? `#${op1}, #${op2}`;
}

// Mnemonic and operation, then "op1 CRm op2" of each (CRn is 8 for TLBI, 7 for the others).
// A name ending in * has an outer shareable form (CRm 1) and an inner shareable one (CRm 3) besides the plain one (CRm 7).
const OPERATIONS = `
ic ialluis 0 1 0, ic iallu 0 5 0, ic ivau 3 5 1,
dc ivac 0 6 1, dc isw 0 6 2, dc csw 0 10 2, dc cisw 0 14 2, dc zva 3 4 1, dc cvac 3 10 1, dc cvau 3 11 1, dc cvap 3 12 1,
dc cvadp 3 13 1, dc civac 3 14 1,
at s1e1r 0 8 0, at s1e1w 0 8 1, at s1e0r 0 8 2, at s1e0w 0 8 3, at s1e1rp 0 9 0, at s1e1wp 0 9 1, at s1e2r 4 8 0,
at s1e2w 4 8 1, at s12e1r 4 8 4, at s12e1w 4 8 5, at s12e0r 4 8 6, at s12e0w 4 8 7, at s1e3r 6 8 0, at s1e3w 6 8 1,
cfp rctx 3 3 4, dvp rctx 3 3 5, cpp rctx 3 3 7,
tlbi vmalle1* 0 7 0, tlbi vae1* 0 7 1, tlbi aside1* 0 7 2, tlbi vaae1* 0 7 3, tlbi vale1* 0 7 5, tlbi vaale1* 0 7 7,
tlbi rvae1is 0 2 1, tlbi rvaae1is 0 2 3, tlbi rvale1is 0 2 5, tlbi rvaale1is 0 2 7,
tlbi rvae1os 0 5 1, tlbi rvaae1os 0 5 3, tlbi rvale1os 0 5 5, tlbi rvaale1os 0 5 7,
tlbi rvae1 0 6 1, tlbi rvaae1 0 6 3, tlbi rvale1 0 6 5, tlbi rvaale1 0 6 7,
tlbi ipas2e1is 4 0 1, tlbi ripas2e1is 4 0 2, tlbi ipas2le1is 4 0 5, tlbi ripas2le1is 4 0 6,
tlbi ipas2e1os 4 4 0, tlbi ipas2e1 4 4 1, tlbi ripas2e1 4 4 2, tlbi ripas2e1os 4 4 3, tlbi ipas2le1os 4 4 4,
tlbi ipas2le1 4 4 5, tlbi ripas2le1 4 4 6, tlbi ripas2le1os 4 4 7,
tlbi alle2* 4 7 0, tlbi vae2* 4 7 1, tlbi alle1* 4 7 4, tlbi vale2* 4 7 5, tlbi vmalls12e1* 4 7 6,
tlbi rvae2is 4 2 1, tlbi rvale2is 4 2 5, tlbi rvae2os 4 5 1, tlbi rvale2os 4 5 5, tlbi rvae2 4 6 1, tlbi rvale2 4 6 5,
tlbi alle3* 6 7 0, tlbi vae3* 6 7 1, tlbi vale3* 6 7 5,
tlbi rvae3is 6 2 1, tlbi rvale3is 6 2 5, tlbi rvae3os 6 5 1, tlbi rvale3os 6 5 5, tlbi rvae3 6 6 1, tlbi rvale3 6 6 5
`;

/** "dc cvac" by op1:CRn:CRm:op2. */
const names = new Map<number, string>();
for (const entry of OPERATIONS.split(",")) {
  const [mnemonic = "", name = "", ...numbers] = entry.trim().split(/\s+/);
  const [op1 = 0, m = 0, op2 = 0] = numbers.map(Number);
  const put = (suffix: string, crm: number): void => {
    const id = (op1 << 11) | ((mnemonic === "tlbi" ? 8 : 7) << 7) | (crm << 3) | op2;
    names.set(id, `${mnemonic} ${name.replace("*", suffix)}`);
  };
  put("", m);
  if (name.endsWith("*")) {
    put("os", 1);
    put("is", 3);
  }
}

/** A SYS instruction: by its alias (DC, IC, AT, TLBI, CFP, ...), or as SYS with numbers. */
export function sysInsnText(id: number, t: number): string {
  const [op1, n, m, op2] = [(id >> 11) & 7, (id >> 7) & 15, (id >> 3) & 15, id & 7];
  const name = names.get(id & 0x3fff);
  const register = t === 31 ? "" : gpr(1, t);
  if (name === undefined) return insn("sys", `#${op1}`, `C${n}`, `C${m}`, `#${op2}`, register);
  const [mnemonic, operation] = name.split(" ") as [string, string];
  const whole = /all/.test(operation);
  return insn(mnemonic, operation, whole ? register : gpr(1, t));
}
