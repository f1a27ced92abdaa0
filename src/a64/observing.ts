import type { Feature } from "../arch/features.ts";
import { createDecoder, type Decoder } from "./decoder.ts";
import { ALL_ROWS } from "./index.ts";
import type { Row } from "./row.ts";
import { OP0_HIGH } from "./system.ts";

/** Rows that do what the processing element would do for MRS and MSR: all but those of flags and floating point. */
const DIRECT = /^(MRS|MSR)_(SP_EL0|DAIF|DCZID|CNTVCT|CurrentEL|AP.*)$/;

/**
 * A decoder by which every MRS and MSR (register) but those of NZCV, FPCR and FPSR comes to the processing element, so that they can be
 * observed. Its handler keys are those of any other decoder.
 */
export function createObservingDecoder(features: ReadonlySet<Feature>, recent?: Int32Array): Decoder {
  const rows = ALL_ROWS.map(
    (row): Row => (row.id === "MRS" || row.id === "MSR_reg" ? { ...row, decode: byElement } : row),
  );
  return createDecoder(rows, features, new Set(rows.filter(({ id }) => DIRECT.test(id))), recent);
}

/** Variant 0 of MRS and MSR. */
const byElement: NonNullable<Row["decode"]> = ({ i = 0 }) => ({ i: OP0_HIGH | i, h: i & 0x7fff, variant: 0 });
