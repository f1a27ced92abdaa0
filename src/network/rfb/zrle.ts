// ZRLE (RFC 6143, 7.7.6), before zlib: tiles that are of one colour, of a few, or as they are. Runs are left to zlib.

import type { Rectangle, Surface } from "../../bus/display.ts";
import type { PixelWriter } from "./client-pixels.ts";

export const TILE = 64;
const RAW = 0;
const SOLID = 1;
const PALETTE_MAX = 16;

/** Bytes of a rectangle at most. */
export function zrleBytesMax({ width, height }: Rectangle, pixelBytes: number): number {
  const tiles = Math.ceil(width / TILE) * Math.ceil(height / TILE);
  return tiles * (1 + PALETTE_MAX * pixelBytes) + width * height * Math.max(1, pixelBytes);
}

/** @param area inside of the surface. */
export function encodeZrle(surface: Surface, area: Rectangle, writer: PixelWriter): Uint8Array<ArrayBuffer> {
  const into = new Uint8Array(zrleBytesMax(area, writer.compressedBytes));
  const palette = new Palette();
  let at = 0;
  for (let y = area.y; y < area.y + area.height; y += TILE) {
    for (let x = area.x; x < area.x + area.width; x += TILE) {
      const width = Math.min(TILE, area.x + area.width - x);
      const height = Math.min(TILE, area.y + area.height - y);
      at = encodeTile(surface, { x, y, width, height }, writer, palette, into, at);
    }
  }
  return into.subarray(0, at);
}

/** A few colours, in the order in which they came. */
class Palette {
  readonly colours = new Uint32Array(PALETTE_MAX);
  size = 0;
  #last = 0;

  clear(): void {
    this.size = 0;
    this.#last = 0;
  }

  /** Its index; -1: there is no room for it. */
  indexOf(colour: number): number {
    const { colours, size } = this;
    // Neighbours are alike.
    if (size > 0 && colours[this.#last] === colour) return this.#last;
    for (let i = 0; i < size; i++) {
      if (colours[i] !== colour) continue;
      this.#last = i;
      return i;
    }
    if (size === PALETTE_MAX) return -1;
    colours[size] = colour;
    this.#last = size;
    return this.size++;
  }
}

function encodeTile(
  { pixels, width: stride }: Surface,
  { x, y, width, height }: Rectangle,
  writer: PixelWriter,
  palette: Palette,
  into: Uint8Array,
  start: number,
): number {
  let at = start;
  palette.clear();
  let fits = true;
  for (let row = y; row < y + height && fits; row++) {
    for (let i = row * stride + x; i < row * stride + x + width; i++) {
      if (palette.indexOf(pixels[i] as number) >= 0) continue;
      fits = false;
      break;
    }
  }
  if (!fits) {
    into[at++] = RAW;
    for (let row = y; row < y + height; row++) {
      for (let i = row * stride + x; i < row * stride + x + width; i++) {
        at = writer.writeCompressed(pixels[i] as number, into, at);
      }
    }
    return at;
  }
  into[at++] = palette.size === 1 ? SOLID : palette.size;
  for (let i = 0; i < palette.size; i++) at = writer.writeCompressed(palette.colours[i] as number, into, at);
  if (palette.size === 1) return at;
  const bits = palette.size === 2 ? 1 : palette.size <= 4 ? 2 : 4;
  for (let row = y; row < y + height; row++) {
    let byte = 0;
    let filled = 0;
    for (let i = row * stride + x; i < row * stride + x + width; i++) {
      byte = (byte << bits) | palette.indexOf(pixels[i] as number);
      filled += bits;
      if (filled < 8) continue;
      into[at++] = byte;
      byte = filled = 0;
    }
    // Rows are whole bytes.
    if (filled > 0) into[at++] = byte << (8 - filled);
  }
  return at;
}
