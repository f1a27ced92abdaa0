import type { Row } from "../row.ts";
import { SCALAR_FLOAT } from "./scalar-float.ts";
import { SCALAR_FLOAT_CONVERT } from "./scalar-float-convert.ts";
import { STRUCTURES } from "./structures.ts";
import { THREE_SAME } from "./three-same.ts";

/** Advanced SIMD and floating point. */
export const SIMD_ROWS: readonly Row[] = [...STRUCTURES, ...SCALAR_FLOAT, ...SCALAR_FLOAT_CONVERT, ...THREE_SAME];
