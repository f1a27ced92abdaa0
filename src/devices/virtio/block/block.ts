import type { BlockStore, Dma } from "../../../bus/device.ts";
import type { Chain } from "../chain.ts";
import { pieces } from "../chain.ts";
import { VirtioDevice } from "../device.ts";
import type { Queue } from "../queue.ts";

const DEVICE_ID_BLOCK = 2;
export const SECTOR = 512;
const QUEUE_SIZE = 256;

const F_SEG_MAX = 1 << 2;
const F_RO = 1 << 5;
const F_BLK_SIZE = 1 << 6;
const F_FLUSH = 1 << 9;
const F_WRITE_ZEROES = 1 << 14;

// Configuration (virtio 1.2, 5.2.4).
const CAPACITY = 0;
const SEG_MAX = 12;
const BLK_SIZE = 20;
const NUM_QUEUES = 34;
const MAX_WRITE_ZEROES_SECTORS = 48;
const MAX_WRITE_ZEROES_SEG = 52;
const CONFIG_BYTES = 60;

/** 16 MiB, so that one request does not take long. */
const WRITE_ZEROES_SECTORS = 0x8000;

// Requests (5.2.6).
export const T_IN = 0;
export const T_OUT = 1;
export const T_FLUSH = 4;
export const T_GET_ID = 8;
export const T_WRITE_ZEROES = 13;
const HEADER_BYTES = 16;
const ID_BYTES = 20;
const SEGMENT_BYTES = 16;

export const S_OK = 0;
export const S_IOERR = 1;
export const S_UNSUPP = 2;
type Status = typeof S_OK | typeof S_IOERR | typeof S_UNSUPP;

/** Block device (virtio 1.2, 5.2). */
export class VirtioBlock extends VirtioDevice {
  readonly id = DEVICE_ID_BLOCK;
  readonly #store: BlockStore;
  readonly #sectors: number;
  readonly #serial: Uint8Array;

  /** @param serial ASCII, of which the guest sees the first 20 characters. */
  constructor(dma: Dma, store: BlockStore, serial = "") {
    const writable = F_FLUSH | F_WRITE_ZEROES;
    super(dma, F_SEG_MAX | F_BLK_SIZE | (store.readOnly ? F_RO : writable), [QUEUE_SIZE], CONFIG_BYTES);
    this.#store = store;
    this.#sectors = Math.floor(store.bytes / SECTOR);
    this.#serial = Uint8Array.from(serial.slice(0, ID_BYTES), (character) => character.charCodeAt(0));
    this.config.setUint32(CAPACITY, this.#sectors % 2 ** 32, true);
    this.config.setUint32(CAPACITY + 4, Math.floor(this.#sectors / 2 ** 32), true);
    // Without the descriptors of the header and the status.
    this.config.setUint32(SEG_MAX, QUEUE_SIZE - 2, true);
    this.config.setUint32(BLK_SIZE, SECTOR, true);
    this.config.setUint16(NUM_QUEUES, 1, true);
    if (store.readOnly) return;
    this.config.setUint32(MAX_WRITE_ZEROES_SECTORS, WRITE_ZEROES_SECTORS, true);
    this.config.setUint32(MAX_WRITE_ZEROES_SEG, 1, true);
  }

  protected override notified(queue: Queue): void {
    this.serve(queue, (chain) => this.#request(chain));
  }

  /** @returns bytes written; undefined when the request has no header, or no room for its status. */
  #request(chain: Chain): number | undefined {
    const header = new Uint8Array(HEADER_BYTES);
    if (chain.read(0, header) < HEADER_BYTES || chain.writableBytes === 0) {
      this.fail();
      return undefined;
    }
    const fields = new DataView(header.buffer);
    const type = fields.getUint32(0, true);
    const sector = fields.getUint32(8, true) + fields.getUint32(12, true) * 2 ** 32;
    let status: Status;
    try {
      status = this.#execute(type, sector, chain);
    } catch {
      // What the store throws is the host's failure, which a guest can only see as an error of the medium.
      status = S_IOERR;
    }
    chain.write(chain.writableBytes - 1, Uint8Array.of(status));
    return chain.writableBytes;
  }

  #execute(type: number, sector: number, chain: Chain): Status {
    const writable = chain.writableBytes - 1;
    const readable = chain.readableBytes - HEADER_BYTES;
    switch (type) {
      case T_IN:
        if (!this.#inside(sector, writable)) return S_IOERR;
        readSectors(this.#store, sector * SECTOR, pieces(chain.writable, 0, writable), writable);
        return S_OK;
      case T_OUT:
        if (this.#store.readOnly || !this.#inside(sector, readable)) return S_IOERR;
        writeSectors(this.#store, sector * SECTOR, pieces(chain.readable, HEADER_BYTES, readable), readable);
        return this.#written();
      case T_FLUSH:
        this.#store.flush();
        return S_OK;
      case T_GET_ID: {
        const id = new Uint8Array(Math.min(ID_BYTES, writable));
        id.set(this.#serial.subarray(0, id.length));
        chain.write(0, id);
        return S_OK;
      }
      case T_WRITE_ZEROES:
        return this.#store.readOnly ? S_UNSUPP : this.#writeZeroes(chain, readable);
      default:
        return S_UNSUPP;
    }
  }

  #writeZeroes(chain: Chain, readable: number): Status {
    if (readable !== SEGMENT_BYTES) return S_UNSUPP;
    const segment = new Uint8Array(SEGMENT_BYTES);
    chain.read(HEADER_BYTES, segment);
    const fields = new DataView(segment.buffer);
    const sector = fields.getUint32(0, true) + fields.getUint32(4, true) * 2 ** 32;
    const count = fields.getUint32(8, true);
    // Bit 0 permits unmapping; 5.2.6.2 has the others reserved.
    if (fields.getUint32(12, true) > 1) return S_UNSUPP;
    if (count > WRITE_ZEROES_SECTORS || !this.#inside(sector, count * SECTOR)) return S_IOERR;
    this.#store.write(sector * SECTOR, new Uint8Array(count * SECTOR));
    return this.#written();
  }

  /** 5.2.6.2: a driver that does not know of flushing relies on each write being stable. */
  #written(): Status {
    if (!this.accepted(F_FLUSH)) this.#store.flush();
    return S_OK;
  }

  #inside(sector: number, bytes: number): boolean {
    return bytes % SECTOR === 0 && sector + bytes / SECTOR <= this.#sectors;
  }
}

// A driver may cut buffers anywhere; a store takes whole sectors.

function readSectors(store: BlockStore, offset: number, buffers: readonly Uint8Array[], bytes: number): void {
  if (buffers.every((buffer) => buffer.length % SECTOR === 0)) {
    let at = offset;
    for (const buffer of buffers) {
      store.read(at, buffer);
      at += buffer.length;
    }
    return;
  }
  const whole = new Uint8Array(bytes);
  store.read(offset, whole);
  let at = 0;
  for (const buffer of buffers) {
    buffer.set(whole.subarray(at, at + buffer.length));
    at += buffer.length;
  }
}

function writeSectors(store: BlockStore, offset: number, buffers: readonly Uint8Array[], bytes: number): void {
  if (buffers.every((buffer) => buffer.length % SECTOR === 0)) {
    let at = offset;
    for (const buffer of buffers) {
      store.write(at, buffer);
      at += buffer.length;
    }
    return;
  }
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const buffer of buffers) {
    whole.set(buffer, at);
    at += buffer.length;
  }
  store.write(offset, whole);
}
