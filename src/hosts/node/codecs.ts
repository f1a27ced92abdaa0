import {
  constants,
  deflateRawSync,
  inflateRawSync,
  inflateSync,
  zstdCompressSync,
  zstdDecompressSync,
} from "node:zlib";
import type { Codecs } from "../../images/storage.ts";

/** Node's codecs for disk images. */
export const codecs: Codecs = {
  // A flush that is not the stream's end makes Node content with data after it.
  inflateRaw: (data, limit) => inflateRawSync(data, { maxOutputLength: limit, finishFlush: constants.Z_SYNC_FLUSH }),
  inflate: (data, limit) => inflateSync(data, { maxOutputLength: limit, finishFlush: constants.Z_SYNC_FLUSH }),
  deflateRaw: (data) => deflateRawSync(data, { windowBits: 12 }),
  zstd: {
    decompress: (data, limit) => zstdDecompressSync(data.subarray(0, frameBytes(data)), { maxOutputLength: limit }),
    compress: (data) => zstdCompressSync(data),
  },
};

/** The size of the Zstandard frame at the start of `data` (RFC 8878, 3.1.1): Node takes what follows it for another one. */
function frameBytes(data: Uint8Array): number {
  const descriptor = data[4] ?? 0;
  const single = (descriptor & 0x20) !== 0;
  const sizes = [single ? 1 : 0, 2, 4, 8];
  let at = 5 + (single ? 0 : 1) + ([0, 1, 2, 4][descriptor & 3] as number) + (sizes[descriptor >> 6] as number);
  for (let last = false; !last && at + 3 <= data.length; ) {
    const header = (data[at] as number) | ((data[at + 1] as number) << 8) | ((data[at + 2] as number) << 16);
    last = (header & 1) !== 0;
    // A block of one repeated byte has that byte only.
    at += 3 + (((header >> 1) & 3) === 1 ? 1 : header >> 3);
  }
  return Math.min(data.length, at + (descriptor & 4 ? 4 : 0));
}
