import type { Dma } from "../../../bus/device.ts";
import type { Rectangle } from "../../../bus/display.ts";
import { scattered } from "../../../bus/scattered.ts";
import { FORMATS } from "./formats.ts";

/** Of all formats. */
export const PIXEL_BYTES = 4;

/** Guest memory that a resource's pixels come from: pieces one after the other. */
export interface Backing {
  readonly addresses: Float64Array;
  /** Where each piece ends, in bytes from the start of the first. */
  readonly ends: Float64Array;
}

/** A picture on the host's side (virtio 1.2, 5.7.6.1), with or without memory of the guest's that it is filled from. */
export class Resource {
  readonly id: number;
  /** Of FORMATS. */
  readonly format: number;
  readonly width: number;
  readonly height: number;
  backing: Backing | undefined;
  #bytes: Uint8Array<ArrayBuffer> | undefined;

  constructor(id: number, format: number, width: number, height: number) {
    this.id = id;
    this.format = format;
    this.width = width;
    this.height = height;
  }

  static isFormat(format: number): boolean {
    return FORMATS.has(format);
  }

  /** Its pixels, row by row, as the guest has them; of the host's memory, zeroes at first. */
  get bytes(): Uint8Array<ArrayBuffer> {
    this.#bytes ??= new Uint8Array(this.width * this.height * PIXEL_BYTES);
    return this.#bytes;
  }

  get whole(): Rectangle {
    return { x: 0, y: 0, width: this.width, height: this.height };
  }

  contains({ x, y, width, height }: Rectangle): boolean {
    return x + width <= this.width && y + height <= this.height;
  }

  /**
   * Fills rows `from` to `to` (exclusive) of an area from the guest's memory. @param offset of the area's first pixel in the backing.
   * What is not in the backing, or in no memory, is left as it is.
   */
  fill(dma: Dma, area: Rectangle, offset: number, from: number, to: number): void {
    const { backing, bytes } = this;
    if (backing === undefined) return;
    const stride = this.width * PIXEL_BYTES;
    const rowBytes = area.width * PIXEL_BYTES;
    // Whole rows are one piece.
    const together = rowBytes === stride;
    const rows = together ? 1 : to - from;
    const length = together ? rowBytes * (to - from) : rowBytes;
    for (let row = 0; row < rows; row++) {
      const source = offset + (from + row) * stride;
      const target = (area.y + from + row) * stride + area.x * PIXEL_BYTES;
      copyFrom(dma, backing, source, bytes.subarray(target, target + length));
    }
  }
}

function copyFrom(dma: Dma, { addresses, ends }: Backing, offset: number, target: Uint8Array): void {
  let index = firstAbove(ends, offset);
  let done = 0;
  while (done < target.length && index < ends.length) {
    const start = index === 0 ? 0 : (ends[index - 1] as number);
    const inside = offset + done - start;
    const length = Math.min(target.length - done, (ends[index] as number) - start - inside);
    let at = done;
    for (const piece of scattered(dma, (addresses[index] as number) + inside, length, false) ?? []) {
      target.set(piece, at);
      at += piece.length;
    }
    done += length;
    index++;
  }
}

/** Index of the first that is above `value`, in ascending order. */
function firstAbove(ends: Float64Array, value: number): number {
  let low = 0;
  let high = ends.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ends[middle] as number) > value) high = middle;
    else low = middle + 1;
  }
  return low;
}
