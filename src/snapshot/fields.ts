import { damaged, type SnapshotError } from "./error.ts";

// The state of a device as plain values, which JSON keeps.

export type SavedValue = null | boolean | number | string | readonly SavedValue[] | Saved;
export interface Saved {
  readonly [name: string]: SavedValue | undefined;
}

/** Bytes as the values have them: hexadecimal. */
export function hex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}

/** Reads saved values, each with the bounds that its reader relies on. All functions throw SnapshotError where a value is not as said. */
export class Fields {
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #what: string;

  /** @param what whose they are, for messages. */
  constructor(values: unknown, what: string) {
    this.#what = what;
    if (typeof values !== "object" || values === null || Array.isArray(values)) throw this.#wrong("its state");
    this.#values = values as Readonly<Record<string, unknown>>;
  }

  static parse(json: string, what: string): Fields {
    let values: unknown;
    try {
      values = JSON.parse(json);
    } catch {
      throw damaged(`${what} is no JSON`);
    }
    return new Fields(values, what);
  }

  /** An integer from `min` to `max`; of 32 bits unless said otherwise. */
  whole(name: string, max = 0xffff_ffff, min = 0): number {
    const value = this.#values[name];
    if (typeof value !== "number" || !Number.isInteger(value) || value < min || value > max) throw this.#wrong(name);
    return value;
  }

  flag(name: string): boolean {
    const value = this.#values[name];
    if (typeof value !== "boolean") throw this.#wrong(name);
    return value;
  }

  /** A number from 0 to `max`, whole or not. */
  number(name: string, max = Number.MAX_SAFE_INTEGER): number {
    const value = this.#values[name];
    if (typeof value !== "number" || !(value >= 0 && value <= max)) throw this.#wrong(name);
    return value;
  }

  text(name: string, max: number): string {
    const value = this.#values[name];
    if (typeof value !== "string" || value.length > max) throw this.#wrong(name);
    return value;
  }

  oneOf<T extends string>(name: string, ...choices: readonly T[]): T {
    const value = this.#values[name];
    const found = choices.find((choice) => choice === value);
    if (found === undefined) throw this.#wrong(name);
    return found;
  }

  /** Bytes, `min` to `max` of them, that `hex` has written. */
  bytes(name: string, max: number, min = 0): Uint8Array {
    const text = this.text(name, 2 * max);
    if (text.length % 2 !== 0 || text.length < 2 * min || !/^[0-9a-f]*$/.test(text)) throw this.#wrong(name);
    return Uint8Array.from({ length: text.length / 2 }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16));
  }

  /** A list of bytes that `hex` has written. */
  hexes(name: string, most: number, max: number): Uint8Array[] {
    return this.#list(name, most).map((bytes) => new Fields({ bytes }, `${this.#what}.${name}`).bytes("bytes", max));
  }

  /** A list of numbers, each an integer from 0 to `max`. */
  wholes(name: string, most: number, max = 0xffff_ffff): number[] {
    const list = this.#list(name, most);
    for (const value of list) {
      if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > max) throw this.#wrong(name);
    }
    return list as number[];
  }

  /** A list of objects, `most` at most. */
  list(name: string, most: number): Fields[] {
    return this.#list(name, most).map((value, i) => new Fields(value, `${this.#what}.${name}.${i}`));
  }

  object(name: string): Fields {
    return new Fields(this.#values[name], `${this.#what}.${name}`);
  }

  /** A value of any kind. */
  any(name: string): unknown {
    return this.#values[name];
  }

  has(name: string): boolean {
    return this.#values[name] !== undefined && this.#values[name] !== null;
  }

  /** A value that makes no sense beside the others. */
  wrong(name: string): SnapshotError {
    return this.#wrong(name);
  }

  #list(name: string, most: number): unknown[] {
    const value = this.#values[name];
    if (!Array.isArray(value) || value.length > most) throw this.#wrong(name);
    return value;
  }

  #wrong(name: string): SnapshotError {
    return damaged(`${this.#what} has no possible ${name}`);
  }
}
