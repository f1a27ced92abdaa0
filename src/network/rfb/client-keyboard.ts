import type { InputPort } from "../../bus/input.ts";
import { KEY_LEFTSHIFT, KEY_RIGHTSHIFT, keyOfScancode, keyOfSymbol, type SymbolKey } from "./key-codes.ts";

/** What one client's keyboard does to the guest's, which is one of the United States. */
export class ClientKeyboard {
  readonly #input: InputPort;
  readonly #pressed = new Set<number>();
  /** What a symbol's key was when it was pressed: it is that one which is let go. */
  readonly #symbols = new Map<number, number>();

  constructor(input: InputPort) {
    this.#input = input;
  }

  /** A key by its place on the keyboard. */
  scancode(scancode: number, pressed: boolean): void {
    const code = keyOfScancode(scancode);
    if (code !== undefined) this.#key(code, pressed);
  }

  /** A key by what is on it; Shift is changed for its sake where the client's keyboard has the symbol in another place. */
  symbol(keysym: number, pressed: boolean): void {
    if (!pressed) {
      const code = this.#symbols.get(keysym) ?? keyOfSymbol(keysym)?.code;
      this.#symbols.delete(keysym);
      if (code !== undefined) this.#key(code, false);
      return;
    }
    const key = keyOfSymbol(keysym);
    if (key === undefined) return;
    this.#symbols.set(keysym, key.code);
    this.#withShift(key, keysym, () => this.#key(key.code, true));
  }

  /** The client is gone. */
  releaseAll(): void {
    for (const code of [...this.#pressed]) this.#key(code, false);
    this.#symbols.clear();
  }

  #withShift({ shift }: SymbolKey, keysym: number, press: () => void): void {
    const held = [KEY_LEFTSHIFT, KEY_RIGHTSHIFT].filter((code) => this.#pressed.has(code));
    const letter = /[a-z]/i.test(String.fromCharCode(keysym & 0xff)) && keysym < 0x80;
    // With Caps Lock, letters say nothing of Shift.
    if (shift === undefined || shift === held.length > 0 || (letter && this.#input.leds.capsLock)) {
      press();
    } else if (shift) {
      this.#input.key(KEY_LEFTSHIFT, true);
      press();
      this.#input.key(KEY_LEFTSHIFT, false);
    } else {
      for (const code of held) this.#input.key(code, false);
      press();
      for (const code of held) this.#input.key(code, true);
    }
  }

  #key(code: number, pressed: boolean): void {
    if (pressed) this.#pressed.add(code);
    else this.#pressed.delete(code);
    this.#input.key(code, pressed);
  }
}
