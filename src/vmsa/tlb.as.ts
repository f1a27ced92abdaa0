// The second-level TLB, context numbers, and the fills of the TLBs that generated code looks at.
//
// The second level has two parts: pages (two-way sets by VA in units of 4 KB; larger pages are split) and blocks
// (direct-mapped by VA in units of 2 MB; larger blocks are split). A miss, and a hit that does not allow the access,
// walk the tables: permission faults always come from a walk.

import {
  ARG0,
  ARG1,
  ARG2,
  COUNT_WALKS,
  ALIGN_CHECK,
  CTX,
  CTX_CHECKED,
  CTX_UNPRIV,
  DTLB,
  DTLB_ADDEND,
  DTLB_ENTRIES,
  DTLB_ENTRY_SHIFT,
  DTLB_READ,
  DTLB_WRITE,
  ITLB,
  ITLB_BASE,
  ITLB_ENTRIES,
  ITLB_ENTRY_SHIFT,
  ITLB_FLAGS,
  ITLB_TAG,
  PAN,
  SECURE,
  TLB2,
  TLB2_END,
  UAO,
} from "../cpu/state-layout";
import { FEATURE_E0PD, TRANSLATION_EPOCH, VTTBR_EL2 } from "../cpu/sysreg-layout";
import {
  EL10,
  EL20,
  EL3_ALONE,
  HCR_DC,
  HCR_VM,
  SCTLR_A,
  SCTLR_WXN,
  asidOf,
  currentEL,
  effectiveHCR,
  has,
  hasTwoRanges,
  ignoresTopByte,
  isHostUser,
  isTranslating,
  regimeOf,
  sctlr,
  tcr,
} from "./regime.as";
import {
  BLOCK_SHIFT,
  CLEAN,
  EXECUTE,
  FAULT_PERMISSION,
  GLOBAL,
  NO_FAULT,
  READ,
  SHIFT_MASK,
  SPAN_SHIFT,
  WRITE,
  isAllowed,
  walk,
  walkAttributes,
  walkCommit,
  walkLevel,
  walkPA,
} from "./walk.as";

const PAGE_MASK: u64 = 0xfff;

// An entry of the second level: tag (page of VA | key, see keyOf()), ASID, attributes of walk.as.ts, physical address
// of its page.
const ENTRY_TAG: usize = 0;
const ENTRY_ASID: usize = 8;
const ENTRY_ATTRIBUTES: usize = 12;
const ENTRY_PA: usize = 16;
const ENTRY_SIZE: usize = 24;

const PAGE_SETS: usize = 4096;
const PAGES: usize = TLB2;
const SET_SIZE: usize = 2 * ENTRY_SIZE;
const BLOCKS: usize = PAGES + PAGE_SETS * SET_SIZE;
const BLOCK_ENTRIES: usize = 512;
const BLOCK_BITS: u64 = 21;
/**
 * Context numbers: 256 words of what a context stands for << 12 | its number. One that is lost here is never matched
 * again.
 */
const CONTEXTS: usize = BLOCKS + BLOCK_ENTRIES * ENTRY_SIZE;
const CONTEXT_WORDS: u32 = 256;
/**
 * Summaries of the entries in all TLBs that come from a page, block or contiguous run of more than 4 KB: sets of bits
 * by hashed VA, for those of up to 2 MB in units of 2 MB and those of up to 1 GB in units of 1 GB; flags for those of
 * up to 64 KB and for larger ones.
 */
const SPANS_2M: usize = CONTEXTS + CONTEXT_WORDS * 8;
const SPANS_1G: usize = SPANS_2M + 256;
const SPANS_HUGE: usize = SPANS_1G + 256;
const SPANS_64K: usize = SPANS_HUGE + 4;
/** i32: the last context number that was given out. */
const LAST_CONTEXT: usize = SPANS_64K + 4;
/** What watch.as.ts remembers. */
export const WATCHED: usize = LAST_CONTEXT + 8;
/**
 * i32: do privileged contexts belong to an ASID? Not at first: a kernel's own pages are global, PAN keeps it from the others, and so its
 * translations outlive a context switch. Since a page that is not global was met (a kernel that is unmapped for EL0 has only such): yes.
 */
