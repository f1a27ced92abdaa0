/** CRC-32 (IEEE 802.3) and CRC-64 (ECMA-182, reflected), the checks of .xz files, a piece at a time. */
export class Crc32 {
  #crc = 0xffff_ffff;
  update(bytes: Uint8Array): this {
    let crc = this.#crc;
    for (let i = 0; i < bytes.length; i++)
      crc = (TABLE_32[(crc ^ (bytes[i] as number)) & 0xff] as number) ^ (crc >>> 8);
    this.#crc = crc;
    return this;
  }
  /** Little-endian. */
  bytes(): Uint8Array {
    return word(~this.#crc);
  }
}

/** CRC-64 of xz (ECMA-182, reflected), of bytes that come in pieces. */
export class Crc64 {
  #low = -1;
  #high = -1;
  update(bytes: Uint8Array): this {
    let low = this.#low;
    let high = this.#high;
    for (let i = 0; i < bytes.length; i++) {
      const index = (low ^ (bytes[i] as number)) & 0xff;
      low = ((low >>> 8) | (high << 24)) ^ (LOW_64[index] as number);
      high = (high >>> 8) ^ (HIGH_64[index] as number);
    }
    this.#low = low;
    this.#high = high;
    return this;
  }
  bytes(): Uint8Array {
    const bytes = new Uint8Array(8);
    bytes.set(word(~this.#low));
    bytes.set(word(~this.#high), 4);
    return bytes;
  }
}

function word(value: number): Uint8Array {
  return Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24);
}

const TABLE_32 = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb8_8320 : crc >>> 1;
  return crc;
});
const LOW_64 = new Uint32Array(256);
const HIGH_64 = new Uint32Array(256);
for (let byte = 0; byte < 256; byte++) {
  let low = byte;
  let high = 0;
  for (let bit = 0; bit < 8; bit++) {
    const odd = low & 1;
    low = (low >>> 1) | (high << 31);
    high >>>= 1;
    if (!odd) continue;
    low ^= 0xd787_0f42;
    high ^= 0xc96c_5795;
  }
  LOW_64[byte] = low;
  HIGH_64[byte] = high;
}
