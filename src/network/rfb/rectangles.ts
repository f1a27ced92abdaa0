// Rectangles of FramebufferUpdate messages (RFC 6143, 7.6.1, 7.7, 7.8, and rfbproto).

import type { Cursor, Rectangle, Surface } from "../../bus/display.ts";
import type { KeyboardLeds } from "../../bus/input.ts";
import type { PixelWriter } from "./client-pixels.ts";
import { ENCODING, FRAMEBUFFER_UPDATE } from "./messages.ts";

const HEADER = 12;

/** The message's start. */
export function updateHeader(rectangles: number): Uint8Array {
  const bytes = new Uint8Array(4);
  bytes[0] = FRAMEBUFFER_UPDATE;
  new DataView(bytes.buffer).setUint16(2, rectangles);
  return bytes;
}

/** A rectangle's header and room for `payload` bytes. */
function rectangle({ x, y, width, height }: Rectangle, encoding: number, payload: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(HEADER + payload);
  const fields = new DataView(bytes.buffer);
  fields.setUint16(0, x);
  fields.setUint16(2, y);
  fields.setUint16(4, width);
  fields.setUint16(6, height);
  fields.setInt32(8, encoding);
  return bytes;
}

export function rawRectangle(surface: Surface, area: Rectangle, writer: PixelWriter): Uint8Array {
  const bytes = rectangle(area, ENCODING.raw, area.width * area.height * writer.bytes);
  let at = HEADER;
  for (let y = area.y; y < area.y + area.height; y++) {
    const start = y * surface.width + area.x;
    for (let i = start; i < start + area.width; i++) at = writer.write(surface.pixels[i] as number, bytes, at);
  }
  return bytes;
}

/** @param compressed what the connection's zlib stream has made of it. */
export function zrleRectangle(area: Rectangle, compressed: Uint8Array): Uint8Array {
  const bytes = rectangle(area, ENCODING.zrle, 4 + compressed.length);
  new DataView(bytes.buffer).setUint32(HEADER, compressed.length);
  bytes.set(compressed, HEADER + 4);
  return bytes;
}

export function desktopSizeRectangle(width: number, height: number): Uint8Array {
  return rectangle({ x: 0, y: 0, width, height }, ENCODING.desktopSize, 0);
}

/** With the one screen that there is. */
export function extendedDesktopSizeRectangle(
  width: number,
  height: number,
  reason: number,
  status: number,
): Uint8Array {
  const bytes = rectangle({ x: reason, y: status, width, height }, ENCODING.extendedDesktopSize, 4 + 16);
  const fields = new DataView(bytes.buffer);
  fields.setUint8(HEADER, 1);
  // id, x and y are 0.
  fields.setUint16(HEADER + 4 + 8, width);
  fields.setUint16(HEADER + 4 + 10, height);
  return bytes;
}

const NO_CURSOR: Cursor = { width: 0, height: 0, hotX: 0, hotY: 0, pixels: new Uint32Array(0) };

/** The pixels, and a mask of those that are seen. @param cursor undefined: hides it. */
export function cursorRectangle(cursor: Cursor | undefined, writer: PixelWriter): Uint8Array {
  const { width, height, hotX, hotY, pixels } = cursor ?? NO_CURSOR;
  const maskRow = Math.ceil(width / 8);
  const area = { x: hotX, y: hotY, width, height };
  const bytes = rectangle(area, ENCODING.cursor, width * height * writer.bytes + maskRow * height);
  let at = HEADER;
  for (const pixel of pixels) at = writer.write(pixel, bytes, at);
  for (const [i, pixel] of pixels.entries()) {
    if (pixel < 0x8000_0000) continue;
    const x = i % width;
    const mask = at + Math.floor(i / width) * maskRow + (x >> 3);
    bytes[mask] = (bytes[mask] as number) | (0x80 >> (x & 7));
  }
  return bytes;
}

/** Red, green, blue and alpha, as a raw rectangle of its own. */
export function cursorWithAlphaRectangle(cursor: Cursor | undefined): Uint8Array {
  const { width, height, hotX, hotY, pixels } = cursor ?? NO_CURSOR;
  const bytes = rectangle({ x: hotX, y: hotY, width, height }, ENCODING.cursorWithAlpha, 4 + pixels.length * 4);
  const fields = new DataView(bytes.buffer);
  fields.setInt32(HEADER, ENCODING.raw);
  for (const [i, pixel] of pixels.entries()) fields.setUint32(HEADER + 4 + i * 4, pixel, true);
  return bytes;
}

export function ledStateRectangle({ scrollLock, numLock, capsLock }: KeyboardLeds): Uint8Array {
  const bytes = rectangle({ x: 0, y: 0, width: 0, height: 0 }, ENCODING.qemuLedState, 1);
  bytes[HEADER] = (scrollLock ? 1 : 0) | (numLock ? 2 : 0) | (capsLock ? 4 : 0);
  return bytes;
}

/** Says that the server understands the client's extended key events. */
export function extendedKeyEventRectangle(): Uint8Array {
  return rectangle({ x: 0, y: 0, width: 0, height: 0 }, ENCODING.qemuExtendedKeyEvent, 0);
}
