// Instruction fetch: from PC to the decoded page of its page of memory.

import {
  COUNT_FETCH_MISSES,
  CTX,
  DEBUGGER_BREAKS,
  FETCH_BASE,
  FETCH_VA,
  ITLB_BASE,
  ITLB_TAG,
  PC,
  RESULT,
} from "../cpu/state-layout";
import { MDSCR_EL1 } from "../cpu/sysreg-layout";
import { CODE_MAP } from "../memory/linear-layout";
import { EXECUTE, FAULT_EXTERNAL, GUARDED, NON_SECURE, NO_FAULT, SHIFT_MASK, SPAN_SHIFT } from "./attributes.as";
import { instructionAbort, pcAlignmentFault } from "./fault.as";
import { isReadableBy, linearOf } from "./physical.as";
import { currentEL, regimeOf } from "./regime.as";
import { fillInstruction, translate, translatedAttributes, translatedPA } from "./tlb.as";
import { fetchSlot } from "./tlb-layout.as";

const PAGE_MASK: u64 = 0xfff;
/** MDSCR_EL1.{MDE,SS}. */
const MDSCR_DEBUG: u32 = 0x8001;

/** Log2 of the block that the last translateFetch() came from. */
let span: u32 = 12;

export function enterPage(cpu: usize): i32 {
  const pc = load<u64>(cpu, PC);
  const slot = fetchSlot(cpu, pc);
  if ((pc & 3) != 0 || load<u64>(slot, ITLB_TAG) != ((pc & ~PAGE_MASK) | load<u64>(cpu, CTX))) return 0;
  store<u64>(cpu, pc & ~PAGE_MASK, FETCH_VA);
  store<u32>(cpu, load<u32>(slot, ITLB_BASE), FETCH_BASE);
  return 1;
}

/** Device memory may be fetched from as if it were Normal (Arm ARM D8.6.1 lets it), as long as it is memory. */
export function translateFetch(cpu: usize): usize {
  const pc = load<u64>(cpu, PC);
  if ((pc & 3) != 0) {
    pcAlignmentFault(cpu, pc);
    return 0;
  }
  const el = currentEL(cpu);
  const fault = translate(cpu, pc, regimeOf(cpu, el), el != 0, false, EXECUTE);
  if (fault != NO_FAULT) {
    instructionAbort(cpu, pc, fault);
    return 0;
  }
  const at = linearOf(translatedPA());
  if (!at || !isReadableBy((translatedAttributes() & NON_SECURE) != 0)) {
    instructionAbort(cpu, pc, FAULT_EXTERNAL);
    return 0;
  }
  const attributes = translatedAttributes();
  span = (attributes >> SPAN_SHIFT) & SHIFT_MASK;
  store<u64>(cpu, (attributes & GUARDED) != 0 ? 1 : 0, RESULT);
  return at & ~(<usize>PAGE_MASK);
}

/**
 * What a jump to `va` in another page does when the instruction TLB has not got it: the decoded page, which is now there, or 0 when
 * the processing element has to look (a fault, a page that is not decoded, self-hosted debug, a debugger's breakpoints).
 */
export function fetchMiss(cpu: usize, va: u64): u32 {
  if ((load<u32>(cpu, MDSCR_EL1) & MDSCR_DEBUG) != 0 || load<i32>(cpu, DEBUGGER_BREAKS) != 0) return 0;
  const el = currentEL(cpu);
  if (translate(cpu, va, regimeOf(cpu, el), el != 0, false, EXECUTE) != NO_FAULT) return 0;
  const at = linearOf(translatedPA());
  if (!at || !isReadableBy((translatedAttributes() & NON_SECURE) != 0)) return 0;
  const decodedPage = load<u32>(load<u32>(CODE_MAP) + ((at >> 12) << 2));
  if (decodedPage == 0) return 0;
  const attributes = translatedAttributes();
  store<u64>(cpu, load<u64>(cpu, COUNT_FETCH_MISSES) + 1, COUNT_FETCH_MISSES);
  fillInstruction(cpu, va, decodedPage, <u32>((attributes & GUARDED) != 0), (attributes >> SPAN_SHIFT) & SHIFT_MASK);
  return decodedPage;
}

export function fillFetch(cpu: usize, decodedPage: u32, guarded: u32): void {
  store<u64>(cpu, load<u64>(cpu, COUNT_FETCH_MISSES) + 1, COUNT_FETCH_MISSES);
  const pc = load<u64>(cpu, PC);
  fillInstruction(cpu, pc, decodedPage, guarded, span);
  store<u64>(cpu, pc & ~PAGE_MASK, FETCH_VA);
  store<u32>(cpu, decodedPage, FETCH_BASE);
}
