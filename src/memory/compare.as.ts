/** Whether two ranges of linear memory hold the same. `bytes`: a multiple of 16. */
export function isSame(a: usize, b: usize, bytes: usize): bool {
  for (const end = a + bytes; a < end; a += 16, b += 16) {
    if (v128.any_true(v128.xor(v128.load(a), v128.load(b)))) return false;
  }
  return true;
}
