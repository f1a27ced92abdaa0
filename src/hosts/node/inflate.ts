// Decompression with Node's own codecs, bounded so that a hostile file cannot exhaust the host's memory.

import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { BadInput, type Inflate } from "../../machine/runnable.ts";

const CODECS = { gzip: gunzipSync, zstd: zstdDecompressSync } as const;

export const inflate: Inflate = (format, bytes, limit) => {
  try {
    const { buffer, byteOffset, byteLength } = CODECS[format](bytes, { maxOutputLength: Math.max(limit, 1) });
    return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") {
      throw new BadInput(`its ${format} data is larger than ${limit} bytes when decompressed`);
    }
    throw new BadInput(`its ${format} data is damaged`);
  }
};
