// Where the oracle, QEMU 7.2 in user mode, is no measure: each with its reason. The generator drops these vectors.

import type { Row } from "../../src/a64/row.ts";
import { ACC_ALIGNED } from "../../src/ir/guest-ops.ts";
import { FPCR_AT, MEMORY_ADDRESS, V_AT } from "./inputs.ts";
import { effectsOf } from "./selection.ts";

export interface Deviation {
  readonly reason: string;
  readonly applies: (row: Row, word: number, input: DataView) => boolean;
}

const rt = (word: number): number => word & 31;
const rn = (word: number): number => (word >>> 5) & 31;
const rt2 = (word: number): number => (word >>> 10) & 31;
const rs = (word: number): number => (word >>> 16) & 31;

/** Address of an access, as far as its base register says. */
function base(word: number, input: DataView): number {
  return Number(input.getBigUint64(rn(word) * 8, true)) - MEMORY_ADDRESS;
}

export const DEVIATIONS: readonly Deviation[] = [
  {
    reason: "CONSTRAINED UNPREDICTABLE (Arm ARM K1.2): a pair is loaded into one register",
    applies: (row, word) => /^(LDP|LDPSW|LDP_fp|LDXP)$/.test(row.id) && rt(word) === rt2(word),
  },
  {
    reason: "CONSTRAINED UNPREDICTABLE (Arm ARM K1.2): the base register is written back and is loaded or stored, too",
    applies: (row, word) =>
      (/^(LDR|STR)_(post|pre)$/.test(row.id) && rt(word) === rn(word) && rn(word) !== 31) ||
      (/^(LDP|STP|LDPSW)$/.test(row.id) &&
        ((word >>> 23) & 1) === 1 &&
        rn(word) !== 31 &&
        (rt(word) === rn(word) || rt2(word) === rn(word))),
  },
  {
    reason: "CONSTRAINED UNPREDICTABLE (Arm ARM K1.2): the status register is the base or data register",
    applies: (row, word) =>
      /^STL?X[RP]$/.test(row.id) &&
      (rs(word) === rt(word) ||
        (rs(word) === rn(word) && rn(word) !== 31) ||
        (row.id.endsWith("P") && rs(word) === rt2(word))),
  },
  {
    reason: "user mode does not check the alignment of every atomic, exclusive or ordered access (Arm ARM B2.8.2)",
    applies: (row, word, input) => {
      const { insts } = effectsOf(row);
      const aligned = insts.some((i) => ((i.attrs.acc ?? 0) & ACC_ALIGNED) !== 0) || /^STL?X/.test(row.id);
      return aligned && base(word, input) % 16 !== 0;
    },
  },
  {
    reason:
      "the 16-bit result of the scalar FCVTZS and FCVTZU (fixed-point) is sign-extended into the register instead of zero-extended",
    applies: (row) => /^FCVTZ[SU]_scalar_fix_h$/.test(row.id),
  },
  {
    reason:
      "FJCVTZS of a positive denormal that FPCR.FZ flushes sets Z (Arm ARM, FPToFixedJS: Z is 0 unless the fraction is zero)",
    applies: (row, word, input) => {
      const at = V_AT + rn(word) * 16;
      const high = input.getUint32(at + 4, true);
      const flushes = (input.getUint32(FPCR_AT, true) & (1 << 24)) !== 0;
      return row.id === "FJCVTZS" && flushes && high >>> 20 === 0 && (high & 0xfffff) + input.getUint32(at, true) !== 0;
    },
  },
  {
    reason: "DC ZVA is asked of the Cortex-A72, which has no FPCR.FZ16",
    applies: (row, _word, input) => row.id === "DC_ZVA" && (input.getUint32(FPCR_AT, true) & (1 << 19)) !== 0,
  },
];

/** The deviation that a vector would show, if any. */
export function deviationOf(row: Row, word: number, input: Uint8Array): Deviation | undefined {
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  return DEVIATIONS.find((d) => d.applies(row, word, view));
}
