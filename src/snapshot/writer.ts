import type { Checksum } from "./crc32.ts";
import * as F from "./format.ts";

export interface WriterOptions {
  readonly sink: F.SnapshotSink;
  readonly codec: F.SnapshotCodec;
  /** Of what gets smaller by it. */
  readonly encoding: F.Encoding;
  readonly checksum: Checksum;
}

/** Writes a snapshot's container. */
export class SnapshotWriter {
  readonly #options: WriterOptions;
  /** CRC-32 of the last header. */
  #crc = 0;
  /** Bytes of the file so far. */
  bytes = 0;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  async begin(): Promise<void> {
    const header = new Uint8Array(F.HEADER_BYTES);
    const view = new DataView(header.buffer);
    header.set(F.MAGIC);
    view.setUint32(8, F.VERSION, true);
    this.#crc = this.#options.checksum(header.subarray(0, 12), 0);
    view.setUint32(12, this.#crc, true);
    await this.#write(header);
  }

  /** @param page where it begins in the section, in pages. @param content at most CHUNK_MAX bytes; may be memory that others change. */
  async chunk(name: string, version: number, page: number, content: Uint8Array): Promise<void> {
    const { codec, encoding, checksum } = this.#options;
    let used: F.Encoding = "stored";
    let stored = content;
    if (encoding !== "stored" && content.length >= F.PACKED_MIN) {
      const packed = await codec.encode(encoding, content);
      if (packed.length * F.PACKED_RATIO <= content.length) {
        used = encoding;
        stored = packed;
      }
    }
    if (used === "stored") stored = content.slice();
    const header = new Uint8Array(F.CHUNK_HEADER_BYTES);
    const view = new DataView(header.buffer);
    for (let i = 0; i < name.length; i++) header[F.CHUNK_NAME + i] = name.charCodeAt(i);
    view.setUint32(F.CHUNK_VERSION, version, true);
    view.setUint32(F.CHUNK_PAGE, page, true);
    view.setUint32(F.CHUNK_ENCODING, F.ENCODINGS.indexOf(used), true);
    view.setUint32(F.CHUNK_BYTES, content.length, true);
    view.setUint32(F.CHUNK_STORED, stored.length, true);
    view.setUint32(F.CHUNK_CRC, checksum(stored, 0), true);
    this.#crc = checksum(header.subarray(0, F.CHUNK_HEADER_CRC), this.#crc);
    view.setUint32(F.CHUNK_HEADER_CRC, this.#crc, true);
    await this.#write(header);
    if (stored.length > 0) await this.#write(stored);
  }

  /** A section that is bytes, of at most `CHUNK_MAX` a chunk. */
  async section(name: string, version: number, content: Uint8Array): Promise<void> {
    let at = 0;
    do {
      await this.chunk(name, version, at / F.PAGE, content.subarray(at, at + F.CHUNK_MAX));
      at += F.CHUNK_MAX;
    } while (at < content.length);
  }

  async end(): Promise<void> {
    await this.chunk(F.END, 1, 0, new Uint8Array(0));
  }

  async #write(bytes: Uint8Array): Promise<void> {
    this.bytes += bytes.length;
    await this.#options.sink.write(bytes);
  }
}
