// Keys as clients name them, and their codes (KEY_* of linux/input-event-codes.h).

export const KEY_LEFTSHIFT = 42;
export const KEY_RIGHTSHIFT = 54;

/** Of scancode set 1, those after 0xe0. */
const EXTENDED: Readonly<Record<number, number>> = {
  ...{ 16: 165, 25: 163, 28: 96, 29: 97, 32: 113, 33: 140, 34: 164, 36: 166, 46: 114, 48: 115 },
  ...{ 50: 172, 53: 98, 55: 99, 56: 100, 70: 119, 71: 102, 72: 103, 73: 104, 75: 105, 77: 106 },
  ...{ 79: 107, 80: 108, 81: 109, 82: 110, 83: 111, 91: 125, 92: 126, 93: 127, 94: 116, 95: 142 },
  ...{ 99: 143, 101: 217, 102: 156, 103: 173, 104: 128, 105: 159, 106: 158, 108: 155 },
};
/** Of those without, what is not the same number. */
const PLAIN: Readonly<Record<number, number>> = {
  ...{ 84: 99, 89: 117, 92: 95, 112: 93, 115: 89, 118: 85, 119: 91, 120: 90, 121: 92, 123: 94 },
  ...{ 125: 124, 126: 121 },
};

/** @param scancode of set 1; after 0xe0, with bit 7. @returns undefined: there is no such key. */
export function keyOfScancode(scancode: number): number | undefined {
  if (scancode > 0xff) return undefined;
  if (scancode & 0x80) return EXTENDED[scancode & 0x7f];
  if (PLAIN[scancode] !== undefined) return PLAIN[scancode];
  // KEY_ESC to KEY_KPDOT, KEY_102ND, KEY_F11 and KEY_F12.
  const same = (scancode >= 1 && scancode <= 0x53) || (scancode >= 0x56 && scancode <= 0x58);
  return same ? scancode : undefined;
}

export interface SymbolKey {
  readonly code: number;
  /** How Shift has to be for this symbol; undefined: it does not matter. */
  readonly shift?: boolean;
}

/** The rows of a keyboard of the United States, from their first key's code. */
const ROWS: readonly (readonly [number, string, string])[] = [
  [2, "1234567890-=", "!@#$%^&*()_+"],
  [16, "qwertyuiop[]", "QWERTYUIOP{}"],
  [30, "asdfghjkl;'`", 'ASDFGHJKL:"~'],
  [43, "\\zxcvbnm,./", "|ZXCVBNM<>?"],
];

/** keysymdef.h: keys that have no character. */
const NAMED: readonly (readonly [number, readonly number[]])[] = [
  // BackSpace, Tab, (Linefeed, Clear), Return
  [0xff08, [14, 15]],
  [0xff0d, [28]],
  // Pause, Scroll_Lock, Sys_Req
  [0xff13, [119, 70, 99]],
  [0xff1b, [1]],
  // Home, Left, Up, Right, Down, Page_Up, Page_Down, End
  [0xff50, [102, 105, 103, 106, 108, 104, 109, 107]],
  // Print; Insert; Menu; Num_Lock
  [0xff61, [99]],
  [0xff63, [110]],
  [0xff67, [127]],
  [0xff7f, [69]],
  // KP_Enter; KP_Home to KP_Delete
  [0xff8d, [96]],
  [0xff95, [71, 75, 72, 77, 80, 73, 81, 79, 76, 82, 83]],
  // KP_Multiply, KP_Add, KP_Separator, KP_Subtract, KP_Decimal, KP_Divide, KP_0 to KP_9; KP_Equal
  [0xffaa, [55, 78, 121, 74, 83, 98, 82, 79, 80, 81, 75, 76, 77, 71, 72, 73]],
  [0xffbd, [117]],
  // F1 to F24
  [
    0xffbe,
    [59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 87, 88, 183, 184, 185, 186, 187, 188, 189, 190, 191, 192, 193, 194],
  ],
  // Shift_L, Shift_R, Control_L, Control_R, Caps_Lock, (Shift_Lock), Meta_L, Meta_R, Alt_L, Alt_R, Super_L, Super_R
  [0xffe1, [KEY_LEFTSHIFT, KEY_RIGHTSHIFT, 29, 97, 58, 58, 125, 126, 56, 100, 125, 126]],
  [0xffff, [111]],
  // ISO_Level3_Shift, ISO_Left_Tab
  [0xfe03, [100]],
  [0xfe20, [15]],
];

const SYMBOLS: ReadonlyMap<number, SymbolKey> = new Map([
  [0x20, { code: 57 }] as const,
  ...ROWS.flatMap(([first, plain, shifted]) =>
    [plain, shifted].flatMap((row) =>
      [...row].map((character, i) => [character.charCodeAt(0), { code: first + i, shift: row === shifted }] as const),
    ),
  ),
  ...NAMED.flatMap(([first, codes]) => codes.map((code, i) => [first + i, { code }] as const)),
]);

/** @param keysym X11's number of a symbol. @returns undefined: a keyboard of the United States has none. */
export function keyOfSymbol(keysym: number): SymbolKey | undefined {
  return SYMBOLS.get(keysym);
}
