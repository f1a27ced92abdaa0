// Keys by where they are (UI Events, KeyboardEvent code) as Linux numbers them (linux/input-event-codes.h).

/** In the order of their numbers, from the number that begins a line on. */
const ROWS: readonly (readonly [first: number, codes: string])[] = [
  [1, "Escape Digit1 Digit2 Digit3 Digit4 Digit5 Digit6 Digit7 Digit8 Digit9 Digit0 Minus Equal Backspace"],
  [15, "Tab KeyQ KeyW KeyE KeyR KeyT KeyY KeyU KeyI KeyO KeyP BracketLeft BracketRight Enter ControlLeft"],
  [30, "KeyA KeyS KeyD KeyF KeyG KeyH KeyJ KeyK KeyL Semicolon Quote Backquote ShiftLeft Backslash"],
  [44, "KeyZ KeyX KeyC KeyV KeyB KeyN KeyM Comma Period Slash ShiftRight NumpadMultiply AltLeft Space CapsLock"],
  [59, "F1 F2 F3 F4 F5 F6 F7 F8 F9 F10 NumLock ScrollLock"],
  [71, "Numpad7 Numpad8 Numpad9 NumpadSubtract Numpad4 Numpad5 Numpad6 NumpadAdd Numpad1 Numpad2 Numpad3 Numpad0"],
  [83, "NumpadDecimal"],
  [86, "IntlBackslash F11 F12 IntlRo"],
  [96, "NumpadEnter ControlRight NumpadDivide PrintScreen AltRight"],
  [102, "Home ArrowUp PageUp ArrowLeft ArrowRight End ArrowDown PageDown Insert Delete"],
  [117, "NumpadEqual"],
  [119, "Pause"],
  [124, "IntlYen MetaLeft MetaRight ContextMenu"],
];

const CODES = new Map(ROWS.flatMap(([first, codes]) => codes.split(" ").map((code, i) => [code, first + i] as const)));

export function linuxKey(code: string): number | undefined {
  return CODES.get(code);
}
