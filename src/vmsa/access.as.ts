// Loads and stores that miss the data TLB: everything that can happen to a memory access happens here
// (docs/architecture.md).

import {
  ARG0, ARG1, ARG2, COUNT_DATA_MISSES, CTX, CTX_CHECKED, CTX_UNPRIV, DTLB_ADDEND, DTLB_READ, DTLB_WRITE, PAN, RESULT, RESULT_HI,
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

export function load8(cpu: usize, va: u64, align: i32, acc: i32): u64 {
  const known = inDTLB(cpu, va, 1, acc, DTLB_READ);
  if (known) return load<u8>(known);
  const at = locate(cpu, va, 1, align, acc, false);
  if (at) return load<u8>(at);
  readSlow(cpu, va, 1, align);
  return low;
}

export function load16(cpu: usize, va: u64, align: i32, acc: i32): u64 {
  const known = inDTLB(cpu, va, 2, acc, DTLB_READ);
  if (known) return load<u16>(known);
  const at = locate(cpu, va, 2, align, acc, false);
  if (at) return load<u16>(at);
  readSlow(cpu, va, 2, align);
  return low;
}

export function load32(cpu: usize, va: u64, align: i32, acc: i32): u64 {
  const known = inDTLB(cpu, va, 4, acc, DTLB_READ);
  if (known) return load<u32>(known);
  const at = locate(cpu, va, 4, align, acc, false);
  if (at) return load<u32>(at);
  readSlow(cpu, va, 4, align);
  return low;
}

export function load64(cpu: usize, va: u64, align: i32, acc: i32): u64 {
  const known = inDTLB(cpu, va, 8, acc, DTLB_READ);
  if (known) return load<u64>(known);
  const at = locate(cpu, va, 8, align, acc, false);
  if (at) return load<u64>(at);
  readSlow(cpu, va, 8, align);
  return low;
}

export function load128(cpu: usize, va: u64, align: i32, acc: i32): v128 {
  const known = inDTLB(cpu, va, 16, acc, DTLB_READ);
  if (known) return v128.load(known);
  const at = locate(cpu, va, 16, align, acc, false);
  if (at) return v128.load(at);
  readSlow(cpu, va, 16, align);
  return v128.replace_lane<u64>(v128.splat<u64>(low), 1, high);
}

export function store8(cpu: usize, va: u64, value: u64, align: i32, acc: i32): void {
  const known = inDTLB(cpu, va, 1, acc, DTLB_WRITE);
  if (known) {
    store<u8>(known, <u8>value);
    return;
  }
  const at = locate(cpu, va, 1, align, acc, true);
  if (at) store<u8>(at, <u8>value);
  else writeSlow(cpu, va, 1, align, value, 0);
}

export function store16(cpu: usize, va: u64, value: u64, align: i32, acc: i32): void {
  const known = inDTLB(cpu, va, 2, acc, DTLB_WRITE);
  if (known) {
    store<u16>(known, <u16>value);
    return;
  }
  const at = locate(cpu, va, 2, align, acc, true);
  if (at) store<u16>(at, <u16>value);
  else writeSlow(cpu, va, 2, align, value, 0);
}

export function store32(cpu: usize, va: u64, value: u64, align: i32, acc: i32): void {
  const known = inDTLB(cpu, va, 4, acc, DTLB_WRITE);
  if (known) {
    store<u32>(known, <u32>value);
    return;
  }
  const at = locate(cpu, va, 4, align, acc, true);
  if (at) store<u32>(at, <u32>value);
  else writeSlow(cpu, va, 4, align, value, 0);
}

export function store64(cpu: usize, va: u64, value: u64, align: i32, acc: i32): void {
  const known = inDTLB(cpu, va, 8, acc, DTLB_WRITE);
  if (known) {
    store<u64>(known, <u64>value);
    return;
  }
  const at = locate(cpu, va, 8, align, acc, true);
  if (at) store<u64>(at, value);
  else writeSlow(cpu, va, 8, align, value, 0);
}

export function store128(cpu: usize, va: u64, value: v128, align: i32, acc: i32): void {
  const known = inDTLB(cpu, va, 16, acc, DTLB_WRITE);
  if (known) {
    v128.store(known, value);
    return;
  }
  const at = locate(cpu, va, 16, align, acc, true);
  if (at) v128.store(at, value);
  else writeSlow(cpu, va, 16, align, v128.extract_lane<u64>(value, 0), v128.extract_lane<u64>(value, 1));
}

/** Makes sure that a store of `bytes` at `va` has no fault but an external abort. */
export function probeWrite(cpu: usize, va: u64, bytes: i32, align: i32, acc: i32): void {
  locate(cpu, va, bytes, align, acc, true);
}
