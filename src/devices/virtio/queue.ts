import type { Dma } from "../../bus/device.ts";
import { type RingView, ringView, scattered } from "../../bus/scattered.ts";
import type { Fields, Saved } from "../../snapshot/fields.ts";
import { Chain } from "./chain.ts";

// Flags of a descriptor (virtio 1.2, 2.7.5).
const DESC_NEXT = 1;
const DESC_WRITE = 2;
const DESC_INDIRECT = 4;
const DESC_BYTES = 16;
/** VIRTQ_AVAIL_F_NO_INTERRUPT. */
const AVAIL_NO_INTERRUPT = 1;

// Both rings: flags, idx (2 bytes each), the elements, then the other side's event field.
const RING_FLAGS = 0;
const RING_INDEX = 2;
const RING_ELEMENTS = 4;
const AVAIL_ELEMENT = 2;
const USED_ELEMENT = 8;
const RING_EVENT_BYTES = 2;

/** Descriptors of a chain. A chain may be as long as the queue (2.7.5.3.1), so this is also the most that a queue has: more is a loop. */
export const QUEUE_SIZE_MAX = 1024;
/** Bytes of a chain, unless its device says otherwise, so that one notification is a bounded amount of work. Four times what Linux makes with 254 segments of 64 KiB. */
const CHAIN_BYTES_MAX = 64 * 0x100000;

/** The memory of a queue while it is being served. */
interface Rings {
  readonly descriptors: RingView;
  readonly available: RingView;
  readonly used: RingView;
}

/**
 * A split virtqueue (virtio 1.2, 2.7) from the device's side. All that is in the rings comes from the guest: where it makes no sense the
 * queue is broken, and does nothing more until it is reset.
 */
export class Queue {
  /** QueueNumMax. */
  readonly sizeMax: number;
  readonly #dma: Dma;
  readonly #onBroken: () => void;

  // As the transport sets them.
  size: number;
  ready = false;
  descriptors = 0;
  driver = 0;
  device = 0;

  // As negotiated.
  indirect = false;
  eventIndex = false;

  /** Bytes of a chain at most; more is a loop. */
  chainBytesMax = CHAIN_BYTES_MAX;
  /** How far the device has come with the chain that is next, in its own units: 0 for each chain anew. */
  progress = 0;

  /** Its buffers are not read or written, but say what memory they are: Chain.named. */
  names = false;

  #broken = false;
  #serving = false;
  /** Index of the available ring that comes next, and of the used ring, modulo 2^16. */
  #nextAvailable = 0;
  #nextUsed = 0;

  /** @param sizeMax a power of two, at most QUEUE_SIZE_MAX. */
  constructor(dma: Dma, sizeMax: number, onBroken: () => void) {
    this.#dma = dma;
    this.sizeMax = sizeMax;
    this.size = sizeMax;
    this.#onBroken = onBroken;
  }

  reset(): void {
    this.size = this.sizeMax;
    this.ready = false;
    this.descriptors = this.driver = this.device = 0;
    this.indirect = this.eventIndex = false;
    this.#broken = false;
    this.progress = 0;
    this.#nextAvailable = this.#nextUsed = 0;
  }

