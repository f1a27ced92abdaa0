// How the disassembler writes operands: GNU style.

/** A general register, 31 = zero register. */
export function gpr(sf: number, n: number): string {
  return n === 31 ? (sf ? "xzr" : "wzr") : `${sf ? "x" : "w"}${n}`;
}

/** A general register, 31 = stack pointer. */
export function gprSp(sf: number, n: number): string {
  return n === 31 ? (sf ? "sp" : "wsp") : `${sf ? "x" : "w"}${n}`;
}

/** A SIMD and FP register of 1 << size bytes as a scalar. */
export function scalar(size: number, n: number): string {
  return `${"bhsdq"[size]}${n}`;
}

export const CONDITIONS = "eq ne cs cc mi pl vs vc hi ls ge lt gt le al nv".split(" ");
export const SHIFTS = ["lsl", "lsr", "asr", "ror"];
export const EXTENDS = ["uxtb", "uxth", "uxtw", "uxtx", "sxtb", "sxth", "sxtw", "sxtx"];

/** Mnemonic and operands; joined by a tab, as `text` gives a complete instruction. */
export function insn(mnemonic: string, ...operands: string[]): string {
  return operands.length === 0 ? `${mnemonic}\t` : `${mnemonic}\t${operands.filter((o) => o !== "").join(", ")}`;
}
