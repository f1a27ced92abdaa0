// A virtio driver for tests of devices: one queue after another in TestMemory, through the MMIO transport.

import type { VirtioDevice } from "../../src/devices/virtio/device.ts";
import * as M from "../../src/devices/virtio/mmio.ts";
import { TestLine, TestMemory } from "./device-doubles.ts";

export const RAM = 0x4000_0000;
const QUEUE_BYTES = 0x1000;
const DRIVER_RING = 0x800;
const DEVICE_RING = 0xa00;
const HEAP = 0x4000;

export const NEXT = 1;
export const WRITE = 2;
export const INDIRECT = 4;
export const EVENT_IDX = 1 << 29;
export const INDIRECT_DESC = 1 << 28;

export interface Descriptor {
  readonly address: number;
  readonly length: number;
  readonly flags: number;
  readonly next?: number;
}

/** One buffer: bytes for the device to read, or how many it may write. */
export type Buffer = Uint8Array | number;

export class TestDriver {
  static readonly SIZE = 8;
  readonly memory = new TestMemory(RAM, 0x10000);
  readonly line = new TestLine();
  readonly mmio: M.VirtioMmio;
  #heap = HEAP;
  readonly #available: number[] = [];

  constructor(make: (memory: TestMemory) => VirtioDevice) {
    this.mmio = new M.VirtioMmio(make(this.memory), this.line);
  }

  read(offset: number): number {
    return this.mmio.read(offset, 4);
  }
  write(offset: number, value: number): void {
    this.mmio.write(offset, 4, value);
  }

  /** Initialization as in 3.1.1. @returns whether the device took the features. */
  start(features: number, queues = 1): boolean {
    this.write(M.STATUS, 0);
    this.write(M.STATUS, 1);
    this.write(M.STATUS, 3);
    this.write(M.DRIVER_FEATURES_SEL, 0);
    this.write(M.DRIVER_FEATURES, features);
    this.write(M.DRIVER_FEATURES_SEL, 1);
    this.write(M.DRIVER_FEATURES, 1);
    this.write(M.STATUS, 11);
    if (!(this.read(M.STATUS) & 8)) return false;
    for (let index = 0; index < queues; index++) this.setUpQueue(index);
    this.write(M.STATUS, 15);
    return true;
  }

  setUpQueue(index: number, size = TestDriver.SIZE): void {
    const base = this.queueBase(index);
    this.write(M.QUEUE_SEL, index);
    this.write(M.QUEUE_NUM, size);
    this.write(M.QUEUE_DESC_LOW, base);
    this.write(M.QUEUE_DRIVER_LOW, base + DRIVER_RING);
    this.write(M.QUEUE_DEVICE_LOW, base + DEVICE_RING);
    this.write(M.QUEUE_READY, 1);
    this.#available[index] = 0;
  }

  queueBase(index: number): number {
    return RAM + index * QUEUE_BYTES;
  }

  setDescriptor(queue: number, index: number, { address, length, flags, next = 0 }: Descriptor): void {
    this.descriptorAt(this.queueBase(queue) - RAM + index * 16, { address, length, flags, next });
  }
  /** `at`: offset in memory. */
  descriptorAt(at: number, { address, length, flags, next = 0 }: Descriptor): void {
    const { data } = this.memory;
    data.setBigUint64(at, BigInt(address), true);
    data.setUint32(at + 8, length, true);
    data.setUint16(at + 12, flags, true);
    data.setUint16(at + 14, next, true);
  }

  /** Makes the chain at descriptor `head` available. */
  publish(queue: number, head: number): void {
    const ring = this.queueBase(queue) - RAM + DRIVER_RING;
    const index = this.#available[queue] ?? 0;
    this.memory.data.setUint16(ring + 4 + (index % TestDriver.SIZE) * 2, head, true);
    this.setAvailable(queue, index + 1);
  }
  setAvailable(queue: number, index: number): void {
    this.#available[queue] = index & 0xffff;
    this.memory.data.setUint16(this.queueBase(queue) - RAM + DRIVER_RING + 2, index, true);
  }
  setAvailableFlags(queue: number, flags: number): void {
    this.memory.data.setUint16(this.queueBase(queue) - RAM + DRIVER_RING, flags, true);
  }
  setUsedEvent(queue: number, index: number): void {
    const at = this.queueBase(queue) - RAM + DRIVER_RING + 4 + TestDriver.SIZE * 2;
    this.memory.data.setUint16(at, index, true);
  }
  availableEvent(queue: number): number {
    return this.memory.data.getUint16(this.queueBase(queue) - RAM + DEVICE_RING + 4 + TestDriver.SIZE * 8, true);
  }

  /** Memory that nothing else uses: its offset. */
  allocate(length: number): number {
    const at = this.#heap;
    this.#heap += (length + 15) & ~15;
    return at;
  }

  /** Makes a chain of those buffers from descriptor `head` on available. @returns the offsets of the buffers in memory. */
  offer(queue: number, buffers: readonly Buffer[], head = 0): number[] {
    const offsets = buffers.map((buffer, i) => {
      const length = typeof buffer === "number" ? buffer : buffer.length;
      const at = this.allocate(length);
      if (typeof buffer !== "number") this.memory.bytes.set(buffer, at);
      const flags = (typeof buffer === "number" ? WRITE : 0) | (i + 1 < buffers.length ? NEXT : 0);
      this.setDescriptor(queue, head + i, { address: RAM + at, length, flags, next: head + i + 1 });
      return at;
    });
    this.publish(queue, head);
    return offsets;
  }

  notify(queue: number): void {
    this.write(M.QUEUE_NOTIFY, queue);
  }

  /** All elements of the used ring so far, up to its size. */
  used(queue: number): { head: number; length: number }[] {
    const { data } = this.memory;
    const ring = this.queueBase(queue) - RAM + DEVICE_RING;
    return Array.from({ length: data.getUint16(ring + 2, true) }, (_, i) => ({
      head: data.getUint32(ring + 4 + (i % TestDriver.SIZE) * 8, true),
      length: data.getUint32(ring + 8 + (i % TestDriver.SIZE) * 8, true),
    }));
  }
}
