import type { Value } from "../ir/builder.ts";
import { PURE_OPS } from "../ir/pure-ops.ts";
import type { ValueType } from "../wasm/types.ts";
import type { Lowering } from "./lowering.ts";

/** How a call of a helper is done in line. */
export interface InLine {
  /** Bits of FP_FAST that must be set. 0: none. */
  readonly needs: number;
  /** The type of the result as it is computed: a float where the helper gives its bits. */
  readonly type: ValueType;
  /** Leaves the result on the stack. */
  compute(l: Lowering): void;
  /** Leaves on the stack whether the result, which is in a local, stands. Absent: it always does. */
  stands?(l: Lowering, result: number): void;
  /** What also makes it stand, where that is rare. */
  otherwise?(l: Lowering, result: number): void;
}

/** In-line forms for a call's arguments; undefined: only the helper can do it. */
export type InLineOf = (l: Lowering, args: readonly Value[]) => InLine | undefined;

export function emit(l: Lowering, op: string): void {
  l.code.op(PURE_OPS[op as keyof typeof PURE_OPS][0]);
}

/** The value of an i32 that is known. */
export function constant(v: Value | undefined): number | undefined {
  return v?.inst.op === "const" ? v.inst.attrs.lo : undefined;
}

/** Upper words: of infinity, and of the smallest normal number. */
export const INFINITY = { 32: 0x7f800000, 64: 0x7ff00000 } as const;
export const SMALLEST = { 32: 0x00800000, 64: 0x00100000 } as const;

/** f32x4.relaxed_madd, f64x2.relaxed_madd (WebAssembly 3.0): a * b + c. */
export const FUSED = { 32: 0xfd0105, 64: 0xfd0107 } as const;
