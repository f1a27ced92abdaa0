// Loads and stores that miss the data TLB: everything that can happen to a memory access happens here
// (docs/architecture.md).

import {
  ARG0, ARG1, ARG2, ATTENTION, COUNT_DATA_MISSES, CTX, CTX_CHECKED, CTX_UNPRIV, DTLB_ADDEND, DTLB_READ, DTLB_WRITE, EXIT,
  INSTRUCTIONS, PAN, RESULT, RESULT_HI,
} from "../cpu/state-layout";
import { FEATURE_LSE2 } from "../cpu/sysreg-layout";
import {
  CLEAN,
  DEVICE,
  DEVICE_BY_STAGE2,
  FAULT_ALIGNMENT,
  FAULT_EXTERNAL,
  FAULT_STAGE2,
  NON_SECURE,
  NO_FAULT,
  READ,
  SHIFT_MASK,
  SPAN_SHIFT,
  WRITE,
  isAllowed,
} from "./attributes.as";
import { isUnprivilegedUser } from "./contexts.as";
import { ISS_WNR, dataAbort, watchpointException } from "./fault.as";
import { busRead, busWrite } from "./host.as";
import { isReachable, isReadable, isWritable, linearOf } from "./physical.as";
import { SCTLR_A, currentEL, has, isTranslating, regimeOf, sctlr } from "./regime.as";
import { fillData, translate, translatedAttributes, translatedPA } from "./tlb.as";
import { dataSlot } from "./tlb-layout.as";
import { isFaultOfWrite } from "./two-stages.as";
import { debuggerStops, isPageWatched, isWatching, watchpointHit } from "./watch.as";

// The flags of ir/guest-ops.ts.
export const ACC_UNPRIV: i32 = 1;
export const ACC_RMW: i32 = 2;
export const ACC_ALIGNED: i32 = 4;

const PAGE_BYTES: i32 = 0x1000;

// What locate() found: the access is at `host` (0: on the bus) from physical address `pa`; its bytes from `split` on,
// if that is not 0, at `host2` and `pa2`. `isThere` is false after a fault.
let isThere: bool = false;
let host: usize = 0;
let pa: u64 = 0;
let split: i32 = 0;
let host2: usize = 0;
let pa2: u64 = 0;
/** To a Non-secure address; where the access is to two pages, one of them at least. */
let isNonSecure: bool = false;

// Data in flight.
let low: u64 = 0;
let high: u64 = 0;

/** The fault of an access that Device memory does not have: at the stage that makes it Device. Its IPA is not valid. */
export function deviceAlignmentFault(attributes: u32): i32 {
  return (attributes & DEVICE_BY_STAGE2) != 0 ? FAULT_ALIGNMENT | FAULT_STAGE2 : FAULT_ALIGNMENT;
}

/** Translates one page's part of an access. False: the fault is pending. */
function locatePart(
  cpu: usize, va: u64, regime: i32, isPrivileged: bool, pan: bool, access: u32, isStore: bool,
  isMisaligned: bool, context: u64,
): bool {
  const fault = translate(cpu, va, regime, isPrivileged, pan, access);
  if (fault != NO_FAULT) {
    dataAbort(cpu, va, fault, isFaultOfWrite() ? ISS_WNR : 0);
    return false;
  }
  const attributes = translatedAttributes();
  if (isMisaligned && (attributes & DEVICE) != 0) {
    dataAbort(cpu, va, deviceAlignmentFault(attributes), access == WRITE ? ISS_WNR : 0);
    return false;
  }
  if ((attributes & NON_SECURE) != 0) isNonSecure = true;
  pa = translatedPA();
  host = linearOf(pa);
  if (!host) return true;
  // Secure memory is not there for Non-secure accesses.
  if (!isReachable((attributes & NON_SECURE) != 0)) {
    host = 0;
    return true;
  }
  rememberPage(cpu, va, host, regime, isPrivileged, pan, context, attributes);
  if (!(isStore ? isWritable() : isReadable())) host = 0;
  return true;
}

