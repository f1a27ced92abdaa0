import type { Feature } from "../../arch/features.ts";
import { encodeSysreg } from "../../arch/sysreg-names.ts";
import { ARG0, EXIT, EXIT_EXCEPTION } from "../state-layout.ts";
import type { Access } from "./access.ts";
import type { Trap } from "./row.ts";
import type { SystemRow } from "./system-row.ts";
import { TLB_ROWS } from "./tlb.ts";
import { HCR, hcr, sctlrEnable } from "./traps.ts";

// System instructions (Arm ARM C5.3 .. C5.6). Caches are never incoherent with memory, so that data cache maintenance only checks its
// address; DC ZVA is an instruction of a64/.

const SCTLR_EnRCTX = 10;
const SCTLR_DZE = 14;
const SCTLR_UCI = 26;
/** Bytes of a cache line (CTR_EL0.IminLine, DminLine). */
const LINE = 64;

type Execute = SystemRow["execute"];

function row(
  encoding: readonly [op1: number, crm: number, op2: number],
  el: 0 | 1 | 2 | 3,
  traps: readonly Trap[],
  execute: Execute,
  ...features: readonly Feature[]
): SystemRow {
  const [op1, crm, op2] = encoding;
  return { id: encodeSysreg(1, op1, 7, crm, op2), el, traps, execute, features };
}

const READ = 0;
const WRITE = 1;

/** The linear address of the byte at Xt, 0 when it is no memory, -1 with an exception pending. */
function maintained(a: Access, access: number): number {
  a.state.set64(ARG0, a.low, a.high);
  return a.host.native.maintain(a.state.cpu, access);
}

const dataByVA =
  (access: number): Execute =>
  (a) =>
    maintained(a, access) !== -1;

function instructionByVA(a: Access): boolean {
  const at = maintained(a, READ);
  if (at > 0 || at < -1) a.host.engine.invalidateCode((at & -LINE) >>> 0, LINE);
  return false;
}

function allInstructions(a: Access): boolean {
  return !a.host.engine.invalidateAllCode();
}

const nothing: Execute = () => true;

/** AT: `regime`, `el` and `stages` are those of the translation that is asked for. */
function translate(regime: 1 | 2 | 3, el: number, access: number, pan: boolean, stages: 1 | 2 = 1): Execute {
  return (a) => {
    a.state.set64(ARG0, a.low, a.high);
    a.host.native.addressTranslate(a.state.cpu, regime, el, access, pan ? 1 : 0, stages);
    return a.state.word(EXIT) !== EXIT_EXCEPTION;
  };
}

const UCI = sctlrEnable(SCTLR_UCI);
const TPU = hcr(HCR.TPU);
/** Of the maintenance to the point of unification, besides. */
const TICAB = hcr(HCR.TICAB);
const TOCU = hcr(HCR.TOCU);
const TPCP = hcr(HCR.TPCP);
const TSW = hcr(HCR.TSW);
const AT = hcr(HCR.AT);
const RCTX = sctlrEnable(SCTLR_EnRCTX);

const ROWS: readonly SystemRow[] = [
  // IC IALLUIS, IALLU, IVAU.
  row([0, 1, 0], 1, [TPU, TICAB], allInstructions),
  row([0, 5, 0], 1, [TPU, TOCU], allInstructions),
  row([3, 5, 1], 0, [UCI, TPU, TOCU], instructionByVA),
  // DC IVAC, ISW, CSW, CISW.
  row([0, 6, 1], 1, [TPCP], dataByVA(WRITE)),
  row([0, 6, 2], 1, [TSW], nothing),
  row([0, 10, 2], 1, [TSW], nothing),
  row([0, 14, 2], 1, [TSW], nothing),
  // DC CVAC, CVAU, CVAP, CVADP, CIVAC.
  row([3, 10, 1], 0, [UCI, TPCP], dataByVA(READ)),
  row([3, 11, 1], 0, [UCI, TPU, TOCU], dataByVA(READ)),
  row([3, 12, 1], 0, [UCI, TPCP], dataByVA(READ), "DPB"),
  row([3, 13, 1], 0, [UCI, TPCP], dataByVA(READ), "DPB2"),
  row([3, 14, 1], 0, [UCI, TPCP], dataByVA(READ)),
  // DC ZVA: only what traps it. An instruction that does not trap never comes here.
  row([3, 4, 1], 0, [sctlrEnable(SCTLR_DZE), hcr(HCR.TDZ)], nothing),
  // CFP, DVP, CPP RCTX: nothing is predicted from one context to another.
  row([3, 3, 4], 0, [RCTX], nothing, "SPECRES"),
  row([3, 3, 5], 0, [RCTX], nothing, "SPECRES"),
  row([3, 3, 7], 0, [RCTX], nothing, "SPECRES"),
  // AT S1E1R, S1E1W, S1E0R, S1E0W, S1E1RP, S1E1WP.
  row([0, 8, 0], 1, [AT], translate(1, 1, READ, false)),
  row([0, 8, 1], 1, [AT], translate(1, 1, WRITE, false)),
  row([0, 8, 2], 1, [AT], translate(1, 0, READ, false)),
  row([0, 8, 3], 1, [AT], translate(1, 0, WRITE, false)),
  row([0, 9, 0], 1, [AT], translate(1, 1, READ, true), "PAN2"),
  row([0, 9, 1], 1, [AT], translate(1, 1, WRITE, true), "PAN2"),
  // AT S1E2R, S1E2W, S12E1R, S12E1W, S12E0R, S12E0W.
  row([4, 8, 0], 2, [], translate(2, 2, READ, false), "EL2"),
  row([4, 8, 1], 2, [], translate(2, 2, WRITE, false), "EL2"),
  row([4, 8, 4], 2, [], translate(1, 1, READ, false, 2), "EL2"),
  row([4, 8, 5], 2, [], translate(1, 1, WRITE, false, 2), "EL2"),
  row([4, 8, 6], 2, [], translate(1, 0, READ, false, 2), "EL2"),
  row([4, 8, 7], 2, [], translate(1, 0, WRITE, false, 2), "EL2"),
  // AT S1E3R, S1E3W.
  row([6, 8, 0], 3, [], translate(3, 3, READ, false), "EL3"),
  row([6, 8, 1], 3, [], translate(3, 3, WRITE, false), "EL3"),
];

export const SYSTEM_ROWS: readonly SystemRow[] = [...ROWS, ...TLB_ROWS];
