import type { Arrangement, Esize } from "./lanes.ts";

// How GNU tools write SIMD and FP operands.

const LETTER = { 8: "b", 16: "h", 32: "s", 64: "d" } as const;

/** "v1.16b" for a vector, "b1" for a scalar. */
export function v(n: number, a: Arrangement): string {
  return a.scalar ? s(n, a.esize) : `v${n}.${suffix(a)}`;
}

/** "s1"; of 128 bits: "q1". */
export function s(n: number, esize: Esize | 128): string {
  return `${esize === 128 ? "q" : LETTER[esize]}${n}`;
}

/** "v1.s[2]" */
export function element(n: number, esize: Esize, index: number): string {
  return `v${n}.${LETTER[esize]}[${index}]`;
}

/** n registers from t on: "{v1.8b, v2.8b}"; three and more, unless they wrap: "{v1.8b-v3.8b}". */
export function list(t: number, n: number, suffix: string): string {
  const register = (i: number) => `v${(t + i) % 32}.${suffix}`;
  if (n > 2 && t + n <= 32) return `{${register(0)}-${register(n - 1)}}`;
  return `{${[...Array(n).keys()].map(register).join(", ")}}`;
}

export function suffix(a: Arrangement): string {
  return `${a.datasize / a.esize}${LETTER[a.esize]}`;
}

export function letter(esize: Esize): string {
  return LETTER[esize];
}

/** The eight-bit floating-point immediate: "#1.000000000000000000e+00". */
export function fpImmediate(imm8: number): string {
  const cd = (imm8 >> 4) & 3;
  const exponent = imm8 & 0x40 ? cd - 3 : cd + 1;
  const value = (imm8 & 0x80 ? -1 : 1) * (1 + (imm8 & 15) / 16) * 2 ** exponent;
  const [m = "", e = "0"] = value.toExponential(18).split("e");
  const n = Number(e);
  return `#${m}e${n < 0 ? "-" : "+"}${String(Math.abs(n)).padStart(2, "0")}`;
}
