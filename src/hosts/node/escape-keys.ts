// The keys that the terminal keeps for itself: ctrl-a and a letter, as in QEMU's and screen's.

const CTRL_A = 0x01;

/** What a piece of typed input means, in order. */
export type Keys =
  | { readonly kind: "input"; readonly bytes: Uint8Array }
  | { readonly kind: "quit" }
  | { readonly kind: "monitor" }
  | { readonly kind: "save" }
  | { readonly kind: "help" };

export const ESCAPE_HELP = [
  "ctrl-a x      quit",
  "ctrl-a c      switch between the guest's console and the monitor",
  "ctrl-a s      save the machine to a file",
  "ctrl-a h      list these keys",
  "ctrl-a ctrl-a send ctrl-a to the guest (ctrl-a a does, too)",
].join("\n");

/** Finds escapes in typed bytes. A ctrl-a at the end of one piece is completed by the next. An unknown letter is dropped. */
export class EscapeKeys {
  #escaped = false;

  feed(bytes: Uint8Array): Keys[] {
    const keys: Keys[] = [];
    let plain: number[] = [];
    const flush = (): void => {
      if (plain.length > 0) keys.push({ kind: "input", bytes: Uint8Array.from(plain) });
      plain = [];
    };
    for (const byte of bytes) {
      if (!this.#escaped) {
        if (byte === CTRL_A) this.#escaped = true;
        else plain.push(byte);
        continue;
      }
      this.#escaped = false;
      const kind = ESCAPES[String.fromCharCode(byte)];
      if (kind === "literal") plain.push(CTRL_A);
      else if (kind !== undefined) {
        flush();
        keys.push({ kind });
      }
    }
    flush();
    return keys;
  }
}

const ESCAPES: Readonly<Record<string, "quit" | "monitor" | "save" | "help" | "literal">> = {
  x: "quit",
  c: "monitor",
  s: "save",
  h: "help",
  "?": "help",
  a: "literal",
  "\x01": "literal",
};
