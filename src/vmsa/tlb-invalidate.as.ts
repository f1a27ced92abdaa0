// TLBI: what the TLBs forget (Arm ARM D8.14).

import {
  ARG0,
  ARG1,
  ARG2,
  DTLB,
  DTLB_ENTRIES,
  DTLB_ENTRY_SHIFT,
  DTLB_READ,
  DTLB_WRITE,
  ITLB,
  ITLB_ENTRIES,
  ITLB_ENTRY_SHIFT,
  ITLB_FLAGS,
  ITLB_TAG,
} from "../cpu/state-layout";
import { FEATURE_EL2, FEATURE_EL3, TRANSLATION_EPOCH } from "../cpu/sysreg-layout";
import { GLOBAL, SHIFT_MASK, SPAN_SHIFT } from "./attributes.as";
import { WORD_ASID, WORD_REGIME, WORD_SECURE, WORD_VMID, renewContexts, retireContexts } from "./contexts.as";
import { EL10, EL20, asidMask, has, hasTwoRanges, isHost, isHostUser, isSecureBelowEL3, vmidOf } from "./regime.as";
import { forgetNumbers } from "./saved-contexts.as";
import {
  ASID_MATTERS,
  BLOCKS,
  BLOCK_ENTRIES,
  CONTEXTS,
  CONTEXT_WORDS,
  DTLB_SPAN,
  EMPTY,
  ENTRY_ATTRIBUTES,
  ENTRY_SIZE,
  ENTRY_SPACE,
  ENTRY_TAG,
  ITLB_SPAN_SHIFT,
  KEY_OWNER,
  KEY_REGIME,
  KEY_SECURE,
  LAST_CONTEXT,
  PAGES,
  PAGE_SETS,
  SET_SIZE,
  SPANS_1G,
  SPANS_2M,
  SPANS_64K,
  SPANS_HUGE,
  SOURCES,
  blockOf,
  emptyMark,
} from "./tlb-layout.as";
import { forgetLost, isFrom, mayBeLost } from "./tlb-sources.as";
import { isNoted, noteSpan } from "./tlb-spans.as";

/** Is `va` in the block of 2^span bytes that holds the tag's page? The top byte does not count. */
@inline
function covers(tag: u64, va: u64, span: u32): bool {
  return ((tag ^ va) << 8) >> (8 + span) == 0;
}

/** Does the block of 2^span bytes that holds the tag's page have an address from `first` to `last`? The top byte does not count. */
@inline
function overlaps(tag: u64, first: u64, last: u64, span: u32): bool {
  const size = (<u64>1) << span;
  const start = (tag << 8) & ~((size << 8) - 1);
  return start <= last << 8 && start + ((size - 1) << 8) >= first << 8;
}

/** Whose entries a TLBI is about: their regime and Security state (KEY_OWNER), and, of EL1&0, their VMID. */
let owner: u64 = 0;
let ownerVMID: u32 = 0;
/** The ASID of those that are not global, or EVERY_ASID. */
let ownerASID: u32 = 0;
const EVERY_ASID: u32 = 0xffffffff;

@inline
function isOwned(entry: usize): bool {
  if (((load<u64>(entry, ENTRY_TAG) ^ owner) & KEY_OWNER) != 0) return false;
  return load<u32>(entry, ENTRY_SPACE) >> 16 == ownerVMID;
}

@inline
function isOfASID(entry: usize): bool {
  if (ownerASID == EVERY_ASID || (load<u32>(entry, ENTRY_ATTRIBUTES) & GLOBAL) != 0) return true;
  return (load<u32>(entry, ENTRY_SPACE) & 0xffff) == ownerASID;
}

function dropEntry(entry: usize, va: u64): void {
  const span = (load<u32>(entry, ENTRY_ATTRIBUTES) >> SPAN_SHIFT) & SHIFT_MASK;
  if (covers(load<u64>(entry, ENTRY_TAG), va, span) && isOwned(entry) && isOfASID(entry)) store<u64>(entry, 0, ENTRY_TAG);
}

/** Drops what covers `va` from `count` slots (a power of two) around its own in every TLB of pages. */
function dropPages(cpu: usize, va: u64, count: u32): void {
  const first = <u32>(va >> 12) & ~(count - 1);
  for (let i: u32 = 0; i < min(count, DTLB_ENTRIES); i++) {
    const slot = cpu + DTLB + (<usize>((first + i) & (DTLB_ENTRIES - 1)) << DTLB_ENTRY_SHIFT);
    if (covers(load<u64>(slot, DTLB_READ) | load<u64>(slot, DTLB_WRITE), va, load<u32>(slot, DTLB_SPAN))) {
      store<u64>(slot, 0, DTLB_READ);
      store<u64>(slot, 0, DTLB_WRITE);
    }
  }
  for (let i: u32 = 0; i < min(count, ITLB_ENTRIES); i++) {
    const slot = cpu + ITLB + (<usize>((first + i) & (ITLB_ENTRIES - 1)) << ITLB_ENTRY_SHIFT);
    const span = (load<u32>(slot, ITLB_FLAGS) >> ITLB_SPAN_SHIFT) & SHIFT_MASK;
    if (covers(load<u64>(slot, ITLB_TAG), va, span)) store<u64>(slot, 0, ITLB_TAG);
  }
  for (let i: u32 = 0; i < min(count, <u32>PAGE_SETS); i++) {
    const entry = cpu + PAGES + (<usize>(first + i) & (PAGE_SETS - 1)) * SET_SIZE;
    dropEntry(entry, va);
    dropEntry(entry + ENTRY_SIZE, va);
  }
}