  save(): Saved {
    const { size, ready, descriptors, driver, device, indirect, eventIndex, progress } = this;
    const addresses = { descriptors, driver, device };
    const rings = { nextAvailable: this.#nextAvailable, nextUsed: this.#nextUsed, broken: this.#broken };
    return { size, ready, ...addresses, indirect, eventIndex, progress, ...rings };
  }

  restore(state: Fields): void {
    const size = state.whole("size", this.sizeMax, 1);
    if ((size & (size - 1)) !== 0) throw state.wrong("size");
    this.size = size;
    this.ready = state.flag("ready");
    this.descriptors = state.number("descriptors", 2 ** 64);
    this.driver = state.number("driver", 2 ** 64);
    this.device = state.number("device", 2 ** 64);
    this.indirect = state.flag("indirect");
    this.eventIndex = state.flag("eventIndex");
    this.progress = state.whole("progress", Number.MAX_SAFE_INTEGER);
    this.#nextAvailable = state.whole("nextAvailable", 0xffff);
    this.#nextUsed = state.whole("nextUsed", 0xffff);
    this.#broken = state.flag("broken");
  }

  /** QueueNum: a power of two up to the maximum; others are refused. */
  setSize(size: number): void {
    if (size > 0 && size <= this.sizeMax && (size & (size - 1)) === 0) this.size = size;
  }

  /**
   * Gives the chains that are available to `handle` one after the other. It returns how many bytes it has written into the chain, from
   * the start of what is writable; undefined leaves this chain and those after it where they are.
   * @returns whether the driver wants to be told of the chains that were used.
   */
  serve(handle: (chain: Chain) => number | undefined): boolean {
    if (!this.ready || this.#broken || this.#serving) return false;
    this.#serving = true;
    try {
      return this.#serve(handle);
    } finally {
      this.#serving = false;
    }
  }

  /**
   * Gives as many chains as have room for `wanted()` bytes together to `fill`, again and again, until that is 0 or more than what is
   * available has. It returns how many bytes it has written into them, one after the other. Chains that are all a queue can hold are given
   * even where their room is too small.
   * @returns whether the driver wants to be told of the chains that were used.
   */
  serveTogether(wanted: () => number, fill: (chains: readonly Chain[]) => number): boolean {
    if (!this.ready || this.#broken || this.#serving) return false;
    this.#serving = true;
    try {
      return this.#serveTogether(wanted, fill);
    } finally {
      this.#serving = false;
    }
  }

  #serveTogether(wanted: () => number, fill: (chains: readonly Chain[]) => number): boolean {
    let bytes = wanted();
    if (bytes === 0) return false;
    const rings = this.#rings();
    if (rings === undefined) return this.#break();
    const { available, used } = rings;
    const before = this.#nextUsed;
    let starved = false;
    // As many as were available at the start, lest a device whose writes make more of them available went on forever.
    let left = (available.getUint16(RING_INDEX, true) - this.#nextAvailable) & 0xffff;
    if (left > this.size) return this.#break();
    for (; bytes > 0; bytes = wanted()) {
      const heads: number[] = [];
      const chains: Chain[] = [];
      let room = 0;
      while (room < bytes && chains.length < left) {
        const slot = (this.#nextAvailable + chains.length) & (this.size - 1);
        const head = available.getUint16(RING_ELEMENTS + slot * AVAIL_ELEMENT, true);
        const chain = this.#chain(rings.descriptors, head);
        if (chain === undefined) return this.#break();
        heads.push(head);
        chains.push(chain);
        room += chain.writableBytes;
      }
      if (room < bytes && chains.length < this.size) {
        starved = true;
        break;
      }
      let written = fill(chains);
      left -= chains.length;
      this.#nextAvailable = (this.#nextAvailable + chains.length) & 0xffff;
      for (const [i, chain] of chains.entries()) {
        const part = Math.min(written, chain.writableBytes);
        this.#use(used, heads[i] as number, part);
        written -= part;
      }
    }
    // More buffers are news only to who waits for them.
    if (this.eventIndex && starved) {
      const has = available.getUint16(RING_INDEX, true);
      used.setUint16(RING_ELEMENTS + this.size * USED_ELEMENT, has, true);
    }
    return this.#wantsNotification(available, before);
  }

  #serve(handle: (chain: Chain) => number | undefined): boolean {
    const rings = this.#rings();
    if (rings === undefined) return this.#break();
    const { available, used } = rings;
    // Only what is available now, lest a device that writes to this very ring went on forever.
    const waiting = (available.getUint16(RING_INDEX, true) - this.#nextAvailable) & 0xffff;
    if (waiting > this.size) return this.#break();
    const before = this.#nextUsed;
    for (let i = 0; i < waiting; i++) {
      const slot = this.#nextAvailable & (this.size - 1);
      const head = available.getUint16(RING_ELEMENTS + slot * AVAIL_ELEMENT, true);
      const chain = this.#chain(rings.descriptors, head);
      if (chain === undefined) return this.#break();
      const written = handle(chain);
      // The handler may have reset the queue, by resetting its device.
      if (this.#broken || !this.ready) return false;
      if (written === undefined) break;
      this.#nextAvailable = (this.#nextAvailable + 1) & 0xffff;
      this.progress = 0;
      this.#use(used, head, written);
    }
    if (this.eventIndex) used.setUint16(RING_ELEMENTS + this.size * USED_ELEMENT, this.#nextAvailable, true);
    return this.#wantsNotification(available, before);
  }

  #use(used: RingView, head: number, written: number): void {
    const element = RING_ELEMENTS + (this.#nextUsed & (this.size - 1)) * USED_ELEMENT;
    used.setUint32(element, head, true);
    used.setUint32(element + 4, written, true);
    this.#nextUsed = (this.#nextUsed + 1) & 0xffff;
    used.setUint16(RING_INDEX, this.#nextUsed, true);
  }

  /** 2.7.7: with event indices, whether used_event is among the elements from `before` on. */
  #wantsNotification(available: RingView, before: number): boolean {
    const count = (this.#nextUsed - before) & 0xffff;
    if (count === 0) return false;
    if (!this.eventIndex) return (available.getUint16(RING_FLAGS, true) & AVAIL_NO_INTERRUPT) === 0;
    const usedEvent = available.getUint16(RING_ELEMENTS + this.size * AVAIL_ELEMENT, true);
    return ((usedEvent - before) & 0xffff) < count;
  }

  #rings(): Rings | undefined {
    const ring = RING_ELEMENTS + RING_EVENT_BYTES;
    const descriptors = this.#view(this.descriptors, this.size * DESC_BYTES, false);
    const available = this.#view(this.driver, ring + this.size * AVAIL_ELEMENT, false);
    const used = this.#view(this.device, ring + this.size * USED_ELEMENT, true);
    return descriptors && available && used && { descriptors, available, used };
  }

  #view(address: number, length: number, write: boolean): RingView | undefined {
    return ringView(this.#dma, address, length, write);
  }

  #chain(descriptors: RingView, head: number): Chain | undefined {
    const chain = new Chain();
    let table = descriptors;
    let index = head;
    for (let count = 0; count < QUEUE_SIZE_MAX; count++) {
      const at = index * DESC_BYTES;
      if (at >= table.byteLength) return undefined;
      const address = table.getUint32(at, true) + table.getUint32(at + 4, true) * 2 ** 32;
      const length = table.getUint32(at + 8, true);
      const flags = table.getUint16(at + 12, true);
      if (flags & DESC_INDIRECT) {
        // 2.7.5.3: the last of its chain, and no table within a table.
        if (!this.indirect || table !== descriptors || flags & DESC_NEXT || length % DESC_BYTES !== 0) return undefined;
        const indirect = this.#view(address, length, false);
        if (indirect === undefined) return undefined;
        table = indirect;
        index = 0;
        continue;
      }
      if (!this.#addBuffer(chain, address, length, (flags & DESC_WRITE) !== 0)) return undefined;
      if (!(flags & DESC_NEXT)) return chain;
      index = table.getUint16(at + 14, true);
    }
    return undefined;
  }

  #addBuffer(chain: Chain, address: number, length: number, write: boolean): boolean {
    if (chain.readableBytes + chain.writableBytes + length > this.chainBytesMax) return false;
    // 2.7.4.2: all that is writable follows all that is readable.
    if (!write && chain.writable.length > 0) return false;
    if (length === 0) return true;
    if (this.names) {
      chain.named.push({ address, length });
      chain.writableBytes += length;
      return true;
    }
    const buffers = scattered(this.#dma, address, length, write);
    if (buffers === undefined) return false;
    for (const buffer of buffers) {
      if (write) chain.addWritable(buffer);
      else chain.addReadable(buffer);
    }
    return true;
  }

  #break(): false {
    this.#broken = true;
    this.#onBroken();
    return false;
  }
}
