// A frame as a message between machines, and to relays: a length of 4 bytes (little-endian) of what follows, 12 bytes of what is left to be
// done on the frame (as struct virtio_net_hdr, virtio 1.2, 5.1.6), and the frame.

import type { Frame } from "./frame.ts";
import { readVirtioHeader, writeVirtioHeader } from "./virtio-header.ts";

export const LENGTH_BYTES = 4;
export const OFFLOAD_BYTES = 12;
export const HEADER_BYTES = LENGTH_BYTES + OFFLOAD_BYTES;

export function encodeFrame(frame: Frame): Uint8Array<ArrayBuffer> {
  const message = new Uint8Array(HEADER_BYTES + frame.length);
  const view = new DataView(message.buffer);
  view.setUint32(0, OFFLOAD_BYTES + frame.length, true);
  writeVirtioHeader(view, LENGTH_BYTES, frame);
  message.set(frame.bytes.subarray(0, frame.length), HEADER_BYTES);
  return message;
}

/** False where it makes no sense. */
export function decodeFrame(message: Uint8Array, frame: Frame): boolean {
  const length = message.length - HEADER_BYTES;
  if (length <= 0 || length > frame.bytes.length) return false;
  const view = new DataView(message.buffer, message.byteOffset, message.length);
  frame.bytes.set(message.subarray(HEADER_BYTES));
  frame.complete(length);
  return readVirtioHeader(view, LENGTH_BYTES, frame);
}
