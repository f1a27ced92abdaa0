// The local exclusive monitor (Arm ARM B2.12). It remembers what was loaded: a store-exclusive succeeds iff that is
// what memory still holds. All PEs of a machine run in one thread, so nothing happens between the comparison and the
// store.

import {
  DTLB_READ,
  DTLB_WRITE,
  EXCL_ADDR,
  EXCL_SIZE,
  EXCL_VALUE,
} from "../cpu/state-layout";
import { ACC_ALIGNED, inDTLB, isLocated, locate, locatedPA, writeSlow } from "./access.as";
import { physicalOf } from "./physical.as";

const OPEN: u64 = ~(<u64>0);

/** The linear address that the data TLB has for a naturally aligned access, or 0. */
@inline
function fast(cpu: usize, va: u64, bytes: i32, tag: usize): usize {
  if ((va & <u64>(bytes - 1)) != 0) return 0;
  return inDTLB(cpu, va, bytes, 0, tag);
}

export function clearExclusive(cpu: usize): void {
  store<u64>(cpu, OPEN, EXCL_ADDR);
}

/** After a load-exclusive of `bytes` (16 for a pair of X registers) at `va`, which loaded low and high. */
export function setExclusive(cpu: usize, va: u64, bytes: i32, low: u64, high: u64): void {
  let at = fast(cpu, va, bytes, DTLB_READ);
  if (!at) at = locate(cpu, va, bytes, bytes, ACC_ALIGNED, false);
  if (!at && !isLocated()) return;
  store<u64>(cpu, at ? physicalOf(at) : locatedPA(), EXCL_ADDR);
  store<i32>(cpu, bytes, EXCL_SIZE);
  store<u64>(cpu, low, EXCL_VALUE);
  store<u64>(cpu, high, EXCL_VALUE + 8);
}

/** Does memory at `at` hold the bytes that were loaded? */
function isUnchanged(cpu: usize, at: usize, bytes: i32): bool {
  const low = load<u64>(cpu, EXCL_VALUE);
  switch (bytes) {
    case 1: return load<u8>(at) == <u8>low;
    case 2: return load<u16>(at) == <u16>low;
    case 4: return load<u32>(at) == <u32>low;
    case 8: return load<u64>(at) == low;
    default: return load<u64>(at) == low && load<u64>(at, 8) == load<u64>(cpu, EXCL_VALUE + 8);
  }
}

/**
 * Store-exclusive. 0: stored; 1: not, because the monitor was not set for these bytes, or a fault is pending. Faults
 * are reported whether the monitor is set or not. Leaves the monitor open.
 */
export function storeExclusive(cpu: usize, va: u64, bytes: i32, low: u64, high: u64): i32 {
  let at = fast(cpu, va, bytes, DTLB_WRITE);
  if (!at) at = locate(cpu, va, bytes, bytes, ACC_ALIGNED, true);
  if (!at && !isLocated()) return 1;
  const address = at ? physicalOf(at) : locatedPA();
  const isSet = load<u64>(cpu, EXCL_ADDR) == address && load<i32>(cpu, EXCL_SIZE) == bytes;
  clearExclusive(cpu);
  if (!isSet) return 1;
  // On the bus there is nothing to compare with: reading may have effects.
  if (!at) {
    writeSlow(cpu, va, bytes, min(bytes, 8), low, high);
    return 0;
  }
  if (!isUnchanged(cpu, at, bytes)) return 1;
  switch (bytes) {
    case 1: store<u8>(at, <u8>low); break;
    case 2: store<u16>(at, <u16>low); break;
    case 4: store<u32>(at, <u32>low); break;
    case 8: store<u64>(at, low); break;
    default:
      store<u64>(at, low);
      store<u64>(at, high, 8);
  }
  return 0;
}
