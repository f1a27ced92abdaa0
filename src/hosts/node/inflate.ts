// Decompression with Node's own codecs, bounded so that a hostile file cannot exhaust the host's memory.

import { gunzip, gunzipSync, zstdDecompressSync } from "node:zlib";
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

/** More than a kernel takes. */
const MOST_AHEAD = 2 ** 28;
/** RFC 1952, 2.3.1: ID1 and ID2. */
const isGzip = (bytes: Uint8Array): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b;

/**
 * Unpacks a file in another thread, if gzip has packed it, while this one has other things to do. `inflate`, when it is `ready`, gives what came of it once: whatever
 * else it is asked for, or could not be unpacked, it unpacks then, or says what is wrong.
 */
export function inflateAhead(bytes: Uint8Array): { readonly ready: Promise<void>; readonly inflate: Inflate } {
  let unpacked: Uint8Array | undefined;
  const options = { maxOutputLength: MOST_AHEAD, chunkSize: chunkSize("gzip", bytes) };
  const ready = new Promise<void>((resolve) => {
    if (!isGzip(bytes)) return resolve();
    gunzip(bytes, options, (error, result) => {
      if (!error) unpacked = new Uint8Array(result.buffer as ArrayBuffer, result.byteOffset, result.byteLength);
      resolve();
    });
  });
  return {
    ready,
    inflate: (format, packed, limit) => {
      const found =
        packed === bytes && format === "gzip" && unpacked && unpacked.length <= limit ? unpacked : undefined;
      if (found === undefined) return inflate(format, packed, limit);
      unpacked = undefined;
      return found;
    },
  };
}

/** Bytes that are written in one go. A gzip file's size is its last word (RFC 1952, 2.3.1 ISIZE), so that nothing needs to be put together. */
function chunkSize(format: keyof typeof CODECS, bytes: Uint8Array): number {
  if (format !== "gzip" || bytes.length < 4) return SMALLEST_CHUNK;
  const size = new DataView(bytes.buffer, bytes.byteOffset).getUint32(bytes.length - 4, true);
  return Math.max(SMALLEST_CHUNK, Math.min(size + 1, bytes.length * USUAL_RATIO));
}
