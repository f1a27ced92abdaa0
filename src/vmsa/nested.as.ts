// Registers in memory (FEAT_NV2, Arm ARM D8.11): accesses that EL1 makes and EL2's translation regime translates.

import { ARG0, ARG1, EXC_TARGET, RESULT } from "../cpu/state-layout";
import { FAULT_EXTERNAL, NON_SECURE, NO_FAULT, READ, WRITE } from "./attributes.as";
import { ISS_WNR, dataAbort } from "./fault.as";
import { busRead, busWrite } from "./host.as";
import { isReachable, isReadable, isWritable, linearOf } from "./physical.as";
import { regimeOf } from "./regime.as";
import { translate, translatedAttributes, translatedPA } from "./tlb.as";
import { isFaultOfWrite } from "./two-stages.as";

/** ISS.VNCR of a data abort: it was on an access by way of VNCR_EL2. */
const ISS_VNCR: u32 = 1 << 13;

/** Reads the 8 bytes at the VA in ARG0 into RESULT, or writes them from ARG1. 1: the data abort, to EL2, is in EXC_*. */
export function nestedAccess(cpu: usize, write: i32): i32 {
  const va = load<u64>(cpu, ARG0);
  let fault = translate(cpu, va, regimeOf(cpu, 2), true, false, write ? WRITE : READ);
  let isOfWrite = isFaultOfWrite();
  if (fault == NO_FAULT) {
    const pa = translatedPA();
    const at = linearOf(pa);
    const isNonSecure = (translatedAttributes() & NON_SECURE) != 0;
    const isThere = at != 0 && isReachable(isNonSecure);
    if (isThere && (write ? isWritable() : isReadable())) {
      if (write) store<u64>(at, load<u64>(cpu, ARG1));
      else store<u64>(cpu, load<u64>(at), RESULT);
      return 0;
    }
    store<u64>(cpu, pa, ARG0);
    if (!(write ? busWrite(cpu, 8, isNonSecure) : busRead(cpu, 8, isNonSecure))) return 0;
    fault = FAULT_EXTERNAL;
    isOfWrite = write != 0;
  }
  dataAbort(cpu, va, fault, ISS_VNCR | (isOfWrite ? ISS_WNR : 0));
  store<u32>(cpu, 2, EXC_TARGET);
  return 1;
}
