// Decompression in one call: browsers have streams alone for it. Deflate is RFC 1951, zlib RFC 1950, gzip RFC 1952.

import { BadInput, type Inflate } from "../../machine/runnable.ts";

const LENGTH_BASE = [
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
];
const LENGTH_EXTRA = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const DISTANCE_BASE = [
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145,
  8193, 12289, 16385, 24577,
];
const DISTANCE_EXTRA = [
  0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13,
];
/** In which order a dynamic block gives the lengths of its code lengths' codes. */
const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
const MAX_BITS = 15;
const FIRST_BYTES = 0x1_0000;

class Damaged extends Error {}
class TooLarge extends Error {}

/**
 * A Huffman code as one table: for the next `bits` bits of the stream, the symbol and the length of its code (symbol << 4 | length);
 * 0: no code.
 */
interface Code {
  readonly table: Uint16Array;
  readonly bits: number;
}

function codeOf(lengths: Uint8Array): Code {
  const count = new Uint16Array(MAX_BITS + 1);
  for (const length of lengths) count[length] = (count[length] as number) + 1;
  count[0] = 0;
  let bits = MAX_BITS;
  while (bits > 1 && count[bits] === 0) bits--;
  const next = new Uint16Array(MAX_BITS + 2);
  let left = 1;
  for (let length = 1; length <= MAX_BITS; length++) {
    left = left * 2 - (count[length] as number);
    if (left < 0) throw new Damaged();
    next[length + 1] = ((next[length] as number) + (count[length] as number)) << 1;
  }
  const table = new Uint16Array(1 << bits);
  for (let symbol = 0; symbol < lengths.length; symbol++) {
    const length = lengths[symbol] as number;
    if (length === 0) continue;
    const code = next[length] as number;
    next[length] = code + 1;
    let reversed = 0;
    for (let i = 0; i < length; i++) reversed |= ((code >> i) & 1) << (length - 1 - i);
    for (let at = reversed; at < table.length; at += 1 << length) table[at] = (symbol << 4) | length;
  }
  return { table, bits };
}

const FIXED_LENGTHS = Uint8Array.from({ length: 288 }, (_, i) => (i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8));
const FIXED = { literals: codeOf(FIXED_LENGTHS), distances: codeOf(new Uint8Array(30).fill(5)) };

class Inflater {
  readonly #from: Uint8Array;
  readonly #limit: number;
  #at: number;
  #buffer = 0;
  #buffered = 0;
  #out: Uint8Array<ArrayBuffer>;
  #length = 0;

  constructor(from: Uint8Array, at: number, limit: number) {
    this.#from = from;
    this.#at = at;
    this.#limit = limit;
    this.#out = new Uint8Array(Math.min(limit, Math.max(FIRST_BYTES, from.length * 3)));
  }

  /** Where the stream has ended, in whole bytes. */
  get end(): number {
    return this.#at - (this.#buffered >> 3);
  }

  run(): Uint8Array<ArrayBuffer> {
    for (let last = 0; last === 0; ) {
      last = this.#take(1);
      const kind = this.#take(2);
      if (kind === 0) this.#stored();
      else if (kind === 1) this.#compressed(FIXED.literals, FIXED.distances);
      else if (kind === 2) this.#dynamic();
      else throw new Damaged();
    }
    return this.#out.subarray(0, this.#length);
  }

