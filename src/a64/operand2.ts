import type { Builder, I64, IntOps, Value } from "../ir/builder.ts";

/** A value of an operand size: W or X. */
export type Int = Value<"i32" | "i64">;

/** ShiftReg(): 0 LSL, 1 LSR, 2 ASR, 3 ROR. */
export function shiftReg(ops: IntOps, v: Int, type: number, amount: Int): Int {
  switch (type) {
    case 0:
      return ops.shl(v, amount);
    case 1:
      return ops.shr_u(v, amount);
    case 2:
      return ops.shr_s(v, amount);
    default:
      return ops.rotr(v, amount);
  }
}

/** The extension of ExtendReg(): 0..3 UXTB, UXTH, UXTW, UXTX, 4..7 SXTB, SXTH, SXTW, SXTX. */
export function extendReg(b: Builder, v: I64, option: number): I64 {
  const { i64 } = b;
  switch (option) {
    case 0:
      return i64.and(v, b.const64(0xff));
    case 1:
      return i64.and(v, b.const64(0xffff));
    case 2:
      return i64.extend_i32_u(b.i32.wrap_i64(v));
    case 4:
      return i64.extend8_s(v);
    case 5:
      return i64.extend16_s(v);
    case 6:
      return i64.extend32_s(v);
    default:
      return v;
  }
}
