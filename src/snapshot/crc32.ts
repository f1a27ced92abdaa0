/** CRC-32 of IEEE 802.3, as gzip has it, of `bytes` after those that gave `seed`. Hosts that have one of their own give that. */
export type Checksum = (bytes: Uint8Array, seed: number) => number;

const first = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb8_8320 : crc >>> 1;
  return crc;
});

/** Eight bytes at a time: table n is of a byte that n others follow. */
const TABLES: Int32Array[] = [first];
for (let n = 1; n < 8; n++)
  TABLES.push((TABLES[n - 1] as Int32Array).map((crc) => (first[crc & 0xff] as number) ^ (crc >>> 8)));

export const crc32: Checksum = (bytes, seed) => {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = TABLES as [
    ...[Int32Array, Int32Array, Int32Array, Int32Array],
    ...[Int32Array, Int32Array, Int32Array, Int32Array],
  ];
  const at = (table: Int32Array, index: number): number => table[index & 0xff] as number;
  const byte = (index: number): number => bytes[index] as number;
  let crc = ~seed;
  let i = 0;
  for (; i + 8 <= bytes.length; i += 8) {
    const low = crc ^ (byte(i) | (byte(i + 1) << 8) | (byte(i + 2) << 16) | (byte(i + 3) << 24));
    crc =
      at(t7, low) ^
      at(t6, low >>> 8) ^
      at(t5, low >>> 16) ^
      at(t4, low >>> 24) ^
      at(t3, byte(i + 4)) ^
      at(t2, byte(i + 5)) ^
      at(t1, byte(i + 6)) ^
      at(t0, byte(i + 7));
  }
  for (; i < bytes.length; i++) crc = at(t0, crc ^ byte(i)) ^ (crc >>> 8);
  return ~crc >>> 0;
};
