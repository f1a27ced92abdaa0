// Where stage 2 had entries of the TLBs from: what TLBI by IPA looks for (Arm ARM D8.14).

import {
  ANY_LOST,
  LOST,
  LOST_BITS,
  LOST_BLOCK,
  PAGE_MASK,
  sourceOf,
} from "./tlb-layout.as";

@inline
function lostWord(cpu: usize, bit: u32): usize {
  return cpu + LOST + (<usize>(bit >> 5) << 2);
}

@inline
function lostHash(page: u64): u32 {
  return <u32>((page * 0x9e3779b97f4a7c15) >> 49) & (LOST_BITS - 1);
}

/** The entry of that source is not to be found any more in the second level. */
export function lose(cpu: usize, entry: usize): void {
  const source = load<u64>(sourceOf(cpu, entry));
  if (source == 0) return;
  store<i32>(cpu, 1, ANY_LOST);
  if ((source & PAGE_MASK) != 12) {
    store<i32>(cpu, 1, LOST_BLOCK);
    return;
  }
  const bit = lostHash(source >> 12);
  const word = lostWord(cpu, bit);
  store<u32>(word, load<u32>(word) | (1 << (bit & 31)));
}

/** May the first level have a page of IPAs from `first` on that the second level does not know of? */
export function mayBeLost(cpu: usize, first: u64, bytes: u64): bool {
  if (load<i32>(cpu, ANY_LOST) == 0) return false;
  if (load<i32>(cpu, LOST_BLOCK) != 0) return true;
  for (let page = first >> 12; page <= (first + bytes - 1) >> 12; page++) {
    const bit = lostHash(page);
    if (((load<u32>(lostWord(cpu, bit)) >> (bit & 31)) & 1) != 0) return true;
  }
  return false;
}

/** The first level has nothing any more. */
export function forgetLost(cpu: usize): void {
  if (load<i32>(cpu, ANY_LOST) == 0) return;
  memory.fill(cpu + LOST, 0, LOST_BLOCK + 4 - LOST);
}

/** Does a source have an IPA from `first` to `last`? */
@inline
export function isFrom(source: u64, first: u64, last: u64): bool {
  if (source == 0) return false;
  const size = (<u64>1) << (source & PAGE_MASK);
  const start = source & ~PAGE_MASK & ~(size - 1);
  return start <= last && start + (size - 1) >= first;
}
