// Decompression with Node's own codecs, bounded so that a hostile file cannot exhaust the host's memory.

import { gunzip, gunzipSync, zstdDecompressSync } from "node:zlib";
import { BadInput, type Inflate } from "../../machine/runnable.ts";

const CODECS = { gzip: gunzipSync, zstd: zstdDecompressSync } as const;
const SMALLEST_CHUNK = 2 ** 16;
/** Kernels are less than that many times as large as they are packed; files that say more of themselves get their room in pieces. */
const USUAL_RATIO = 6;

/** What another thread has unpacked, until it is asked for. */
const unpacked = new WeakMap<Uint8Array, Uint8Array>();

/** Unpacks a gzip file in another thread, so that `inflate` has it at once. Whatever is wrong with the file, or unusual, is left to that. */
export async function inflateAhead(bytes: Uint8Array): Promise<void> {
  if (!isGzip(bytes)) return;
  const options = { maxOutputLength: bytes.length * USUAL_RATIO, chunkSize: chunkSize("gzip", bytes) };
  const content = await new Promise<Buffer | undefined>((resolve) =>
    gunzip(bytes, options, (error, result) => resolve(error ? undefined : result)),
  );
  if (content) unpacked.set(bytes, plain(content));
}

export const inflate: Inflate = (format, bytes, limit) => {
  const ahead = unpacked.get(bytes);
  unpacked.delete(bytes);
  if (ahead !== undefined && ahead.length <= limit) return ahead;
  try {
    const options = { maxOutputLength: Math.max(limit, 1), chunkSize: chunkSize(format, bytes) };
    return plain(CODECS[format](bytes, options));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") {
      throw new BadInput(`its ${format} data is larger than ${limit} bytes when decompressed`);
    }
    throw new BadInput(`its ${format} data is damaged`);
  }
};

/** No Buffer, whose slices are no copies. */
const plain = ({ buffer, byteOffset, byteLength }: Buffer): Uint8Array =>
  new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);

const isGzip = (bytes: Uint8Array): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b;

/** What a gzip file says of its size, in its last word (RFC 1952, 2.3.1 ISIZE), or less where that is not to be believed; 0: it is none. */
export function unpackedSize(bytes: Uint8Array): number {
  if (!isGzip(bytes) || bytes.length < 4) return 0;
  const size = new DataView(bytes.buffer, bytes.byteOffset).getUint32(bytes.length - 4, true);
  return Math.min(size, bytes.length * USUAL_RATIO);
}

/** Bytes that are written in one go, so that nothing needs to be put together. */
function chunkSize(format: keyof typeof CODECS, bytes: Uint8Array): number {
  return format === "gzip" ? Math.max(SMALLEST_CHUNK, unpackedSize(bytes) + 1) : SMALLEST_CHUNK;
}
