// The second-level TLB, context numbers, and the fills of the TLBs that generated code looks at.
//
// The second level has two parts: pages (two-way sets by VA in units of 4 KB; larger pages are split) and blocks
// (direct-mapped by VA in units of 2 MB; larger blocks are split). Its entries are what both stages give together. A
// miss, and a hit that does not allow the access, walk the tables: permission faults always come from a walk.

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
  TLB2,
  TLB2_END,
  UAO,
} from "../cpu/state-layout";
import { FEATURE_E0PD, FEATURE_EL2, FEATURE_EL3, TRANSLATION_EPOCH } from "../cpu/sysreg-layout";
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
import {
  EL10,
  EL20,
  HCR_DC,
  HCR_VM,
  SCTLR_A,
  SCTLR_WXN,
  asidMask,
  asidOf,
  currentEL,
  guestHCR,
  has,
  hasStage2,
  hasTwoRanges,
  ignoresTopByte,
  isHost,
  isHostUser,
  isNV1,
  isSecureBelowEL3,
  isSecureRegime,
  isTranslating,
  regimeOf,
  sctlr,
  tcr,
  vmidOf,
} from "./regime.as";
import { fullAttributes, fullPA, fullTranslate } from "./two-stages.as";

const PAGE_MASK: u64 = 0xfff;

