import type { Feature } from "../../arch/features.ts";
import type { Row } from "../row.ts";
import { arrangement, type Form, fill, inForm, titled } from "./encoding.ts";
import type { Fsize } from "./float.ts";
import type { Arrangement } from "./lanes.ts";

// The floating-point instructions of the vector classes: each as a vector and perhaps as a scalar instruction, of single or double
// precision (field P), and of half precision, which has patterns of its own and is FEAT_FP16.

/** The two patterns of a class; the dashes are what selects the instruction. */
export interface FloatClass<P extends string = string> {
  readonly singleDouble: P;
  readonly half: string;
}

export interface FloatArrangement extends Arrangement {
  readonly esize: Fsize;
}

/** Scalar forms have no Q, half precision has no P. */
interface Shape {
  readonly Q?: number;
  readonly P?: number;
}

/** One form of a floating-point instruction. */
export interface FloatForm<P extends string = string> {
  readonly form: Form;
  /** Identifier, title and feature of the row. */
  named(mnemonic: string, suffix?: string): { readonly id: string; readonly asm: string; readonly feat: Feature };
  /** The pattern with its dashes filled. */
  bits(select: string): P;
  arrangement(s: Shape): FloatArrangement;
  /** Vectors of one doubleword are unallocated. */
  decode(f: Shape): Record<never, never> | "unallocated";
}

function formOf<P extends string>(cls: FloatClass<P>, form: Form, half: boolean): FloatForm<P> {
  const esize = (s: Shape): Fsize => (half ? 16 : s.P ? 64 : 32);
  return {
    form,
    named: (mnemonic, suffix = "") => ({
      ...titled(mnemonic, form),
      id: `${titled(mnemonic, form).id}${suffix}${half ? "_h" : "_f"}`,
      feat: half ? "FP16" : "base",
    }),
    bits: (select) => inForm(fill<string>(half ? cls.half : cls.singleDouble, select), form) as P,
    arrangement: (s) => ({ ...arrangement(form, s.Q ?? 0, esize(s)), esize: esize(s) }),
    decode: (f) => (form === "vector" && f.P && !f.Q ? "unallocated" : {}),
  };
}

/** A row for each precision of the vector form and, if asked for, of the scalar form. */
export function floatForms<P extends string>(
  cls: FloatClass<P>,
  forms: readonly Form[],
  make: (form: FloatForm<P>) => Row,
  halfToo = true,
): Row[] {
  const halves = halfToo ? [false, true] : [false];
  return forms.flatMap((form) => halves.map((half) => make(formOf(cls, form, half))));
}

export const VECTOR_ONLY: readonly Form[] = ["vector"];
export const SCALAR_ONLY: readonly Form[] = ["scalar"];
export const BOTH_FORMS: readonly Form[] = ["vector", "scalar"];
