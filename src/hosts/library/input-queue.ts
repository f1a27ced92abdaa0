/** Bytes that have arrived and were not yet taken, in order. */
export class InputQueue {
  #pieces: Uint8Array[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#pieces.push(bytes);
    this.#length += bytes.length;
  }

  /** Takes the first bytes, `max` at most. */
  take(max: number): Uint8Array {
    const taken = new Uint8Array(Math.min(max, this.#length));
    let at = 0;
    while (at < taken.length) {
      const piece = this.#pieces[0] as Uint8Array;
      const part = piece.subarray(0, taken.length - at);
      taken.set(part, at);
      at += part.length;
      if (part.length === piece.length) this.#pieces.shift();
      else this.#pieces[0] = piece.subarray(part.length);
    }
    this.#length -= taken.length;
    return taken;
  }
}
