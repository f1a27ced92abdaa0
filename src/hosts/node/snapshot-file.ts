// Snapshots in files: Node's codecs, and a file that takes the old one's place only when it is whole.

import { closeSync, fsyncSync, openSync, read, readSync, renameSync, rmSync, writeSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import {
  constants,
  crc32,
  deflateRawSync,
  inflateRaw,
  inflateRawSync,
  zstdCompressSync,
  zstdDecompress,
  zstdDecompressSync,
} from "node:zlib";
import type { Checksum } from "../../snapshot/crc32.ts";
import type { SnapshotCodec, SnapshotSink, SnapshotSource } from "../../snapshot/format.ts";
import { asBadInput, open } from "./files.ts";

export const checksum: Checksum = (bytes, seed) => crc32(bytes, seed);

/** The least effort: what a snapshot has is found elsewhere soon enough, and restoring does not care. */
const DEFLATE = { level: 1 };
const ZSTD = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

export const snapshotCodec: SnapshotCodec = {
  encode: (encoding, bytes) => (encoding === "zstd" ? zstdCompressSync(bytes, ZSTD) : deflateRawSync(bytes, DEFLATE)),
  decode: (encoding, stored, bytes) =>
    encoding === "zstd" ? zstdDecompressSync(stored, limitOf(bytes)) : inflateRawSync(stored, limitOf(bytes)),
};

/** Unpacks in Node's other threads. */
export const threadedCodec: SnapshotCodec = {
  encode: snapshotCodec.encode,
  decode: (encoding, stored, bytes) =>
    new Promise((resolve, reject) => {
      const done = (error: Error | null, content: Uint8Array): void => (error ? reject(error) : resolve(content));
      if (encoding === "zstd") zstdDecompress(stored, limitOf(bytes), done);
      else inflateRaw(stored, limitOf(bytes), done);
    }),
};

/** A limit of 0 is none, and an output of the limit's size is allowed. In one piece, so that nothing needs to be put together. */
function limitOf(bytes: number): { maxOutputLength: number; chunkSize: number } {
  return { maxOutputLength: Math.max(1, bytes), chunkSize: Math.max(64, bytes + 1) };
}

/** Bytes that are read from a file at a time. */
const READ_BYTES = 0x40_0000;

/** Files up to this size are read at once. */
const WHOLE_BYTES = 0x400_0000;

/** All of a snapshot's file; undefined where it is too large to be kept in memory, or no file. @throws BadInput */
export async function readWhole(path: string): Promise<Uint8Array | undefined> {
  const { fd, stats } = open(path, "r");
  try {
    if (!stats.isFile() || stats.size > WHOLE_BYTES) return undefined;
    // Not cleared first; and no Buffer, whose slices are no copies.
    const bytes = new Uint8Array(Buffer.allocUnsafeSlow(stats.size).buffer);
    for (let have = 0; have < bytes.length; ) {
      const count = await new Promise<number>((resolve, reject) =>
        read(fd, bytes, have, bytes.length - have, have, (error, got) => (error ? reject(error) : resolve(got))),
      );
      if (count === 0) return bytes.subarray(0, have);
      have += count;
    }
    return bytes;
  } catch (error) {
    throw asBadInput(error, "read", path);
  } finally {
    closeSync(fd);
  }
}

/** A file that is read from its start, a part at a time. */
export class SnapshotFile implements SnapshotSource {
  readonly #path: string;
  readonly #fd: number;
  #buffer = new Uint8Array(READ_BYTES);
  /** Of what is in the buffer and was not given yet. */
  #first = 0;
  #end = 0;

  /** @throws BadInput */
  constructor(path: string) {
    this.#path = path;
    this.#fd = open(path, "r").fd;
  }

  read(bytes: number): Uint8Array {
    if (this.#end - this.#first < bytes) this.#fill();
    const part = this.#buffer.subarray(this.#first, Math.min(this.#end, this.#first + bytes));
    this.#first += part.length;
    return part;
  }

  close(): void {
    closeSync(this.#fd);
  }

  #fill(): void {
    // What was given before may still be in use until now, and not any more.
    this.#buffer.copyWithin(0, this.#first, this.#end);
    this.#end -= this.#first;
    this.#first = 0;
    try {
      while (this.#end < this.#buffer.length) {
        const read = readSync(this.#fd, this.#buffer, this.#end, this.#buffer.length - this.#end, null);
        if (read === 0) break;
        this.#end += read;
      }
    } catch (error) {
      throw asBadInput(error, "read", this.#path);
    }
  }
}

/** A file that gets its name when it is whole and on the disk. Whatever ends the process before that leaves the old one. */
export class NewSnapshotFile implements SnapshotSink {
  readonly #path: string;
  readonly #temporary: string;
  #fd: number | undefined;

  /** @throws BadInput */
  constructor(path: string) {
    this.#path = path;
    this.#temporary = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
    try {
      // Memory of a guest's is nobody else's business.
      this.#fd = openSync(this.#temporary, "w", 0o600);
    } catch (error) {
      throw asBadInput(error, "write", path);
    }
  }

  write(bytes: Uint8Array): void {
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd as number, bytes, at);
    } catch (error) {
      throw asBadInput(error, "write", this.#path);
    }
  }

  /** @throws BadInput */
  finish(): void {
    try {
      fsyncSync(this.#fd as number);
      this.#close();
      renameSync(this.#temporary, this.#path);
      syncDirectory(dirname(this.#path));
    } catch (error) {
      this.abandon();
      throw asBadInput(error, "write", this.#path);
    }
  }

  /** Nothing of it remains. */
  abandon(): void {
    this.#close();
    rmSync(this.#temporary, { force: true });
  }

  #close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}

/** So that the name, too, is on the disk. Not all systems let directories be opened. */
function syncDirectory(path: string): void {
  try {
    const fd = openSync(path, "r");
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch {
    // The file is there, and a crash of the computer's may leave its old content.
  }
}