/**
 * Drops the translations of `va`, and the rest of the block or contiguous run that gave it. A TLB may always forget more: those that
 * generated code looks at forget it for everybody.
 */
function dropAddress(cpu: usize, va: u64): void {
  const address = (va << 8) >> 8;
  const beyond = load<i32>(cpu + SPANS_HUGE) != 0 || isNoted(cpu, SPANS_1G, address >> 30);
  let count: u32 = load<i32>(cpu + SPANS_64K) != 0 ? 16 : 1;
  if (beyond) count = DTLB_ENTRIES;
  else if (isNoted(cpu, SPANS_2M, address >> 21)) count = 512;
  dropPages(cpu, va, count);
  if (!beyond) {
    dropEntry(blockOf(cpu, va), va);
    return;
  }
  for (let i: usize = 0; i < BLOCK_ENTRIES; i++) dropEntry(cpu + BLOCKS + i * ENTRY_SIZE, va);
}

/** The same for a range of many pages: looks through the TLBs once. */
function dropRange(cpu: usize, first: u64, bytes: u64): void {
  // It ends with the upper range of addresses.
  const last = (first << 8) + (bytes << 8) < first << 8 ? ~(<u64>0) : first + bytes - 1;
  for (let slot = cpu + DTLB; slot < cpu + DTLB + (DTLB_ENTRIES << DTLB_ENTRY_SHIFT); slot += 1 << DTLB_ENTRY_SHIFT) {
    const tag = load<u64>(slot, DTLB_READ) | load<u64>(slot, DTLB_WRITE);
    if (tag != 0 && overlaps(tag, first, last, load<u32>(slot, DTLB_SPAN))) {
      store<u64>(slot, 0, DTLB_READ);
      store<u64>(slot, 0, DTLB_WRITE);
    }
  }
  for (let slot = cpu + ITLB; slot < cpu + ITLB + (ITLB_ENTRIES << ITLB_ENTRY_SHIFT); slot += 1 << ITLB_ENTRY_SHIFT) {
    const span = (load<u32>(slot, ITLB_FLAGS) >> ITLB_SPAN_SHIFT) & SHIFT_MASK;
    if (overlaps(load<u64>(slot, ITLB_TAG), first, last, span)) store<u64>(slot, 0, ITLB_TAG);
  }
  for (let entry = cpu + PAGES; entry < cpu + CONTEXTS; entry += ENTRY_SIZE) {
    const tag = load<u64>(entry, ENTRY_TAG);
    const span = (load<u32>(entry, ENTRY_ATTRIBUTES) >> SPAN_SHIFT) & SHIFT_MASK;
    if (tag != 0 && overlaps(tag, first, last, span) && isOwned(entry) && isOfASID(entry)) store<u64>(entry, 0, ENTRY_TAG);
  }
}

/** Is a context of the owner's? */
function isOwnedWord(word: u64): bool {
  if (((word >> WORD_REGIME) & 7) != ((owner >> KEY_REGIME) & 7)) return false;
  if (((word & WORD_SECURE) != 0) != ((owner & KEY_SECURE) != 0)) return false;
  return ((word >> WORD_VMID) & 0xffff) == ownerVMID;
}

/** Drops what is not global and belongs to the owner's `asid`. */
function dropASID(cpu: usize, asid: u32): void {
  for (let i: u32 = 0; i < CONTEXT_WORDS; i++) {
    const slot = cpu + CONTEXTS + (i << 3);
    const word = load<u64>(slot) >> 12;
    if ((<u32>(word >> WORD_ASID) & 0xffff) == asid && isOwnedWord(word)) store<u64>(slot, 0);
  }
  for (let entry = cpu + PAGES; entry < cpu + CONTEXTS; entry += ENTRY_SIZE) {
    if ((load<u32>(entry, ENTRY_SPACE) & 0xffff) == asid && (load<u32>(entry, ENTRY_ATTRIBUTES) & GLOBAL) == 0) {
      if (isOwned(entry)) store<u64>(entry, 0, ENTRY_TAG);
    }
  }
  forgetNumbers(cpu);
  renewContexts(cpu);
}

/**
 * Drops what is the owner's: of one VMID, or of all. The others' entries of the second level stay, those of the first
 * are found there again. What is known of spans and of ASIDs starts anew.
 */
