// What a file of a shared folder holds: the file as it was when it was looked at, and over it what the guest has written since.

import { failure } from "./folder-failure.ts";

const CHUNK = 0x1_0000;
/** Bytes of a file at most: browsers write files as a whole. */
const SIZE_MAX = 2 ** 32;
/** Bytes that may wait in memory, of all files of a folder. */
const WAITING_MAX = 256 * 2 ** 20;
/** Bytes that are loaded at a time. */
const LOAD = 16 * 2 ** 20;
const ZEROS = new Blob([new Uint8Array(2 ** 20)]);

/** Reads a part of a file at once, as only workers can. */
export type ReadPart = (file: Blob, from: number, to: number) => Uint8Array;

/** What the files of one folder share. */
export interface FolderMemory {
  readonly read: ReadPart;
  /** Bytes that wait in memory. */
  waiting: number;
}

export class FolderFile {
  readonly #memory: FolderMemory;
  /** Undefined where all is in `#chunks`. */
  #base: Blob | undefined;
  /** So many bytes of it still count: a file that was cut reads as zeros when it grows again. */
  #baseBytes: number;
  /** Whole parts that were written to. */
  readonly #chunks = new Map<number, Uint8Array>();
  #size: number;
  /** The least size since `pack`. */
  #least = 0;
  /** Counts changes. */
  version = 0;

  constructor(base: Blob | undefined, memory: FolderMemory) {
    this.#memory = memory;
    this.#base = base;
    this.#size = this.#baseBytes = base?.size ?? 0;
  }

  get size(): number {
    return this.#size;
  }

  /** @returns bytes read: less than asked for only at the end. */
  read(at: number, into: Uint8Array): number {
    const length = Math.max(0, Math.min(into.length, this.#size - at));
    for (let done = 0; done < length; ) {
      const number = Math.floor((at + done) / CHUNK);
      const from = (at + done) % CHUNK;
      const chunk = this.#chunks.get(number);
      let part = Math.min(length - done, CHUNK - from);
      if (chunk === undefined) {
        // As much as there is of the file itself in one go.
        for (let next = number + 1; done + part < length && !this.#chunks.has(next); next++) {
          part = Math.min(length - done, part + CHUNK);
        }
        this.#readBase(at + done, into.subarray(done, done + part));
      } else into.set(chunk.subarray(from, from + part), done);
      done += part;
    }
    return length;
  }

  /** @throws EFBIG, ENOSPC */
  write(at: number, from: Uint8Array): void {
    if (at + from.length > SIZE_MAX) throw failure("EFBIG");
    for (let done = 0; done < from.length; ) {
      const number = Math.floor((at + done) / CHUNK);
      const start = (at + done) % CHUNK;
      const part = from.subarray(done, done + CHUNK - start);
      this.#chunk(number).set(part, start);
      done += part.length;
    }
    this.#size = Math.max(this.#size, at + from.length);
    this.version++;
  }

  /** @throws EFBIG */
  resize(bytes: number): void {
    if (bytes > SIZE_MAX) throw failure("EFBIG");
    if (bytes < this.#size) {
      this.#baseBytes = Math.min(this.#baseBytes, bytes);
      this.#least = Math.min(this.#least, bytes);
      for (const [number, chunk] of this.#chunks) {
        if (number * CHUNK >= bytes) this.#forget(number);
        else if ((number + 1) * CHUNK > bytes) chunk.fill(0, bytes - number * CHUNK);
      }
    }
    this.#size = bytes;
    this.version++;
  }

  /** All of it as it is now, to be written to where it is kept. */
  pack(): Blob {
    const parts: BlobPart[] = [];
    for (let at = 0; at < this.#size; ) {
      const chunk = this.#chunks.get(at / CHUNK);
      let end = Math.min(this.#size, at + CHUNK);
      if (chunk !== undefined) parts.push(chunk.subarray(0, end - at) as Uint8Array<ArrayBuffer>);
      else {
        while (end < this.#size && !this.#chunks.has(end / CHUNK)) end = Math.min(this.#size, end + CHUNK);
        const there = Math.max(at, Math.min(end, this.#baseBytes));
        if (there > at && this.#base) parts.push(this.#base.slice(at, there));
        for (let zeros = end - there; zeros > 0; zeros -= ZEROS.size) parts.push(ZEROS.slice(0, zeros));
      }
      at = end;
    }
    this.#least = this.#size;
    return new Blob(parts);
  }

  /** What `pack` gave is in this file. @param version as it was then: where it is still that, nothing is kept in memory any more. */
  packed(base: Blob, version: number): void {
    this.#base = base;
    this.#baseBytes = Math.min(base.size, this.#least);
    if (version === this.version) this.release();
  }

  /** Somebody else has changed the file. */
  replaced(base: Blob): void {
    this.release();
    this.#base = base;
    this.#size = this.#baseBytes = base.size;
  }

  /** Its place is about to be taken: what is not in memory is loaded. */
  async load(): Promise<void> {
    const base = this.#base;
    const parts: Blob[] = [];
    // Part by part: browsers move large blobs out of memory.
    for (let at = 0; base && at < this.#baseBytes; at += LOAD) {
      parts.push(new Blob([await base.slice(at, Math.min(at + LOAD, this.#baseBytes)).arrayBuffer()]));
    }
    if (base) this.#base = new Blob(parts);
  }

  /** Gives up what is in memory. */
  release(): void {
    for (const number of this.#chunks.keys()) this.#forget(number);
  }

  #forget(number: number): void {
    if (this.#chunks.delete(number)) this.#memory.waiting -= CHUNK;
  }

  #chunk(number: number): Uint8Array {
    let chunk = this.#chunks.get(number);
    if (chunk === undefined) {
      if (this.#memory.waiting >= WAITING_MAX) throw failure("ENOSPC");
      this.#memory.waiting += CHUNK;
      chunk = new Uint8Array(CHUNK);
      this.#readBase(number * CHUNK, chunk);
      this.#chunks.set(number, chunk);
    }
    return chunk;
  }

  #readBase(at: number, into: Uint8Array): void {
    const end = Math.min(at + into.length, this.#baseBytes);
    if (this.#base && end > at) into.set(this.#memory.read(this.#base, at, end));
    into.fill(0, Math.max(0, end - at));
  }
}
