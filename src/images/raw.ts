import { isZero, roundUp } from "./bytes.ts";
import { refused } from "./error.ts";
import type { Extent, Image } from "./image.ts";
import { magicOf } from "./probe.ts";
import type { Storage } from "./storage.ts";

const SECTOR = 512;
const ZEROS_AT_ONCE = 2 ** 20;

/** The disk's bytes as they are. The last sector of a file whose size is no multiple of 512 reads as if zeros followed. */
export class RawImage implements Image {
  readonly format = "raw";
  readonly backing = undefined;
  readonly readOnly: boolean;
  readonly #storage: Storage;
  readonly #probed: boolean;
  #bytes: number;

  /**
   * @param probed the format is not the user's word but a guess: a guest may then not write the magic number of another format, as
   * the next start would believe it, and open whatever file the guest names there.
   */
  constructor(storage: Storage, probed: boolean) {
    this.#storage = storage;
    this.#probed = probed;
    this.readOnly = storage.readOnly;
    this.#bytes = roundUp(storage.size(), SECTOR);
  }

  get bytes(): number {
    return this.#bytes;
  }

  fileBytes(): number {
    return this.#storage.size();
  }

  details(): Readonly<Record<string, unknown>> {
    return {};
  }

  read(offset: number, into: Uint8Array): void {
    this.#check(offset, into.length);
    this.#storage.read(offset, into);
  }

  extent(offset: number, length: number): Extent {
    this.#check(offset, length);
    return { kind: "data", length };
  }

  write(offset: number, from: Uint8Array): void {
    this.#writing(offset, from.length);
    if (this.#probed && offset < SECTOR) this.#guard(offset, from);
    this.#storage.write(offset, from);
  }

  writeZeroes(offset: number, bytes: number, unmap: boolean): void {
    this.#writing(offset, bytes);
    const there = unmap ? new Uint8Array(Math.min(bytes, ZEROS_AT_ONCE)) : undefined;
    const zeros = new Uint8Array(Math.min(bytes, ZEROS_AT_ONCE));
    for (let at = offset; at < offset + bytes; at += ZEROS_AT_ONCE) {
      const length = Math.min(ZEROS_AT_ONCE, offset + bytes - at);
      // Where there are zeros, there may be a hole, which writing would fill.
      if (there !== undefined) {
        this.#storage.read(at, there.subarray(0, length));
        if (isZero(there.subarray(0, length))) continue;
      }
      this.#storage.write(at, zeros.subarray(0, length));
    }
  }

  discard(offset: number, bytes: number): void {
    this.#writing(offset, bytes);
    this.#storage.discard(offset, bytes);
  }

  flush(): void {
    if (!this.readOnly) this.#storage.flush();
  }

  resize(bytes: number): void {
    if (this.readOnly) throw refused(`${this.#storage.name} is read-only`);
    this.#storage.truncate(bytes);
    this.#bytes = roundUp(bytes, SECTOR);
    this.#storage.flush();
  }

  close(): void {
    this.#storage.close();
  }

  #guard(offset: number, from: Uint8Array): void {
    const sector = new Uint8Array(SECTOR);
    this.#storage.read(0, sector);
    sector.set(from.subarray(0, SECTOR - offset), offset);
    const magic = magicOf(sector);
    if (magic === undefined) return;
    throw refused(`${this.#storage.name} would look like ${magic} afterwards: give format=raw if that is meant`);
  }

  #check(offset: number, length: number): void {
    if (!(offset >= 0 && length >= 0 && offset + length <= this.#bytes)) {
      throw refused(`${this.#storage.name}: beyond the end of the disk`);
    }
  }

  #writing(offset: number, length: number): void {
    if (this.readOnly) throw refused(`${this.#storage.name} is read-only`);
    this.#check(offset, length);
  }
}
