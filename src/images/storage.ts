import { corrupt } from "./error.ts";

/**
 * A host's file, at byte offsets; every function is done when it returns. All throw ImageError ("host") when the host fails.
 * Offsets and lengths are whole numbers up to 2^53 - 1.
 */
export interface Storage {
  readonly readOnly: boolean;
  /** What the user calls it, for messages. */
  readonly name: string;
  /** The same for the same file, by whatever name it was opened. */
  readonly identity: string;
  size(): number;
  /** Beyond the end of the file there are zeros. */
  read(offset: number, into: Uint8Array): void;
  /** Makes the file longer where it has to. */
  write(offset: number, from: Uint8Array): void;
  /** Sets the size; what is new are zeros that take no space. */
  truncate(size: number): void;
  /** The range's content is no longer wanted: the host may give its space back. It reads as zeros or as before. */
  discard(offset: number, length: number): void;
  /** Returns when everything written is on the host's disk. */
  flush(): void;
  close(): void;
}

/** What decompresses and compresses; each throws any Error where the data is damaged or gives more than `limit` bytes. */
export interface Codecs {
  /** Raw deflate (RFC 1951). What follows the end of the stream is ignored. */
  inflateRaw(data: Uint8Array, limit: number): Uint8Array;
  /** zlib (RFC 1950). */
  inflate(data: Uint8Array, limit: number): Uint8Array;
  /** Raw deflate with a window of 4 KiB. */
  deflateRaw(data: Uint8Array): Uint8Array;
  /** One Zstandard frame (RFC 8878). Undefined where the host has none. */
  readonly zstd:
    | { decompress(frame: Uint8Array, limit: number): Uint8Array; compress(data: Uint8Array): Uint8Array }
    | undefined;
}

/** Where images are. */
export interface ImageHost {
  /** @throws ImageError ("host") when it is missing, no regular file, or (`writable`) in use by somebody. */
  open(path: string, writable: boolean): Storage;
  /** The path that a file named inside an image means: relative names start at the image's own folder. */
  beside(image: string, name: string): string;
  readonly codecs: Codecs;
}

/** Metadata at a place that the image itself names. @throws ImageError when it is not all inside the file. */
export function readInside(storage: Storage, offset: number, length: number, what: string): Uint8Array {
  if (!Number.isSafeInteger(offset) || offset < 0 || offset + length > storage.size()) {
    throw corrupt(`${storage.name}: its ${what} is beyond the end of the file`);
  }
  const bytes = new Uint8Array(length);
  storage.read(offset, bytes);
  return bytes;
}
