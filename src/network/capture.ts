import type { Frame } from "./frame.ts";
import type { NetworkLink, Offloads, Station } from "./link.ts";

/** Where a capture goes, piece by piece; the bytes are the receiver's. */
export type CaptureSink = (bytes: Uint8Array) => void;

/** Nanoseconds in the times of records ("PCAP Capture File Format", draft-ietf-opsawg-pcap, section 4). */
const MAGIC = 0xa1b23c4d;
const VERSION = [2, 4] as const;
/** More than a frame may have (section 4: SnapLen). */
const SNAPSHOT_BYTES = 0x4_0000;
const LINKTYPE_ETHERNET = 1;
const HEADER_BYTES = 24;
const RECORD_BYTES = 16;

/**
 * A link whose frames, both ways, are written to a capture as well. Frames are as the driver and the link exchange them: with checksums
 * and segmentation left to be done, they are larger than what a wire carries, and the checksums in them are of the pseudo-header alone.
 */
export class CapturingLink implements NetworkLink {
  readonly mac: Uint8Array;
  readonly #link: NetworkLink;
  readonly #sink: CaptureSink;
  readonly #startSeconds: number;
  #now = (): number => 0;

  /** @param startSeconds the machine's power-on, in seconds since 1970: the times of the frames are the machine's. */
  constructor(link: NetworkLink, sink: CaptureSink, startSeconds: number) {
    this.mac = link.mac;
    this.#link = link;
    this.#sink = sink;
    this.#startSeconds = startSeconds;
    const header = new DataView(new ArrayBuffer(HEADER_BYTES));
    header.setUint32(0, MAGIC, true);
    header.setUint16(4, VERSION[0], true);
    header.setUint16(6, VERSION[1], true);
    header.setUint32(16, SNAPSHOT_BYTES, true);
    header.setUint32(20, LINKTYPE_ETHERNET, true);
    sink(new Uint8Array(header.buffer));
  }

  attach(station: Station): void {
    this.#now = () => station.clock.now();
    this.#link.attach(station);
  }

  setOffloads(offloads: Offloads): void {
    this.#link.setOffloads(offloads);
  }

  transmit(frame: Frame): void {
    // Before the link, which may write the answer at once, and may change the frame.
    this.#record(frame);
    this.#link.transmit(frame);
  }

  receive(): Frame | undefined {
    const frame = this.#link.receive();
    if (frame !== undefined) this.#record(frame);
    return frame;
  }

  reset(): void {
    this.#link.reset();
  }

  #record({ bytes, length }: Frame): void {
    const record = new Uint8Array(RECORD_BYTES + length);
    const view = new DataView(record.buffer);
    const now = this.#now();
    const seconds = Math.floor(now / 1e9);
    view.setUint32(0, this.#startSeconds + seconds, true);
    view.setUint32(4, now - seconds * 1e9, true);
    view.setUint32(8, length, true);
    view.setUint32(12, length, true);
    record.set(bytes.subarray(0, length), RECORD_BYTES);
    this.#sink(record);
  }
}
