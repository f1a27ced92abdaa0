// Decompression with Node's own codecs, bounded so that a hostile file cannot exhaust the host's memory.

import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { BadInput, type Inflate } from "../../machine/runnable.ts";

const CODECS = { gzip: gunzipSync, zstd: zstdDecompressSync } as const;
const SMALLEST_CHUNK = 2 ** 16;
/** Kernels are less than that many times as large as they are packed; files that say more of themselves get their room in pieces. */
const USUAL_RATIO = 6;

export const inflate: Inflate = (format, bytes, limit) => {
  try {
    const options = { maxOutputLength: Math.max(limit, 1), chunkSize: chunkSize(format, bytes) };
    const { buffer, byteOffset, byteLength } = CODECS[format](bytes, options);
    return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") {
      throw new BadInput(`its ${format} data is larger than ${limit} bytes when decompressed`);
    }
    throw new BadInput(`its ${format} data is damaged`);
  }
};

/** Bytes that are written in one go. A gzip file's size is its last word (RFC 1952, 2.3.1 ISIZE), so that nothing needs to be put together. */
function chunkSize(format: keyof typeof CODECS, bytes: Uint8Array): number {
  if (format !== "gzip" || bytes.length < 4) return SMALLEST_CHUNK;
  const size = new DataView(bytes.buffer, bytes.byteOffset).getUint32(bytes.length - 4, true);
  return Math.max(SMALLEST_CHUNK, Math.min(size + 1, bytes.length * USUAL_RATIO));
}
