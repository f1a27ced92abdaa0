import type { Builder } from "../../ir/builder.ts";
import type { Arrangement, Esize } from "./lanes.ts";

// What the encodings of the Advanced SIMD classes have in common.

/** The pattern of an encoding class with its dashes replaced, in order, by the bits that select one instruction. */
export function fill<const P extends string>(pattern: P, bits: string): P {
  const rest = [...bits.replaceAll(" ", "")];
  const filled = pattern.replaceAll("-", () => rest.shift() ?? "-");
  if (rest.length > 0) throw new TypeError(`${pattern}: ${bits} has more bits than the pattern has dashes`);
  return filled as P;
}

export type Form = "vector" | "scalar";

/** The pattern of a scalar class from that of its vector class: bits 30 and 28 are 1, so that there is no Q. */
export function inForm<const P extends string>(pattern: P, form: Form): P {
  if (form === "vector") return pattern;
  const bits = pattern.replaceAll(" ", "");
  return `01${bits[2]}1${bits.slice(4)}` as P;
}

/** The elements of either form: `q` counts for vectors only. */
export function arrangement(form: Form, q: number, esize: Esize): Arrangement {
  return form === "vector" ? vector(q, esize) : scalar(esize);
}

/** What the Arm ARM has in parentheses after the mnemonic of an instruction with both forms. */
export function titled(mnemonic: string, form: Form): { readonly id: string; readonly asm: string } {
  return { id: `${mnemonic}_${form === "vector" ? "vec" : "scalar"}`, asm: `${mnemonic} (${form})` };
}

/** Element size in bits of a two-bit size field. */
export function esizeOf(size: number): Esize {
  return (8 << size) as Esize;
}

export function vector(q: number, esize: Esize): Arrangement {
  return { esize, datasize: q ? 128 : 64, scalar: false };
}

export function scalar(esize: Esize): Arrangement {
  return { esize, datasize: esize, scalar: true };
}

/** Whether a size field has no such instruction: a size that it does not take, or vectors of one doubleword. */
export function reserved(form: Form, q: number, size: number, sizes: readonly Esize[]): boolean {
  return !sizes.includes(esizeOf(size)) || (form === "vector" && size === 3 && !q);
}

/** The body of a shape that no allocated encoding has. */
export function undefinedShape(b: Builder): void {
  b.trapIf(b.const32(1));
}

/** VFPExpandImm(): the bits of sign, exponent and four bits of fraction in a format of `esize` bits. */
export function vfpExpandImm(imm8: number, esize: Esize): { lo: number; hi: number } {
  const sign = imm8 >> 7;
  const b = (imm8 >> 6) & 1;
  const low6 = imm8 & 0x3f;
  switch (esize) {
    case 16:
      return { lo: (sign << 15) | (b ? 0x3000 : 0x4000) | (low6 << 6), hi: 0 };
    case 32:
      return { lo: (sign << 31) | (b ? 0x3e000000 : 0x40000000) | (low6 << 19), hi: 0 };
    default:
      return { lo: 0, hi: (sign << 31) | (b ? 0x3fc00000 : 0x40000000) | (low6 << 16) };
  }
}
