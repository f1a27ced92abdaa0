/** What a client has sent and nobody has read yet. */
export class ByteInput {
  #bytes = new Uint8Array(256);
  #start = 0;
  #end = 0;
  /** Bytes that are to be thrown away when they come. */
  #skip = 0;

  /** How much there is to read. */
  get length(): number {
    return this.#end - this.#start;
  }

  add(bytes: Uint8Array): void {
    const skipped = Math.min(this.#skip, bytes.length);
    this.#skip -= skipped;
    const rest = bytes.subarray(skipped);
    if (this.#end + rest.length > this.#bytes.length) {
      const old = this.#bytes.subarray(this.#start, this.#end);
      if (old.length + rest.length > this.#bytes.length) this.#bytes = new Uint8Array(2 * (old.length + rest.length));
      this.#bytes.set(old);
      this.#start = 0;
      this.#end = old.length;
    }
    this.#bytes.set(rest, this.#end);
    this.#end += rest.length;
  }

  /** The first `length` bytes, which must be there, as they are until `add`. */
  peek(length: number): DataView {
    return new DataView(this.#bytes.buffer, this.#start, length);
  }

  /** Throws the next bytes away: those that are there, and those that come. */
  skip(length: number): void {
    const now = Math.min(length, this.length);
    this.#start += now;
    this.#skip += length - now;
    if (this.#start === this.#end) this.#start = this.#end = 0;
  }
}
