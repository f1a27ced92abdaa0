import { SnapshotError } from "../../snapshot/error.ts";
import type { SnapshotCodec } from "../../snapshot/format.ts";
import { inflateRaw } from "./inflate.ts";

/** Deflate, which browsers have as a stream. */
export const snapshotCodec: SnapshotCodec = {
  encode: async (encoding, bytes) => {
    if (encoding === "zstd") throw new SnapshotError("other", "browsers have no zstd");
    // What is in shared memory is copied: no stream takes it.
    const packed = new Blob([bytes.slice() as Uint8Array<ArrayBuffer>])
      .stream()
      .pipeThrough(new CompressionStream("deflate-raw"));
    return new Uint8Array(await new Response(packed).arrayBuffer());
  },
  decode: (encoding, stored, bytes) => {
    if (encoding === "zstd")
      throw new SnapshotError("other", "the snapshot is compressed with zstd, which browsers do not have");
    const out = inflateRaw(stored, bytes);
    if (out.length !== bytes) throw new Error("another length");
    return out;
  },
};