/** Gives the data TLB what translate() and linearOf() have just found of the page at `va`: `at` is the address of its byte. */
export function rememberPage(
  cpu: usize, va: u64, at: usize, regime: i32, isPrivileged: bool, pan: bool, context: u64, attributes: u32,
): void {
  if (isWatching(cpu) && isPageWatched(cpu, va)) return;
  const needsAlignment = (sctlr(cpu, regime) & SCTLR_A) != 0 || !isTranslating(cpu, regime);
  if (needsAlignment ? context != load<u64>(cpu, CTX) : (attributes & DEVICE) != 0) return;
  const canRead = isReadable() && isAllowed(attributes, isPrivileged, pan, READ);
  const canWrite = canRead && isWritable() && (attributes & CLEAN) == 0 && isAllowed(attributes, isPrivileged, pan, WRITE);
  const page = at - (<usize>va & (PAGE_BYTES - 1));
  const number = needsAlignment ? load<u64>(cpu, CTX_CHECKED) : context;
  fillData(cpu, va, number, page, canRead, canWrite, (attributes >> SPAN_SHIFT) & SHIFT_MASK);
}

/** AArch64.UnalignedAccessFaults(), device memory aside. */
function faultsUnaligned(cpu: usize, va: u64, bytes: i32, acc: i32, regime: i32): bool {
  if ((sctlr(cpu, regime) & SCTLR_A) != 0) return true;
  if ((acc & ACC_ALIGNED) == 0) return false;
  return !has(cpu, FEATURE_LSE2) || (va & 15) + <u64>bytes > 16;
}

/**
 * Translates an access and checks all that can be wrong with it. The linear address of its first byte, if the whole of
 * it is in one page of memory; else 0: look at isThere.
 */
export function locate(cpu: usize, va: u64, bytes: i32, align: i32, acc: i32, isStore: bool): usize {
  isThere = false;
  isNonSecure = false;
  store<u64>(cpu, load<u64>(cpu, COUNT_DATA_MISSES) + 1, COUNT_DATA_MISSES);
  const el = currentEL(cpu);
  const regime = regimeOf(cpu, el);
  const isUnprivileged = (acc & ACC_UNPRIV) != 0;
  const isPrivileged = isUnprivileged ? !isUnprivilegedUser(cpu) : el != 0;
  const context = isUnprivileged ? load<u64>(cpu, CTX_UNPRIV) : load<u64>(cpu, CTX);
  const pan = load<u32>(cpu, PAN) != 0;
  const access: u32 = (acc & ACC_RMW) != 0 ? READ | WRITE : isStore ? WRITE : READ;
  const isMisaligned = (va & <u64>(align - 1)) != 0;
  if (isMisaligned && faultsUnaligned(cpu, va, bytes, acc, regime)) {
    dataAbort(cpu, va, FAULT_ALIGNMENT, access == WRITE ? ISS_WNR : 0);
    return 0;
  }

  const room = PAGE_BYTES - (<i32>va & (PAGE_BYTES - 1));
  split = room < bytes ? room : 0;
  if (!locatePart(cpu, va, regime, isPrivileged, pan, access, isStore, isMisaligned, context)) return 0;
  if (split) {
    const firstHost = host;
    const firstPA = pa;
    if (!locatePart(cpu, va + split, regime, isPrivileged, pan, access, isStore, isMisaligned, context)) return 0;
    host2 = host;
    pa2 = pa;
    host = firstHost;
    pa = firstPA;
  }
  if (isWatching(cpu)) {
    if (debuggerStops(cpu, va, bytes, access)) return 0;
    const hit = watchpointHit(cpu, va, bytes, isPrivileged, access);
    if (hit) {
      watchpointException(cpu, va, hit == WRITE ? ISS_WNR : 0);
      return 0;
    }
  }
  isThere = true;
  return split ? 0 : host;
}

