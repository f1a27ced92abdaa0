import type { Builder, V128, Value } from "../../ir/builder.ts";
import { type Fsize, fp, fpNeg } from "./float.ts";
import { type Arrangement, build, extract } from "./lanes.ts";

// Complex arithmetic (FEAT_FCMA): elements 2k and 2k + 1 are the real and the imaginary part.

export interface FloatElements extends Arrangement {
  readonly esize: Fsize;
}

function negated(b: Builder, e: Fsize, negate: boolean, v: Value): Value {
  return negate ? fpNeg(b, e, v) : v;
}

/** FCADD: x plus y turned by 90 (`rot` 0) or 270 degrees (1). */
export function complexAdd(b: Builder, a: FloatElements, x: V128, y: V128, rot: number): V128 {
  const e = a.esize;
  return build(b, a, (i) => {
    const imaginary = i & 1;
    const turned = negated(b, e, imaginary === rot, extract(b, e, y, i ^ 1));
    return fp(b, "fpAdd", e, extract(b, e, x, i), turned);
  });
}

/** FCMLA: `acc` plus the product of x's real (`rot` 0, 2) or imaginary parts (1, 3) and y turned by `rot` times 90 degrees. */
export function complexMultiplyAdd(b: Builder, a: FloatElements, acc: V128, x: V128, y: V128, rot: number): V128 {
  const e = a.esize;
  const odd = rot & 1;
  return build(b, a, (i) => {
    const imaginary = i & 1;
    const negate = rot === 2 || (rot === 1 && !imaginary) || (rot === 3 && imaginary === 1);
    const factor = negated(b, e, negate, extract(b, e, y, i ^ odd));
    return fp(b, "fpMulAdd", e, extract(b, e, acc, i), extract(b, e, x, (i & ~1) | odd), factor);
  });
}
