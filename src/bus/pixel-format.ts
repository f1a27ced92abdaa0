import type { Rectangle, Surface } from "./display.ts";

// How guests lay out pixels in memory, and how they become those of a Surface.

/** `bytes` of a pixel make a little-endian word, of which each colour is some bits. */
export interface PixelFormat {
  readonly bytes: 2 | 3 | 4;
  /** Lowest bit of each colour in the word. */
  readonly red: number;
  readonly green: number;
  readonly blue: number;
  /** Lowest bit of alpha; undefined: there is none, or it means nothing. */
  readonly alpha?: number;
}

/** Of two bytes there is one format. */
export const RGB565: PixelFormat = { bytes: 2, red: 11, green: 5, blue: 0 };

/** Rows whose changes become one rectangle. */
const BAND = 16;

/** Where a row of the guest's pixels is, from an area's first pixel of that row. */
export interface SourceRow {
  readonly bytes: Uint8Array;
  readonly at: number;
}

/**
 * Brings an area of the surface up to date, and calls `damaged` for the parts of it that are not as they were.
 * @param rowOf undefined: from that row on there is nothing.
 */
export function convertArea(
  format: PixelFormat,
  surface: Surface,
  area: Rectangle,
  rowOf: (y: number) => SourceRow | undefined,
  damaged: (area: Rectangle) => void,
): void {
  const { pixels, width } = surface;
  const end = area.y + area.height;
  let more = true;
  for (let top = area.y; top < end && more; top += BAND) {
    let left = width;
    let right = 0;
    let first = -1;
    let last = 0;
    for (let y = top; y < Math.min(top + BAND, end); y++) {
      const row = rowOf(y);
      more = row !== undefined;
      if (row === undefined) break;
      const start = y * width;
      const changed = convertRow(format, row.bytes, row.at, pixels, start + area.x, area.width);
      if (changed.first === changed.last) continue;
      left = Math.min(left, changed.first - start);
      right = Math.max(right, changed.last - start);
      if (first < 0) first = y;
      last = y + 1;
    }
    if (first >= 0) damaged({ x: left, y: first, width: right - left, height: last - first });
  }
}

/**
 * Converts `count` pixels at byte `from` of `source` to Surface pixels at `to` of `target`.
 * @returns the first and the last (exclusive) of them that are others than before, as indices of `target`; first === last: none.
 */
function convertRow(
  format: PixelFormat,
  source: Uint8Array,
  from: number,
  target: Uint32Array,
  to: number,
  count: number,
): { first: number; last: number } {
  let first = -1;
  let last = to;
  const { red, green, blue } = format;
  const aligned = format.bytes === 4 && ((source.byteOffset + from) & 3) === 0;
  const words = aligned ? new Uint32Array(source.buffer, source.byteOffset + from, count) : undefined;
  for (let i = 0; i < count; i++) {
    let pixel: number;
    if (words !== undefined) {
      const word = words[i] as number;
      pixel =
        0xff00_0000 | (((word >>> blue) & 0xff) << 16) | (((word >>> green) & 0xff) << 8) | ((word >>> red) & 0xff);
    } else {
      pixel = slowPixel(format, source, from + i * format.bytes);
    }
    pixel >>>= 0;
    if (target[to + i] !== pixel) {
      target[to + i] = pixel;
      if (first < 0) first = to + i;
      last = to + i + 1;
    }
  }
  return first < 0 ? { first: to, last: to } : { first, last };
}

function slowPixel({ bytes, red, green, blue }: PixelFormat, source: Uint8Array, at: number): number {
  const low = (source[at] as number) | ((source[at + 1] as number) << 8);
  if (bytes === 2) {
    const r = (low >>> 11) & 0x1f;
    const g = (low >>> 5) & 0x3f;
    const b = low & 0x1f;
    // The highest bits again for the lowest, so that white is white.
    return 0xff00_0000 | (((b << 3) | (b >>> 2)) << 16) | (((g << 2) | (g >>> 4)) << 8) | ((r << 3) | (r >>> 2));
  }
  const word = low | ((source[at + 2] as number) << 16) | (bytes === 4 ? (source[at + 3] as number) << 24 : 0);
  return 0xff00_0000 | (((word >>> blue) & 0xff) << 16) | (((word >>> green) & 0xff) << 8) | ((word >>> red) & 0xff);
}
