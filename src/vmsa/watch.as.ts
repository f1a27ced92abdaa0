// Watchpoints (Arm ARM D2.10). A page that holds an enabled one gets no entry in the data TLB, so that every access to
// it comes here.

import {
  DAIF,
  DEBUGGER_WATCH,
  DEBUGGER_WATCHES,
  DEBUGGER_WATCH_BYTES,
  EXC_DEBUGGER,
  SECURE,
} from "../cpu/state-layout";
import {
  CONTEXTIDR_EL1,
  DBGBCR0_EL1,
  DBGBVR0_EL1,
  DBGWCR0_EL1,
  DBGWVR0_EL1,
  FEATURE_EL3,
  HCR_EL2,
  MDCR_EL2,
  MDCR_EL3,
  MDSCR_EL1,
  OSLSR_EL1,
} from "../cpu/sysreg-layout";
import { READ, WRITE } from "./attributes.as";
import { raise } from "./fault.as";
import { HCR_TGE, currentEL, effectiveHCR, has, isEL2Enabled } from "./regime.as";
import { retireContexts } from "./contexts.as";
import { WATCHED } from "./tlb-layout.as";

const WATCHPOINTS: i32 = 16;
const MDSCR_KDE: u64 = 1 << 13;
const MDSCR_MDE: u64 = 1 << 15;
const OSLSR_OSLK: u64 = 1 << 1;
const DAIF_D: u32 = 1 << 9;
const MDCR_TDE: u64 = 1 << 8;
const MDCR_SDD: u64 = 1 << 16;
/** DBGBCR.BT: Linked Context ID match. */
const BT_LINKED_CONTEXT: u64 = 3;

@inline
function control(cpu: usize, n: i32): u64 {
  return load<u64>(cpu + (n << 3), DBGWCR0_EL1);
}

@inline
function value(cpu: usize, n: i32): u64 {
  return load<u64>(cpu + (n << 3), DBGWVR0_EL1);
}

// A debugger's watchpoints (cpu/state-layout.ts) are beside the guest's, and come first: what it stops has not happened.
const FIRST: usize = DEBUGGER_WATCH;
const LAST: usize = DEBUGGER_WATCH + 8;
const KINDS: usize = DEBUGGER_WATCH + 16;

@inline
function debuggerWatch(cpu: usize, n: i32, field: usize): u64 {
  return load<u64>(cpu + n * DEBUGGER_WATCH_BYTES + field);
}

/** Tags do not count. */
@inline
function untagged(va: u64): u64 {
  return va << 8;
}

/** Does a debugger's watchpoint stop an access of `bytes` at `va`? If so it is pending. `access`: READ, WRITE or both. */
export function debuggerStops(cpu: usize, va: u64, bytes: i32, access: u32): bool {
  const count = load<i32>(cpu, DEBUGGER_WATCHES);
  const start = untagged(va);
  const end = untagged(va + bytes - 1);
  for (let n = 0; n < count; n++) {
    if ((<u32>debuggerWatch(cpu, n, KINDS) & access) == 0) continue;
    const first = untagged(debuggerWatch(cpu, n, FIRST));
    if (end < first || start > untagged(debuggerWatch(cpu, n, LAST))) continue;
    raise(cpu, EXC_DEBUGGER, n, start < first ? debuggerWatch(cpu, n, FIRST) : va);
    return true;
  }
  return false;
}

/** After a change of the debug registers, or of a debugger's watchpoints: forgets the data TLB if what is watched has changed. */
export function watchChanged(cpu: usize): void {
  let sum: u64 = 0;
  if ((load<u64>(cpu, MDSCR_EL1) & MDSCR_MDE) != 0) {
    for (let n = 0; n < WATCHPOINTS; n++) {
      if ((control(cpu, n) & 1) == 0) continue;
      sum = (sum ^ value(cpu, n)) * 0x9e3779b97f4a7c15;
      sum = (sum ^ control(cpu, n)) * 0xbf58476d1ce4e5b9;
      sum |= 1;
    }
  }
  const outside = load<i32>(cpu, DEBUGGER_WATCHES);
  for (let n = 0; n < outside; n++) {
    sum = (sum ^ debuggerWatch(cpu, n, FIRST)) * 0x9e3779b97f4a7c15;
    sum = (sum ^ debuggerWatch(cpu, n, LAST)) * 0xbf58476d1ce4e5b9;
    sum |= 1;
  }
  if (sum == load<u64>(cpu, WATCHED)) return;
  store<u64>(cpu, sum, WATCHED);
  retireContexts(cpu);
}

@inline
export function isWatching(cpu: usize): bool {
  return load<u64>(cpu, WATCHED) != 0;
}

/** Log2 of the bytes that watchpoint `n` compares addresses in. */
function compareShift(cpu: usize, n: i32): u64 {
  const mask = (control(cpu, n) >> 24) & 31;
  const base: u64 = (value(cpu, n) & 4) != 0 ? 2 : 3;
  return max(mask, base);
}

