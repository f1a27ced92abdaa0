// The container of a snapshot: a header, and chunks of named sections up to one called "end". Little-endian. docs/snapshots.md has it for people.

/** 0x89 "ATOLL" CR LF: no text, and damaged by what converts line ends. */
export const MAGIC = [0x89, 0x41, 0x54, 0x4f, 0x4c, 0x4c, 0x0d, 0x0a] as const;
/** Of the container. Sections have their own. */
export const VERSION = 1;
/** Magic, u32 version, u32 CRC-32 of these twelve bytes. */
export const HEADER_BYTES = 16;

// A chunk's header. A section's chunks follow each other.
/** ASCII, then zeros. */
export const CHUNK_NAME = 0;
export const NAME_BYTES = 32;
/** u32 each from here on. */
export const CHUNK_VERSION = 32;
/** Where its content begins in the section, in units of PAGE; what lies between chunks is zeros. */
export const CHUNK_PAGE = 36;
/** ENCODING_*. */
export const CHUNK_ENCODING = 40;
/** Bytes of its content, at most CHUNK_MAX, and of what the file has of it, at most those. */
export const CHUNK_BYTES = 44;
export const CHUNK_STORED = 48;
/** CRC-32 of what the file has of it. */
export const CHUNK_CRC = 52;
/** Of this header so far, after the CRC-32 of the header before: so the last one's holds for all of the file, in its order. */
export const CHUNK_HEADER_CRC = 56;
export const CHUNK_HEADER_BYTES = 60;

export const PAGE = 4096;
/** Bounds what a reader has to keep. */
export const CHUNK_MAX = 0x10_0000;
/** Bytes of content from which on it is packed: for less, unpacking takes longer than reading what would be saved. */
export const PACKED_MIN = 0x4000;
/** How much less it has to become for that: of what is hardly less, as kernels' code, unpacking takes long. */
export const PACKED_RATIO = 2;
/** The name of the last chunk, which is empty. */
export const END = "end";

/** As it is; DEFLATE (RFC 1951), which every host has; Zstandard (RFC 8878), which unpacks several times as fast. */
export const ENCODINGS = ["stored", "deflate", "zstd"] as const;
export type Encoding = (typeof ENCODINGS)[number];

/** A host's compression. */
export interface SnapshotCodec {
  encode(encoding: Exclude<Encoding, "stored">, bytes: Uint8Array): Uint8Array | Promise<Uint8Array>;
  /** Gives `bytes` bytes, neither more nor less; throws where that is not so, or the host has not that encoding, without ever keeping more. */
  decode(encoding: Exclude<Encoding, "stored">, stored: Uint8Array, bytes: number): Uint8Array | Promise<Uint8Array>;
}

/** Where a snapshot goes. */
export interface SnapshotSink {
  /** The bytes may change once this has resolved. */
  write(bytes: Uint8Array): Promise<void> | void;
}

/** Where a snapshot comes from. */
export interface SnapshotSource {
  /** The next `bytes` bytes; fewer only at the end. They hold until the next call. */
  read(bytes: number): Promise<Uint8Array> | Uint8Array;
}
