import type { PeState } from "../cpu/pe-state.ts";
import { DAIF_ALL, SPSR_PAN, SPSR_SS, SPSR_SSBS } from "../cpu/pstate.ts";
import { EC_DATA_ABORT, EC_INSTRUCTION_ABORT, EC_UNKNOWN, ESR_IL } from "../cpu/syndrome.ts";
import {
  ELR_EL1,
  ELR_EL2,
  ESR_EL1,
  FAR_EL1,
  FAR_EL2,
  FEATURE_PAN,
  ID_AA64PFR1_EL1,
  PE_FEATURES,
  SCTLR_EL1,
  SPSR_EL1,
  SPSR_EL2,
  VBAR_EL1,
} from "../cpu/sysreg-layout.ts";

// What a hypervisor does to give EL1 an exception: it writes the registers as the PE would have (AArch64.TakeException), and returns to the vector.

const EL1H = 5;
const SCTLR_SPAN = 1 << 23;
const SCTLR_HIGH_DSSBS = 1 << (44 - 32);
const EXTERNAL_ABORT = 0x10;
const EXTERNAL_ABORT_ON_WALK = 0x14;
const S1PTW = 1 << 7;
const WNR = 1 << 6;
/** SPSR: NZCV, DIT, UAO is cleared, PAN. */
const KEPT = 0xf1400000 | 0;

function toEL1(s: PeState, syndrome: number): void {
  const spsr = s.word(SPSR_EL2);
  const el = (spsr >>> 2) & 3;
  const offset = el === 0 ? 0x400 : spsr & 1 ? 0x200 : 0;
  s.set64(ESR_EL1, syndrome | ESR_IL, 0);
  s.copy64(ELR_EL1, ELR_EL2);
  s.set64(SPSR_EL1, spsr, 0);
  const sctlr = s.word(SCTLR_EL1);
  const pan = s.word(PE_FEATURES) & FEATURE_PAN && !(sctlr & SCTLR_SPAN) ? SPSR_PAN : 0;
  const hasSSBS = (s.word(ID_AA64PFR1_EL1) & 0xf0) !== 0;
  const ssbs = hasSSBS && s.high(SCTLR_EL1) & SCTLR_HIGH_DSSBS ? SPSR_SSBS : 0;
  s.set64(SPSR_EL2, (spsr & KEPT & ~SPSR_SS) | pan | ssbs | DAIF_ALL | EL1H, 0);
  s.set64(ELR_EL2, (s.word(VBAR_EL1) & ~0x7ff) | offset, s.high(VBAR_EL1));
}

/** The instruction at ELR_EL2 is UNDEFINED. */
export function injectUndefined(s: PeState): void {
  toEL1(s, EC_UNKNOWN << 26);
}

/** The access that ESR_EL2 and FAR_EL2 tell of reached nothing: a synchronous External abort. */
export function injectExternalAbort(s: PeState, ec: number, iss: number): void {
  const base = (ec & ~1) === EC_INSTRUCTION_ABORT ? EC_INSTRUCTION_ABORT : EC_DATA_ABORT;
  const same = ((s.word(SPSR_EL2) >>> 2) & 3) === 1 ? 1 : 0;
  // The level of the walk is not known: 0.
  const status = iss & S1PTW ? EXTERNAL_ABORT_ON_WALK : EXTERNAL_ABORT;
  s.copy64(FAR_EL1, FAR_EL2);
  toEL1(s, ((base | same) << 26) | (base === EC_DATA_ABORT ? iss & WNR : 0) | status);
}

/** The trapped instruction is done: on to the next one. */
export function skipInstruction(s: PeState): void {
  const low = (s.word(ELR_EL2) + 4) | 0;
  s.set64(ELR_EL2, low, s.high(ELR_EL2) + (low >= 0 && low < 4 ? 1 : 0));
  // PSTATE.SS and BTYPE as after an instruction.
  s.setWord(SPSR_EL2, s.word(SPSR_EL2) & ~(SPSR_SS | (3 << 10)));
}
