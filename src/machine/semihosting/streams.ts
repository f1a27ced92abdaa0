// What a guest's handles stand for: files, the console, and the feature bits.

import type { SwitchedConsole } from "../console-switch.ts";
import type { SemihostingFile } from "./host.ts";

/** Nothing to read yet: the operation is to be tried again when there is. */
export const NOT_YET = "not yet";

export interface Stream {
  readonly isConsole: boolean;
  /** How many bytes were read; 0 at the end. */
  read(into: Uint8Array): number | typeof NOT_YET;
  /** How many bytes were written. */
  write(from: Uint8Array): number;
  /** Undefined: it has no places. */
  readonly length: (() => number) | undefined;
  /** False: it has no places. */
  seek(at: number): boolean;
  close(): void;
}

export class FileStream implements Stream {
  readonly isConsole = false;
  readonly #file: SemihostingFile;
  #at = 0;

  constructor(file: SemihostingFile) {
    this.#file = file;
  }

  read(into: Uint8Array): number {
    const count = this.#file.read(this.#at, into);
    this.#at += count;
    return count;
  }

  write(from: Uint8Array): number {
    const count = this.#file.write(this.#at, from);
    this.#at += count;
    return count;
  }

  readonly length = (): number => this.#file.length();

  seek(at: number): boolean {
    this.#at = at;
    return true;
  }

  close(): void {
    this.#file.close();
  }
}

/** `:tt`. */
export class ConsoleStream implements Stream {
  readonly isConsole = true;
  readonly length = undefined;
  readonly #console: SwitchedConsole;
  readonly #direction: "in" | "out";

  constructor(console: SwitchedConsole, direction: "in" | "out") {
    this.#console = console;
    this.#direction = direction;
  }

  read(into: Uint8Array): number | typeof NOT_YET {
    if (this.#direction === "out") return 0;
    this.#console.take();
    const bytes = this.#console.read(into.length);
    if (bytes.length === 0 && into.length > 0) return NOT_YET;
    into.set(bytes);
    return bytes.length;
  }

  write(from: Uint8Array): number {
    if (this.#direction === "in") return 0;
    this.#console.write(from);
    return from.length;
  }

  seek(): boolean {
    return false;
  }

  close(): void {}
}

/** `:semihosting-features`: the magic number, SH_EXT_EXIT_EXTENDED and SH_EXT_STDOUT_STDERR. */
const FEATURES = Uint8Array.of(0x53, 0x48, 0x46, 0x42, 0b11);

export class FeatureStream implements Stream {
  readonly isConsole = false;
  #at = 0;

  read(into: Uint8Array): number {
    const part = FEATURES.subarray(this.#at, this.#at + into.length);
    into.set(part);
    this.#at += part.length;
    return part.length;
  }

  write(): number {
    return 0;
  }

  readonly length = (): number => FEATURES.length;

  seek(at: number): boolean {
    this.#at = at;
    return true;
  }

  close(): void {}
}
