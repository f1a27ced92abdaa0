// Address translation (AT) and cache maintenance (DC, IC) instructions.

import { ARG0, PAN, RESULT } from "../cpu/state-layout";
import { PAR_EL1 } from "../cpu/sysreg-layout";
import { ISS_CM, ISS_WNR, dataAbort } from "./fault.as";
import { isReadable, isWritable, linearOf } from "./physical.as";
import { EL2_ALONE, EL20, currentEL, isHost, regimeOf } from "./regime.as";
import { translate, translatedPA } from "./tlb.as";
import {
  FAULT_PERMISSION,
  NO_FAULT,
  READ,
  WRITE,
  isAllowed,
  walk,
  walkAttr,
  walkAttributes,
  walkLevel,
  walkPA,
  walkShareability,
} from "./walk.as";

const PAR_F: u64 = 1;
const PAR_RES1: u64 = 1 << 11;
const PAR_NS: u64 = 1 << 9;
const OUTER_SHAREABLE: u64 = 2;

/**
 * The shareability that PAR_EL1 reports: Device and Normal Non-cacheable memory are Outer Shareable whatever the
 * descriptor says.
 */
function reportedShareability(): u64 {
  const attr = walkAttr();
  return (attr & 0xf0) == 0 || attr == 0x44 ? OUTER_SHAREABLE : walkShareability();
}

/** AArch64.AT(). Changes no descriptor. */
export function addressTranslate(cpu: usize, regime: i32, el: i32, write: i32, pan: i32): void {
  const va = load<u64>(cpu, ARG0);
  if (regime == EL2_ALONE && isHost(cpu)) regime = EL20;
  let fault = walk(cpu, regime, va, el != 0, false);
  if (fault == NO_FAULT) {
    const withPAN = pan != 0 && load<u32>(cpu, PAN) != 0;
    if (!isAllowed(walkAttributes(), el != 0, withPAN, write ? WRITE : READ)) fault = FAULT_PERMISSION + walkLevel();
  }
  let par = PAR_RES1;
  if (fault != NO_FAULT) {
    par |= PAR_F | (<u64>fault << 1);
  } else {
    par |= (<u64>walkAttr() << 56) | (walkPA() & 0x0000fffffffff000) | (reportedShareability() << 7) | PAR_NS;
  }
  store<u64>(cpu, par, PAR_EL1);
}

/** For what is outside of the guest: see vmsa/native.ts. */
export function outsideAddress(cpu: usize, access: i32): i32 {
  const va = load<u64>(cpu, ARG0);
  const el = currentEL(cpu);
  const regime = regimeOf(cpu, el);
  if (access == 0) {
    if (walk(cpu, regime, va, true, false) != NO_FAULT) return 0;
    store<u64>(cpu, walkPA(), RESULT);
    return 1;
  }
  if (translate(cpu, va, regime, el != 0, load<u32>(cpu, PAN) != 0, access) != NO_FAULT) return 0;
  if (!linearOf(translatedPA()) || !(access == WRITE ? isWritable() : isReadable())) return 0;
  store<u64>(cpu, translatedPA(), RESULT);
  return 1;
}

/** Cache maintenance by VA: PSTATE.PAN does not count. */
export function maintain(cpu: usize, access: i32): i32 {
  const va = load<u64>(cpu, ARG0);
  const el = currentEL(cpu);
  const fault = translate(cpu, va, regimeOf(cpu, el), el != 0, false, access ? WRITE : READ);
  if (fault != NO_FAULT) {
    dataAbort(cpu, va, fault, ISS_CM | ISS_WNR);
    return -1;
  }
  const at = linearOf(translatedPA());
  return at && isReadable() ? <i32>at : 0;
}
