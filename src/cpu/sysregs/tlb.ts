import type { Feature } from "../../arch/features.ts";
import { encodeSysreg } from "../../arch/sysreg-names.ts";
import { ARG0, ARG1, ARG2 } from "../state-layout.ts";
import { HCR_EL2 } from "../sysreg-layout.ts";
import type { Access } from "./access.ts";
import type { SystemRow } from "./system-row.ts";
import { HCR, hcr } from "./traps.ts";

// TLBI (Arm ARM C5.5, D8.14). A TLB may always forget more than it is told to: entries of the last level are not told from others,
// outer shareable is as inner shareable, and what goes by IPA are the translations of both stages together. Which VMID, which Security state, and whether
// EL2&0 is meant is for the native module to say.

type Regime = 1 | 2 | 3;

// Native.tlbInvalidate's `what`.
const ALL = 0;
const BY_ASID = 1;
const BY_VA_AND_ASID = 2;
const BY_VA = 3;
const RANGE = 4;
const STAGE1 = 5;
const STAGE2 = 6;
const BY_IPA = 7;

const HCR_FB = 9;

/** Invalidates by the operands in ARG0.. here, or on all PEs; HCR_EL2.FB makes EL1's own instructions be for all. */
function invalidate(a: Access, shared: boolean, regime: Regime, what: number): boolean {
  const { state, host } = a;
  const all = shared || (a.el === 1 && a.el2Enabled && a.bit(HCR_EL2, HCR_FB));
  if (!all) {
    host.native.tlbInvalidate(state.cpu, regime, what);
    return false;
  }
  for (const other of host.allTlbs()) host.native.tlbInvalidate(other.cpu, regime, what, state.cpu);
  return false;
}

/** Xt[63:48]. */
function setASID(a: Access): void {
  a.state.set64(ARG1, a.high >>> 16, 0);
}

/** Xt[43:0] is VA[55:12]; the bits above are as VA[55]. */
function setVA(a: Access): void {
  const high = (a.high << 12) | (a.low >>> 20);
  a.state.set64(ARG0, a.low << 12, (high << 8) >> 8);
}

/** log2 of the granule by Xt.TG; 0 is reserved. */
const GRANULES = [undefined, 12, 14, 16] as const;

/** NUM and SCALE, in granules. */
function rangeBytes({ high }: Access, shift: number): number {
  return (((high >>> 7) & 31) + 1) * 2 ** (5 * ((high >>> 12) & 3) + 1 + shift);
}

/** The operand of a range: BaseADDR, TTL, NUM, SCALE, TG, ASID. False: reserved, nothing to invalidate. */
function setRange(a: Access, byASID: boolean): boolean {
  const shift = GRANULES[(a.high >>> 14) & 3];
  if (shift === undefined) return false;
  // BaseADDR is a signed number of 37 bits, in granules.
  const base = ((a.high << 27) >> 27) * 2 ** 32 + (a.low >>> 0);
  a.state.setNumber(ARG0, base * 2 ** shift);
  a.state.setNumber(ARG2, rangeBytes(a, shift));
  if (byASID) setASID(a);
  else a.state.set64(ARG1, -1, -1);
  return true;
}

/** The operand of one IPA: Xt[35:0] is IPA[47:12]. What it is part of at stage 2, a page or a block, is the TLB's to know. */
function setIPA({ state, low, high }: Access): boolean {
  state.set64(ARG0, low << 12, ((high & 15) << 12) | (low >>> 20));
  state.setNumber(ARG2, 1);
  return true;
}

/** The operand of a range of IPAs: as setRange, of a BaseADDR without sign. */
function setIPARange(a: Access): boolean {
  const shift = GRANULES[(a.high >>> 14) & 3];
  if (shift === undefined) return false;
  a.state.setNumber(ARG0, ((a.high & 31) * 2 ** 32 + (a.low >>> 0)) * 2 ** shift);
  a.state.setNumber(ARG2, rangeBytes(a, shift));
  return true;
}

type Operation = (a: Access, shared: boolean) => boolean;

const everything =
  (regime: Regime, what = ALL): Operation =>
  (a, shared) =>
    invalidate(a, shared, regime, what);

const byVA =
  (regime: Regime, withASID: boolean): Operation =>
  (a, shared) => {
    setVA(a);
    if (withASID) setASID(a);
    return invalidate(a, shared, regime, withASID ? BY_VA_AND_ASID : BY_VA);
  };

const byASID: Operation = (a, shared) => {
  setASID(a);
  return invalidate(a, shared, 1, BY_ASID);
};

const byRange =
  (regime: Regime, withASID: boolean): Operation =>
  (a, shared) =>
    setRange(a, withASID) ? invalidate(a, shared, regime, RANGE) : true;

