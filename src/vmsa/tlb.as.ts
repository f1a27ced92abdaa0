// The second-level TLB, and the fills of the TLBs that generated code looks at.
//
// The second level has two parts: pages (two-way sets by VA in units of 4 KB; larger pages are split) and blocks
// (direct-mapped by VA in units of 2 MB; larger blocks are split). Its entries are what both stages give together. A
// miss, and a hit that does not allow the access, walk the tables: permission faults always come from a walk.

import {
  COUNT_WALKS,
  CTX,
  DTLB_ADDEND,
  DTLB_READ,
  DTLB_WRITE,
  ITLB_BASE,
  ITLB_FLAGS,
  ITLB_TAG,
  PAN,
} from "../cpu/state-layout";
import {
  BLOCK_SHIFT,
  CLEAN,
  EXECUTE,
  GLOBAL,
  NO_FAULT,
  SHIFT_MASK,
  SPAN_SHIFT,
  WRITE,
  isAllowed,
} from "./attributes.as";
import { isDisabled, renewContexts } from "./contexts.as";
import {
  EL10,
  HCR_DC,
  HCR_VM,
  SCTLR_WXN,
  asidOf,
  currentEL,
  guestHCR,
  hasStage2,
  hasTwoRanges,
  ignoresTopByte,
  isNV1,
  isSecureRegime,
  isTranslating,
  regimeOf,
  sctlr,
  vmidOf,
} from "./regime.as";
import { forgetNumbers } from "./saved-contexts.as";
import {
  ASID_MATTERS,
  BLOCKS,
  BLOCK_BITS,
  DTLB_SPAN,
  EMPTY,
  ENTRY_ATTRIBUTES,
  ENTRY_PA,
  ENTRY_SIZE,
  ENTRY_SPACE,
  ENTRY_TAG,
  ITLB_SPAN_SHIFT,
  KEY_DC,
  KEY_NV1,
  KEY_REGIME,
  KEY_SECURE,
  KEY_STAGE1,
  KEY_VM,
  KEY_WXN,
  PAGE_MASK,
  blockOf,
  dataSlot,
  emptyMark,
  fetchSlot,
  setOf,
  sourceOf,
} from "./tlb-layout.as";
import { lose } from "./tlb-sources.as";
import { noteSpan } from "./tlb-spans.as";
import { fullAttributes, fullPA, fullSource, fullTranslate } from "./two-stages.as";

let pa: u64 = 0;
let attributes: u32 = 0;

/** The physical address of the byte that translate() translated. */
@inline
export function translatedPA(): u64 {
  return pa;
}
/** Its attributes (attributes.as.ts). */
@inline
export function translatedAttributes(): u32 {
  return attributes;
}
/** The low bits of a tag: which translations of a VA are meant, ASID and VMID aside. Never 0. */
function keyOf(cpu: usize, regime: i32): u64 {
  let key = 1 | (<u64>regime << KEY_REGIME);
  if (isSecureRegime(cpu, regime)) key |= KEY_SECURE;
  if (isTranslating(cpu, regime)) key |= KEY_STAGE1;
  if ((sctlr(cpu, regime) & SCTLR_WXN) != 0) key |= KEY_WXN;
  if (regime != EL10) return key;
  const hcr = guestHCR(cpu);
  if ((hcr & HCR_VM) != 0) key |= KEY_VM;
  if ((hcr & HCR_DC) != 0) key |= KEY_DC;
  return isNV1(cpu, regime) ? key | KEY_NV1 : key;
}

/** The current address space of the regime: VMID << 16 | ASID. */
function spaceOf(cpu: usize, regime: i32): u32 {
  const asid = asidOf(cpu, regime);
  return regime == EL10 ? (vmidOf(cpu) << 16) | asid : asid;
}

@inline
function isMatch(entry: usize, tag: u64, space: u32): bool {
  if (load<u64>(entry, ENTRY_TAG) != tag) return false;
  const other = load<u32>(entry, ENTRY_SPACE) ^ space;
  return other == 0 || (other >> 16 == 0 && (load<u32>(entry, ENTRY_ATTRIBUTES) & GLOBAL) != 0);
}

/** The entry that matches, or 0. */
function find(cpu: usize, va: u64, key: u64, space: u32): usize {
  const tag = (va & ~PAGE_MASK) | key;
  let entry = setOf(cpu, va);
  if (isMatch(entry, tag, space)) return entry;
  entry += ENTRY_SIZE;
  if (isMatch(entry, tag, space)) return entry;
  entry = blockOf(cpu, va);
  return isMatch(entry, (va & ~(((<u64>1) << BLOCK_BITS) - 1)) | key, space) ? entry : 0;
}

/** In the place of an entry that is moved, or lost, or of the same page. */
function put(cpu: usize, entry: usize, tag: u64, space: u32, address: u64): void {
  store<u64>(sourceOf(cpu, entry), fullSource());
  store<u64>(entry, tag, ENTRY_TAG);
  store<u32>(entry, space, ENTRY_SPACE);
  store<u32>(entry, attributes, ENTRY_ATTRIBUTES);
  store<u64>(entry, address, ENTRY_PA);
}

