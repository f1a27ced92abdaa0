// Words of the instruction set that machines of a kind have decoded, from one run of the command to the next.

import { closeSync, mkdirSync, openSync, readSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { crc32 } from "node:zlib";
import { RECENT_BYTES } from "../../a64/decoder.ts";

/** Milliseconds between two times that the file is written, and words that have to be new. */
const SELDOM = 1000;
const ENOUGH = 2048;

/** The file: what a decoder's table holds, after its checksum. */
export class KeptWordsFile {
  /** For a decoder. */
  readonly table: Int32Array | undefined;
  readonly #path: string;
  /** The decoder's count when the file was as its table is. */
  #written = 0;
  #next: number;

  constructor(path: string, now = performance.now()) {
    this.#next = now + SELDOM;
    this.#path = path;
    this.table = read(path);
  }

  /** Writes the decoder's table if it is worth it. `decoded`: words that were not in it, since the machine was made. */
  keep(table: Int32Array, decoded: number, now = performance.now()): void {
    if (decoded - this.#written < ENOUGH || now < this.#next) return;
    this.#written = decoded;
    this.#next = now + SELDOM;
    // It may be in memory that threads share, which is nothing to write a file of.
    const bytes = bytesOf(table.slice());
    const own = `${this.#path}.${process.pid}`;
    try {
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
    } catch {
      return;
    }
    try {
      writeFileSync(own, Buffer.concat([Uint32Array.of(crc32(bytes)), bytes].map(bytesOf)), { mode: 0o600 });
      renameSync(own, this.#path);
    } catch {
      rmSync(own, { force: true });
    }
  }
}

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** Undefined: there is none that is whole. */
function read(path: string): Int32Array | undefined {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch {
    return undefined;
  }
  try {
    const content = new Uint8Array(4 + RECENT_BYTES + 1);
    if (readSync(file, content) !== 4 + RECENT_BYTES) return undefined;
    const table = content.subarray(4, 4 + RECENT_BYTES);
    if (crc32(table) !== new Uint32Array(content.buffer, 0, 1)[0]) return undefined;
    return new Int32Array(content.buffer, 4, RECENT_BYTES / 4);
  } catch {
    return undefined;
  } finally {
    closeSync(file);
  }
}