const LOCAL_TRAP = hcr(HCR.TTLB);
const INNER_TRAP = hcr(HCR.TTLB, HCR.TTLBIS);
const OUTER_TRAP = hcr(HCR.TTLB, HCR.TTLBOS);

type Level = 1 | 2 | 3;
const LEVEL_FEATURES: Readonly<Record<Level, readonly Feature[]>> = { 1: [], 2: ["EL2"], 3: ["EL3"] };
const OP1: Readonly<Record<Level, number>> = { 1: 0, 2: 4, 3: 6 };

function row(
  level: Level,
  crm: number,
  op2: number,
  shared: boolean,
  operation: Operation,
  ...needs: readonly Feature[]
): SystemRow {
  return {
    id: encodeSysreg(1, OP1[level], 8, crm, op2),
    el: level,
    features: [...LEVEL_FEATURES[level], ...needs],
    traps: level === 1 ? [needs.includes("TLBIOS") ? OUTER_TRAP : shared ? INNER_TRAP : LOCAL_TRAP] : undefined,
    execute: (a) => operation(a, shared),
  };
}

/** CRm 7, 3 and 1: this PE, inner shareable, outer shareable. */
function threeScopes(level: Level, op2: number, operation: Operation): SystemRow[] {
  return [
    row(level, 7, op2, false, operation),
    row(level, 3, op2, true, operation),
    row(level, 1, op2, true, operation, "TLBIOS"),
  ];
}

/** Ranges: CRm 6, 2 and 5: this PE, inner shareable, outer shareable. */
function rangeScopes(level: Level, op2: number, operation: Operation): SystemRow[] {
  return [
    row(level, 6, op2, false, operation, "TLBIRANGE"),
    row(level, 2, op2, true, operation, "TLBIRANGE"),
    row(level, 5, op2, true, operation, "TLBIRANGE", "TLBIOS"),
  ];
}

/** By intermediate physical address. False of `operand`: reserved, nothing to invalidate. */
function byIPA(crm: number, op2: number, shared: boolean, ...needs: readonly Feature[]): SystemRow {
  const operand = needs.includes("TLBIRANGE") ? setIPARange : setIPA;
  return row(2, crm, op2, shared, (a, all) => (operand(a) ? invalidate(a, all, 1, BY_IPA) : true), ...needs);
}

export const TLB_ROWS: readonly SystemRow[] = [
  // VMALLE1, VAE1, ASIDE1, VAAE1, VALE1, VAALE1.
  ...threeScopes(1, 0, everything(1, STAGE1)),
  ...threeScopes(1, 1, byVA(1, true)),
  ...threeScopes(1, 2, byASID),
  ...threeScopes(1, 3, byVA(1, false)),
  ...threeScopes(1, 5, byVA(1, true)),
  ...threeScopes(1, 7, byVA(1, false)),
  // RVAE1, RVAAE1, RVALE1, RVAALE1.
  ...rangeScopes(1, 1, byRange(1, true)),
  ...rangeScopes(1, 3, byRange(1, false)),
  ...rangeScopes(1, 5, byRange(1, true)),
  ...rangeScopes(1, 7, byRange(1, false)),
  // ALLE2, VAE2, ALLE1, VALE2, VMALLS12E1.
  ...threeScopes(2, 0, everything(2)),
  ...threeScopes(2, 1, byVA(2, false)),
  ...threeScopes(2, 4, everything(1)),
  ...threeScopes(2, 5, byVA(2, false)),
  ...threeScopes(2, 6, everything(1, STAGE2)),
  ...rangeScopes(2, 1, byRange(2, false)),
  ...rangeScopes(2, 5, byRange(2, false)),
  // IPAS2E1, IPAS2LE1, RIPAS2E1, RIPAS2LE1.
  byIPA(4, 1, false),
  byIPA(4, 5, false),
  byIPA(0, 1, true),
  byIPA(0, 5, true),
  byIPA(4, 0, true, "TLBIOS"),
  byIPA(4, 4, true, "TLBIOS"),
  byIPA(4, 2, false, "TLBIRANGE"),
  byIPA(4, 6, false, "TLBIRANGE"),
  byIPA(0, 2, true, "TLBIRANGE"),
  byIPA(0, 6, true, "TLBIRANGE"),
  byIPA(4, 3, true, "TLBIRANGE", "TLBIOS"),
  byIPA(4, 7, true, "TLBIRANGE", "TLBIOS"),
  // ALLE3, VAE3, VALE3.
  ...threeScopes(3, 0, everything(3)),
  ...threeScopes(3, 1, byVA(3, false)),
  ...threeScopes(3, 5, byVA(3, false)),
  ...rangeScopes(3, 1, byRange(3, false)),
  ...rangeScopes(3, 5, byRange(3, false)),
];
