import type { Feature } from "../../arch/features.ts";
import type { Access } from "./access.ts";
import type { Trap } from "./row.ts";

/** A system instruction (SYS, op0 = 1). */
export interface SystemRow {
  /** op0:op1:CRn:CRm:op2 as 16 bits. */
  readonly id: number;
  /** The lowest exception level that may execute it. */
  readonly el: 0 | 1 | 2 | 3;
  /** Without them the encoding is unallocated. */
  readonly features?: readonly Feature[];
  readonly traps?: readonly Trap[] | undefined;
  /** With Xt in `a.low` and `a.high`. False: running code has to leave, because of an exception or to look again at what it runs. */
  readonly execute: (a: Access) => boolean;
}
