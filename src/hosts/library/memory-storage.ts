import { isZero } from "../../images/bytes.ts";
import { ImageError } from "../../images/error.ts";
import type { Storage } from "../../images/storage.ts";

const CHUNK = 0x1_0000;

/** A file in memory. What was never written, or only with zeros, takes no space. */
export class MemoryStorage implements Storage {
  readOnly = false;
  readonly name: string;
  readonly identity: string;
  readonly #chunks = new Map<number, Uint8Array>();
  #size = 0;

  constructor(name: string) {
    this.name = name;
    this.identity = name;
  }

  size(): number {
    return this.#size;
  }

  read(offset: number, into: Uint8Array): void {
    this.#pieces(offset, into.length, (number, from, at, length) => {
      const chunk = this.#chunks.get(number);
      if (chunk) into.set(chunk.subarray(from, from + length), at);
      else into.fill(0, at, at + length);
    });
  }

  write(offset: number, bytes: Uint8Array): void {
    if (this.readOnly) throw new ImageError("host", `${this.name} is read-only`);
    this.#pieces(offset, bytes.length, (number, from, at, length) => {
      const part = bytes.subarray(at, at + length);
      const chunk = this.#chunks.get(number);
      if (chunk) chunk.set(part, from);
      else if (!isZero(part)) this.#make(number).set(part, from);
    });
    this.#size = Math.max(this.#size, offset + bytes.length);
  }

  truncate(size: number): void {
    if (size < this.#size) {
      this.discard(size, this.#size - size);
      this.#pieces(size, this.#size - size, (number, from, _at, length) =>
        this.#chunks.get(number)?.fill(0, from, from + length),
      );
    }
    this.#size = size;
  }

  discard(offset: number, bytes: number): void {
    this.#pieces(offset, bytes, (number, from, _at, length) => {
      if (from === 0 && length === CHUNK) this.#chunks.delete(number);
    });
  }

  flush(): void {}

  close(): void {
    this.#chunks.clear();
  }

  #make(number: number): Uint8Array {
    try {
      const chunk = new Uint8Array(CHUNK);
      this.#chunks.set(number, chunk);
      return chunk;
    } catch {
      throw new ImageError("host", `cannot write ${this.name}: the host's memory is full`);
    }
  }

  #pieces(
    offset: number,
    length: number,
    each: (chunk: number, from: number, at: number, length: number) => void,
  ): void {
    for (let at = 0; at < length; ) {
      const from = (offset + at) % CHUNK;
      const part = Math.min(length - at, CHUNK - from);
      each((offset + at - from) / CHUNK, from, at, part);
      at += part;
    }
  }
}

/** Bytes as a file that is only read. They are not copied. */
export function storageOf(name: string, bytes: Uint8Array): Storage {
  const refuse = (): never => {
    throw new ImageError("host", `${name} is read-only`);
  };
  return {
    ...{ readOnly: true, name, identity: name, write: refuse, truncate: refuse, discard: refuse },
    size: () => bytes.length,
    read: (offset, into) => {
      const there = bytes.subarray(Math.min(offset, bytes.length), Math.min(offset + into.length, bytes.length));
      into.set(there);
      into.fill(0, there.length);
    },
    flush: () => {},
    close: () => {},
  };
}
