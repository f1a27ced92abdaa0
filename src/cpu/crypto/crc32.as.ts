// CRC32B/H/W/X and CRC32CB/CH/CW/CX. The Arm ARM's BitReverse() and Poly32Mod2() amount to the reflected CRC without inversions.

// The generator polynomials 0x04c11db7 and 0x1edc6f41, reflected.
const ETHERNET: u32 = 0xedb88320;
const CASTAGNOLI: u32 = 0x82f63b78;

const TABLE_BYTES: usize = 8 * 256 * 4;

/** Per polynomial 8 tables of 256 words: entry b of table k is the remainder of byte b followed by k zero bytes. */
const tables = memory.data(16384, 16);

function fillTables(base: usize, polynomial: u32): void {
  for (let b: usize = 0; b < 256; b++) {
    let r = <u32>b;
    for (let i = 0; i < 8; i++) r = (r >> 1) ^ (r & 1 ? polynomial : 0);
    store<u32>(base + b * 4, r);
  }
  for (let i: usize = 256; i < 2048; i++) {
    const r = load<u32>(base + (i - 256) * 4);
    store<u32>(base + i * 4, (r >> 8) ^ load<u32>(base + (r & 0xff) * 4));
  }
}

fillTables(tables, ETHERNET);
fillTables(tables + TABLE_BYTES, CASTAGNOLI);

/** The remainder of byte `b` of `word` followed by k zero bytes. */
function entry(table: usize, k: usize, word: u64, b: i32): u32 {
  return load<u32>(table + k * 1024 + (<usize>(word >> (8 * b)) & 0xff) * 4);
}

/** The new accumulator after the low `bytes` (1, 2, 4 or 8) of `value`. */
export function crc32(cpu: usize, accumulator: u32, value: u64, bytes: i32, castagnoli: i32): u32 {
  const t = castagnoli ? tables + TABLE_BYTES : tables;
  const x = value ^ accumulator;
  if (bytes == 8) {
    return (
      entry(t, 7, x, 0) ^ entry(t, 6, x, 1) ^ entry(t, 5, x, 2) ^ entry(t, 4, x, 3) ^
      entry(t, 3, x, 4) ^ entry(t, 2, x, 5) ^ entry(t, 1, x, 6) ^ entry(t, 0, x, 7)
    );
  }
  if (bytes == 4) return entry(t, 3, x, 0) ^ entry(t, 2, x, 1) ^ entry(t, 1, x, 2) ^ entry(t, 0, x, 3);
  if (bytes == 2) return (accumulator >> 16) ^ entry(t, 1, x, 0) ^ entry(t, 0, x, 1);
  return (accumulator >> 8) ^ entry(t, 0, x, 0);
}
