// What a flash chip tells of itself: Common Flash Interface (JESD68.01), Intel/Sharp extended command set (JEP137B).

/** Intel. */
export const ID_MANUFACTURER = 0x89;
export const ID_DEVICE = 0x18;

/** Bytes of a chip's write buffer, as a power of two. */
const WRITE_BUFFER_LOG2 = 9;
export const WRITE_BUFFER_WORDS = 2 ** WRITE_BUFFER_LOG2 / 2;

const PRIMARY_TABLE = 0x31;
/** Optional features: instant individual block locking. */
const FEATURE_INSTANT_LOCK = 1 << 5;

/**
 * The table that the query mode shows, one byte a word.
 * @param chipBytes a power of two. @param blockBytes a multiple of 256.
 */
export function cfiTable(chipBytes: number, blockBytes: number): Uint8Array {
  const table = new Uint8Array(0x100);
  const put = (at: number, ...bytes: number[]): void => table.set(bytes, at);
  const blocks = chipBytes / blockBytes - 1;
  const blockUnits = blockBytes / 256;

  put(0x10, ...ascii("QRY"));
  // Primary command set 1, and where its table is; no alternate.
  put(0x13, 0x01, 0x00, PRIMARY_TABLE, 0x00);
  // Supply voltage 4.5 V to 5.5 V, no programming voltage.
  put(0x1b, 0x45, 0x55);
  // Typical times: word and buffer 2^7 us, block erase 2^10 ms; the longest are 2^4 times those.
  put(0x1f, 7, 7, 10, 0, 4, 4, 4, 0);
  put(0x27, Math.log2(chipBytes));
  // x16 asynchronous.
  put(0x28, 0x01, 0x00);
  put(0x2a, WRITE_BUFFER_LOG2, 0x00);
  // One region of equal blocks.
  put(0x2c, 1, blocks & 0xff, blocks >> 8, blockUnits & 0xff, blockUnits >> 8);

  put(PRIMARY_TABLE, ...ascii("PRI10"), FEATURE_INSTANT_LOCK);
  // Block status register: the lock bit.
  put(PRIMARY_TABLE + 0x0a, 0x01);
  // Optimum supply voltage 5 V; one protection register field, of nothing.
  put(PRIMARY_TABLE + 0x0c, 0x50, 0x00, 0x01);
  return table;
}

function ascii(text: string): number[] {
  return [...text].map((character) => character.charCodeAt(0));
}
