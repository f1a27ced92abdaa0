import type { Feature } from "../arch/features.ts";
import type { Builder, I32, I64, Reg } from "../ir/builder.ts";

// An instruction is one row: the bit pattern as the Arm ARM prints it, how fields become operands (its "decode"
// pseudocode), and what it does (its "operation" pseudocode), written once, for interpreter, translator and disassembler.

/**
 * What an operand is, and from which field (`kind:field`; the field with the operand's own name if left out):
 * - `xr`: general register that is read, 31 = XZR; `xw`: that is written, 31 = discarded; `sp`: read or written, 31 = SP
 * - `v`: SIMD and FP register
 * - `u8`: unsigned number 0..255; `i32`: 32-bit number, the field zero-extended; `s32`: the field sign-extended
 * - `i64`: 64-bit number, which `decode` gives as {lo, hi}
 * A row's operands fit in 12 bytes: 1 for a register or u8, 4 for i32 and s32, 8 for i64.
 */
export type OperandKind = "xr" | "xw" | "sp" | "v" | "u8" | "i32" | "s32" | "i64";
export type OperandSpec = OperandKind | `${OperandKind}:${string}`;

export interface Imm64 {
  readonly lo: number;
  readonly hi: number;
}

type KindOf<S extends OperandSpec> = S extends `${infer K}:${string}` ? K : S;
type OperandOf<K> = K extends "xr" | "xw" | "sp" | "v" ? Reg : K extends "i64" ? I64 : I32;

type Letters<S extends string, L extends string = never> = S extends `${infer C}${infer R}`
  ? Letters<R, C extends "0" | "1" | " " | "-" ? L : L | C>
  : L;
type Upper<S extends string> = Letters<S> extends infer L ? (L extends Uppercase<L & string> ? L : never) : never;

export type Fields<Bits extends string> = { readonly [L in Letters<Bits>]: number };
/** Uppercase fields select the shape of an instruction (its sizes, its condition, ...): one interpreter handler for each. */
export type Shape<Bits extends string> = { readonly [L in Upper<Bits> & string]: number } & {
  readonly variant: number;
};
export type Operands<O extends Readonly<Record<string, OperandSpec>>> = {
  readonly [K in keyof O]: OperandOf<KindOf<O[K]>>;
};

/** Operand values that `decode` computes, and `variant`; or "unallocated". What it leaves out comes from the fields. */
export type Decoded<O> = ({ readonly [K in keyof O]?: number | Imm64 } & { readonly variant?: number }) | "unallocated";

export interface RowSpec<Bits extends string, O extends Readonly<Record<string, OperandSpec>>> {
  /** Unique: the mnemonic, then what the Arm ARM has in parentheses: "ADD_imm", "LDR_lit". */
  readonly id: string;
  /** The Arm ARM's title: "ADD (immediate)". */
  readonly asm: string;
  /**
   * 32 characters, spaces ignored. 0 and 1: fixed. `-`: ignored. A letter: a field, most significant bit first; its bits may
   * be apart. Uppercase: part of the shape, so an `execute` may branch on it at build time.
   */
  readonly bits: Bits;
  /** The feature that allocates the encoding; absent: base Armv8.0. */
  readonly feat?: Feature;
  /** True for an instruction of the FP and SIMD register file: traps when those are disabled. */
  readonly fp?: boolean;
  readonly ops?: O;
  /** Number of values of `variant` (default 1), for a shape that is no field: a base register that is SP, a plain register. */
  readonly variants?: number;
  readonly decode?: (f: Fields<Bits>, word: number) => Decoded<O>;
  /** Emits the IR. `s` holds the uppercase fields and `variant`. */
  readonly execute: (b: Builder, o: Operands<O>, s: Shape<Bits>) => void;
  /** Disassembly of the operands, given all fields: "w0, w1, #4". The mnemonic may depend on fields, too. */
  readonly text?: (f: Fields<Bits>, pc: number) => string;
}

/** A row with its types forgotten, as tables hold it. */
export interface Row {
  readonly id: string;
  readonly asm: string;
  readonly bits: string;
  readonly feat: Feature;
  readonly fp: boolean;
  readonly ops: Readonly<Record<string, OperandSpec>>;
  readonly variants: number;
  readonly decode:
    | ((f: Readonly<Record<string, number>>, word: number) => Decoded<Record<string, OperandSpec>>)
    | undefined;
  readonly execute: (
    b: Builder,
    o: Readonly<Record<string, Reg & I32 & I64>>,
    s: Readonly<Record<string, number>>,
  ) => void;
  readonly text: ((f: Readonly<Record<string, number>>, pc: number) => string) | undefined;
}

/** Declares an instruction. Throws TypeError if the pattern has not 32 bits. */
export function row<const Bits extends string, const O extends Readonly<Record<string, OperandSpec>>>(
  spec: RowSpec<Bits, O>,
): Row {
  const bits = spec.bits.length === 32 ? spec.bits : spec.bits.replaceAll(" ", "");
  if (bits.length !== 32) throw new TypeError(`${spec.id}: expected 32 bits, found ${bits.length}`);
  const ops: Readonly<Record<string, OperandSpec>> = spec.ops ?? {};
  return {
    id: spec.id,
    asm: spec.asm,
    bits,
    feat: spec.feat ?? "base",
    fp: spec.fp ?? false,
    ops,
    variants: spec.variants ?? 1,
    decode: spec.decode as Row["decode"],
    execute: spec.execute as unknown as Row["execute"],
    text: spec.text as Row["text"],
  };
}

export function operandKind(spec: OperandSpec): OperandKind {
  return spec.split(":")[0] as OperandKind;
}

/** The field that an operand is made from when `decode` does not give it. */
export function operandField(name: string, spec: OperandSpec): string {
  return spec.split(":")[1] ?? name;
}

export function operandBytes(kind: OperandKind): number {
  return kind === "i64" ? 8 : kind === "i32" || kind === "s32" ? 4 : 1;
}