/** Puts the last walk's result in. */
function insert(cpu: usize, va: u64, key: u64, space: u32): void {
  noteSpan(cpu, va, (attributes >> SPAN_SHIFT) & SHIFT_MASK);
  if (load<u32>(cpu, EMPTY) == emptyMark(key, space)) store<u32>(cpu, 0, EMPTY);
  if (((attributes >> BLOCK_SHIFT) & SHIFT_MASK) >= <u32>BLOCK_BITS) {
    const mask = ((<u64>1) << BLOCK_BITS) - 1;
    const block = blockOf(cpu, va);
    if (load<u64>(block, ENTRY_TAG) != 0 && load<u64>(sourceOf(cpu, block)) != fullSource()) lose(cpu, block);
    put(cpu, block, (va & ~mask) | key, space, pa & ~mask);
    return;
  }
  const first = setOf(cpu, va);
  const tag = (va & ~PAGE_MASK) | key;
  if (load<u64>(first, ENTRY_TAG) != 0) {
    if (!isMatch(first, tag, space)) {
      const second = first + ENTRY_SIZE;
      if (load<u64>(second, ENTRY_TAG) != 0) lose(cpu, second);
      memory.copy(second, first, ENTRY_SIZE);
      store<u64>(sourceOf(cpu, second), load<u64>(sourceOf(cpu, first)));
    } else if (load<u64>(sourceOf(cpu, first)) != fullSource()) lose(cpu, first);
  }
  put(cpu, first, tag, space, pa & ~PAGE_MASK);
}

/**
 * Translates `va` for an access: READ, WRITE, EXECUTE or READ | WRITE. NO_FAULT with translatedPA() and
 * translatedAttributes(), or a fault status code.
 */
export function translate(cpu: usize, va: u64, regime: i32, isPrivileged: bool, pan: bool, access: u32): i32 {
  const canonical = <u64>(<i64>(va << 8) >> 8);
  const isKept = isTranslating(cpu, regime) || hasStage2(cpu, regime);
  const key = keyOf(cpu, regime);
  const space = spaceOf(cpu, regime);
  if (
    isKept &&
    (canonical == va || ignoresTopByte(cpu, regime, va, access == EXECUTE)) &&
    !isDisabled(cpu, regime, va, isPrivileged)
  ) {
    const entry = find(cpu, canonical, key, space);
    if (entry) {
      attributes = load<u32>(entry, ENTRY_ATTRIBUTES);
      if (isAllowed(attributes, isPrivileged, pan, access) && ((access & WRITE) == 0 || (attributes & CLEAN) == 0)) {
        const mask = entry >= cpu + BLOCKS ? ((<u64>1) << BLOCK_BITS) - 1 : PAGE_MASK;
        pa = load<u64>(entry, ENTRY_PA) | (va & mask);
        return NO_FAULT;
      }
    }
  }
  store<u64>(cpu, load<u64>(cpu, COUNT_WALKS) + 1, COUNT_WALKS);
  const fault = fullTranslate(cpu, regime, va, isPrivileged, pan, access, true);
  if (fault != NO_FAULT) return fault;
  attributes = fullAttributes();
  pa = fullPA();
  if (isKept) insert(cpu, canonical, key, space);
  return NO_FAULT;
}

// ---- Fills ----

/**
 * Is the page just translated one that the context that the PE runs in must not remember, as it stands for every ASID? If so, contexts
 * belong to an ASID from now on.
 */
function outlivesItsASID(cpu: usize, context: u64): bool {
  if ((attributes & GLOBAL) != 0 || load<i32>(cpu, ASID_MATTERS) != 0) return false;
  const el = currentEL(cpu);
  const regime = regimeOf(cpu, el);
  if (el == 0 || load<u32>(cpu, PAN) == 0 || context != load<u64>(cpu, CTX)) return false;
  if (!hasTwoRanges(regime) || !isTranslating(cpu, regime)) return false;
  store<i32>(cpu, 1, ASID_MATTERS);
  forgetNumbers(cpu);
  renewContexts(cpu);
  return true;
}

/**
 * Fills the data TLB for the page of `va` in `context`; `page` is its linear address. `span`: log2 of the block it
 * comes from.
 */
export function fillData(
  cpu: usize, va: u64, context: u64, page: usize, canRead: bool, canWrite: bool, span: u32,
): void {
  if (outlivesItsASID(cpu, context)) return;
  const slot = dataSlot(cpu, va);
  const tag = (va & ~PAGE_MASK) | context;
  store<u64>(slot, canRead ? tag : 0, DTLB_READ);
  store<u64>(slot, canWrite ? tag : 0, DTLB_WRITE);
  store<u32>(slot, <u32>page - <u32>(va & ~PAGE_MASK), DTLB_ADDEND);
  store<u32>(slot, span, DTLB_SPAN);
}

export function fillInstruction(cpu: usize, va: u64, decodedPage: u32, guarded: u32, span: u32): void {
  outlivesItsASID(cpu, load<u64>(cpu, CTX));
  const slot = fetchSlot(cpu, va);
  store<u64>(slot, (va & ~PAGE_MASK) | load<u64>(cpu, CTX), ITLB_TAG);
  store<u32>(slot, decodedPage, ITLB_BASE);
  store<u32>(slot, (guarded & 1) | (span << ITLB_SPAN_SHIFT), ITLB_FLAGS);
}
