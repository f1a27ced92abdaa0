// Frames on the Unix socket of a virtual switch: a length of 4 bytes (little-endian) of what follows, 12 bytes of what is left to be done on
// the frame (as struct virtio_net_hdr, virtio 1.2, 5.1.6), and the frame.

import { FRAME_MAX, type Frame, TCP4, TCP6, WHOLE } from "../../network/frame.ts";

const LENGTH_BYTES = 4;
const OFFLOAD_BYTES = 12;
const HEADER_BYTES = LENGTH_BYTES + OFFLOAD_BYTES;
const NEEDS_CHECKSUM = 1;
const ECN = 0x80;

export function encode(frame: Frame): Buffer {
  const message = Buffer.alloc(HEADER_BYTES + frame.length);
  message.writeUInt32LE(OFFLOAD_BYTES + frame.length, 0);
  const at = LENGTH_BYTES;
  message[at] = frame.checksumStart === 0 ? 0 : NEEDS_CHECKSUM;
  message[at + 1] = frame.segmentation | (frame.ecn ? ECN : 0);
  message.writeUInt16LE(frame.segmentBytes, at + 4);
  message.writeUInt16LE(frame.checksumStart, at + 6);
  message.writeUInt16LE(frame.checksumOffset, at + 8);
  message.set(frame.bytes.subarray(0, frame.length), HEADER_BYTES);
  return message;
}

/** False where it makes no sense. */
export function decode(message: Uint8Array, frame: Frame): boolean {
  const view = new DataView(message.buffer, message.byteOffset, message.length);
  const at = LENGTH_BYTES;
  const length = message.length - HEADER_BYTES;
  frame.bytes.set(message.subarray(HEADER_BYTES));
  frame.complete(length);
  if (view.getUint8(at) & NEEDS_CHECKSUM) {
    frame.checksumStart = view.getUint16(at + 6, true);
    frame.checksumOffset = view.getUint16(at + 8, true);
  }
  const kind = view.getUint8(at + 1) & ~ECN;
  if (kind !== WHOLE && kind !== TCP4 && kind !== TCP6) return false;
  frame.segmentation = kind;
  frame.segmentBytes = view.getUint16(at + 4, true);
  frame.ecn = kind !== WHOLE && (view.getUint8(at + 1) & ECN) !== 0;
  return frame.sane;
}

/** Cuts what arrives into messages, header and all. */
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

/** The addresses of a message's frame. */
export const DESTINATION = HEADER_BYTES;
export const SOURCE = HEADER_BYTES + 6;
export const MAC_BYTES = 6;