  #fill(bits: number): void {
    while (this.#buffered < bits) {
      // Beyond the end there are zeros, which #drop notices when they are used.
      this.#buffer |= (this.#from[this.#at++] ?? 0) << this.#buffered;
      this.#buffered += 8;
    }
  }

  #drop(bits: number): void {
    this.#buffer >>>= bits;
    this.#buffered -= bits;
    if (this.end > this.#from.length) throw new Damaged();
  }

  #take(bits: number): number {
    if (bits === 0) return 0;
    this.#fill(bits);
    const value = this.#buffer & ((1 << bits) - 1);
    this.#drop(bits);
    return value;
  }

  #symbol({ table, bits }: Code): number {
    this.#fill(bits);
    const entry = table[this.#buffer & ((1 << bits) - 1)] as number;
    if (entry === 0) throw new Damaged();
    this.#drop(entry & 15);
    return entry >> 4;
  }

  #room(bytes: number): void {
    const wanted = this.#length + bytes;
    if (wanted <= this.#out.length) return;
    if (wanted > this.#limit) throw new TooLarge();
    const larger = new Uint8Array(Math.min(this.#limit, Math.max(wanted, this.#out.length * 2)));
    larger.set(this.#out.subarray(0, this.#length));
    this.#out = larger;
  }

  #stored(): void {
    this.#drop(this.#buffered & 7);
    const length = this.#take(16);
    if (this.#take(16) !== (~length & 0xffff)) throw new Damaged();
    const start = this.end;
    if (start + length > this.#from.length) throw new Damaged();
    this.#room(length);
    this.#out.set(this.#from.subarray(start, start + length), this.#length);
    this.#length += length;
    this.#at = start + length;
    this.#buffer = this.#buffered = 0;
  }

  #dynamic(): void {
    const literals = this.#take(5) + 257;
    const distances = this.#take(5) + 1;
    const orders = this.#take(4) + 4;
    const small = new Uint8Array(19);
    for (let i = 0; i < orders; i++) small[ORDER[i] as number] = this.#take(3);
    const code = codeOf(small);
    const lengths = new Uint8Array(literals + distances);
    for (let i = 0; i < lengths.length; ) {
      const symbol = this.#symbol(code);
      if (symbol < 16) {
        lengths[i++] = symbol;
        continue;
      }
      if (symbol === 16 && i === 0) throw new Damaged();
      const value = symbol === 16 ? (lengths[i - 1] as number) : 0;
      const times = symbol === 16 ? 3 + this.#take(2) : symbol === 17 ? 3 + this.#take(3) : 11 + this.#take(7);
      if (i + times > lengths.length) throw new Damaged();
      lengths.fill(value, i, i + times);
      i += times;
    }
    this.#compressed(codeOf(lengths.subarray(0, literals)), codeOf(lengths.subarray(literals)));
  }

  #compressed(literals: Code, distances: Code): void {
    for (;;) {
      const symbol = this.#symbol(literals);
      if (symbol < 256) {
        if (this.#length === this.#out.length) this.#room(1);
        this.#out[this.#length++] = symbol;
        continue;
      }
      if (symbol === 256) return;
      if (symbol > 285) throw new Damaged();
      const length = (LENGTH_BASE[symbol - 257] as number) + this.#take(LENGTH_EXTRA[symbol - 257] as number);
      const far = this.#symbol(distances);
      if (far > 29) throw new Damaged();
      const distance = (DISTANCE_BASE[far] as number) + this.#take(DISTANCE_EXTRA[far] as number);
      if (distance > this.#length) throw new Damaged();
      this.#room(length);
      this.#copy(distance, length);
    }
  }

  #copy(distance: number, length: number): void {
    const out = this.#out;
    const to = this.#length;
    if (distance >= length) out.copyWithin(to, to - distance, to - distance + length);
    else for (let i = 0; i < length; i++) out[to + i] = out[to + i - distance] as number;
    this.#length += length;
  }
}

/** Raw deflate. What follows the end of the stream is ignored. @throws Error where it is damaged, or gives more than `limit` bytes. */
export function inflateRaw(bytes: Uint8Array, limit: number): Uint8Array<ArrayBuffer> {
  return new Inflater(bytes, 0, limit).run();
}

/** zlib: two bytes before, and a checksum that only says what the format's own structure says, too. */
export function inflateZlib(bytes: Uint8Array, limit: number): Uint8Array<ArrayBuffer> {
  const [method = 0, flags = 0] = bytes;
  if ((method & 15) !== 8 || ((method << 8) | flags) % 31 !== 0 || flags & 0x20) throw new Damaged();
  return new Inflater(bytes, 2, limit).run();
}

/** One gzip member. @throws Error where it is damaged, or gives more than `limit` bytes. */
export function gunzip(bytes: Uint8Array, limit: number): Uint8Array<ArrayBuffer> {
  if (bytes.length < 18 || bytes[0] !== 0x1f || bytes[1] !== 0x8b || bytes[2] !== 8) throw new Damaged();
  const flags = bytes[3] as number;
  let at = 10;
  if (flags & 4) at += 2 + ((bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8));
  // Name and comment.
  for (const flag of [8, 16]) {
    if (flags & flag) at = bytes.indexOf(0, at) + 1;
    if (at === 0) throw new Damaged();
  }
  if (flags & 2) at += 2;
  const inflater = new Inflater(bytes, at, limit);
  const out = inflater.run();
  const trailer = inflater.end;
  const expected = new DataView(bytes.buffer, bytes.byteOffset).getUint32(trailer, true);
  if (expected !== crc32(out)) throw new Damaged();
  return out;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, i) => {
  let c = i;
  for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
  return c;
});

function crc32(bytes: Uint8Array): number {
  let c = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) c = (CRC_TABLE[(c ^ (bytes[i] as number)) & 0xff] as number) ^ (c >>> 8);
  return ~c >>> 0;
}

export const inflate: Inflate = (format, bytes, limit) => {
  if (format === "zstd") throw new BadInput("browsers have no zstd: give it decompressed, or compressed with gzip");
  try {
    return gunzip(bytes, limit);
  } catch (error) {
    if (error instanceof TooLarge) throw new BadInput(`its gzip data is larger than ${limit} bytes when decompressed`);
    throw new BadInput("its gzip data is damaged");
  }
};
