import type { Rectangle } from "../../bus/display.ts";
import { TILE } from "./zrle.ts";

/** In tiles; right and bottom are exclusive. */
interface Span {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** Which tiles of a picture a client has yet to be sent: however much changes, this is all that is kept. */
export class DirtyTiles {
  readonly width: number;
  readonly height: number;
  readonly #columns: number;
  readonly #rows: number;
  readonly #dirty: Uint8Array;
  #count: number;

  /** Of a picture of that many pixels: all of it is dirty. */
  constructor(width: number, height: number) {
    this.width = width;
    this.height = height;
    this.#columns = Math.ceil(width / TILE);
    this.#rows = Math.ceil(height / TILE);
    this.#dirty = new Uint8Array(this.#columns * this.#rows).fill(1);
    this.#count = this.#dirty.length;
  }

  add(area: Rectangle): void {
    const span = this.#span(area);
    for (let row = span.top; row < span.bottom; row++) {
      for (let column = span.left; column < span.right; column++) this.#set(row, column, 1);
    }
  }

  /** Whether there is one in that area. */
  anyIn(area: Rectangle): boolean {
    if (this.#count === 0) return false;
    const { left, right, top, bottom } = this.#span(area);
    for (let row = top; row < bottom; row++) {
      if (this.#dirty.subarray(row * this.#columns + left, row * this.#columns + right).includes(1)) return true;
    }
    return false;
  }

  /** Takes those in that area out, as rectangles of about so many pixels at most, or one row of tiles. */
  take(area: Rectangle, pixels: number): Rectangle[] {
    const result: Rectangle[] = [];
    if (this.#count === 0) return result;
    const { left, right, top, bottom } = this.#span(area);
    for (let row = top; row < bottom; row++) {
      for (let column = left; column < right; column++) {
        if (!this.#is(row, column)) continue;
        const start = column;
        while (column < right && this.#is(row, column)) column++;
        const rows = Math.max(1, Math.floor(pixels / ((column - start) * TILE * TILE)));
        let end = row;
        // Downwards as long as all of them are dirty.
        do {
          for (let c = start; c < column; c++) this.#set(end, c, 0);
          end++;
        } while (end < Math.min(bottom, row + rows) && this.#all(end, start, column));
        result.push(this.#rectangle({ left: start, right: column, top: row, bottom: end }));
      }
    }
    return result;
  }

  #is(row: number, column: number): boolean {
    return this.#dirty[row * this.#columns + column] === 1;
  }

  #all(row: number, from: number, to: number): boolean {
    return !this.#dirty.subarray(row * this.#columns + from, row * this.#columns + to).includes(0);
  }

  #set(row: number, column: number, value: 0 | 1): void {
    const at = row * this.#columns + column;
    this.#count += value - (this.#dirty[at] as number);
    this.#dirty[at] = value;
  }

  #rectangle({ left, right, top, bottom }: Span): Rectangle {
    const x = left * TILE;
    const y = top * TILE;
    return { x, y, width: Math.min(right * TILE, this.width) - x, height: Math.min(bottom * TILE, this.height) - y };
  }

  #span({ x, y, width, height }: Rectangle): Span {
    if (width <= 0 || height <= 0) return { left: 0, right: 0, top: 0, bottom: 0 };
    return {
      left: Math.max(0, Math.floor(x / TILE)),
      right: Math.min(this.#columns, Math.ceil((x + width) / TILE)),
      top: Math.max(0, Math.floor(y / TILE)),
      bottom: Math.min(this.#rows, Math.ceil((y + height) / TILE)),
    };
  }
}
