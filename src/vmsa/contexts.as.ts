// Context numbers: what tells the entries of the TLBs that generated code looks at apart.

import {
  ALIGN_CHECK,
  CTX,
  CTX_CHECKED,
  CTX_UNPRIV,
  DTLB,
  DTLB_ENTRIES,
  DTLB_ENTRY_SHIFT,
  ITLB,
  ITLB_ENTRIES,
  ITLB_ENTRY_SHIFT,
  PAN,
  UAO,
} from "../cpu/state-layout";
import { FEATURE_E0PD } from "../cpu/sysreg-layout";
import {
  EL10,
  HCR_DC,
  HCR_VM,
  SCTLR_A,
  SCTLR_WXN,
  asidOf,
  currentEL,
  guestHCR,
  has,
  hasTwoRanges,
  ignoresTopByte,
  isHostUser,
  isNV1,
  isSecureRegime,
  isTranslating,
  regimeOf,
  sctlr,
  tcr,
  vmidOf,
} from "./regime.as";
import { forgetNumbers } from "./saved-contexts.as";
import { ASID_MATTERS, CONTEXTS, CONTEXT_MAX, CONTEXT_WORDS, LAST_CONTEXT, PAGE_MASK } from "./tlb-layout.as";

/**
 * Is the range of `va` disabled (EPDn), or to EL0 (E0PDn)? The bits act at once, whatever the TLBs hold (Arm ARM
 * D8.16.1).
 */
export function isDisabled(cpu: usize, regime: i32, va: u64, isPrivileged: bool): bool {
  if (!hasTwoRanges(regime)) return false;
  const control = tcr(cpu, regime);
  const high = (va >> 55) & 1;
  if ((control >> (7 + (high << 4))) & 1) return true;
  return !isPrivileged && ((control >> (55 + high)) & 1) != 0 && has(cpu, FEATURE_E0PD);
}

// A context word: privileged, PAN, and the following fields, 52 bits in all.
export const WORD_REGIME: u64 = 2;
export const WORD_SECURE: u64 = (<u64>1) << 5;
const WORD_STAGE1: u64 = (<u64>1) << 6;
const WORD_WXN: u64 = (<u64>1) << 7;
/** Two bits: is the lower or the upper range disabled? */
const WORD_DISABLED: u64 = 8;
export const WORD_ASID: u64 = 10;
const WORD_DC: u64 = (<u64>1) << 26;
const WORD_VM: u64 = (<u64>1) << 27;
export const WORD_VMID: u64 = 28;
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
    forgetNumbers(cpu);
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
  forgetNumbers(cpu);
  memory.fill(cpu + CONTEXTS, 0, CONTEXT_WORDS * 8);
  renewContexts(cpu);
}

/** Drops every entry of the instruction TLB: decoded pages have moved. */
export function flushFetch(cpu: usize): void {
  memory.fill(cpu + ITLB, 0, ITLB_ENTRIES << ITLB_ENTRY_SHIFT);
}
