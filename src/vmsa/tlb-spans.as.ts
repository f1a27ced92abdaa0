// Which entries of the TLBs may come from a page, block or contiguous run of more than 4 KB (SPANS_* in
// tlb-layout.as.ts): what TLBI by VA has to look through.

import { SPANS_1G, SPANS_2M, SPANS_64K, SPANS_HUGE } from "./tlb-layout.as";

@inline
function spanHash(unit: u64): u32 {
  return <u32>((unit * 0x9e3779b97f4a7c15) >> 53);
}

export function noteSpan(cpu: usize, va: u64, span: u32): void {
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

export function isNoted(cpu: usize, spans: usize, unit: u64): bool {
  const bit = spanHash(unit);
  return ((load<u32>(cpu + spans + (<usize>(bit >> 5) << 2)) >> (bit & 31)) & 1) != 0;
}