const ASID_MATTERS: usize = WATCHED + 16;
const STATE_END: usize = ASID_MATTERS + 8;

const CONTEXT_MAX: i32 = 4095;

// i32 in the unused bytes of an entry of the data TLB; bits 13:8 of ITLB_FLAGS: log2 of the span it comes from.
const DTLB_SPAN: usize = 20;
const ITLB_SPAN_SHIFT: u32 = 8;

assert(STATE_END <= <usize>TLB2_END);

let pa: u64 = 0;
let attributes: u32 = 0;
let isWriteFault: bool = false;

/** The physical address of the byte that translate() translated. */
@inline
export function translatedPA(): u64 {
  return pa;
}
/** Its attributes (walk.as.ts). */
@inline
export function translatedAttributes(): u32 {
  return attributes;
}
/** After a fault: would a mere read not have had it? */
@inline
export function isFaultOfWrite(): bool {
  return isWriteFault;
}

/** The low bits of a tag: which translations of a VA are meant, ASID aside. Never 0. */
@inline
function keyOf(cpu: usize, regime: i32): u64 {
  return (<u64>regime << 1) | (<u64>load<u32>(cpu, SECURE) << 4) | 1;
}

/**
 * Is the range of `va` disabled (EPDn), or to EL0 (E0PDn)? The bits act at once, whatever the TLBs hold (Arm ARM
 * D8.16.1).
 */
function isDisabled(cpu: usize, regime: i32, va: u64, isPrivileged: bool): bool {
  if (!hasTwoRanges(regime)) return false;
  const control = tcr(cpu, regime);
  const high = (va >> 55) & 1;
  if ((control >> (7 + (high << 4))) & 1) return true;
  return !isPrivileged && ((control >> (55 + high)) & 1) != 0 && has(cpu, FEATURE_E0PD);
}

@inline
function isMatch(entry: usize, tag: u64, asid: u32): bool {
  if (load<u64>(entry, ENTRY_TAG) != tag) return false;
  return load<u32>(entry, ENTRY_ASID) == asid || (load<u32>(entry, ENTRY_ATTRIBUTES) & GLOBAL) != 0;
}

@inline
function setOf(cpu: usize, va: u64): usize {
  return cpu + PAGES + (<usize>(va >> 12) & (PAGE_SETS - 1)) * SET_SIZE;
}

@inline
function blockOf(cpu: usize, va: u64): usize {
  return cpu + BLOCKS + (<usize>(va >> BLOCK_BITS) & (BLOCK_ENTRIES - 1)) * ENTRY_SIZE;
}

/** The entry that matches, or 0. */
function find(cpu: usize, va: u64, key: u64, asid: u32): usize {
  const tag = (va & ~PAGE_MASK) | key;
  let entry = setOf(cpu, va);
  if (isMatch(entry, tag, asid)) return entry;
  entry += ENTRY_SIZE;
  if (isMatch(entry, tag, asid)) return entry;
  entry = blockOf(cpu, va);
  return isMatch(entry, (va & ~(((<u64>1) << BLOCK_BITS) - 1)) | key, asid) ? entry : 0;
}

function put(entry: usize, tag: u64, asid: u32, address: u64): void {
  store<u64>(entry, tag, ENTRY_TAG);
  store<u32>(entry, asid, ENTRY_ASID);
  store<u32>(entry, attributes, ENTRY_ATTRIBUTES);
  store<u64>(entry, address, ENTRY_PA);
}

/** Puts the last walk's result in. */
function insert(cpu: usize, va: u64, key: u64, asid: u32): void {
  noteSpan(cpu, va, (attributes >> SPAN_SHIFT) & SHIFT_MASK);
  if (((attributes >> BLOCK_SHIFT) & SHIFT_MASK) >= <u32>BLOCK_BITS) {
    const mask = ((<u64>1) << BLOCK_BITS) - 1;
    put(blockOf(cpu, va), (va & ~mask) | key, asid, pa & ~mask);
    return;
  }
  const first = setOf(cpu, va);
  const tag = (va & ~PAGE_MASK) | key;
  if (!isMatch(first, tag, asid)) memory.copy(first + ENTRY_SIZE, first, ENTRY_SIZE);
  put(first, tag, asid, pa & ~PAGE_MASK);
}

