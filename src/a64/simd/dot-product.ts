import type { Builder, V128 } from "../../ir/builder.ts";
import { int, mulWiden, permute } from "./lanes.ts";

/** SDOT, UDOT: each word of `acc` plus the products of the four bytes of that word of x and of y. */
export function dotProduct(b: Builder, acc: V128, x: V128, y: V128, signed: boolean): V128 {
  const s = signed ? "s" : "u";
  const half = (part: number) => b.i32x4[`extadd_pairwise_i16x8_${s}`](mulWiden(b, 8, x, y, part, signed));
  const [low, high] = [half(0), half(1)];
  const even = permute(b, 32, low, high, [0, 2, 4, 6]);
  const odd = permute(b, 32, low, high, [1, 3, 5, 7]);
  return int(b, 32).add(acc, int(b, 32).add(even, odd));
}