/** The physical address of the first byte after a locate() without fault. */
@inline
export function locatedPA(): u64 {
  return pa;
}
/** After a locate() that returned 0: no fault? */
@inline
export function isLocated(): bool {
  return isThere;
}

/** Bytes of the next access to the bus: naturally aligned there and in the data, not more than an element (`align`). */
@inline
function unitOf(address: u64, done: i32, end: i32, align: i32): i32 {
  const bits = <i32>address | done | end | align;
  return bits & -bits;
}

/** Reads from the bus into low and high, from byte `done` to byte `end`. False: external abort. */
function readBus(cpu: usize, address: u64, done: i32, end: i32, align: i32): bool {
  while (done < end) {
    const unit = unitOf(address, done, end, align);
    store<u64>(cpu, address, ARG0);
    if (busRead(cpu, unit, isNonSecure)) return false;
    const value = load<u64>(cpu, RESULT);
    if (unit == 16) {
      low = value;
      high = load<u64>(cpu, RESULT_HI);
    } else {
      const bits = unit == 8 ? value : value & (((<u64>1) << <u64>(unit << 3)) - 1);
      if (done < 8) low |= bits << <u64>(done << 3);
      else high |= bits << <u64>((done - 8) << 3);
    }
    done += unit;
    address += unit;
  }
  return true;
}

/** Writes bytes `done` to `end` of low and high to the bus. False: external abort. */
function writeBus(cpu: usize, address: u64, done: i32, end: i32, align: i32): bool {
  while (done < end) {
    const unit = unitOf(address, done, end, align);
    store<u64>(cpu, address, ARG0);
    store<u64>(cpu, done < 8 ? low >> <u64>(done << 3) : high >> <u64>((done - 8) << 3), ARG1);
    store<u64>(cpu, high, ARG2);
    if (busWrite(cpu, unit, isNonSecure)) return false;
    done += unit;
    address += unit;
  }
  return true;
}

/** Reads bytes `done` to `end` of the access, which are in one page. */
function readPart(cpu: usize, from: usize, address: u64, done: i32, end: i32, align: i32): bool {
  if (!from) return readBus(cpu, address, done, end, align);
  for (; done < end; done++, from++) {
    if (done < 8) low |= <u64>load<u8>(from) << <u64>(done << 3);
    else high |= <u64>load<u8>(from) << <u64>((done - 8) << 3);
  }
  return true;
}

function writePart(cpu: usize, to: usize, address: u64, done: i32, end: i32, align: i32): bool {
  if (!to) return writeBus(cpu, address, done, end, align);
  for (; done < end; done++, to++) {
    store<u8>(to, <u8>(done < 8 ? low >> <u64>(done << 3) : high >> <u64>((done - 8) << 3)));
  }
  return true;
}

/** Reads what locate() could not give an address of into low and high. */
function readSlow(cpu: usize, va: u64, bytes: i32, align: i32): void {
  low = 0;
  high = 0;
  if (!isThere) return;
  if (!readPart(cpu, host, pa, 0, split ? split : bytes, align)) {
    dataAbort(cpu, va, FAULT_EXTERNAL, 0);
  } else if (split && !readPart(cpu, host2, pa2, split, bytes, align)) {
    dataAbort(cpu, va + split, FAULT_EXTERNAL, 0);
  }
}

/** Writes low and high to where locate() could not give an address of. */
export function writeSlow(cpu: usize, va: u64, bytes: i32, align: i32, lowValue: u64, highValue: u64): void {
  if (!isThere) return;
  low = lowValue;
  high = highValue;
  if (!writePart(cpu, host, pa, 0, split ? split : bytes, align)) {
    dataAbort(cpu, va, FAULT_EXTERNAL, ISS_WNR);
  } else if (split && !writePart(cpu, host2, pa2, split, bytes, align)) {
    dataAbort(cpu, va + split, FAULT_EXTERNAL, ISS_WNR);
  }
}

