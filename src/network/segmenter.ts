import { checksum, fold, sumWords } from "./checksum.ts";
import { Frame, TCP4 } from "./frame.ts";

/** Offset of the TCP flags, and those that only the first or the last segment has. */
const TCP_FLAGS = 13;
const FIN_PSH = 0x09;
const CWR = 0x80;
const TCP_SEQUENCE = 4;
/** Of a TCP header without options. */
const TCP_BYTES = 20;
const PROTOCOL_TCP = 6;

/** Cuts a frame that holds several TCP segments, for a receiver that does not. */
export class Segmenter {
  readonly #whole = new Frame();
  readonly #segment = new Frame();
  /** Bytes of headers, and of the payload that was given out. */
  #headers = 0;
  #done = 0;
  #active = false;

  /** @param frame whose segmentation is not WHOLE. It is copied. */
  start(frame: Frame): void {
    this.#whole.copyFrom(frame);
    const tcp = frame.checksumStart;
    this.#active = false;
    if (tcp + TCP_BYTES > frame.length) return;
    this.#headers = tcp + (frame.view.getUint8(tcp + 12) >> 4) * 4;
    this.#done = 0;
    this.#active = this.#headers >= tcp + TCP_BYTES && this.#headers < frame.length && frame.segmentBytes > 0;
  }

  clear(): void {
    this.#active = false;
  }

  /** The next segment, complete; undefined: there is none. */
  next(): Frame | undefined {
    if (!this.#active) return undefined;
    const whole = this.#whole;
    const segment = this.#segment;
    const headers = this.#headers;
    const from = headers + this.#done;
    const length = Math.min(whole.segmentBytes, whole.length - from);
    segment.bytes.set(whole.bytes.subarray(0, headers));
    segment.bytes.set(whole.bytes.subarray(from, from + length), headers);
    const last = from + length === whole.length;
    const tcp = whole.checksumStart;
    const { view } = segment;
    view.setUint32(tcp + TCP_SEQUENCE, view.getUint32(tcp + TCP_SEQUENCE) + this.#done);
    let flags = view.getUint8(tcp + TCP_FLAGS);
    if (!last) flags &= ~FIN_PSH;
    if (this.#done > 0) flags &= ~CWR;
    view.setUint8(tcp + TCP_FLAGS, flags);
    this.#finish(segment, headers + length);
    this.#done += length;
    this.#active = !last;
    return segment;
  }

  #finish(segment: Frame, length: number): void {
    const { view } = segment;
    const tcp = this.#whole.checksumStart;
    const tcpBytes = length - tcp;
    let pseudo: number;
    if (this.#whole.segmentation === TCP4) {
      const ip = ipStart(view);
      view.setUint16(ip + 2, length - ip);
      // Of datagrams that are sent at the same time no two have one number.
      view.setUint16(ip + 4, view.getUint16(ip + 4) + Math.floor(this.#done / this.#whole.segmentBytes));
      view.setUint16(ip + 10, 0);
      view.setUint16(ip + 10, checksum(view, ip, ip + (view.getUint8(ip) & 15) * 4));
      pseudo = sumWords(view, ip + 12, ip + 20);
    } else {
      const ip = ipStart(view);
      view.setUint16(ip + 4, length - ip - 40);
      pseudo = sumWords(view, ip + 8, ip + 40);
    }
    view.setUint16(tcp + 16, fold(pseudo + PROTOCOL_TCP + tcpBytes));
    view.setUint16(tcp + 16, checksum(view, tcp, length));
    segment.complete(length);
  }
}

/** Does what is left of a frame that is not to be segmented. */
export function completeChecksum(frame: Frame): void {
  const sum = checksum(frame.view, frame.checksumStart, frame.length);
  // RFC 768: a UDP checksum that is 0 is sent as all ones; for TCP the two are the same.
  frame.view.setUint16(frame.checksumStart + frame.checksumOffset, sum === 0 ? 0xffff : sum);
  frame.complete(frame.length);
}

/** After the Ethernet header, with or without a VLAN tag. */
function ipStart(view: DataView): number {
  return view.getUint16(12) === 0x8100 ? 18 : 14;
}
