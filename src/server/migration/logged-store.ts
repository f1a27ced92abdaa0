import type { BlockStore } from "../../bus/device.ts";

/** Bytes that are logged, and copied, together. */
export const BLOCK_BYTES = 0x1_0000;

/** A domain's disk: it can be told which blocks were written while it is copied, and can look as if it were read-only. */
export class LoggedStore implements BlockStore {
  readonly #store: BlockStore;
  readonly #readOnly: boolean;
  #written: Set<number> | undefined;

  /** @param readOnly for the guest, of one that has to be filled first. */
  constructor(store: BlockStore, readOnly = store.readOnly) {
    this.#store = store;
    this.#readOnly = readOnly;
  }

  get bytes(): number {
    return this.#store.bytes;
  }

  get readOnly(): boolean {
    return this.#readOnly;
  }

  /** How many there are. */
  get blocks(): number {
    return Math.ceil(this.bytes / BLOCK_BYTES);
  }

  startLogging(): void {
    this.#written = new Set();
  }

  stopLogging(): void {
    this.#written = undefined;
  }

  /** Numbers of the blocks that were written since it was called last. */
  takeWritten(): number[] {
    const written = [...(this.#written ?? [])].sort((a, b) => a - b);
    this.#written?.clear();
    return written;
  }

  get writtenBlocks(): number {
    return this.#written?.size ?? 0;
  }

  read(offset: number, into: Uint8Array): void {
    this.#store.read(offset, into);
  }

  write(offset: number, from: Uint8Array): void {
    this.#note(offset, from.length);
    this.#store.write(offset, from);
  }

  writeZeroes(offset: number, bytes: number, unmap: boolean): void {
    this.#note(offset, bytes);
    this.#store.writeZeroes(offset, bytes, unmap);
  }

  discard(offset: number, bytes: number): void {
    this.#note(offset, bytes);
    this.#store.discard(offset, bytes);
  }

  flush(): void {
    this.#store.flush();
  }

  settle(): void {
    if (this.#store.settle) this.#store.settle();
    else this.#store.flush();
  }

  #note(offset: number, bytes: number): void {
    if (this.#written === undefined) return;
    for (let block = Math.floor(offset / BLOCK_BYTES); block * BLOCK_BYTES < offset + bytes; block++)
      this.#written.add(block);
  }
}