/**
 * Translates `va` for an access: READ, WRITE, EXECUTE or READ | WRITE. NO_FAULT with translatedPA() and
 * translatedAttributes(), or a fault status code.
 */
export function translate(cpu: usize, va: u64, regime: i32, isPrivileged: bool, pan: bool, access: u32): i32 {
  const canonical = <u64>(<i64>(va << 8) >> 8);
  const fetch = access == EXECUTE;
  const isOn = isTranslating(cpu, regime);
  const key = keyOf(cpu, regime);
  const asid = asidOf(cpu, regime);
  if (
    isOn &&
    (canonical == va || ignoresTopByte(cpu, regime, va, fetch)) &&
    !isDisabled(cpu, regime, va, isPrivileged)
  ) {
    const entry = find(cpu, canonical, key, asid);
    if (entry) {
      attributes = load<u32>(entry, ENTRY_ATTRIBUTES);
      if (isAllowed(attributes, isPrivileged, pan, access) && ((access & WRITE) == 0 || (attributes & CLEAN) == 0)) {
        const mask = entry >= cpu + BLOCKS ? ((<u64>1) << BLOCK_BITS) - 1 : PAGE_MASK;
        pa = load<u64>(entry, ENTRY_PA) | (va & mask);
        return NO_FAULT;
      }
    }
  }
  isWriteFault = access == WRITE;
  store<u64>(cpu, load<u64>(cpu, COUNT_WALKS) + 1, COUNT_WALKS);
  const fault = walk(cpu, regime, va, isPrivileged, fetch);
  if (fault != NO_FAULT) return fault;
  attributes = walkAttributes();
  if (!isAllowed(attributes, isPrivileged, pan, access)) {
    isWriteFault = (access & WRITE) != 0 && ((access & READ) == 0 || isAllowed(attributes, isPrivileged, pan, READ));
    return FAULT_PERMISSION + walkLevel();
  }
  const external = walkCommit((access & WRITE) != 0);
  if (external != NO_FAULT) return external;
  attributes = walkAttributes();
  pa = walkPA();
  if (isOn) insert(cpu, canonical, key, asid);
  return NO_FAULT;
}

// ---- Context numbers ----

/** In what a context number stands for: accesses of it are known to be aligned. */
const ALIGNMENT_CHECKED: u64 = (<u64>1) << 45;

/** What a context number of the current state stands for: 52 bits. */
function contextWord(cpu: usize, regime: i32, isPrivileged: bool, pan: bool): u64 {
  const hcr = effectiveHCR(cpu);
  const isOn = isTranslating(cpu, regime);
  let word = <u64>isPrivileged | (<u64>(pan && isPrivileged) << 1) | (<u64>regime << 2);
  word |= (<u64>load<u32>(cpu, SECURE) << 5) | (<u64>isOn << 6);
  if ((sctlr(cpu, regime) & SCTLR_WXN) != 0) word |= 1 << 7;
  // Generated code looks at no alignment: while it matters, the data TLB has to be without this context's pages.
  if ((sctlr(cpu, regime) & SCTLR_A) != 0) word |= (<u64>1) << 44;
  if (hasTwoRanges(regime)) {
    const control = tcr(cpu, regime);
    word |= ((control >> 7) & 1) << 8;
    word |= ((control >> 23) & 1) << 9;
    if (!(isPrivileged && pan) || load<i32>(cpu, ASID_MATTERS) != 0) word |= <u64>asidOf(cpu, regime) << 10;
  }
  if (regime == EL10) {
    if ((hcr & HCR_DC) != 0) word |= (<u64>1) << 26;
    if ((hcr & HCR_VM) != 0) word |= (<u64>1) << 27;
    word |= (load<u64>(cpu, VTTBR_EL2) >> 48) << 28;
  }
  return word;
}

function asidOfWord(word: u64): u32 {
  return <u32>(word >> 10) & 0xffff;
}

