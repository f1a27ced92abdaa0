import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { isZero } from "../../images/bytes.ts";
import { ImageError } from "../../images/error.ts";
import type { Compression } from "../../images/probe.ts";
import type { Storage } from "../../images/storage.ts";
import { unxz } from "../../images/xz/xz.ts";
import { nodeImages } from "./block-file.ts";
import { reasonOf } from "./files.ts";
import { TemporaryFile } from "./temporary-file.ts";

/** Bytes that a compressed image may become: what claims more is more likely an attack on the host's disk. */
export const MAX_EXPANDED_BYTES = 256 * 2 ** 30;

const SPARSE_BLOCK = 4096;

/** Decompresses a file into a temporary one that leaves out its zeros. @throws ImageError when it is damaged, or too large. */
export async function expand(
  path: string,
  compression: Compression,
  limit = MAX_EXPANDED_BYTES,
): Promise<TemporaryFile> {
  const file = new TemporaryFile();
  let size = 0;
  const take = (piece: Uint8Array): void => {
    if (size + piece.length > limit) {
      throw new ImageError("refused", `${path} is larger than ${limit / 2 ** 30} GiB when decompressed`);
    }
    writeSparse(file, size, piece);
    size += piece.length;
  };
  try {
    if (compression === "xz") {
      const source = nodeImages.open(path, false);
      try {
        for (const piece of unxz(source)) take(piece);
      } finally {
        source.close();
      }
    } else {
      const options = { chunkSize: 2 ** 20 };
      const decompressor = compression === "gzip" ? createGunzip(options) : createZstdDecompress(options);
      await pipeline(createReadStream(path, { highWaterMark: 2 ** 20 }), decompressor, async (pieces) => {
        for await (const piece of pieces as AsyncIterable<Uint8Array>) take(piece);
      });
    }
    if (file.size() < size) file.truncate(size);
    return file;
  } catch (error) {
    file.close();
    if (error instanceof ImageError) throw error;
    if ((error as NodeJS.ErrnoException).syscall !== undefined) {
      throw new ImageError("host", `cannot read ${path}: ${reasonOf(error)}`);
    }
    throw new ImageError("corrupt", `${path}: its ${compression} data is damaged or cut off`);
  }
}

function writeSparse(file: Storage, offset: number, piece: Uint8Array): void {
  for (let at = 0; at < piece.length; ) {
    const first = Math.min(piece.length - at, SPARSE_BLOCK);
    const zero = isZero(piece.subarray(at, at + first));
    let end = at + first;
    while (end < piece.length) {
      const next = Math.min(piece.length, end + SPARSE_BLOCK);
      if (isZero(piece.subarray(end, next)) !== zero) break;
      end = next;
    }
    if (!zero) file.write(offset + at, piece.subarray(at, end));
    at = end;
  }
}
