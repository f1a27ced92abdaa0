import { CHUNK_MAX, PAGE } from "../../snapshot/format.ts";
import type { NativeMemory } from "../../vmsa/native.ts";

const CHUNK_PAGES = CHUNK_MAX / PAGE;
/** A run of as many zero pages is left out; within a shorter one a chunk goes on, as each has its cost. */
const GAP_PAGES = 16;

/** Pages [page, page + pages) of a region. */
export interface Run {
  readonly page: number;
  readonly pages: number;
}

/** What of the region at linear address `base` is not zeros, in runs of at most CHUNK_MAX bytes. */
export function* runsOf(native: NativeMemory, base: number, bytes: number): Generator<Run> {
  const all = bytes / PAGE;
  const skip = (page: number): number => page + native.zeroPages(base + page * PAGE, all - page);
  for (let page = skip(0); page < all; page = skip(page)) {
    const first = page;
    const most = Math.min(all, first + CHUNK_PAGES);
    let end = first + 1;
    for (;;) {
      // `end` follows a page that is not zeros.
      const next = end < most ? end + native.zeroPages(base + end * PAGE, Math.min(GAP_PAGES, most - end)) : most;
      if (next >= most || next - end >= GAP_PAGES) break;
      end = next + 1;
    }
    yield { page: first, pages: end - first };
    page = end;
  }
}
