import type { Row } from "../row.ts";
import { ACROSS, SCALAR_PAIRWISE } from "./across.ts";
import { BY_ELEMENT } from "./by-element.ts";
import { COPY } from "./copy.ts";
import { CRYPTO } from "./crypto.ts";
import { MODIFIED_IMMEDIATE } from "./modified-immediate.ts";
import { PERMUTATIONS } from "./permute.ts";
import { SCALAR_FLOAT } from "./scalar-float.ts";
import { SCALAR_FLOAT_CONVERT } from "./scalar-float-convert.ts";
import { SHIFT_IMMEDIATE } from "./shift-immediate.ts";
import { STRUCTURES } from "./structures.ts";
import { THREE_DIFFERENT } from "./three-different.ts";
import { THREE_SAME } from "./three-same.ts";
import { THREE_SAME_EXTRA } from "./three-same-extra.ts";
import { THREE_SAME_FLOAT } from "./three-same-float.ts";
import { TWO_REGISTER } from "./two-register.ts";
import { TWO_REGISTER_FLOAT } from "./two-register-float.ts";

/** Advanced SIMD and floating point. */
export const SIMD_ROWS: readonly Row[] = [
  ...STRUCTURES,
  ...SCALAR_FLOAT,
  ...SCALAR_FLOAT_CONVERT,
  ...COPY,
  ...PERMUTATIONS,
  ...MODIFIED_IMMEDIATE,
  ...SHIFT_IMMEDIATE,
  ...THREE_SAME,
  ...THREE_SAME_FLOAT,
  ...THREE_DIFFERENT,
  ...TWO_REGISTER,
  ...TWO_REGISTER_FLOAT,
  ...ACROSS,
  ...SCALAR_PAIRWISE,
  ...THREE_SAME_EXTRA,
  ...BY_ELEMENT,
  ...CRYPTO,
];
