import { codecs } from "../../src/hosts/node/codecs.ts";
import { ImageError } from "../../src/images/error.ts";
import type { ImageHost, Storage } from "../../src/images/storage.ts";

const MOST = 2 ** 28;

/** A file in memory. What a write would make larger than 256 MiB is refused, as on a full disk. */
export class MemoryStorage implements Storage {
  readonly name: string;
  readonly identity: string;
  readOnly = false;
  /** Told of each write and flush before it is done. */
  watch: ((what: "write" | "flush", offset: number, bytes: Uint8Array) => void) | undefined;
  #bytes: Uint8Array;
  #size: number;

  /** @param shared the bytes are not copied: for what is only read. */
  constructor(name: string, bytes: Uint8Array = new Uint8Array(0), shared = false) {
    this.name = name;
    this.identity = name;
    this.#bytes = shared ? bytes : bytes.slice();
    this.#size = bytes.length;
  }

  contents(): Uint8Array {
    return this.#bytes.slice(0, this.#size);
  }
  size(): number {
    return this.#size;
  }
  read(offset: number, into: Uint8Array): void {
    const there = this.#bytes.subarray(Math.min(offset, this.#size), Math.min(offset + into.length, this.#size));
    into.set(there);
    into.fill(0, there.length);
  }
  write(offset: number, from: Uint8Array): void {
    if (this.readOnly) throw new ImageError("host", `${this.name} is read-only`);
    this.watch?.("write", offset, from);
    this.#grow(offset + from.length);
    this.#bytes.set(from, offset);
  }
  truncate(size: number): void {
    this.#grow(size);
    this.#bytes.fill(0, Math.min(size, this.#size));
    this.#size = size;
  }
  discard(offset: number, length: number): void {
    this.#bytes.fill(0, Math.min(offset, this.#size), Math.min(offset + length, this.#size));
  }
  flush(): void {
    this.watch?.("flush", 0, this.#bytes);
  }
  close(): void {}

  #grow(size: number): void {
    if (!(size <= MOST)) throw new ImageError("host", `cannot write ${this.name}: no space left on the host's disk`);
    if (size > this.#bytes.length) {
      const larger = new Uint8Array(Math.min(MOST, Math.max(size, this.#bytes.length * 2)));
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#size = Math.max(this.#size, size);
  }
}

/** Files in memory, by name. */
export function memoryImages(files: ReadonlyMap<string, MemoryStorage>): ImageHost {
  return {
    open(path, writable) {
      const file = files.get(path);
      if (file === undefined) throw new ImageError("host", `cannot read ${path}: no such file`);
      if (writable) file.readOnly = false;
      return writable ? file : readOnly(file);
    },
    beside: (_image, name) => name,
    codecs,
  };
}

function readOnly(file: MemoryStorage): Storage {
  const refuse = (): never => {
    throw new ImageError("host", `${file.name} is read-only`);
  };
  return {
    ...{ readOnly: true, name: file.name, identity: file.identity, write: refuse, truncate: refuse, discard: refuse },
    size: () => file.size(),
    read: (offset, into) => file.read(offset, into),
    flush: () => {},
    close: () => {},
  };
}
