// The pixel format that a client has asked for (RFC 6143, 7.4), and a Surface's pixels in it.

export const PIXEL_FORMAT_BYTES = 16;

export interface ClientPixels {
  readonly bytesPerPixel: 1 | 2 | 4;
  readonly depth: number;
  readonly bigEndian: boolean;
  readonly redMax: number;
  readonly greenMax: number;
  readonly blueMax: number;
  readonly redShift: number;
  readonly greenShift: number;
  readonly blueShift: number;
}

/** What the server offers at first: 0x00RRGGBB in little-endian words. */
export const SERVER_PIXELS: ClientPixels = {
  ...{ bytesPerPixel: 4, depth: 24, bigEndian: false },
  ...{ redMax: 255, greenMax: 255, blueMax: 255, redShift: 16, greenShift: 8, blueShift: 0 },
};

/** undefined: there is no such format, or it has a colour map, which this server has not. */
export function readClientPixels(fields: DataView, at: number): ClientPixels | undefined {
  const bits = fields.getUint8(at);
  const trueColour = fields.getUint8(at + 3) !== 0;
  if (!trueColour || (bits !== 8 && bits !== 16 && bits !== 32)) return undefined;
  const colour = (index: number): [number, number] => [
    fields.getUint16(at + 4 + 2 * index),
    fields.getUint8(at + 10 + index),
  ];
  const [[redMax, redShift], [greenMax, greenShift], [blueMax, blueShift]] = [colour(0), colour(1), colour(2)];
  if (redShift >= bits || greenShift >= bits || blueShift >= bits) return undefined;
  return {
    bytesPerPixel: (bits / 8) as 1 | 2 | 4,
    depth: fields.getUint8(at + 1),
    bigEndian: fields.getUint8(at + 2) !== 0,
    ...{ redMax, greenMax, blueMax, redShift, greenShift, blueShift },
  };
}

export function writeClientPixels(fields: DataView, at: number, format: ClientPixels): void {
  fields.setUint8(at, format.bytesPerPixel * 8);
  fields.setUint8(at + 1, format.depth);
  fields.setUint8(at + 2, format.bigEndian ? 1 : 0);
  fields.setUint8(at + 3, 1);
  fields.setUint16(at + 4, format.redMax);
  fields.setUint16(at + 6, format.greenMax);
  fields.setUint16(at + 8, format.blueMax);
  fields.setUint8(at + 10, format.redShift);
  fields.setUint8(at + 11, format.greenShift);
  fields.setUint8(at + 12, format.blueShift);
}

/** Writes pixels as a client wants them. */
export class PixelWriter {
  readonly #format: ClientPixels;
  /** Of each colour, what its 256 values add to the word. */
  readonly #red: Uint32Array;
  readonly #green: Uint32Array;
  readonly #blue: Uint32Array;
  /** Bytes of a CPIXEL (RFC 6143, 7.7.5), and how far up in the word they begin. */
  readonly compressedBytes: number;
  readonly #compressedShift: number;

  constructor(format: ClientPixels) {
    this.#format = format;
    this.#red = table(format.redMax, format.redShift);
    this.#green = table(format.greenMax, format.greenShift);
    this.#blue = table(format.blueMax, format.blueShift);
    const used = this.word(0xffff_ffff);
    const short = format.bytesPerPixel === 4 && format.depth <= 24;
    const low = short && used < 2 ** 24;
    const high = short && !low && (used & 0xff) === 0;
    this.compressedBytes = low || high ? 3 : format.bytesPerPixel;
    this.#compressedShift = high ? 8 : 0;
  }

  get bytes(): number {
    return this.#format.bytesPerPixel;
  }

  /** @param pixel 0x..BBGGRR. */
  word(pixel: number): number {
    const red = this.#red[pixel & 0xff] as number;
    const green = this.#green[(pixel >>> 8) & 0xff] as number;
    const blue = this.#blue[(pixel >>> 16) & 0xff] as number;
    return (red | green | blue) >>> 0;
  }

  /** A PIXEL. @returns where the next one goes. */
  write(pixel: number, into: Uint8Array, at: number): number {
    return this.#put(this.word(pixel), this.#format.bytesPerPixel, into, at);
  }

  /** A CPIXEL. */
  writeCompressed(pixel: number, into: Uint8Array, at: number): number {
    return this.#put(this.word(pixel) >>> this.#compressedShift, this.compressedBytes, into, at);
  }

  #put(word: number, bytes: number, into: Uint8Array, at: number): number {
    if (this.#format.bigEndian) for (let i = bytes - 1; i >= 0; i--) into[at + bytes - 1 - i] = word >>> (8 * i);
    else for (let i = 0; i < bytes; i++) into[at + i] = word >>> (8 * i);
    return at + bytes;
  }
}

function table(max: number, shift: number): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, value) => Math.round((value * max) / 255) * 2 ** shift);
}
