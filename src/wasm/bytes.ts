/** A growing sequence of bytes, with the integer encodings of WebAssembly (WebAssembly 2.0, section 5.2). */
export class ByteWriter {
  #bytes = new Uint8Array(256);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  byte(v: number): void {
    if (this.#length === this.#bytes.length) this.#grow(1);
    this.#bytes[this.#length++] = v;
  }

  raw(bytes: ArrayLike<number>): void {
    if (this.#length + bytes.length > this.#bytes.length) this.#grow(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  append(other: ByteWriter): void {
    this.raw(other.view());
  }

  /** Unsigned LEB128 of an integer below 2^32. */
  u32(v: number): void {
    let rest = v >>> 0;
    while (rest >= 0x80) {
      this.byte((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    this.byte(rest);
  }

  /** Signed LEB128 of a 32-bit integer. */
  s32(v: number): void {
    let rest = v | 0;
    while (rest < -64 || rest > 63) {
      this.byte((rest & 0x7f) | 0x80);
      rest >>= 7;
    }
    this.byte(rest & 0x7f);
  }

  /** Signed LEB128 of a 64-bit integer, given by its halves. */
  s64(lo: number, hi: number): void {
    let low = lo | 0;
    let high = hi | 0;
    while (high !== low >> 31 || low < -64 || low > 63) {
      this.byte((low & 0x7f) | 0x80);
      low = (low >>> 7) | (high << 25);
      high >>= 7;
    }
    this.byte(low & 0x7f);
  }

  name(text: string): void {
    const bytes = Array.from(text, (c) => c.charCodeAt(0));
    this.u32(bytes.length);
    this.raw(bytes);
  }

  /** The bytes so far: a view that further writing may leave behind. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  #grow(atLeast: number): void {
    const next = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + atLeast));
    next.set(this.#bytes);
    this.#bytes = next;
  }
}
