import { corrupt, ImageError } from "../error.ts";
import { FIELD, type Header, INCOMPATIBLE } from "./header.ts";

/** Whether an image has been found corrupt. Nothing more is written to it then, and it is marked so that nobody else does, either. */
export class Damage {
  readonly #name: string;
  readonly #header: Header;
  readonly #readOnly: boolean;
  #found: string | undefined;

  constructor(name: string, header: Header, readOnly: boolean) {
    this.#name = name;
    this.#header = header;
    this.#readOnly = readOnly;
  }

  get found(): boolean {
    return this.#found !== undefined;
  }

  /** Before something is written. @throws ImageError when it has been found. */
  check(): void {
    if (this.#found !== undefined) throw corrupt(this.#found);
  }

  /** It is found. @returns what is to be thrown. */
  error(what: string): ImageError {
    const error = corrupt(`${this.#name}: ${what}`);
    if (!this.#readOnly) this.#mark(error.message);
    return error;
  }

  /** Does what may find it. */
  watch<T>(action: () => T): T {
    try {
      return action();
    } catch (error) {
      if (error instanceof ImageError && error.failure === "corrupt") this.#mark(error.message);
      throw error;
    }
  }

  #mark(message: string): void {
    if (this.#found !== undefined) return;
    this.#found = message;
    if (this.#header.version < 3) return;
    this.#header.update((view) => {
      view.setUint32(FIELD.incompatible + 4, view.getUint32(FIELD.incompatible + 4) | INCOMPATIBLE.corrupt);
    });
  }
}
