import type { SnapshotCodec } from "./format.ts";
import type { Chunk } from "./reader.ts";

/** Chunks that are unpacked and were not asked for yet, at most: each has CHUNK_MAX bytes at most. */
const AHEAD = 32;

/**
 * Unpacks the chunks of a snapshot that is in one piece of memory before they are asked for, where the codec does so beside the program: while
 * the machine is made that they are for.
 */
export function unpackingAhead(codec: SnapshotCodec, chunks: Iterable<Chunk>): SnapshotCodec {
  const rest = chunks[Symbol.iterator]();
  const begun = new Map<number, Promise<Uint8Array>>();
  const begin = (): void => {
    while (begun.size < AHEAD) {
      const { value } = rest.next();
      if (value === undefined) return;
      const { encoding, stored, bytes } = value;
      if (encoding === "stored") continue;
      const content = Promise.resolve(codec.decode(encoding, stored, bytes));
      // Whoever asks for it gets the error.
      content.catch(() => {});
      begun.set(stored.byteOffset, content);
    }
  };
  begin();
  return {
    encode: codec.encode,
    decode: (encoding, stored, bytes) => {
      const content = begun.get(stored.byteOffset);
      if (content === undefined) return codec.decode(encoding, stored, bytes);
      begun.delete(stored.byteOffset);
      begin();
      return content;
    },
  };
}
