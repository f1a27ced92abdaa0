import type { BlockStore, Clock, Dma } from "../../../bus/device.ts";
import type { Fields } from "../../../snapshot/fields.ts";
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
const F_TOPOLOGY = 1 << 10;
const F_MQ = 1 << 12;
const F_DISCARD = 1 << 13;
const F_WRITE_ZEROES = 1 << 14;

// Configuration (virtio 1.2, 5.2.4).
const CAPACITY = 0;
const SEG_MAX = 12;
const BLK_SIZE = 20;
const PHYSICAL_BLOCK_EXP = 24;
const MIN_IO_SIZE = 26;
const OPT_IO_SIZE = 28;
const NUM_QUEUES = 34;
const MAX_DISCARD_SECTORS = 36;
const MAX_DISCARD_SEG = 40;
const DISCARD_SECTOR_ALIGNMENT = 44;
const MAX_WRITE_ZEROES_SECTORS = 48;
const MAX_WRITE_ZEROES_SEG = 52;
const WRITE_ZEROES_MAY_UNMAP = 56;
const CONFIG_BYTES = 60;

/** 4 KiB, the block of most file systems and disks. */
const PHYSICAL_BLOCK = 3;
/** 64 KiB: a cluster of most images. */
const CLUSTER_SECTORS = 128;
/** Segments of a request, and sectors of a segment: 1 GiB. */
const SEGMENTS = 16;
const SEGMENT_SECTORS = 2 ** 21;

// What is done between two looks at the clock.
const DATA_PIECE = 0x10_0000;
/** It may cost the host nothing, or a table entry for each cluster. */
const DISCARD_PIECE = 64 * 0x10_0000;

// Requests (5.2.6).
export const T_IN = 0;
export const T_OUT = 1;
export const T_FLUSH = 4;
export const T_GET_ID = 8;
export const T_DISCARD = 11;
export const T_WRITE_ZEROES = 13;
const HEADER_BYTES = 16;
const ID_BYTES = 20;
const SEGMENT_BYTES = 16;
const SEGMENT_UNMAP = 1;

export const S_OK = 0;
export const S_IOERR = 1;
export const S_UNSUPP = 2;
/** undefined: there is more to do, in the next turn. */
type Status = typeof S_OK | typeof S_IOERR | typeof S_UNSUPP | undefined;

export interface BlockOptions {
  /** ASCII, of which the guest sees the first 20 characters. */
  readonly serial?: string;
  /** Request queues: 1 where it is not given. */
  readonly queues?: number;
  readonly clock?: Clock;
}

/** Part of a disk, in bytes. */
interface Segment {
  readonly start: number;
  readonly end: number;
  readonly unmap: boolean;
}

/** Block device (virtio 1.2, 5.2). */
export class VirtioBlock extends VirtioDevice {
  readonly id = DEVICE_ID_BLOCK;
  readonly #store: BlockStore;
  readonly #sectors: number;
  readonly #serial: Uint8Array;

