// struct virtio_net_hdr without num_buffers (virtio 1.2, 5.1.6), little-endian: what is left to be done on the frame that follows it.

import { type Frame, type Segmentation, TCP4, TCP6, WHOLE } from "./frame.ts";

export const VIRTIO_HEADER_BYTES = 10;
const FLAGS = 0;
const GSO_TYPE = 1;
const HEADER_LENGTH = 2;
const GSO_SIZE = 4;
const CHECKSUM_START = 6;
const CHECKSUM_OFFSET = 8;
const NEEDS_CHECKSUM = 1;
const ECN = 0x80;

/** Writes the header of a frame at `at`. @param ecn whether who gets it minds CWR (Frame.ecn). */
export function writeVirtioHeader(view: DataView, at: number, frame: Frame, ecn = true): void {
  const { segmentation } = frame;
  view.setUint8(at + FLAGS, frame.checksumStart === 0 ? 0 : NEEDS_CHECKSUM);
  view.setUint8(at + GSO_TYPE, segmentation | (segmentation !== WHOLE && frame.ecn && ecn ? ECN : 0));
  view.setUint16(at + HEADER_LENGTH, segmentation === WHOLE ? 0 : headerBytes(frame), true);
  view.setUint16(at + GSO_SIZE, frame.segmentBytes, true);
  view.setUint16(at + CHECKSUM_START, frame.checksumStart, true);
  view.setUint16(at + CHECKSUM_OFFSET, frame.checksumOffset, true);
}

/** Takes what the header at `at` says for a frame that is complete otherwise. False where it makes no sense. */
export function readVirtioHeader(view: DataView, at: number, frame: Frame): boolean {
  if (view.getUint8(at + FLAGS) & NEEDS_CHECKSUM) {
    frame.checksumStart = view.getUint16(at + CHECKSUM_START, true);
    frame.checksumOffset = view.getUint16(at + CHECKSUM_OFFSET, true);
  }
  const type = view.getUint8(at + GSO_TYPE);
  const kind = type & ~ECN;
  if (kind !== WHOLE) {
    if (!isSegmentation(kind)) return false;
    frame.segmentation = kind;
    frame.segmentBytes = view.getUint16(at + GSO_SIZE, true);
    frame.ecn = (type & ECN) !== 0;
  }
  return frame.sane;
}

function isSegmentation(kind: number): kind is Segmentation {
  return kind === TCP4 || kind === TCP6;
}

/** Of Ethernet, IP and TCP, of a frame to be segmented: the TCP header starts where the checksum does. */
function headerBytes(frame: Frame): number {
  return frame.checksumStart + (frame.view.getUint8(frame.checksumStart + 12) >> 4) * 4;
}
