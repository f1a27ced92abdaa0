// DC ZVA (Arm ARM C6.2.113): zeroes the naturally aligned block of 64 bytes that holds an address.

import { DTLB_WRITE, EXIT } from "../cpu/state-layout";
import { deviceAlignmentFault, inDTLB, isLocated, locate, writeSlow } from "./access.as";
import { DEVICE } from "./attributes.as";
import { EC_SYSTEM, ISS_WNR, dataAbort, raise } from "./fault.as";
import { HCR_TDZ, SCTLR_DZE, currentEL, effectiveHCR, isHostUser, regimeOf, sctlr } from "./regime.as";
import { translatedAttributes } from "./tlb.as";

/**
 * ISS of a trapped DC ZVA: op0 1, op1 3, CRn 7, CRm 4, op2 1, a write. Rt is not known here: whoever takes the
 * exception adds it.
 */
const ISS_DC_ZVA: u32 = (1 << 20) | (1 << 17) | (3 << 14) | (7 << 10) | (4 << 1);

function isTrapped(cpu: usize): bool {
  const el = currentEL(cpu);
  if (el == 0 && (sctlr(cpu, regimeOf(cpu, 0)) & SCTLR_DZE) == 0) return true;
  return el < 2 && (effectiveHCR(cpu) & HCR_TDZ) != 0 && !(el == 0 && isHostUser(cpu));
}

/** Writes only where something is to be zeroed: pages that nothing was ever written to cost the host no memory, and stay so. */
@inline
function zero64(at: usize): void {
  const low = v128.or(v128.load(at), v128.load(at, 16));
  if (!v128.any_true(v128.or(low, v128.or(v128.load(at, 32), v128.load(at, 48))))) return;
  const zero = i64x2.splat(0);
  v128.store(at, zero);
  v128.store(at, zero, 16);
  v128.store(at, zero, 32);
  v128.store(at, zero, 48);
}

export function zeroBlock(cpu: usize, va: u64): void {
  if (isTrapped(cpu)) {
    raise(cpu, EC_SYSTEM, ISS_DC_ZVA, 0);
    return;
  }
  const start = va & ~63;
  // What the data TLB has for accesses that need not be aligned is not Device memory.
  const known = inDTLB(cpu, start, 64, 0, DTLB_WRITE);
  if (known) {
    zero64(known);
    return;
  }
  const at = locate(cpu, start, 64, 1, 0, true);
  if (!at && !isLocated()) return;
  // On Device memory it is an alignment fault, whatever the address.
  if ((translatedAttributes() & DEVICE) != 0) {
    dataAbort(cpu, va, deviceAlignmentFault(translatedAttributes()), ISS_WNR);
    return;
  }
  if (at) {
    zero64(at);
    return;
  }
  for (let offset: u64 = 0; offset < 64 && load<i32>(cpu, EXIT) == 0; offset += 8) {
    if (!locate(cpu, start + offset, 8, 8, 0, true)) writeSlow(cpu, start + offset, 8, 8, 0, 0);
  }
}
