import { damaged, newer, SnapshotError } from "../../snapshot/error.ts";
import { Fields } from "../../snapshot/fields.ts";
import { PAGE } from "../../snapshot/format.ts";
import type { Chunk, SnapshotReader } from "../../snapshot/reader.ts";
import { joined } from "../../snapshot/streams.ts";
import * as N from "./sections.ts";

/** The sections of a snapshot, in the order in which they are written. */
export class Sections {
  readonly #reader: SnapshotReader;
  #ahead: Chunk | undefined;
  #read = false;

  constructor(reader: SnapshotReader) {
    this.#reader = reader;
  }

  /** The next chunk, which holds until the one after it. */
  async next(): Promise<Chunk | undefined> {
    const chunk = await this.#peek();
    this.#read = false;
    return chunk;
  }

  content(chunk: Chunk): Promise<Uint8Array> {
    return this.#reader.content(chunk);
  }

  /** The whole of the next section, which must be the one of that name. */
  async bytes(name: string): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    let length = 0;
    for (let chunk = await this.#peek(); chunk?.name === name; chunk = await this.#peek()) {
      this.checkVersion(chunk);
      if (chunk.page * PAGE !== length) throw damaged(`${name} has gaps`);
      if (pieces.length > 0 && chunk.bytes === 0) throw damaged(`${name} has an empty part`);
      length += chunk.bytes;
      if (length > N.SECTION_MAX) throw damaged(`${name} is too large`);
      pieces.push((await this.content(chunk)).slice());
      this.#read = false;
    }
    if (pieces.length === 0) throw damaged(`${name} is missing`);
    return joined(pieces, length);
  }

  /** The next section, of any size, if it is the one of that name: piece by piece, each used before the next is asked for. */
  async *pieces(name: string): AsyncGenerator<{ readonly offset: number; readonly content: Uint8Array }> {
    for (let chunk = await this.#peek(); chunk?.name === name; chunk = await this.#peek()) {
      this.checkVersion(chunk);
      yield { offset: chunk.page * PAGE, content: await this.content(chunk) };
      this.#read = false;
    }
  }

  async json(name: string): Promise<Fields> {
    return Fields.parse(text(await this.bytes(name)), name);
  }

  checkVersion({ name, version }: Chunk): void {
    if (version > N.SECTION_VERSION) throw newer(`its section ${printable(name)} is version ${version}`);
    if (version < N.SECTION_VERSION) throw new SnapshotError("other", `its section ${printable(name)} is too old`);
  }

  async #peek(): Promise<Chunk | undefined> {
    if (!this.#read) this.#ahead = await this.#reader.next();
    this.#read = true;
    return this.#ahead;
  }
}

/** UTF-8, without relying on a host's decoder. */
function text(bytes: Uint8Array): string {
  let escaped = "";
  for (let at = 0; at < bytes.length; at += 0x8000) {
    const part = bytes.subarray(at, at + 0x8000);
    // Spread, each byte would be an object of the iterator's.
    escaped += String.fromCharCode.apply(undefined, part as unknown as number[]);
  }
  try {
    return decodeURIComponent(escaped.replace(/[%\u0080-\u00ff]/g, (c) => `%${c.charCodeAt(0).toString(16)}`));
  } catch {
    throw damaged("a section is no UTF-8");
  }
}

/** A name out of a file, for a message. */
export function printable(name: string): string {
  return name.replace(/[^ -~]/g, "?");
}
