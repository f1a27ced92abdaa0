import { FRAME_MAX } from "../../network/frame.ts";
import { LENGTH_BYTES, OFFLOAD_BYTES } from "../../network/frame-message.ts";

/** Cuts what arrives on the Unix socket of a virtual switch into messages of network/frame-message.ts, header and all. */
export class MessageReader {
  #pending: Buffer = Buffer.alloc(0);

  /** False: what arrived is not of this protocol, and nothing after it can be understood. */
  feed(bytes: Buffer, take: (message: Buffer) => void): boolean {
    let rest = this.#pending.length === 0 ? bytes : Buffer.concat([this.#pending, bytes]);
    while (rest.length >= LENGTH_BYTES) {
      const length = rest.readUInt32LE(0);
      if (length <= OFFLOAD_BYTES || length > OFFLOAD_BYTES + FRAME_MAX) return false;
      if (rest.length < LENGTH_BYTES + length) break;
      take(rest.subarray(0, LENGTH_BYTES + length));
      rest = rest.subarray(LENGTH_BYTES + length);
    }
    this.#pending = rest;
    return true;
  }
}
