// A frame as a message between machines, and to relays: a length of 4 bytes (little-endian) of what follows, 12 bytes of what is left to be
// done on the frame (as struct virtio_net_hdr, virtio 1.2, 5.1.6), and the frame.

import { type Frame, TCP4, TCP6, WHOLE } from "./frame.ts";

export const LENGTH_BYTES = 4;
export const OFFLOAD_BYTES = 12;
export const HEADER_BYTES = LENGTH_BYTES + OFFLOAD_BYTES;
const NEEDS_CHECKSUM = 1;
const ECN = 0x80;

export function encodeFrame(frame: Frame): Uint8Array<ArrayBuffer> {
  const message = new Uint8Array(HEADER_BYTES + frame.length);
  const view = new DataView(message.buffer);
  const at = LENGTH_BYTES;
  view.setUint32(0, OFFLOAD_BYTES + frame.length, true);
  message[at] = frame.checksumStart === 0 ? 0 : NEEDS_CHECKSUM;
  message[at + 1] = frame.segmentation | (frame.ecn ? ECN : 0);
  view.setUint16(at + 4, frame.segmentBytes, true);
  view.setUint16(at + 6, frame.checksumStart, true);
  view.setUint16(at + 8, frame.checksumOffset, true);
  message.set(frame.bytes.subarray(0, frame.length), HEADER_BYTES);
  return message;
}

/** False where it makes no sense. */
export function decodeFrame(message: Uint8Array, frame: Frame): boolean {
  const length = message.length - HEADER_BYTES;
  if (length <= 0 || length > frame.bytes.length) return false;
  const view = new DataView(message.buffer, message.byteOffset, message.length);
  const at = LENGTH_BYTES;
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