  constructor(dma: Dma, store: BlockStore, { serial = "", queues = 1, clock }: BlockOptions = {}) {
    const writable = F_FLUSH | F_DISCARD | F_WRITE_ZEROES;
    const features = F_SEG_MAX | F_BLK_SIZE | F_TOPOLOGY | (queues > 1 ? F_MQ : 0) | (store.readOnly ? F_RO : writable);
    super(dma, features, Array<number>(queues).fill(QUEUE_SIZE), CONFIG_BYTES, clock);
    this.#store = store;
    this.#sectors = Math.floor(store.bytes / SECTOR);
    this.#serial = Uint8Array.from(serial.slice(0, ID_BYTES), (character) => character.charCodeAt(0));
    const { config } = this;
    config.setUint32(CAPACITY, this.#sectors % 2 ** 32, true);
    config.setUint32(CAPACITY + 4, Math.floor(this.#sectors / 2 ** 32), true);
    // Without the descriptors of the header and the status.
    config.setUint32(SEG_MAX, QUEUE_SIZE - 2, true);
    config.setUint32(BLK_SIZE, SECTOR, true);
    config.setUint8(PHYSICAL_BLOCK_EXP, PHYSICAL_BLOCK);
    config.setUint16(MIN_IO_SIZE, 1 << PHYSICAL_BLOCK, true);
    config.setUint32(OPT_IO_SIZE, CLUSTER_SECTORS, true);
    config.setUint16(NUM_QUEUES, queues, true);
    if (store.readOnly) return;
    config.setUint32(MAX_DISCARD_SECTORS, SEGMENT_SECTORS, true);
    config.setUint32(MAX_DISCARD_SEG, SEGMENTS, true);
    config.setUint32(DISCARD_SECTOR_ALIGNMENT, CLUSTER_SECTORS, true);
    config.setUint32(MAX_WRITE_ZEROES_SECTORS, SEGMENT_SECTORS, true);
    config.setUint32(MAX_WRITE_ZEROES_SEG, SEGMENTS, true);
    config.setUint8(WRITE_ZEROES_MAY_UNMAP, 1);
  }

  /** Requests are done, or wait with what of them is done in `queue.progress`: nothing is ever under way when a snapshot is taken. */
  override restore(state: Fields): void {
    super.restore(state);
    const { config } = this;
    const sectors = config.getUint32(CAPACITY, true) + config.getUint32(CAPACITY + 4, true) * 2 ** 32;
    if (sectors !== this.#sectors) throw state.wrong("capacity: the disk has another size now");
  }

  protected override notified(queue: Queue): void {
    this.serve(queue, (chain) => this.#request(chain, queue));
  }

  /** @returns bytes written; undefined when the request goes on later, has no header, or no room for its status. */
  #request(chain: Chain, queue: Queue): number | undefined {
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
      status = this.#execute(type, sector, chain, queue);
      if (status === undefined) return undefined;
    } catch {
      // What the store throws is the host's failure, which a guest can only see as an error of the medium.
      status = S_IOERR;
    }
    chain.write(chain.writableBytes - 1, Uint8Array.of(status));
    return chain.writableBytes;
  }

  #execute(type: number, sector: number, chain: Chain, queue: Queue): Status {
    const writable = chain.writableBytes - 1;
    const readable = chain.readableBytes - HEADER_BYTES;
    const store = this.#store;
    switch (type) {
      case T_IN:
        if (!this.#inside(sector, writable)) return S_IOERR;
        return this.#inPieces(queue, writable, (at, bytes) => {
          readSectors(store, sector * SECTOR + at, pieces(chain.writable, at, bytes), bytes);
        });
      case T_OUT:
        if (store.readOnly || !this.#inside(sector, readable)) return S_IOERR;
        return this.#written(
          this.#inPieces(queue, readable, (at, bytes) => {
            writeSectors(store, sector * SECTOR + at, pieces(chain.readable, HEADER_BYTES + at, bytes), bytes);
          }),
        );
      case T_FLUSH:
        store.flush();
        return S_OK;
      case T_GET_ID: {
        const id = new Uint8Array(Math.min(ID_BYTES, writable));
        id.set(this.#serial.subarray(0, id.length));
        chain.write(0, id);
        return S_OK;
      }
      case T_DISCARD:
        return this.#segments(chain, queue, 0, DISCARD_PIECE, (at, bytes) => store.discard(at, bytes));
      case T_WRITE_ZEROES:
        return this.#written(
          this.#segments(chain, queue, SEGMENT_UNMAP, DATA_PIECE, (at, bytes, unmap) => {
            store.writeZeroes(at, bytes, unmap);
          }),
        );
      default:
        return S_UNSUPP;
    }
  }

  /** Goes on with a request's data where the last turn ended. */
  #inPieces(queue: Queue, bytes: number, action: (at: number, bytes: number) => void): Status {
    while (queue.progress < bytes) {
      const length = Math.min(DATA_PIECE, bytes - queue.progress);
      action(queue.progress, length);
      queue.progress += length;
      if (queue.progress < bytes && this.turnOver) return undefined;
    }
    return S_OK;
  }

  /**
   * Goes on with the segments of a discard or write zeroes (5.2.6) where the last turn ended.
   * @param flags that a segment may have. @param most bytes at a time; where that is, pieces end at its multiples, as clusters do.
   */
  #segments(
    chain: Chain,
    queue: Queue,
    flags: number,
    most: number,
    action: (at: number, bytes: number, unmap: boolean) => void,
  ): Status {
    const segments = this.#store.readOnly ? undefined : readSegments(chain, flags);
    if (segments === undefined) return S_UNSUPP;
    if (segments.some(({ start, end }) => !this.#inside(start / SECTOR, end - start))) return S_IOERR;
    let before = 0;
    for (const { start, end, unmap } of segments) {
      for (let at = start + Math.max(0, queue.progress - before); at < end; at = start + queue.progress - before) {
        const next = Math.min(end, (Math.floor(at / most) + 1) * most);
        action(at, next - at, unmap);
        queue.progress = before + next - start;
        if (this.turnOver) return undefined;
      }
      before += end - start;
    }
    return S_OK;
  }

  /** 5.2.6.2: a driver that does not know of flushing relies on each write being stable. */
  #written(status: Status): Status {
    if (status === S_OK && !this.accepted(F_FLUSH)) this.#store.flush();
    return status;
  }

  #inside(sector: number, bytes: number): boolean {
    return bytes % SECTOR === 0 && sector + bytes / SECTOR <= this.#sectors;
  }
}

/** undefined: they are too many, too long, not whole, or want what there is not. */
function readSegments(chain: Chain, flags: number): Segment[] | undefined {
  const bytes = chain.readableBytes - HEADER_BYTES;
  if (bytes === 0 || bytes % SEGMENT_BYTES !== 0 || bytes > SEGMENTS * SEGMENT_BYTES) return undefined;
  const fields = new DataView(new ArrayBuffer(bytes));
  chain.read(HEADER_BYTES, new Uint8Array(fields.buffer));
  const segments: Segment[] = [];
  for (let at = 0; at < bytes; at += SEGMENT_BYTES) {
    const start = (fields.getUint32(at, true) + fields.getUint32(at + 4, true) * 2 ** 32) * SECTOR;
    const sectors = fields.getUint32(at + 8, true);
    const given = fields.getUint32(at + 12, true);
    if ((given & ~flags) !== 0 || sectors > SEGMENT_SECTORS) return undefined;
    segments.push({ start, end: start + sectors * SECTOR, unmap: (given & SEGMENT_UNMAP) !== 0 });
  }
  return segments;
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
