// Line input for the monitor on a terminal in raw mode: echo, backspace, ctrl-u.

const PROMPT = "(atoll) ";
const LONGEST_LINE = 1000;

export class MonitorPrompt {
  readonly #execute: (line: string) => string;
  readonly #print: (text: string) => void;
  #line = "";
  /** Inside an escape sequence of a function key, which is dropped. */
  #sequence: "none" | "escape" | "control" = "none";

  /** `execute` gives the text that answers a line; `print` shows text, whose lines end in \n. */
  constructor(execute: (line: string) => string, print: (text: string) => void) {
    this.#execute = execute;
    this.#print = print;
  }

  open(): void {
    this.#line = "";
    this.#print(`\n${PROMPT}`);
  }

  close(): void {
    this.#print("\n");
  }

  feed(bytes: Uint8Array): void {
    for (const byte of bytes) this.#key(String.fromCharCode(byte));
  }

  #key(key: string): void {
    if (this.#dropped(key)) return;
    if (key === "\r" || key === "\n") {
      const line = this.#line;
      this.#line = "";
      this.#print(`\n${this.#execute(line)}${PROMPT}`);
    } else if (key === "\x7f" || key === "\b") {
      if (this.#line === "") return;
      this.#line = this.#line.slice(0, -1);
      this.#print("\b \b");
    } else if (key === "\x15" || key === "\x03") {
      this.#print("\b \b".repeat(this.#line.length));
      this.#line = "";
    } else if (key >= " " && key <= "~" && this.#line.length < LONGEST_LINE) {
      this.#line += key;
      this.#print(key);
    }
  }

  /** Control sequences (ECMA-48, 5.4): ESC [ parameters final; other two-character sequences: ESC and one character. */
  #dropped(key: string): boolean {
    switch (this.#sequence) {
      case "none":
        if (key !== "\x1b") return false;
        this.#sequence = "escape";
        return true;
      case "escape":
        this.#sequence = key === "[" || key === "O" ? "control" : "none";
        return true;
      case "control":
        if (key >= "@" && key <= "~") this.#sequence = "none";
        return true;
    }
  }
}
