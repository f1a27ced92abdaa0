import { isZero } from "./bytes.ts";
import type { Image } from "./image.ts";
import { Qcow2Image } from "./qcow2/qcow2.ts";

/** Bytes that are copied between two looks at the clock, and at the user's keys. */
const STEP = 2 * 2 ** 20;
/** What is all zeros in units of this is not written. */
const SPARSE_BLOCK = 65536;

/**
 * Copies a disk into a new image that reads as zeros and is at least as large, leaving out zeros. Yields the bytes that are done, for
 * the caller to show them, or to stop.
 * @param compress for qcow2 images.
 */
export function* copyImage(from: Image, to: Image, compress: boolean): Generator<number, void> {
  const packed = compress && to instanceof Qcow2Image ? to : undefined;
  const unit = packed?.clusterBytes ?? SPARSE_BLOCK;
  const buffer = new Uint8Array(Math.max(STEP, unit));
  for (let at = 0; at < from.bytes; ) {
    const empty = emptyBytes(from, at, from.bytes - at);
    // A unit that is empty in part is copied whole.
    const skip = at + empty >= from.bytes ? empty : Math.floor(empty / unit) * unit;
    if (skip > 0) {
      at += skip;
      yield at;
      continue;
    }
    const length = Math.min(buffer.length, from.bytes - at);
    const bytes = buffer.subarray(0, length);
    from.read(at, bytes);
    for (let start = 0; start < length; ) {
      let end = Math.min(length, start + unit);
      if (isZero(bytes.subarray(start, end))) {
        start = end;
        continue;
      }
      if (packed !== undefined) packed.writeCompressed(at + start, whole(bytes.subarray(start, end), unit));
      else {
        while (end < length && !isZero(bytes.subarray(end, Math.min(length, end + unit))))
          end = Math.min(length, end + unit);
        to.write(at + start, bytes.subarray(start, end));
      }
      start = end;
    }
    at += length;
    yield at;
  }
  to.flush();
}

/** Bytes from `offset` on of which the images, without looking at data, say that they read as zeros. */
function emptyBytes(image: Image, offset: number, length: number): number {
  let empty = 0;
  while (empty < length) {
    const extent = image.extent(offset + empty, length - empty);
    if (extent.kind === "data") break;
    let bytes = extent.length;
    const { backing } = image;
    if (extent.kind === "hole" && backing !== undefined && offset + empty < backing.bytes) {
      const inside = Math.min(bytes, backing.bytes - offset - empty);
      const below = emptyBytes(backing, offset + empty, inside);
      if (below < inside) return empty + below;
      bytes = Math.max(inside, bytes);
    }
    empty += bytes;
    // Enough for now: the caller comes back.
    if (empty >= 2 ** 34) break;
  }
  return empty;
}

function whole(bytes: Uint8Array, unit: number): Uint8Array {
  if (bytes.length === unit) return bytes;
  const cluster = new Uint8Array(unit);
  cluster.set(bytes);
  return cluster;
}