/**
 * Where the data TLB has an access, or 0: code that checks a range of accesses at once comes here with each of them when the range is not
 * all in one page.
 */
@inline
export function inDTLB(cpu: usize, va: u64, bytes: i32, acc: i32, tag: usize): usize {
  if (acc != 0) return 0;
  const slot = dataSlot(cpu, va);
  if (load<u64>(slot + tag) != (((va + bytes - 1) & ~0xfff) | load<u64>(cpu, CTX))) return 0;
  return load<u32>(slot, DTLB_ADDEND) + <usize>va;
}

/** What loadSlow(), storeSlow() and probeSlow() are told of an access, in one word: its bytes, and `align` and `acc` from these bits on. */
const ALIGN_SHIFT: i32 = 8;
const ACC_SHIFT: i32 = 16;
const FIELD: i32 = 0xff;

/**
 * As locate(), but looks into the data TLB before, also for both pages of an access over a page's end: where a stack begins is random in many a guest, and
 * where a frame lies over a page's end, each turn of a loop may come here.
 */
function reach(cpu: usize, va: u64, how: i32, isStore: bool): usize {
  const bytes = how & FIELD;
  const acc = how >> ACC_SHIFT;
  const tag: usize = isStore ? DTLB_WRITE : DTLB_READ;
  const known = inDTLB(cpu, va, bytes, acc, tag);
  if (known) return known;
  split = PAGE_BYTES - (<i32>va & (PAGE_BYTES - 1));
  if (split < bytes) {
    host = inDTLB(cpu, va, split, acc, tag);
    host2 = inDTLB(cpu, va + split, bytes - split, acc, tag);
    isThere = host != 0 && host2 != 0;
    if (isThere) return 0;
  }
  return locate(cpu, va, bytes, (how >> ALIGN_SHIFT) & FIELD, acc, isStore);
}

/**
 * Where generated code does the access, 0 after a fault, and in the upper half what is left of the budget. A device may have asked for the PE's
 * attention: then the instructions that will not run in this slice are taken back from what the PE adds when it is over.
 */
function answer(cpu: usize, at: usize, budget: i32): u64 {
  if (at && load<u32>(cpu, ATTENTION)) {
    store<u64>(cpu, load<u64>(cpu, INSTRUCTIONS) - <u64>(<i64>budget), INSTRUCTIONS);
    budget = 0;
  }
  return <u64>at | (<u64>budget << 32);
}

/** After an access that is done, or has faulted. */
function done(cpu: usize, budget: i32): u64 {
  return answer(cpu, load<u32>(cpu, EXIT) ? 0 : cpu + RESULT, budget);
}

/** A load that misses the data TLB. What is not in one page of memory is read to RESULT. */
export function loadSlow(cpu: usize, va: u64, how: i32, budget: i32): u64 {
  const at = reach(cpu, va, how, false);
  if (at) return answer(cpu, at, budget);
  readSlow(cpu, va, how & FIELD, (how >> ALIGN_SHIFT) & FIELD);
  store<u64>(cpu, low, RESULT);
  store<u64>(cpu, high, RESULT_HI);
  return done(cpu, budget);
}

/**
 * A store that misses the data TLB, of what is at ARG1. What is not in one page of memory is written here, and generated code stores it to RESULT,
 * where it does no harm.
 */
export function storeSlow(cpu: usize, va: u64, how: i32, budget: i32): u64 {
  const at = reach(cpu, va, how, true);
  if (at) return answer(cpu, at, budget);
  writeSlow(cpu, va, how & FIELD, (how >> ALIGN_SHIFT) & FIELD, load<u64>(cpu, ARG1), load<u64>(cpu, ARG2));
  return done(cpu, budget);
}

/** Makes sure that a store has no fault but an external abort: 0 after a fault. */
export function probeSlow(cpu: usize, va: u64, how: i32, budget: i32): u64 {
  reach(cpu, va, how, true);
  return done(cpu, budget);
}
