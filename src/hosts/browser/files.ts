// Files of a browser as the machine reads them: in a worker, where there are calls that are done when they return.

import { ImageError } from "../../images/error.ts";
import type { Storage } from "../../images/storage.ts";
import { AtollError } from "../library/errors.ts";

const BLOCK = 0x4_0000;
/** Blocks of a remote file that are kept: 64 MiB. */
const KEPT = 256;

abstract class ReadOnlyFile implements Storage {
  readonly readOnly = true;
  readonly name: string;
  readonly identity: string;

  constructor(name: string) {
    this.name = name;
    this.identity = name;
  }

  abstract size(): number;
  /** Bytes that are all there. */
  protected abstract part(offset: number, length: number): Uint8Array;

  read(offset: number, into: Uint8Array): void {
    const length = Math.max(0, Math.min(into.length, this.size() - offset));
    if (length > 0) into.set(this.part(offset, length));
    into.fill(0, length);
  }

  write(): void {
    throw this.#refusal();
  }

  truncate(): void {
    throw this.#refusal();
  }

  discard(): void {
    throw this.#refusal();
  }

  flush(): void {}
  close(): void {}

  #refusal(): ImageError {
    return new ImageError("host", `${this.name} is read-only`);
  }
}

/** A file that the user gave. What is not read is not loaded. */
export class BlobFile extends ReadOnlyFile {
  readonly #blob: Blob;
  readonly #reader = new FileReaderSync();

  constructor(name: string, blob: Blob) {
    super(name);
    this.#blob = blob;
  }

  size(): number {
    return this.#blob.size;
  }

  protected part(offset: number, length: number): Uint8Array {
    try {
      return new Uint8Array(this.#reader.readAsArrayBuffer(this.#blob.slice(offset, offset + length)));
    } catch {
      throw new ImageError("host", `cannot read ${this.name}: it has changed or is gone since it was given`);
    }
  }
}

/** A file behind a URL, of which parts are asked for (RFC 9110, 14) and kept. */
export class RemoteFile extends ReadOnlyFile {
  readonly #url: string;
  readonly #size: number;
  readonly #blocks = new Map<number, Uint8Array>();

  private constructor(url: string, size: number) {
    super(url);
    this.#url = url;
    this.#size = size;
  }

  /** Undefined where the server does not give parts: it has to be loaded as a whole then. @throws AtollError "load" */
  static async open(url: string): Promise<RemoteFile | undefined> {
    let response: Response;
    try {
      response = await fetch(url, { headers: { Range: "bytes=0-0" } });
    } catch {
      throw new AtollError(
        "load",
        `cannot load ${url}: the network failed, or its server allows no other site's pages`,
      );
    }
    void response.body?.cancel();
    if (!response.ok)
      throw new AtollError("load", `cannot load ${url}: ${response.status} ${response.statusText}`.trim());
    const size = Number(/\/(\d+)$/.exec(response.headers.get("Content-Range") ?? "")?.[1] ?? Number.NaN);
    return response.status === 206 && Number.isSafeInteger(size) ? new RemoteFile(url, size) : undefined;
  }

  size(): number {
    return this.#size;
  }

  protected part(offset: number, length: number): Uint8Array {
    const out = new Uint8Array(length);
    for (let at = 0; at < length; ) {
      const number = Math.floor((offset + at) / BLOCK);
      const from = (offset + at) % BLOCK;
      const piece = this.#block(number).subarray(from, from + length - at);
      out.set(piece, at);
      at += piece.length;
    }
    return out;
  }

  #block(number: number): Uint8Array {
    let block = this.#blocks.get(number);
    // The last one to be used is the last one to go.
    this.#blocks.delete(number);
    block ??= this.#fetch(number * BLOCK, Math.min(this.#size, (number + 1) * BLOCK));
    this.#blocks.set(number, block);
    if (this.#blocks.size > KEPT) this.#blocks.delete(this.#blocks.keys().next().value as number);
    return block;
  }

  #fetch(from: number, to: number): Uint8Array {
    const request = new XMLHttpRequest();
    try {
      request.open("GET", this.#url, false);
      request.setRequestHeader("Range", `bytes=${from}-${to - 1}`);
      request.responseType = "arraybuffer";
      request.send();
    } catch {
      throw new ImageError("host", `cannot read ${this.#url}: the network failed`);
    }
    const bytes = new Uint8Array((request.response as ArrayBuffer | null) ?? new ArrayBuffer(0));
    if (request.status !== 206 || bytes.length !== to - from) {
      throw new ImageError("host", `cannot read ${this.#url}: its server answered ${request.status}`);
    }
    return bytes;
  }
}