/** The number of a context, a new one if need be. */
function contextNumber(cpu: usize, word: u64): u64 {
  // The privileged and unprivileged contexts of one ASID must not push each other out: their bits stay what they are.
  const hash = ((word >> 2) * 0x9e3779b97f4a7c15) >> 58;
  const slot = cpu + CONTEXTS + (<usize>((hash << 2) | (word & 3)) << 3);
  const known = load<u64>(slot);
  if (known >> 12 == word && (known & PAGE_MASK) != 0) return known & PAGE_MASK;
  let number = load<i32>(cpu, LAST_CONTEXT) + 1;
  if (number > CONTEXT_MAX) {
    memory.fill(cpu + CONTEXTS, 0, CONTEXT_WORDS * 8);
    memory.fill(cpu + DTLB, 0, DTLB_ENTRIES << DTLB_ENTRY_SHIFT);
    flushFetch(cpu);
    number = 1;
  }
  store<i32>(cpu, number, LAST_CONTEXT);
  store<u64>(slot, (word << 12) | <u64>number);
  return <u64>number;
}

/** Do LDTR and STTR access memory as EL0 does? (Arm ARM C3.2.5) */
export function isUnprivilegedUser(cpu: usize): bool {
  const el = currentEL(cpu);
  if (el == 0) return true;
  return load<u32>(cpu, UAO) == 0 && (el == 1 || (el == 2 && isHostUser(cpu)));
}

/** Sets CTX and CTX_UNPRIV. */
export function renewContexts(cpu: usize): void {
  const el = currentEL(cpu);
  const regime = regimeOf(cpu, el);
  const pan = load<u32>(cpu, PAN) != 0;
  const last = load<i32>(cpu, LAST_CONTEXT);
  let own = contextNumber(cpu, contextWord(cpu, regime, el != 0, pan));
  let user = own;
  if (el != 0 && isUnprivilegedUser(cpu)) {
    const word = contextWord(cpu, regime, false, false);
    user = contextNumber(cpu, word);
    // Numbers ran out between the two: the first is void.
    if (load<i32>(cpu, LAST_CONTEXT) < last) own = contextNumber(cpu, contextWord(cpu, regime, true, pan));
  }
  if (load<i32>(cpu, ALIGN_CHECK) != 0) {
    const known = load<i32>(cpu, LAST_CONTEXT);
    store<u64>(cpu, contextNumber(cpu, contextWord(cpu, regime, el != 0, pan) | ALIGNMENT_CHECKED), CTX_CHECKED);
    // Numbers ran out: once more, from the first.
    if (load<i32>(cpu, LAST_CONTEXT) < known) {
      renewContexts(cpu);
      return;
    }
  }
  store<u64>(cpu, own, CTX);
  store<u64>(cpu, user, CTX_UNPRIV);
}

