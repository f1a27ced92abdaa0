// Address translation (AT) and cache maintenance (DC, IC) instructions.

import { ARG0, CTX, DTLB_READ, PAN, RESULT } from "../cpu/state-layout";
import { PAR_EL1 } from "../cpu/sysreg-layout";
import { inDTLB, rememberPage } from "./access.as";
import {
  FAULT_EXTERNAL_ON_WALK,
  FAULT_S1PTW,
  FAULT_STAGE2,
  NO_FAULT,
  NON_SECURE,
  READ,
  WRITE,
  statusOf,
} from "./attributes.as";
import { ISS_CM, ISS_WNR, dataAbort } from "./fault.as";
import { isReadableBy, isWritable, linearOf } from "./physical.as";
import {
  EL10,
  EL2_ALONE,
  EL20,
  currentEL,
  hasStage2,
  isHost,
  isHostUser,
  regimeOf,
} from "./regime.as";
import { translate, translatedAttributes, translatedPA } from "./tlb.as";
import { firstStage, fullAttr, fullAttributes, fullPA, fullShareability, fullTranslate, secondStage } from "./two-stages.as";

const PAR_F: u64 = 1;
const PAR_PTW: u64 = 1 << 8;
const PAR_S: u64 = 1 << 9;
const PAR_NS: u64 = 1 << 9;
const PAR_RES1: u64 = 1 << 11;

/** AArch64.EncodePAR(). */
function encodePAR(fault: i32): u64 {
  if (fault != NO_FAULT) {
    let par = PAR_RES1 | PAR_F | (<u64>statusOf(fault) << 1);
    if ((fault & FAULT_S1PTW) != 0) par |= PAR_PTW;
    return (fault & FAULT_STAGE2) != 0 ? par | PAR_S : par;
  }
  const ns = (fullAttributes() & NON_SECURE) != 0 ? PAR_NS : 0;
  return (<u64>fullAttr() << 56) | (fullPA() & 0x0000fffffffff000) | (<u64>fullShareability() << 7) | PAR_RES1 | ns;
}

/** AArch64.AT(). Changes no descriptor. See vmsa/native.ts. */
export function addressTranslate(cpu: usize, regime: i32, el: i32, write: i32, pan: i32, stages: i32): void {
  const va = load<u64>(cpu, ARG0);
  if (regime == EL2_ALONE ? isHost(cpu) : regime == EL10 && stages != 2 && isHostUser(cpu)) regime = EL20;
  const withPAN = pan != 0 && load<u32>(cpu, PAN) != 0;
  const access = write ? WRITE : READ;
  let fault = firstStage(cpu, regime, va, el != 0, withPAN, access, false);
  if (fault == NO_FAULT && stages != 1 && hasStage2(cpu, regime)) {
    fault = secondStage(cpu, el != 0, access, false);
  }
  // An external abort, and what EL2 has to mend of EL1's tables, is an exception.
  const isExternal = (statusOf(fault) & ~3) == FAULT_EXTERNAL_ON_WALK;
  if (fault != NO_FAULT && stages != 0 && (isExternal || ((fault & FAULT_S1PTW) != 0 && currentEL(cpu) == 1))) {
    dataAbort(cpu, va, fault, ISS_CM | ISS_WNR);
    return;
  }
  store<u64>(cpu, encodePAR(fault), PAR_EL1);
}

/** For what is outside of the guest: see vmsa/native.ts. */
export function outsideAddress(cpu: usize, access: i32): i32 {
  const va = load<u64>(cpu, ARG0);
  const el = currentEL(cpu);
  const regime = regimeOf(cpu, el);
  if (access == 0) {
    if (fullTranslate(cpu, regime, va, true, false, 0, false) != NO_FAULT) return 0;
    store<u64>(cpu, fullPA(), RESULT);
    return 1;
  }
  if (translate(cpu, va, regime, el != 0, load<u32>(cpu, PAN) != 0, access) != NO_FAULT) return 0;
  if (!linearOf(translatedPA()) || !isReadableBy((translatedAttributes() & NON_SECURE) != 0)) return 0;
  if (access == WRITE && !isWritable()) return 0;
  store<u64>(cpu, translatedPA(), RESULT);
  return 1;
}

/**
 * Cache maintenance by VA: PSTATE.PAN does not count. Permissions count for EL0, which has to be able to read, and for
 * what may lose data, which has to be able to write (AArch64.S1CheckPermissions()).
 */
export function maintain(cpu: usize, access: i32): i32 {
  return maintainAt(cpu, load<u64>(cpu, ARG0), access);
}

function maintainAt(cpu: usize, va: u64, access: i32): i32 {
  // Who may read with PAN may read without.
  if (!access) {
    const known = inDTLB(cpu, va, 1, 0, DTLB_READ);
    if (known) return <i32>known;
  }
  const el = currentEL(cpu);
  const regime = regimeOf(cpu, el);
  const fault = translate(cpu, va, regime, el != 0, false, access ? WRITE : el == 0 ? READ : 0);
  if (fault != NO_FAULT) {
    dataAbort(cpu, va, fault, ISS_CM | ISS_WNR);
    return -1;
  }
  const attributes = translatedAttributes();
  const at = linearOf(translatedPA());
  if (!at || !isReadableBy((attributes & NON_SECURE) != 0)) return 0;
  // The next line is likely to be in the same page.
  rememberPage(cpu, va, at, regime, el != 0, load<u32>(cpu, PAN) != 0, load<u64>(cpu, CTX), attributes);
  return <i32>at;
}

/** DC CVAC and its like, where nothing traps them: memory is never behind the data cache, so that the address is all there is to check. */
export function cleanLine(cpu: usize, va: u64): void {
  maintainAt(cpu, va, 0);
}
