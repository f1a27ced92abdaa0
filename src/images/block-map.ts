import { refused } from "./error.ts";
import type { Extent, Format, Image } from "./image.ts";
import type { Storage } from "./storage.ts";

/** Where a block of a read-only image is. */
export type Block =
  | { readonly kind: "data"; readonly storage: Storage; readonly offset: number }
  /** All of the block, decompressed. */
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "zero" }
  | { readonly kind: "hole" };

export interface BlockMap {
  readonly format: Format;
  readonly bytes: number;
  readonly storages: readonly Storage[];
  /** What is at `offset`, and for how many bytes at most. @throws ImageError */
  find(offset: number): { readonly block: Block; readonly within: number; readonly length: number };
  readonly details: Readonly<Record<string, unknown>>;
}

/** An image that is only read, of any format that maps blocks to places in files. */
export class MappedImage implements Image {
  readonly readOnly = true;
  readonly backing = undefined;
  readonly #map: BlockMap;

  constructor(map: BlockMap) {
    this.#map = map;
  }

  get format(): Format {
    return this.#map.format;
  }
  get bytes(): number {
    return this.#map.bytes;
  }

  fileBytes(): number {
    return this.#map.storages.reduce((sum, storage) => sum + storage.size(), 0);
  }

  details(): Readonly<Record<string, unknown>> {
    return this.#map.details;
  }

  read(offset: number, into: Uint8Array): void {
    this.#check(offset, into.length);
    for (let done = 0; done < into.length; ) {
      const { block, within, length } = this.#map.find(offset + done);
      const part = into.subarray(done, done + length);
      if (block.kind === "data") block.storage.read(block.offset + within, part);
      else if (block.kind === "bytes") {
        part.fill(0);
        part.set(block.bytes.subarray(within, within + part.length));
      } else part.fill(0);
      done += part.length;
    }
  }

  extent(offset: number, length: number): Extent {
    this.#check(offset, length);
    const { block, length: most } = this.#map.find(offset);
    return { kind: block.kind === "bytes" ? "data" : block.kind, length: Math.min(most, length) };
  }

  write(): void {
    throw this.#readOnly();
  }
  writeZeroes(): void {
    throw this.#readOnly();
  }
  discard(): void {
    throw this.#readOnly();
  }
  resize(): void {
    throw this.#readOnly();
  }
  flush(): void {}

  close(): void {
    for (const storage of this.#map.storages) storage.close();
  }

  #readOnly() {
    return refused(`${this.#map.storages[0]?.name} is read-only`);
  }

  #check(offset: number, length: number): void {
    if (!(offset >= 0 && length >= 0 && offset + length <= this.bytes)) {
      throw refused(`${this.#map.storages[0]?.name}: beyond the end of the disk`);
    }
  }
}
