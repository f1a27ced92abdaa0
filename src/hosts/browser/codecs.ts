import type { Codecs } from "../../images/storage.ts";
import { inflateRaw, inflateZlib } from "./inflate.ts";

/** Bytes of one stored block at most (RFC 1951, 3.2.4). */
const STORED_MAX = 65535;

/** What browsers have for disk images: no compression of one's own, and no Zstandard. */
export const codecs: Codecs = {
  inflateRaw,
  inflate: inflateZlib,
  deflateRaw: stored,
  zstd: undefined,
};

/** Deflate without compression. */
function stored(data: Uint8Array): Uint8Array {
  const blocks = Math.max(1, Math.ceil(data.length / STORED_MAX));
  const out = new Uint8Array(data.length + 5 * blocks);
  const view = new DataView(out.buffer);
  for (let i = 0, to = 0; i < blocks; i++) {
    const part = data.subarray(i * STORED_MAX, (i + 1) * STORED_MAX);
    out[to] = i === blocks - 1 ? 1 : 0;
    view.setUint16(to + 1, part.length, true);
    view.setUint16(to + 3, ~part.length & 0xffff, true);
    out.set(part, to + 5);
    to += 5 + part.length;
  }
  return out;
}
