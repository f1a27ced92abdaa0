import { BRANCH_ROWS } from "./branches.ts";
import { DP_IMM_ROWS } from "./dp-imm.ts";
import { DP_REG_ROWS } from "./dp-reg.ts";
import { DP_REG_UNARY_ROWS } from "./dp-reg-unary.ts";
import { EXCEPTION_ROWS } from "./exceptions.ts";
import { LOAD_STORE_ATOMIC_ROWS } from "./load-store-atomic.ts";
import { LOAD_STORE_FP_ROWS } from "./load-store-fp.ts";
import { LOAD_STORE_ORDERED_ROWS } from "./load-store-ordered.ts";
import { LOAD_STORE_PAIR_ROWS } from "./load-store-pair.ts";
import { LOAD_STORE_REG_ROWS } from "./load-store-reg.ts";
import { PAUTH_ROWS } from "./pauth.ts";
import type { Row } from "./row.ts";
import { SIMD_ROWS } from "./simd/index.ts";
import { SYSTEM_ROWS } from "./system.ts";

/** Every A64 instruction that this machine knows. */
export const ALL_ROWS: readonly Row[] = [
  ...DP_IMM_ROWS,
  ...DP_REG_ROWS,
  ...DP_REG_UNARY_ROWS,
  ...BRANCH_ROWS,
  ...LOAD_STORE_REG_ROWS,
  ...LOAD_STORE_PAIR_ROWS,
  ...LOAD_STORE_FP_ROWS,
  ...LOAD_STORE_ORDERED_ROWS,
  ...LOAD_STORE_ATOMIC_ROWS,
  ...PAUTH_ROWS,
  ...EXCEPTION_ROWS,
  ...SYSTEM_ROWS,
  ...SIMD_ROWS,
];
