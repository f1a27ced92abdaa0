import { deliverableInterrupt } from "./interrupts.ts";
import { sctlrOf, targetOfEL0 } from "./levels.ts";
import type { PeState } from "./pe-state.ts";
import { changeStack, DAIF_D, resumeAfter } from "./pstate.ts";
import { DAIF, DIT, EL, PAN, SSBS, UAO } from "./state-layout.ts";
import { EC_SYSTEM, EC_UNKNOWN, raise, systemIss } from "./syndrome.ts";
import { MDSCR_EL1 } from "./sysreg-layout.ts";

// MSR (immediate): the fields of PSTATE that it writes (Arm ARM C6.2, D1.4), by op1:op2.

const FIELD_UAO = 0o03;
const FIELD_PAN = 0o04;
const FIELD_SPSEL = 0o05;
const FIELD_SSBS = 0o31;
const FIELD_DIT = 0o32;
const FIELD_DAIFSET = 0o36;
const FIELD_DAIFCLR = 0o37;

const SCTLR_UMA = 1 << 9;
/** MDSCR_EL1.SS and MDE: clearing PSTATE.D may let a debug exception in. */
const MDSCR_DEBUG = (1 << 0) | (1 << 15);

/** Returns what the host function answers: 0 unless what running code relies on has changed. */
export function msrImmediate(s: PeState, field: number, value: number, contextChanged: (cpu: number) => void): 0 | 1 {
  const el = s.word(EL);
  switch (field) {
    case FIELD_DAIFSET:
    case FIELD_DAIFCLR: {
      if (el === 0 && !(s.word(sctlrOf(s, 0)) & SCTLR_UMA)) return trap(s, field, value);
      const bits = (value & 15) << 6;
      const old = s.word(DAIF);
      if (field === FIELD_DAIFSET) {
        s.setWord(DAIF, old | bits);
        return 0;
      }
      s.setWord(DAIF, old & ~bits);
      const debug = bits & old & DAIF_D && s.word(MDSCR_EL1) & MDSCR_DEBUG;
      return debug || deliverableInterrupt(s) ? resumeAfter(s) : 0;
    }
    case FIELD_SSBS:
      s.setWord(SSBS, value & 1);
      return 0;
    case FIELD_DIT:
      s.setWord(DIT, value & 1);
      return 0;
  }
  if (el === 0) return raise(s, EC_UNKNOWN, 0);
  switch (field) {
    case FIELD_SPSEL:
      changeStack(s, el, value & 1);
      return 0;
    case FIELD_PAN:
      return changed(s, PAN, value & 1, contextChanged);
    case FIELD_UAO:
      return changed(s, UAO, value & 1, contextChanged);
    default:
      return raise(s, EC_UNKNOWN, 0);
  }
}

function changed(s: PeState, offset: number, value: number, contextChanged: (cpu: number) => void): 0 | 1 {
  if (s.word(offset) === value) return 0;
  s.setWord(offset, value);
  contextChanged(s.cpu);
  return resumeAfter(s);
}

function trap(s: PeState, field: number, value: number): 1 {
  const id = ((field >> 3) << 11) | (4 << 7) | ((value & 15) << 3) | (field & 7);
  return raise(s, EC_SYSTEM, systemIss(id, 31, false), targetOfEL0(s));
}
