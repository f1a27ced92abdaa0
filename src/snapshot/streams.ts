import type { SnapshotSink, SnapshotSource } from "./format.ts";

/** A snapshot that is in memory. */
export function sourceOfBytes(bytes: Uint8Array): SnapshotSource {
  let at = 0;
  return {
    read: (count) => {
      const part = bytes.subarray(at, at + count);
      at += part.length;
      return part;
    },
  };
}

/** A snapshot that comes in pieces of any size, as from a stream. */
export function sourceOfPieces(pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): SnapshotSource {
  const iterator = Symbol.asyncIterator in pieces ? pieces[Symbol.asyncIterator]() : pieces[Symbol.iterator]();
  let piece: Uint8Array = new Uint8Array(0);
  return {
    read: async (count) => {
      if (piece.length >= count) {
        const part = piece.subarray(0, count);
        piece = piece.subarray(count);
        return part;
      }
      const whole: Uint8Array[] = [];
      let have = 0;
      for (;;) {
        const part = piece.subarray(0, count - have);
        piece = piece.subarray(part.length);
        whole.push(part);
        have += part.length;
        if (have === count) break;
        const { value, done } = await iterator.next();
        if (done) break;
        piece = value;
      }
      return joined(whole, have);
    },
  };
}

/** Keeps a snapshot in memory. */
export class BytesSink implements SnapshotSink {
  readonly #pieces: Uint8Array[] = [];
  #length = 0;

  write(bytes: Uint8Array): void {
    this.#pieces.push(bytes.slice());
    this.#length += bytes.length;
  }

  bytes(): Uint8Array {
    return joined(this.#pieces, this.#length);
  }
}

/** Pieces that are `length` bytes together, in one. */
export function joined(pieces: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
