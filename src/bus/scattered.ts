import type { Dma } from "./device.ts";

/** Memory that is next to each other for a device may be elsewhere in the machine from page to page (behind stage 2, or an SMMU). */
const PAGE = 4096;

/**
 * [address, address + length) in as few views as there are, in order; undefined when not all of it is memory that may be accessed so. As with
 * Dma.view, they must not be kept.
 */
export function scattered(dma: Dma, address: number, length: number, write: boolean): Uint8Array[] | undefined {
  const whole = dma.view(address, length, write);
  if (whole !== undefined) return [whole];
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < length; ) {
    const size = Math.min(PAGE - ((address + at) % PAGE), length - at);
    const piece = dma.view(address + at, size, write);
    if (piece === undefined) return undefined;
    const last = pieces.at(-1);
    if (last !== undefined && last.buffer === piece.buffer && last.byteOffset + last.length === piece.byteOffset)
      pieces[pieces.length - 1] = new Uint8Array(last.buffer, last.byteOffset, last.length + size);
    else pieces.push(piece);
    at += size;
  }
  return pieces.length > 1 ? pieces : undefined;
}

/** The part of DataView that rings need. All is little-endian, whatever the last argument of DataView's methods would say. */
export interface RingView {
  readonly byteLength: number;
  getUint16(at: number, littleEndian: true): number;
  getUint32(at: number, littleEndian: true): number;
  setUint16(at: number, value: number, littleEndian: true): void;
  setUint32(at: number, value: number, littleEndian: true): void;
}

/** [address, address + length) as one view for a structure of words, wherever its pages are. */
export function ringView(dma: Dma, address: number, length: number, write: boolean): RingView | undefined {
  const bytes = dma.view(address, length, write);
  if (bytes !== undefined) return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const pieces = scattered(dma, address, length, write);
  return pieces && new ScatteredView(pieces, length);
}

/** Words of a structure in several pieces; one may lie across two of them. */
class ScatteredView implements RingView {
  readonly byteLength: number;
  readonly #pieces: readonly Uint8Array[];

  constructor(pieces: readonly Uint8Array[], length: number) {
    this.#pieces = pieces;
    this.byteLength = length;
  }

  getUint16(at: number): number {
    return this.#byte(at) | (this.#byte(at + 1) << 8);
  }
  getUint32(at: number): number {
    return (this.getUint16(at) | (this.getUint16(at + 2) << 16)) >>> 0;
  }
  setUint16(at: number, value: number): void {
    this.#setByte(at, value & 0xff);
    this.#setByte(at + 1, (value >>> 8) & 0xff);
  }
  setUint32(at: number, value: number): void {
    this.setUint16(at, value & 0xffff);
    this.setUint16(at + 2, value >>> 16);
  }

  #byte(at: number): number {
    let offset = at;
    for (const piece of this.#pieces) {
      if (offset < piece.length) return piece[offset] as number;
      offset -= piece.length;
    }
    throw new RangeError(`byte ${at} of ${this.byteLength}`);
  }

  #setByte(at: number, value: number): void {
    let offset = at;
    for (const piece of this.#pieces) {
      if (offset < piece.length) {
        piece[offset] = value;
        return;
      }
      offset -= piece.length;
    }
    throw new RangeError(`byte ${at} of ${this.byteLength}`);
  }
}