/** Bits 55:shift are what is compared: tags do not count. */
@inline
function isSame(a: u64, b: u64, shift: u64): bool {
  return ((a ^ b) << 8) >> (8 + shift) == 0;
}

/** Does an enabled watchpoint watch anything in the page of `va`? */
export function isPageWatched(cpu: usize, va: u64): bool {
  const outside = load<i32>(cpu, DEBUGGER_WATCHES);
  const page = untagged(va) >> 20;
  for (let n = 0; n < outside; n++) {
    if (page < untagged(debuggerWatch(cpu, n, FIRST)) >> 20 || page > untagged(debuggerWatch(cpu, n, LAST)) >> 20) continue;
    return true;
  }
  if ((load<u64>(cpu, MDSCR_EL1) & MDSCR_MDE) == 0) return false;
  for (let n = 0; n < WATCHPOINTS; n++) {
    if ((control(cpu, n) & 1) != 0 && isSame(va, value(cpu, n), max(compareShift(cpu, n), 12))) return true;
  }
  return false;
}

/** AArch64.GenerateDebugExceptions(). */
function isEnabled(cpu: usize): bool {
  if ((load<u64>(cpu, OSLSR_EL1) & OSLSR_OSLK) != 0 || (load<u64>(cpu, MDSCR_EL1) & MDSCR_MDE) == 0) return false;
  const secure = load<u32>(cpu, SECURE) != 0;
  if (secure && has(cpu, FEATURE_EL3) && (load<u64>(cpu, MDCR_EL3) & MDCR_SDD) != 0) return false;
  const toEL2 =
    isEL2Enabled(cpu) &&
    ((load<u64>(cpu, MDCR_EL2) & MDCR_TDE) != 0 || (load<u64>(cpu, HCR_EL2) & HCR_TGE) != 0);
  const target = toEL2 ? 2 : 1;
  const from = currentEL(cpu);
  if (from == target) return (load<u64>(cpu, MDSCR_EL1) & MDSCR_KDE) != 0 && (load<u32>(cpu, DAIF) & DAIF_D) == 0;
  return target > from;
}

/** AArch64.StateMatch(). */
function isState(cpu: usize, wcr: u64, isPrivileged: bool): bool {
  const pac = <u32>(wcr >> 1) & 3;
  const hmc = ((wcr >> 13) & 1) != 0;
  const ssc = <u32>(wcr >> 14) & 3;
  const secure = load<u32>(cpu, SECURE) != 0;
  if ((ssc == 1 && secure) || (ssc == 2 && !secure)) return false;
  if (((wcr >> 20) & 1) != 0 && !isLinkedContext(cpu, <u32>(wcr >> 16) & 15)) return false;
  if (!isPrivileged) return (pac & 2) != 0;
  switch (currentEL(cpu)) {
    case 1: return (pac & 1) != 0;
    case 2: return (hmc && !(ssc == 2 && pac == 0)) || ssc == 3;
    default: return hmc && (ssc & 1) == 0;
  }
}

function isLinkedContext(cpu: usize, n: i32): bool {
  const bcr = load<u64>(cpu + (n << 3), DBGBCR0_EL1);
  if ((bcr & 1) == 0 || ((bcr >> 20) & 15) != BT_LINKED_CONTEXT || currentEL(cpu) > 1) return false;
  if ((effectiveHCR(cpu) & HCR_TGE) != 0) return false;
  return load<u32>(cpu + (n << 3), DBGBVR0_EL1) == load<u32>(cpu, CONTEXTIDR_EL1);
}

function isByteWatched(cpu: usize, n: i32, va: u64): bool {
  const wvr = value(cpu, n);
  const bas = <u32>(control(cpu, n) >> 5) & 0xff;
  const byte = <u32>va & ((wvr & 4) != 0 ? 3 : 7);
  return ((bas >> byte) & 1) != 0 && isSame(va, wvr, compareShift(cpu, n));
}

/**
 * AArch64.CheckWatchpoint() for an access of `bytes` at `va`; `access`: READ, WRITE or both. 0: no watchpoint fires;
 * else READ or WRITE, the first of them for which one does.
 */
export function watchpointHit(cpu: usize, va: u64, bytes: i32, isPrivileged: bool, access: u32): u32 {
  if (!isEnabled(cpu)) return 0;
  let hit: u32 = 0;
  for (let n = 0; n < WATCHPOINTS; n++) {
    const wcr = control(cpu, n);
    // LSC has loads in bit 0 and stores in bit 1, as READ and WRITE do.
    const kinds = <u32>(wcr >> 3) & access;
    if ((wcr & 1) == 0 || kinds == 0 || !isState(cpu, wcr, isPrivileged)) continue;
    for (let i = 0; i < bytes; i++) {
      if (!isByteWatched(cpu, n, va + i)) continue;
      hit |= kinds;
      break;
    }
  }
  return (hit & READ) != 0 ? READ : hit & WRITE;
}
