import { SP_CHECK } from "../cpu/state-layout.ts";
import type { Builder, I64, Reg } from "../ir/builder.ts";
import { EXTENDS, gpr, gprSp } from "./format.ts";
import { extendReg } from "./operand2.ts";

// Addresses of loads and stores. Every row whose base may be SP has variant 1 for it.

/** Exception class of an SP alignment fault. */
const SP_ALIGNMENT = 0x26;

/** For `decode`: variant 1 when the base register is SP. */
export function baseVariant(f: { readonly n: number }): { variant: number } {
  return { variant: f.n === 31 ? 1 : 0 };
}

/** The base register; SP after CheckSPAlignment(). */
export function baseAddress(b: Builder, n: Reg, variant: number): I64 {
  const address = b.getX(n);
  if (variant === 1) {
    const low = b.i32.and(b.i32.wrap_i64(address), b.const32(15));
    b.trapIf(b.select(b.getWord(SP_CHECK), low, b.const32(0)), SP_ALIGNMENT);
  }
  return address;
}

/** The offset of the register forms: a register, extended as `option` says, times 1 << shift. */
export function registerOffset(b: Builder, m: Reg, option: number, shift: number): I64 {
  const extended = extendReg(b, b.getX(m), option);
  return shift === 0 ? extended : b.i64.shl(extended, b.const64(shift));
}

/** [base], or [base, #offset]. */
export function offsetText(n: number, offset: number): string {
  return offset === 0 ? `[${gprSp(1, n)}]` : `[${gprSp(1, n)}, #${offset}]`;
}

export function preIndexText(n: number, offset: number): string {
  return `[${gprSp(1, n)}, #${offset}]!`;
}

export function postIndexText(n: number, offset: number): string {
  return `[${gprSp(1, n)}], #${offset}`;
}

/** [base, index, extension]: E:1:D is the option, H says that the index is scaled by the size. */
export function registerOffsetText(f: { n: number; m: number; E: number; D: number; H: number }, size: number): string {
  const option = f.E * 4 + 2 + f.D;
  const extend = option === 3 ? (f.H ? "lsl" : "") : (EXTENDS[option] as string);
  const amount = f.H ? ` #${size}` : "";
  return `[${gprSp(1, f.n)}, ${gpr(f.D, f.m)}${extend ? `, ${extend}${amount}` : ""}]`;
}