/** Makes everything in the data and instruction TLBs unreachable. */
export function retireContexts(cpu: usize): void {
  memory.fill(cpu + CONTEXTS, 0, CONTEXT_WORDS * 8);
  renewContexts(cpu);
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

@inline
export function dataSlot(cpu: usize, va: u64): usize {
  return cpu + DTLB + ((<usize>(va >> 12) & (DTLB_ENTRIES - 1)) << DTLB_ENTRY_SHIFT);
}

@inline
export function fetchSlot(cpu: usize, va: u64): usize {
  return cpu + ITLB + ((<usize>(va >> 12) & (ITLB_ENTRIES - 1)) << ITLB_ENTRY_SHIFT);
}

export function fillInstruction(cpu: usize, va: u64, decodedPage: u32, guarded: u32, span: u32): void {
  outlivesItsASID(cpu, load<u64>(cpu, CTX));
  const slot = fetchSlot(cpu, va);
  store<u64>(slot, (va & ~PAGE_MASK) | load<u64>(cpu, CTX), ITLB_TAG);
  store<u32>(slot, decodedPage, ITLB_BASE);
  store<u32>(slot, (guarded & 1) | (span << ITLB_SPAN_SHIFT), ITLB_FLAGS);
}

/** Drops every entry of the instruction TLB: decoded pages have moved. */
export function flushFetch(cpu: usize): void {
  memory.fill(cpu + ITLB, 0, ITLB_ENTRIES << ITLB_ENTRY_SHIFT);
}

// ---- Invalidation ----

@inline
function spanHash(unit: u64): u32 {
  return <u32>((unit * 0x9e3779b97f4a7c15) >> 53);
}

function noteSpan(cpu: usize, va: u64, span: u32): void {
  if (span == 12) return;
  if (span <= 16) {
    store<i32>(cpu + SPANS_64K, 1);
    return;
  }
  const unit = (va << 8) >> 8;
  if (span > 30) {
    store<i32>(cpu + SPANS_HUGE, 1);
    return;
  }
  const bit = spanHash(unit >> (span > 21 ? 30 : 21));
  const word = cpu + (span > 21 ? SPANS_1G : SPANS_2M) + (<usize>(bit >> 5) << 2);
  store<u32>(word, load<u32>(word) | (1 << (bit & 31)));
}

function isNoted(cpu: usize, spans: usize, unit: u64): bool {
  const bit = spanHash(unit);
  return ((load<u32>(cpu + spans + (<usize>(bit >> 5) << 2)) >> (bit & 31)) & 1) != 0;
}

/** Is `va` in the block of 2^span bytes that holds the tag's page? The top byte does not count. */
@inline
function covers(tag: u64, va: u64, span: u32): bool {
  return ((tag ^ va) << 8) >> (8 + span) == 0;
}

function dropEntry(entry: usize, va: u64): void {
  if (covers(load<u64>(entry, ENTRY_TAG), va, (load<u32>(entry, ENTRY_ATTRIBUTES) >> SPAN_SHIFT) & SHIFT_MASK)) {
    store<u64>(entry, 0, ENTRY_TAG);
  }
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

/** Drops every translation of `va`, and the rest of the block or contiguous run that gave it. */
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

/** Drops what is not global and belongs to `asid`. */
function dropASID(cpu: usize, asid: u32): void {
  for (let i: u32 = 0; i < CONTEXT_WORDS; i++) {
    const slot = cpu + CONTEXTS + (i << 3);
    if (asidOfWord(load<u64>(slot) >> 12) == asid) store<u64>(slot, 0);
  }
  for (let entry = cpu + PAGES; entry < cpu + CONTEXTS; entry += ENTRY_SIZE) {
    if (load<u32>(entry, ENTRY_ASID) == asid && (load<u32>(entry, ENTRY_ATTRIBUTES) & GLOBAL) == 0) {
      store<u64>(entry, 0, ENTRY_TAG);
    }
  }
  renewContexts(cpu);
}

function newEpoch(cpu: usize): void {
  store<u64>(cpu, load<u64>(cpu, TRANSLATION_EPOCH) + 1, TRANSLATION_EPOCH);
}

export function tlbInvalidateAll(cpu: usize): void {
  newEpoch(cpu);
  memory.fill(cpu + PAGES, 0, CONTEXTS - PAGES);
  memory.fill(cpu + SPANS_2M, 0, LAST_CONTEXT - SPANS_2M);
  store<i32>(cpu, 0, ASID_MATTERS);
  retireContexts(cpu);
}

/** Ranges of more bytes than this are invalidated by dropping everything. */
const RANGE_MAX: u64 = 64 << 12;

/** See vmsa/native.ts. What is dropped by VA is dropped in every regime and for every ASID: a TLB may always forget. */
export function tlbInvalidate(cpu: usize, regime: i32, what: i32): void {
  const va = load<u64>(cpu, ARG0);
  if (what == 2 || what == 3) {
    newEpoch(cpu);
    dropAddress(cpu, va);
  } else if (what == 4 && load<u64>(cpu, ARG2) <= RANGE_MAX) {
    newEpoch(cpu);
    const bytes = load<u64>(cpu, ARG2);
    for (let offset: u64 = 0; offset < bytes; offset += 0x1000) dropAddress(cpu, va + offset);
  } else if (what == 1 && (regime == EL10 || regime == EL20)) {
    newEpoch(cpu);
    dropASID(cpu, load<u32>(cpu, ARG1) & 0xffff);
  } else {
    tlbInvalidateAll(cpu);
  }
}
