import type { PeState } from "./pe-state.ts";
import {
  BTYPE,
  CF,
  DAIF,
  DIT,
  EL,
  EXIT,
  EXIT_RESUME,
  NF,
  PAN,
  PC,
  PSTATE_IL,
  PSTATE_SS,
  SP,
  SPSEL,
  SSBS,
  UAO,
  VF,
  ZF,
} from "./state-layout.ts";
import { SP_EL0, SP_EL1, SP_EL2, SP_EL3 } from "./sysreg-layout.ts";

// PSTATE as SPSR_ELx holds it (Arm ARM C5.2.19), and the stack pointers that go with EL and SPSel.

// Bits of PSTATE.DAIF where MRS DAIF has them.
export const DAIF_D = 0x200;
export const DAIF_A = 0x100;
export const DAIF_I = 0x80;
export const DAIF_F = 0x40;
export const DAIF_ALL = 0x3c0;

// Bits of SPSR_ELx.
export const SPSR_DIT = 1 << 24;
export const SPSR_UAO = 1 << 23;
export const SPSR_PAN = 1 << 22;
export const SPSR_SS = 1 << 21;
export const SPSR_IL = 1 << 20;
export const SPSR_SSBS = 1 << 12;
/** M[4]: the exception came from AArch32 state. */
export const SPSR_AARCH32 = 1 << 4;

/** GetPSRFromPSTATE: a field that the PE does not have is always 0 in its word. */
export function packPSTATE(s: PeState): number {
  return (
    (s.word(NF) & 0x80000000) |
    (s.word(ZF) === 0 ? 1 << 30 : 0) |
    (s.word(CF) << 29) |
    ((s.word(VF) >>> 31) << 28) |
    (s.word(DIT) << 24) |
    (s.word(UAO) << 23) |
    (s.word(PAN) << 22) |
    (s.word(PSTATE_SS) << 21) |
    (s.word(PSTATE_IL) << 20) |
    (s.word(SSBS) << 12) |
    (s.word(BTYPE) << 10) |
    s.word(DAIF) |
    (s.word(EL) << 2) |
    s.word(SPSEL)
  );
}

/** PSTATE.NZCV from bits 31:28. */
export function setNZCV(s: PeState, spsr: number): void {
  s.setWord(NF, spsr);
  s.setWord(ZF, spsr & (1 << 30) ? 0 : 1);
  s.setWord(CF, (spsr >>> 29) & 1);
  s.setWord(VF, spsr << 3);
}

/** The slot of the stack pointer that SP stands for at exception level `el` with PSTATE.SP = `spsel`. */
export function stackSlot(el: number, spsel: number): number {
  if (spsel === 0 || el === 0) return SP_EL0;
  return el === 1 ? SP_EL1 : el === 2 ? SP_EL2 : SP_EL3;
}

/** Sets EL and PSTATE.SP, and exchanges the stack pointer for the new level's. */
export function changeStack(s: PeState, el: number, spsel: number): void {
  const from = stackSlot(s.word(EL), s.word(SPSEL));
  const to = stackSlot(el, spsel);
  if (from !== to) {
    s.copy64(from, SP);
    s.copy64(SP, to);
  }
  s.setWord(EL, el);
  s.setWord(SPSEL, spsel);
}

/** PC + 4, to the next instruction. */
export function advance(s: PeState): void {
  const low = (s.word(PC) + 4) | 0;
  s.set64(PC, low, s.high(PC) + (low >= 0 && low < 4 ? 1 : 0));
}

/** The instruction at PC is done and the dispatcher has to look again. Returns 1, what a host function answers to leave. */
export function resumeAfter(s: PeState): 1 {
  advance(s);
  s.setWord(EXIT, EXIT_RESUME);
  return 1;
}
