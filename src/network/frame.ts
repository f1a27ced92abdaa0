// One Ethernet frame on its way between a machine's network interface and what that is plugged into.

/** Bytes of an Ethernet header without a VLAN tag. */
export const ETHERNET_BYTES = 14;
/** What a link carries of a frame, headers of Ethernet apart, where nothing is left to be segmented. */
export const MTU = 1500;
/** A frame with one VLAN tag and the largest packet, which is IPv6's: its length is that of what follows the header. */
export const FRAME_MAX = 18 + 40 + 65535;

/** Of a TCP header without options. */
const TCP_BYTES = 20;

/** What a frame is still to be cut into: nothing, or TCP segments over IPv4 or IPv6. The values are virtio's gso_type (1.2, 5.1.6). */
export const WHOLE = 0;
export const TCP4 = 1;
export const TCP6 = 4;
export type Segmentation = typeof WHOLE | typeof TCP4 | typeof TCP6;

/** A frame, and the work on it that its sender left to whoever comes next. Made once and used again. */
export class Frame {
  readonly bytes = new Uint8Array(FRAME_MAX);
  readonly view = new DataView(this.bytes.buffer);
  length = 0;
  /**
   * Where a checksum (RFC 1071) over all that follows is to start; 0: all checksums are there. Then the field at checksumStart +
   * checksumOffset holds the sum over the pseudo-header.
   */
  checksumStart = 0;
  checksumOffset = 0;
  segmentation: Segmentation = WHOLE;
  /** Most bytes of TCP payload in each segment. */
  segmentBytes = 0;
  /** A segment may have CWR set: only the first one is to have it. */
  ecn = false;

  /** Nothing is left to be done on it. */
  complete(length: number): void {
    this.length = length;
    this.checksumStart = this.checksumOffset = 0;
    this.segmentation = WHOLE;
    this.segmentBytes = 0;
    this.ecn = false;
  }

  /** Whether what its sender left to be done can be done, whatever it put there. */
  get sane(): boolean {
    const { checksumStart: start, length } = this;
    if (
      length < ETHERNET_BYTES ||
      (start !== 0 && (start < ETHERNET_BYTES || start + this.checksumOffset + 2 > length))
    )
      return false;
    return this.segmentation === WHOLE || (start !== 0 && start + TCP_BYTES <= length && this.segmentBytes > 0);
  }

  copyFrom(other: Frame): void {
    this.bytes.set(other.bytes.subarray(0, other.length));
    this.length = other.length;
    this.checksumStart = other.checksumStart;
    this.checksumOffset = other.checksumOffset;
    this.segmentation = other.segmentation;
    this.segmentBytes = other.segmentBytes;
    this.ecn = other.ecn;
  }
}
