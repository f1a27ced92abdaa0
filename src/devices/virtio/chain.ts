/** The buffers of one request (virtio 1.2, 2.6): what the driver wrote for the device, and where it waits for the device to write. */
export class Chain {
  readonly readable: Uint8Array[] = [];
  readonly writable: Uint8Array[] = [];
  /** Of a queue whose buffers only name memory: where that is. */
  readonly named: { readonly address: number; readonly length: number }[] = [];
  readableBytes = 0;
  writableBytes = 0;

  addReadable(buffer: Uint8Array): void {
    this.readable.push(buffer);
    this.readableBytes += buffer.length;
  }

  addWritable(buffer: Uint8Array): void {
    this.writable.push(buffer);
    this.writableBytes += buffer.length;
  }

  /** Copies what is readable from its byte `at` on; returns how much that is, at most into.length. */
  read(at: number, into: Uint8Array): number {
    let done = 0;
    for (const piece of pieces(this.readable, at, into.length)) {
      into.set(piece, done);
      done += piece.length;
    }
    return done;
  }

  /** Copies to what is writable from its byte `at` on; returns how much has found room. */
  write(at: number, from: Uint8Array): number {
    let done = 0;
    for (const piece of pieces(this.writable, at, from.length)) {
      piece.set(from.subarray(done, done + piece.length));
      done += piece.length;
    }
    return done;
  }
}

/** The parts of `buffers`, taken as one sequence of bytes, that are [at, at + length) of it or as much as there is. */
export function pieces(buffers: readonly Uint8Array[], at: number, length: number): Uint8Array[] {
  const result: Uint8Array[] = [];
  let skip = at;
  let left = length;
  for (const buffer of buffers) {
    if (left === 0) break;
    if (skip >= buffer.length) {
      skip -= buffer.length;
      continue;
    }
    const piece = buffer.subarray(skip, skip + left);
    result.push(piece);
    left -= piece.length;
    skip = 0;
  }
  return result;
}
