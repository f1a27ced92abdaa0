/** How many of the `pages` pages of 4 KiB from `at` hold nothing but zeros, up to the first that does not. */
export function zeroPages(at: usize, pages: i32): i32 {
  for (let page = 0; page < pages; page++, at += 4096) {
    for (let i: usize = 0; i < 4096; i += 64) {
      const low = v128.or(v128.load(at + i), v128.load(at + i, 16));
      const high = v128.or(v128.load(at + i, 32), v128.load(at + i, 48));
      if (v128.any_true(v128.or(low, high))) return page;
    }
  }
  return pages;
}

/** Whether two ranges of linear memory hold the same. `bytes`: a multiple of 16. */
export function isSame(a: usize, b: usize, bytes: usize): bool {
  for (const end = a + bytes; a < end; a += 16, b += 16) {
    if (v128.any_true(v128.xor(v128.load(a), v128.load(b)))) return false;
  }
  return true;
}
