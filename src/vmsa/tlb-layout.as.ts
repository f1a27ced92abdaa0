// Where the second-level TLB keeps what, in a PE's block (TLB2 in cpu/state-layout.ts).

import { DTLB, DTLB_ENTRIES, DTLB_ENTRY_SHIFT, ITLB, ITLB_ENTRIES, ITLB_ENTRY_SHIFT, TLB2, TLB2_END } from "../cpu/state-layout";

export const PAGE_MASK: u64 = 0xfff;

// An entry of the second level: tag (page of VA | key, see keyOf()), space (see spaceOf()), attributes of
// attributes.as.ts, physical address of its page.
export const ENTRY_TAG: usize = 0;
export const ENTRY_SPACE: usize = 8;
export const ENTRY_ATTRIBUTES: usize = 12;
export const ENTRY_PA: usize = 16;
export const ENTRY_SIZE: usize = 24;

export const PAGE_SETS: usize = 4096;
export const PAGES: usize = TLB2;
export const SET_SIZE: usize = 2 * ENTRY_SIZE;
export const BLOCKS: usize = PAGES + PAGE_SETS * SET_SIZE;
export const BLOCK_ENTRIES: usize = 512;
export const BLOCK_BITS: u64 = 21;
/**
 * Context numbers: 256 words of what a context stands for << 12 | its number. One that is lost here is never matched
 * again.
 */
export const CONTEXTS: usize = BLOCKS + BLOCK_ENTRIES * ENTRY_SIZE;
export const CONTEXT_WORDS: u32 = 256;
/**
 * Summaries of the entries in all TLBs that come from a page, block or contiguous run of more than 4 KB: sets of bits
 * by hashed VA, for those of up to 2 MB in units of 2 MB and those of up to 1 GB in units of 1 GB; flags for those of
 * up to 64 KB and for larger ones.
 */
export const SPANS_2M: usize = CONTEXTS + CONTEXT_WORDS * 8;
export const SPANS_1G: usize = SPANS_2M + 256;
export const SPANS_HUGE: usize = SPANS_1G + 256;
export const SPANS_64K: usize = SPANS_HUGE + 4;
/** i32: the last context number that was given out. */
export const LAST_CONTEXT: usize = SPANS_64K + 4;
/** What watch.as.ts remembers. */
export const WATCHED: usize = LAST_CONTEXT + 8;
/**
 * i32: do privileged contexts belong to an ASID? Not at first: a kernel's own pages are global, PAN keeps it from the others, and so its
 * translations outlive a context switch. Since a page that is not global was met (a kernel that is unmapped for EL0 has only such): yes.
 */
export const ASID_MATTERS: usize = WATCHED + 16;
/** u32: the owner (see emptyMark()) that a TLBI has left without entries, as long as none is made. */
export const EMPTY: usize = ASID_MATTERS + 4;
/** What contextChanged() has derived for an exception level, PSTATE.PAN and PSTATE.UAO (saved-contexts.as.ts). */
export const SAVED: usize = EMPTY + 4;
export const SAVED_BYTES: usize = 88;
export const SAVED_COUNT: usize = 16;
/**
 * u64 for each entry of the second level, pages and then blocks: where stage 2 had it from, an IPA | log2 of the bytes of the block or contiguous run there.
 * 0: no stage 2. Apart from the entries, as only TLBI by IPA looks at it.
 */
export const SOURCES: usize = SAVED + SAVED_COUNT * SAVED_BYTES;
const SOURCES_END: usize = SOURCES + (2 * PAGE_SETS + BLOCK_ENTRIES) * 8;
/** Summary of the sources of entries that were pushed out of the second level, while those of the first may still be there: a set of bits by hashed page of IPA. */
export const LOST: usize = SOURCES_END;
export const LOST_BITS: u32 = 0x8000;
/** i32: is any bit there? i32: was one from a block pushed out? */
export const ANY_LOST: usize = LOST + (LOST_BITS >> 3);
export const LOST_BLOCK: usize = ANY_LOST + 4;
const STATE_END: usize = LOST_BLOCK + 4;

export const CONTEXT_MAX: i32 = 4095;

// i32 in the unused bytes of an entry of the data TLB; bits 13:8 of ITLB_FLAGS: log2 of the span it comes from.
export const DTLB_SPAN: usize = 20;
export const ITLB_SPAN_SHIFT: u32 = 8;

assert(STATE_END <= <usize>TLB2_END);

/** The source of an entry. */
@inline
export function sourceOf(cpu: usize, entry: usize): usize {
  return cpu + SOURCES + ((entry - cpu - PAGES) / ENTRY_SIZE) * 8;
}

@inline
export function setOf(cpu: usize, va: u64): usize {
  return cpu + PAGES + (<usize>(va >> 12) & (PAGE_SETS - 1)) * SET_SIZE;
}

@inline
export function blockOf(cpu: usize, va: u64): usize {
  return cpu + BLOCKS + (<usize>(va >> BLOCK_BITS) & (BLOCK_ENTRIES - 1)) * ENTRY_SIZE;
}

@inline
export function dataSlot(cpu: usize, va: u64): usize {
  return cpu + DTLB + ((<usize>(va >> 12) & (DTLB_ENTRIES - 1)) << DTLB_ENTRY_SHIFT);
}

@inline
export function fetchSlot(cpu: usize, va: u64): usize {
  return cpu + ITLB + ((<usize>(va >> 12) & (ITLB_ENTRIES - 1)) << ITLB_ENTRY_SHIFT);
}

// The key: a bit that is always set, the regime, the Security state, and the controls that act at once, so that
// entries made under others stay for later.
export const KEY_REGIME: u64 = 1;
export const KEY_SECURE: u64 = 1 << 4;
export const KEY_STAGE1: u64 = 1 << 5;
export const KEY_VM: u64 = 1 << 6;
export const KEY_DC: u64 = 1 << 7;
export const KEY_NV1: u64 = 1 << 8;
export const KEY_WXN: u64 = 1 << 9;
/** Regime and Security state. */
export const KEY_OWNER: u64 = 0x1e;

/** What EMPTY says of the owner of entries with this key and space. Never 0. */
@inline
export function emptyMark(key: u64, space: u32): u32 {
  return (space & 0xffff0000) | <u32>(key & KEY_OWNER) | 1;
}