function dropOwned(cpu: usize, everyVMID: bool): void {
  // Hypervisors invalidate page by page: after the first, nothing is left.
  const mark = emptyMark(owner, ownerVMID << 16);
  if (!everyVMID && load<u32>(cpu, EMPTY) == mark) return;
  store<u32>(cpu, everyVMID ? 0 : mark, EMPTY);
  forgetLost(cpu);
  memory.fill(cpu + SPANS_2M, 0, LAST_CONTEXT - SPANS_2M);
  for (let entry = cpu + PAGES; entry < cpu + CONTEXTS; entry += ENTRY_SIZE) {
    const tag = load<u64>(entry, ENTRY_TAG);
    if (tag == 0) continue;
    if (((tag ^ owner) & KEY_OWNER) == 0 && (everyVMID || isOwned(entry))) store<u64>(entry, 0, ENTRY_TAG);
    else noteSpan(cpu, tag, (load<u32>(entry, ENTRY_ATTRIBUTES) >> SPAN_SHIFT) & SHIFT_MASK);
  }
  store<i32>(cpu, 0, ASID_MATTERS);
  retireContexts(cpu);
}

/** IPAs of up to so many bytes are looked for: of more, all of the VMID goes. */
const SOURCE_BYTES: u64 = 512 << 12;

/**
 * Drops what stage 2 gave the owner for the blocks and pages with an IPA from `first` on: both stages' together, as nothing of stage 2 is kept alone. The
 * other VMIDs' and pages' stay.
 */
function dropSources(cpu: usize, first: u64, bytes: u64): void {
  if (load<u32>(cpu, EMPTY) == emptyMark(owner, ownerVMID << 16)) return;
  if (bytes > SOURCE_BYTES || mayBeLost(cpu, first, bytes)) {
    dropOwned(cpu, false);
    return;
  }
  const last = first + bytes - 1;
  let source = cpu + SOURCES;
  for (let entry = cpu + PAGES; entry < cpu + CONTEXTS; entry += ENTRY_SIZE, source += 8) {
    if (!isFrom(load<u64>(source), first, last)) continue;
    const tag = load<u64>(entry, ENTRY_TAG);
    if (tag == 0 || !isOwned(entry)) continue;
    const isBlock = entry >= cpu + BLOCKS;
    dropPages(cpu, tag & ~(<u64>0xfff), isBlock ? 512 : 1);
    store<u64>(entry, 0, ENTRY_TAG);
  }
}

function newEpoch(cpu: usize): void {
  store<u64>(cpu, load<u64>(cpu, TRANSLATION_EPOCH) + 1, TRANSLATION_EPOCH);
}

export function tlbInvalidateAll(cpu: usize): void {
  newEpoch(cpu);
  forgetLost(cpu);
  memory.fill(cpu + PAGES, 0, CONTEXTS - PAGES);
  memory.fill(cpu + SPANS_2M, 0, LAST_CONTEXT - SPANS_2M);
  store<i32>(cpu, 0, ASID_MATTERS);
  retireContexts(cpu);
}

/** Ranges of up to so many bytes are looked for page by page. */
const RANGE_BY_PAGES: u64 = 64 << 12;

// Native.tlbInvalidate's `what`.
const EVERYTHING: i32 = 0;
const BY_ASID: i32 = 1;
const BY_VA_AND_ASID: i32 = 2;
const BY_VA: i32 = 3;
const RANGE: i32 = 4;
const STAGE2: i32 = 6;
const BY_IPA: i32 = 7;

/** See vmsa/native.ts. */
export function tlbInvalidate(cpu: usize, regime: i32, what: i32, by: usize): void {
  if (!by) by = cpu;
  // EL2's own operations, and those of EL1's that a host with E2H and TGE makes, are about EL2&0.
  if (regime == EL10 ? what != EVERYTHING && what < STAGE2 && isHostUser(by) : regime == 2 && isHost(by)) regime = EL20;
  if (!has(cpu, FEATURE_EL2 | FEATURE_EL3) && (what == EVERYTHING || what > RANGE)) {
    tlbInvalidateAll(cpu);
    return;
  }
  newEpoch(cpu);
  owner = <u64>regime << KEY_REGIME;
  if (regime == 3 || isSecureBelowEL3(by)) owner |= KEY_SECURE;
  ownerVMID = regime == EL10 ? vmidOf(by) : 0;
  const va = load<u64>(by, ARG0);
  const asid = load<u32>(by, ARG1);
  ownerASID = what == BY_VA_AND_ASID || (what == RANGE && asid != EVERY_ASID) ? asid & asidMask(by, regime) : EVERY_ASID;
  if (what == BY_VA_AND_ASID || what == BY_VA) {
    dropAddress(cpu, va);
  } else if (what == RANGE) {
    const bytes = load<u64>(by, ARG2);
    if (bytes > RANGE_BY_PAGES) dropRange(cpu, va, bytes);
    else for (let offset: u64 = 0; offset < bytes; offset += 0x1000) dropAddress(cpu, va + offset);
  } else if (what == BY_IPA) {
    dropSources(cpu, va, load<u64>(by, ARG2));
  } else if (what == BY_ASID && hasTwoRanges(regime)) {
    dropASID(cpu, asid & asidMask(by, regime));
  } else {
    dropOwned(cpu, what == EVERYTHING);
  }
}
