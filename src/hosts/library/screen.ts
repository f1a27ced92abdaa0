// A machine's display as whoever shows it elsewhere asks for it: one changed part at a time.

import { type Display, type DisplayViewer, type Rectangle, union } from "../../bus/display.ts";

/** A part of the picture that has changed. */
export interface Frame {
  /** Of the whole picture; both 0: there is none. */
  readonly width: number;
  readonly height: number;
  /** Where the part is. */
  readonly area: Rectangle;
  /** Its pixels, row by row: red, green, blue and alpha (always 255). */
  readonly pixels: Uint8ClampedArray<ArrayBuffer>;
  /** The pointer's picture, where it has changed; pixels as above, with the colours multiplied by alpha. */
  readonly cursor: FrameCursor | undefined;
}

export interface FrameCursor {
  readonly width: number;
  readonly height: number;
  readonly hotX: number;
  readonly hotY: number;
  readonly pixels: Uint8ClampedArray<ArrayBuffer>;
}

const NOTHING: Rectangle = { x: 0, y: 0, width: 0, height: 0 };
const NO_CURSOR: FrameCursor = { width: 0, height: 0, hotX: 0, hotY: 0, pixels: new Uint8ClampedArray(0) };

export class Screen implements DisplayViewer {
  readonly #display: Display;
  #damage: Rectangle | undefined;
  #isOther = true;
  #hasOtherCursor = true;
  #hasStirred = true;

  constructor(display: Display) {
    this.#display = display;
    display.addViewer(this);
  }

  surfaceChanged(): void {
    this.#isOther = true;
  }

  stirred(): void {
    this.#hasStirred = true;
  }

  damaged(area: Rectangle): void {
    this.#damage = union(this.#damage, area);
  }

  cursorChanged(): void {
    this.#hasOtherCursor = true;
  }

  /** What has changed since the last call; undefined: nothing. */
  frame(): Frame | undefined {
    const display = this.#display;
    if (this.#hasStirred || display.polled) display.refresh();
    this.#hasStirred = false;
    const { surface } = display;
    const { width, height } = surface ?? NOTHING;
    const area = this.#isOther ? { x: 0, y: 0, width, height } : this.#damage;
    if (area === undefined && !this.#hasOtherCursor) return undefined;
    const cursor = this.#hasOtherCursor ? this.#cursor() : undefined;
    this.#isOther = this.#hasOtherCursor = false;
    this.#damage = undefined;
    const part = area ?? NOTHING;
    const pixels = new Uint8ClampedArray(part.width * part.height * 4);
    if (surface && part.width > 0) {
      const from = surface.bytes;
      for (let y = 0; y < part.height; y++) {
        const at = ((part.y + y) * width + part.x) * 4;
        pixels.set(from.subarray(at, at + part.width * 4), y * part.width * 4);
      }
    }
    return { width, height, area: part, pixels, cursor };
  }

  #cursor(): FrameCursor {
    const { cursor } = this.#display;
    if (cursor === undefined) return NO_CURSOR;
    const { width, height, hotX, hotY, pixels } = cursor;
    return { width, height, hotX, hotY, pixels: new Uint8ClampedArray(pixels.slice().buffer) };
  }
}
