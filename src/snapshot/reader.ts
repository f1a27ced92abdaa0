import type { Checksum } from "./crc32.ts";
import { damaged, newer, SnapshotError } from "./error.ts";
import * as F from "./format.ts";

export interface ReaderOptions {
  readonly source: F.SnapshotSource;
  readonly codec: F.SnapshotCodec;
  readonly checksum: Checksum;
}

/** A chunk whose checksum is right. */
export interface Chunk {
  readonly name: string;
  readonly version: number;
  /** Where its content begins in the section, in pages. */
  readonly page: number;
  /** Of its content. */
  readonly bytes: number;
  readonly encoding: F.Encoding;
  /** As the file has it: holds until the next chunk is asked for. */
  readonly stored: Uint8Array;
}

/** Reads a snapshot's container. Whatever the file holds, nothing but SnapshotError is thrown, and no more than a chunk is kept. */
export class SnapshotReader {
  readonly #options: ReaderOptions;
  #crc = 0;
  #begun = false;
  #ended = false;

  constructor(options: ReaderOptions) {
    this.#options = options;
  }

  /** The next chunk; undefined after the last, when the file has been found to be whole. @throws SnapshotError */
  async next(): Promise<Chunk | undefined> {
    if (this.#ended) return undefined;
    if (!this.#begun) await this.#begin();
    const header = (await this.#read(F.CHUNK_HEADER_BYTES)).slice();
    const view = new DataView(header.buffer);
    const field = (offset: number): number => view.getUint32(offset, true);
    this.#crc = this.#options.checksum(header.subarray(0, F.CHUNK_HEADER_CRC), this.#crc);
    if (field(F.CHUNK_HEADER_CRC) !== this.#crc) throw damaged("a chunk's header has another checksum");
    const name = nameOf(header);
    const encoding = F.ENCODINGS[field(F.CHUNK_ENCODING)];
    if (encoding === undefined) throw newer("it is packed in a way that is not known");
    const bytes = field(F.CHUNK_BYTES);
    const stored = field(F.CHUNK_STORED);
    if (bytes > F.CHUNK_MAX || stored > bytes || (encoding === "stored" && stored !== bytes))
      throw damaged(`a chunk of ${name} has no possible size`);
    const content = await this.#read(stored);
    if (this.#options.checksum(content, 0) !== field(F.CHUNK_CRC)) throw damaged(`${name} has another checksum`);
    if (name === F.END) {
      if ((await this.#options.source.read(1)).length > 0) throw damaged("something follows its end");
      this.#ended = true;
      return undefined;
    }
    return { name, version: field(F.CHUNK_VERSION), page: field(F.CHUNK_PAGE), bytes, encoding, stored: content };
  }

  /** What a chunk holds. */
  async content({ name, encoding, stored, bytes }: Chunk): Promise<Uint8Array> {
    if (encoding === "stored") return stored;
    let content: Uint8Array | undefined;
    try {
      content = await this.#options.codec.decode(encoding, stored, bytes);
    } catch {
      // Said below.
    }
    if (content?.length !== bytes) throw damaged(`${name} cannot be unpacked (${encoding})`);
    return content;
  }

  async #begin(): Promise<void> {
    this.#begun = true;
    const header = (await this.#options.source.read(F.HEADER_BYTES)).slice();
    if (!F.MAGIC.every((byte, i) => header[i] === byte)) throw new SnapshotError("other", "it is no snapshot");
    if (header.length < F.HEADER_BYTES) throw damaged("it is cut short");
    const view = new DataView(header.buffer);
    this.#crc = this.#options.checksum(header.subarray(0, 12), 0);
    if (view.getUint32(12, true) !== this.#crc) throw damaged("its header has another checksum");
    const version = view.getUint32(8, true);
    if (version > F.VERSION) throw newer(`its format is version ${version}, and ${F.VERSION} is the newest known`);
  }

  async #read(bytes: number): Promise<Uint8Array> {
    const read = await this.#options.source.read(bytes);
    if (read.length < bytes) throw damaged("it is cut short");
    return read;
  }
}

function nameOf(header: Uint8Array): string {
  const bytes = header.subarray(F.CHUNK_NAME, F.CHUNK_NAME + F.NAME_BYTES);
  const end = bytes.indexOf(0);
  return String.fromCharCode(...(end < 0 ? bytes : bytes.subarray(0, end)));
}

/**
 * Reads all of a snapshot for its checksums alone. @throws SnapshotError where one is wrong, or the file is not whole.
 * @param found is told of each chunk, all of which are right when this is done.
 */
export async function verifySnapshot(
  options: Omit<ReaderOptions, "codec">,
  found: (chunk: Chunk) => void = () => {},
): Promise<void> {
  const none = (): never => {
    throw damaged("nothing is unpacked here");
  };
  const reader = new SnapshotReader({ ...options, codec: { encode: none, decode: none } });
  for (let chunk = await reader.next(); chunk !== undefined; chunk = await reader.next()) found(chunk);
}