// An entry of the second level: tag (page of VA | key, see keyOf()), space (see spaceOf()), attributes of
// attributes.as.ts, physical address of its page.
const ENTRY_TAG: usize = 0;
const ENTRY_SPACE: usize = 8;
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
// The key: a bit that is always set, the regime, the Security state, and the controls that act at once, so that
// entries made under others stay for later.
const KEY_REGIME: u64 = 1;
const KEY_SECURE: u64 = 1 << 4;
const KEY_STAGE1: u64 = 1 << 5;
const KEY_VM: u64 = 1 << 6;
const KEY_DC: u64 = 1 << 7;
const KEY_NV1: u64 = 1 << 8;
const KEY_WXN: u64 = 1 << 9;
/** Regime and Security state. */
const KEY_OWNER: u64 = 0x1e;

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
function isMatch(entry: usize, tag: u64, space: u32): bool {
  if (load<u64>(entry, ENTRY_TAG) != tag) return false;
  const other = load<u32>(entry, ENTRY_SPACE) ^ space;
  return other == 0 || (other >> 16 == 0 && (load<u32>(entry, ENTRY_ATTRIBUTES) & GLOBAL) != 0);
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
function find(cpu: usize, va: u64, key: u64, space: u32): usize {
  const tag = (va & ~PAGE_MASK) | key;
  let entry = setOf(cpu, va);
  if (isMatch(entry, tag, space)) return entry;
  entry += ENTRY_SIZE;
  if (isMatch(entry, tag, space)) return entry;
  entry = blockOf(cpu, va);
  return isMatch(entry, (va & ~(((<u64>1) << BLOCK_BITS) - 1)) | key, space) ? entry : 0;
}

function put(entry: usize, tag: u64, space: u32, address: u64): void {
  store<u64>(entry, tag, ENTRY_TAG);
  store<u32>(entry, space, ENTRY_SPACE);
  store<u32>(entry, attributes, ENTRY_ATTRIBUTES);
  store<u64>(entry, address, ENTRY_PA);
}

/** Puts the last walk's result in. */
function insert(cpu: usize, va: u64, key: u64, space: u32): void {
  noteSpan(cpu, va, (attributes >> SPAN_SHIFT) & SHIFT_MASK);
  if (((attributes >> BLOCK_SHIFT) & SHIFT_MASK) >= <u32>BLOCK_BITS) {
    const mask = ((<u64>1) << BLOCK_BITS) - 1;
    put(blockOf(cpu, va), (va & ~mask) | key, space, pa & ~mask);
    return;
  }
  const first = setOf(cpu, va);
  const tag = (va & ~PAGE_MASK) | key;
  if (!isMatch(first, tag, space)) memory.copy(first + ENTRY_SIZE, first, ENTRY_SIZE);
  put(first, tag, space, pa & ~PAGE_MASK);
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

// ---- Context numbers ----

// A context word: privileged, PAN, and the following fields, 52 bits in all.
const WORD_REGIME: u64 = 2;
const WORD_SECURE: u64 = (<u64>1) << 5;
const WORD_STAGE1: u64 = (<u64>1) << 6;
const WORD_WXN: u64 = (<u64>1) << 7;
/** Two bits: is the lower or the upper range disabled? */
const WORD_DISABLED: u64 = 8;
const WORD_ASID: u64 = 10;
const WORD_DC: u64 = (<u64>1) << 26;
const WORD_VM: u64 = (<u64>1) << 27;
const WORD_VMID: u64 = 28;
const WORD_ALIGNED: u64 = (<u64>1) << 44;
/** Accesses are known to be aligned. */
const ALIGNMENT_CHECKED: u64 = (<u64>1) << 45;
const WORD_NV1: u64 = (<u64>1) << 46;
/** Four bits: TBI of the ranges, for data and for instructions. */
const WORD_TBI: u64 = 47;
const HIGH: u64 = (<u64>1) << 55;

/** What a context number of the current state stands for: all that acts at once, whatever the TLBs hold. */
function contextWord(cpu: usize, regime: i32, isPrivileged: bool, pan: bool): u64 {
  let word = <u64>isPrivileged | (<u64>(pan && isPrivileged) << 1) | (<u64>regime << WORD_REGIME);
  if (isSecureRegime(cpu, regime)) word |= WORD_SECURE;
  if (isTranslating(cpu, regime)) word |= WORD_STAGE1;
  if ((sctlr(cpu, regime) & SCTLR_WXN) != 0) word |= WORD_WXN;
  // Generated code looks at no alignment: while it matters, the data TLB has to be without this context's pages.
  if ((sctlr(cpu, regime) & SCTLR_A) != 0) word |= WORD_ALIGNED;
  word |= <u64>ignoresTopByte(cpu, regime, 0, false) << WORD_TBI;
  word |= <u64>ignoresTopByte(cpu, regime, 0, true) << (WORD_TBI + 1);
  if (hasTwoRanges(regime)) {
    word |= <u64>ignoresTopByte(cpu, regime, HIGH, false) << (WORD_TBI + 2);
    word |= <u64>ignoresTopByte(cpu, regime, HIGH, true) << (WORD_TBI + 3);
    word |= <u64>isDisabled(cpu, regime, 0, isPrivileged) << WORD_DISABLED;
    word |= <u64>isDisabled(cpu, regime, HIGH, isPrivileged) << (WORD_DISABLED + 1);
    if (!(isPrivileged && pan) || load<i32>(cpu, ASID_MATTERS) != 0) word |= <u64>asidOf(cpu, regime) << WORD_ASID;
  }
  if (regime == EL10) {
    const hcr = guestHCR(cpu);
    if ((hcr & HCR_DC) != 0) word |= WORD_DC;
    if ((hcr & HCR_VM) != 0) word |= WORD_VM;
    if (isNV1(cpu, regime)) word |= WORD_NV1;
    word |= <u64>vmidOf(cpu) << WORD_VMID;
  }
  return word;
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
  // AArch64.IsUnprivAccessPriv(): not for a guest's hypervisor.
  if (el == 1 && isNV1(cpu, EL10)) return false;
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

/** Whose entries a TLBI is about: their regime and Security state (KEY_OWNER), and, of EL1&0, their VMID. */
let owner: u64 = 0;
let ownerVMID: u32 = 0;

@inline
function isOwned(entry: usize): bool {
  if (((load<u64>(entry, ENTRY_TAG) ^ owner) & KEY_OWNER) != 0) return false;
  return load<u32>(entry, ENTRY_SPACE) >> 16 == ownerVMID;
}

function dropEntry(entry: usize, va: u64): void {
  const span = (load<u32>(entry, ENTRY_ATTRIBUTES) >> SPAN_SHIFT) & SHIFT_MASK;
  if (isOwned(entry) && covers(load<u64>(entry, ENTRY_TAG), va, span)) store<u64>(entry, 0, ENTRY_TAG);
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
 * Drops every translation of `va`, and the rest of the block or contiguous run that gave it, for every ASID: a TLB may
 * always forget more. The TLBs of pages that generated code looks at forget it for everybody.
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
  renewContexts(cpu);
}

/**
 * Drops what is the owner's: of one VMID, or of all. The others' entries of the second level stay, those of the first
 * are found there again. What is known of spans and of ASIDs starts anew.
 */
function dropOwned(cpu: usize, everyVMID: bool): void {
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

// Native.tlbInvalidate's `what`.
const EVERYTHING: i32 = 0;
const BY_ASID: i32 = 1;
const BY_VA_AND_ASID: i32 = 2;
const BY_VA: i32 = 3;
const RANGE: i32 = 4;
const STAGE2: i32 = 6;

/** See vmsa/native.ts. */
export function tlbInvalidate(cpu: usize, regime: i32, what: i32, by: usize): void {
  if (!by) by = cpu;
  // EL2's own operations, and those of EL1's that a host with E2H and TGE makes, are about EL2&0.
  if (regime == EL10 ? what != EVERYTHING && what != STAGE2 && isHostUser(by) : regime == 2 && isHost(by)) regime = EL20;
  if (!has(cpu, FEATURE_EL2 | FEATURE_EL3) && (what == EVERYTHING || what > RANGE)) {
    tlbInvalidateAll(cpu);
    return;
  }
  newEpoch(cpu);
  owner = <u64>regime << KEY_REGIME;
  if (regime == 3 || isSecureBelowEL3(by)) owner |= KEY_SECURE;
  ownerVMID = regime == EL10 ? vmidOf(by) : 0;
  const va = load<u64>(by, ARG0);
  if (what == BY_VA_AND_ASID || what == BY_VA) {
    dropAddress(cpu, va);
  } else if (what == RANGE && load<u64>(by, ARG2) <= RANGE_MAX) {
    const bytes = load<u64>(by, ARG2);
    for (let offset: u64 = 0; offset < bytes; offset += 0x1000) dropAddress(cpu, va + offset);
  } else if (what == BY_ASID && hasTwoRanges(regime)) {
    dropASID(cpu, load<u32>(by, ARG1) & asidMask(by, regime));
  } else {
    dropOwned(cpu, what == EVERYTHING);
  }
}
