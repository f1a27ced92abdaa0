// Packets of the socket device (virtio 1.2, 5.10.6).

export const HEADER_BYTES = 44;

/** VMADDR_CID_HOST. */
export const CID_HOST = 2;

export const TYPE_STREAM = 1;

export const OP = {
  request: 1,
  response: 2,
  rst: 3,
  shutdown: 4,
  rw: 5,
  creditUpdate: 6,
  creditRequest: 7,
} as const;
export type Op = (typeof OP)[keyof typeof OP];

/** Of shutdown: the sender will not receive any more, will not send any more. */
export const SHUTDOWN_RECEIVE = 1;
export const SHUTDOWN_SEND = 2;

// struct virtio_vsock_hdr
const SRC_CID = 0;
const DST_CID = 8;
const SRC_PORT = 16;
const DST_PORT = 20;
const LEN = 24;
const TYPE = 28;
const OPERATION = 30;
const FLAGS = 32;
const BUF_ALLOC = 36;
const FWD_CNT = 40;

/** A header's fields, in place. */
export class PacketHeader {
  readonly bytes = new Uint8Array(HEADER_BYTES);
  readonly #view = new DataView(this.bytes.buffer);

  #u32(at: number): number {
    return this.#view.getUint32(at, true);
  }
  #set(at: number, value: number): void {
    this.#view.setUint32(at, value, true);
  }

  get sourceCid(): number {
    return this.#u32(SRC_CID) + this.#u32(SRC_CID + 4) * 2 ** 32;
  }
  get destinationCid(): number {
    return this.#u32(DST_CID) + this.#u32(DST_CID + 4) * 2 ** 32;
  }
  get sourcePort(): number {
    return this.#u32(SRC_PORT);
  }
  get destinationPort(): number {
    return this.#u32(DST_PORT);
  }
  get length(): number {
    return this.#u32(LEN);
  }
  get type(): number {
    return this.#view.getUint16(TYPE, true);
  }
  get op(): number {
    return this.#view.getUint16(OPERATION, true);
  }
  get flags(): number {
    return this.#u32(FLAGS);
  }
  get bufferBytes(): number {
    return this.#u32(BUF_ALLOC);
  }
  get forwarded(): number {
    return this.#u32(FWD_CNT);
  }

  /** To the guest, from the host or another guest. */
  set(from: number, cid: number, hostPort: number, guestPort: number, op: Op): void {
    this.bytes.fill(0);
    this.#set(SRC_CID, from);
    this.#set(DST_CID, cid);
    this.#set(SRC_PORT, hostPort);
    this.#set(DST_PORT, guestPort);
    this.#view.setUint16(TYPE, TYPE_STREAM, true);
    this.#view.setUint16(OPERATION, op, true);
  }
  setLength(bytes: number): void {
    this.#set(LEN, bytes);
  }
  setFlags(flags: number): void {
    this.#set(FLAGS, flags);
  }
  setCredit(bufferBytes: number, forwarded: number): void {
    this.#set(BUF_ALLOC, bufferBytes);
    this.#set(FWD_CNT, forwarded);
  }
}
