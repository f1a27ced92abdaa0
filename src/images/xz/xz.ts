// .xz files, decompressed piece by piece ("The .xz File Format", 1.2.0).

import { corrupt, unsupported } from "../error.ts";
import type { Storage } from "../storage.ts";
import { Crc32, Crc64 } from "./crc.ts";
import { Lzma2Decoder } from "./lzma2.ts";

const HEADER_MAGIC = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00];
const FOOTER_MAGIC = [0x59, 0x5a];
const LZMA2 = 0x21;
/** Twice this, and a little, is what decompressing takes of the host's memory. The most that xz uses by itself is 64 MiB. */
const MAX_DICTIONARY_BYTES = 256 * 2 ** 20;
/** 2.1.1.2: the size of a check, by its kind. */
const CHECK_BYTES = [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64];
const CRC32 = 1;
const CRC64 = 4;
const BUFFER_BYTES = 2 ** 18;

/** The bytes of a file, in order. */
class Reader {
  readonly #storage: Storage;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  #from = 0;
  #have = 0;
  offset = 0;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  get name(): string {
    return this.#storage.name;
  }

  get atEnd(): boolean {
    return this.offset >= this.#storage.size();
  }

  /** At most 64 KiB. The bytes are good until the next call. */
  readonly read = (length: number): Uint8Array => {
    if (this.offset + length > this.#from + this.#have || this.offset < this.#from) {
      this.#from = this.offset;
      this.#have = Math.min(BUFFER_BYTES, this.#storage.size() - this.offset);
      if (length > this.#have) throw corrupt(`${this.#storage.name}: its xz data is cut off`);
      this.#storage.read(this.#from, this.#buffer.subarray(0, this.#have));
    }
    const start = this.offset - this.#from;
    this.offset += length;
    return this.#buffer.subarray(start, start + length);
  };

  byte(): number {
    return this.read(1)[0] as number;
  }

  /** 1.2: a number of up to 63 bits, 7 a byte. */
  number(): number {
    let value = 0;
    for (let i = 0; i < 9; i++) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) return value;
    }
    throw this.damaged();
  }

  /** Zeros up to a multiple of 4 after `start`. */
  padding(start: number): void {
    while ((this.offset - start) % 4 !== 0) if (this.byte() !== 0) throw this.damaged();
  }

  damaged() {
    return corrupt(`${this.#storage.name}: its xz data is damaged`);
  }

  unknown(what: string) {
    return unsupported(
      `${this.#storage.name} is compressed with ${what} of xz, which is not known: xz -d decompresses it`,
    );
  }
}

/** What an .xz file holds, in pieces that are good until the next. @throws ImageError */
export function* unxz(storage: Storage): Generator<Uint8Array, void> {
  const reader = new Reader(storage);
  while (!reader.atEnd) {
    // 2.2: zeros may be between streams.
    const first = reader.read(4);
    if (reader.offset > 4 && first.every((byte) => byte === 0)) continue;
    reader.offset -= 4;
    yield* stream(reader);
  }
}

function* stream(reader: Reader): Generator<Uint8Array, void> {
  const head = reader.read(12).slice();
  if (HEADER_MAGIC.some((byte, i) => head[i] !== byte)) throw reader.damaged();
  const check = head[7] as number;
  if (head[6] !== 0 || check > 15) throw reader.unknown("a version");
  if (!same(new Crc32().update(head.subarray(6, 8)).bytes(), head.subarray(8))) throw reader.damaged();
  for (;;) {
    const start = reader.offset;
    const size = reader.byte();
    if (size === 0) {
      index(reader, start);
      break;
    }
    yield* block(reader, start, (size + 1) * 4, check);
  }
  const footer = reader.read(12);
  if (FOOTER_MAGIC.some((byte, i) => footer[10 + i] !== byte)) throw reader.damaged();
}

function* block(reader: Reader, start: number, headerBytes: number, check: number): Generator<Uint8Array, void> {
  reader.offset = start;
  const header = reader.read(headerBytes).slice();
  if (!same(new Crc32().update(header.subarray(0, -4)).bytes(), header.subarray(-4))) throw reader.damaged();
  const flags = header[1] as number;
  if (flags & 0x3c) throw reader.unknown("a version");
  if (flags & 3) throw reader.unknown("a filter");
  reader.offset = start + 2;
  if (flags & 0x40) reader.number();
  if (flags & 0x80) reader.number();
  if (reader.number() !== LZMA2) throw reader.unknown("a filter");
  if (reader.number() !== 1) throw reader.damaged();
  const bits = reader.byte();
  if (reader.offset > start + headerBytes - 4 || bits > 40) throw reader.damaged();
  const dictionary = bits === 40 ? 2 ** 32 - 1 : (2 | (bits & 1)) * 2 ** ((bits >> 1) + 11);
  if (dictionary > MAX_DICTIONARY_BYTES) throw reader.unknown("a dictionary of more than 256 MiB");
  reader.offset = start + headerBytes;
  const data = reader.offset;
  const decoder = new Lzma2Decoder(dictionary, reader.name);
  const sum = check === CRC32 ? new Crc32() : check === CRC64 ? new Crc64() : undefined;
  for (let piece = decoder.chunk(reader.read); piece !== undefined; piece = decoder.chunk(reader.read)) {
    sum?.update(piece);
    yield piece;
  }
  reader.padding(data);
  const expected = reader.read(CHECK_BYTES[check] as number);
  if (sum !== undefined && !same(sum.bytes(), expected)) throw reader.damaged();
}

/** 4: the sizes of all blocks, which we know by now. */
function index(reader: Reader, start: number): void {
  const records = reader.number();
  for (let i = 0; i < records; i++) {
    reader.number();
    reader.number();
  }
  reader.padding(start);
  reader.read(4);
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
