// RAM of a domain by pages, for who sends or saves it.

import { CHUNK_MAX } from "../../snapshot/format.ts";
import type { Domain } from "../domain.ts";
import { PAGE_BYTES } from "../machine-memory.ts";

const CHUNK_PAGES = CHUNK_MAX / PAGE_BYTES;

/** Pages of RAM that have a frame, by their numbers from the start of RAM. */
export function residentPages({ space }: Domain): number[] {
  const first = space.ram.base / PAGE_BYTES;
  const pages: number[] = [];
  space.forEachPage((page) => pages.push(page - first));
  return pages;
}

/** What of RAM is not zeroes, in pieces of at most CHUNK_MAX bytes, each used before the next is asked for. */
export function* memoryChunks(domain: Domain): Generator<{ readonly page: number; readonly content: Uint8Array }> {
  const buffer = new Uint8Array(CHUNK_MAX);
  let first = 0;
  let count = 0;
  for (const page of residentPages(domain)) {
    if (count > 0 && (page !== first + count || count === CHUNK_PAGES)) {
      yield { page: first, content: buffer.subarray(0, count * PAGE_BYTES) };
      count = 0;
    }
    const content = domain.memory.page(page);
    if (content === undefined) continue;
    buffer.set(content, count * PAGE_BYTES);
    if (count === 0) first = page;
    count++;
  }
  if (count > 0) yield { page: first, content: buffer.subarray(0, count * PAGE_BYTES) };
}
