// What the monitor says of itself: an EDID 1.4 base block (VESA Enhanced EDID Standard, release A, revision 2).

const BLOCK = 128;
/** A detailed timing has 12 bits for each side. */
export const SIDE_MAX = 4095;
export const SIDE_MIN = 64;
/** 10 kHz each, 16 bits. */
const CLOCK_MAX = 0xffff;
const DOTS_PER_INCH = 100;
const REFRESH = 60;

/** Blanking: what CVT's reduced blanking has, or a little more. */
const BLANK_X = 160;
const BLANK_Y = 45;

/** @param width, height pixels, SIDE_MIN to SIDE_MAX: the mode that the monitor prefers. */
export function makeEdid(width: number, height: number): Uint8Array {
  const edid = new Uint8Array(BLOCK);
  // 3.3: header. 3.4: manufacturer "ATL" (five bits a letter), product, serial number, week, year since 1990.
  edid.set([0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, ...vendor("ATL"), 1, 0, 1, 0, 0, 0, 1, 34]);
  // 3.5: version. 3.6: digital, 8 bits a colour, interface not defined; size in cm; gamma 2.2; RGB, preferred timing is native.
  const centimetres = (pixels: number): number => Math.min(255, Math.round((pixels / DOTS_PER_INCH) * 2.54));
  edid.set([1, 4, 0xa0, centimetres(width), centimetres(height), 120, 0x06], 18);
  // 3.7: the colours of sRGB.
  edid.set([0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54], 25);
  // 3.8: 640 x 480, 800 x 600 and 1024 x 768 at 60 Hz. 3.9: no further standard timings.
  edid.set([0x21, 0x08, 0x00], 35);
  edid.fill(0x01, 38, 54);
  edid.set(detailedTiming(width, height), 54);
  edid.set(descriptor(0xfc, "Atoll"), 72);
  // 3.10.3.3: range limits: 50 to 125 Hz, 30 to 160 kHz, 2550 MHz at most.
  edid.set([0, 0, 0, 0xfd, 0, 50, 125, 30, 160, 255, 0x01, 0x0a, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20], 90);
  edid.set(descriptor(0xff, "1"), 108);
  edid[BLOCK - 1] = -edid.reduce((sum, byte) => sum + byte, 0);
  return edid;
}

/** 3.10.2. */
function detailedTiming(width: number, height: number): number[] {
  const total = (width + BLANK_X) * (height + BLANK_Y);
  const clock = Math.min(CLOCK_MAX, Math.round((total * REFRESH) / 10_000));
  const millimetres = (pixels: number): number => Math.min(0xfff, Math.round((pixels / DOTS_PER_INCH) * 25.4));
  const [mmX, mmY] = [millimetres(width), millimetres(height)];
  // Front porch and width of the sync pulses.
  const [frontX, syncX, frontY, syncY] = [48, 32, 3, 6];
  return [
    clock & 0xff,
    clock >> 8,
    width & 0xff,
    BLANK_X & 0xff,
    ((width >> 8) << 4) | (BLANK_X >> 8),
    height & 0xff,
    BLANK_Y & 0xff,
    ((height >> 8) << 4) | (BLANK_Y >> 8),
    frontX,
    syncX,
    (frontY << 4) | syncY,
    0,
    mmX & 0xff,
    mmY & 0xff,
    ((mmX >> 8) << 4) | (mmY >> 8),
    0,
    0,
    // Separate syncs, both positive.
    0x1e,
  ];
}

/** 3.10.3: up to 13 characters, ended by a line feed and filled with blanks. */
function descriptor(tag: number, text: string): number[] {
  const padded = `${text}\n`.padEnd(13, " ").slice(0, 13);
  return [0, 0, 0, tag, 0, ...[...padded].map((character) => character.charCodeAt(0))];
}

function vendor(letters: string): [number, number] {
  const code = [...letters].reduce((sum, letter) => (sum << 5) | (letter.charCodeAt(0) - 64), 0);
  return [code >> 8, code & 0xff];
}
