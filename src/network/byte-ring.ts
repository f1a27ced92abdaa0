const SMALLEST = 0x4000;

/** Bytes in order: put in at the end, looked at anywhere, taken from the start. As large as it has to be. */
export class ByteRing {
  #bytes = new Uint8Array(0);
  #start = 0;
  length = 0;

  /** Bytes of memory that it takes. */
  get capacity(): number {
    return this.#bytes.length;
  }

  push(bytes: Uint8Array): void {
    if (this.length + bytes.length > this.#bytes.length) this.#grow(this.length + bytes.length);
    const mask = this.#bytes.length - 1;
    const at = (this.#start + this.length) & mask;
    const first = Math.min(bytes.length, this.#bytes.length - at);
    this.#bytes.set(bytes.subarray(0, first), at);
    if (first < bytes.length) this.#bytes.set(bytes.subarray(first), 0);
    this.length += bytes.length;
  }

  /** Copies [from, from + length), which is in it, to `into` at `at`. */
  copy(from: number, length: number, into: Uint8Array, at: number): void {
    const start = (this.#start + from) & (this.#bytes.length - 1);
    const first = Math.min(length, this.#bytes.length - start);
    into.set(this.#bytes.subarray(start, start + first), at);
    if (first < length) into.set(this.#bytes.subarray(0, length - first), at + first);
  }

  /** Takes the first bytes away. */
  drop(count: number): void {
    this.length -= count;
    this.#start = (this.#start + count) & (this.#bytes.length - 1);
    if (this.length === 0 && this.#bytes.length > SMALLEST) this.clear();
  }

  clear(): void {
    this.#bytes = new Uint8Array(0);
    this.#start = this.length = 0;
  }

  #grow(least: number): void {
    let size = Math.max(SMALLEST, this.#bytes.length * 2);
    while (size < least) size *= 2;
    const larger = new Uint8Array(size);
    if (this.length > 0) this.copy(0, this.length, larger, 0);
    this.#bytes = larger;
    this.#start = 0;
  }
}
