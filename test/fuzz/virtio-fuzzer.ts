// One virtio device at a time, with a hostile driver: descriptors that loop, point nowhere or claim too much, indirect tables, rings on
// top of each other; and requests that are nearly right, so that what is behind the queue is reached, too.

import type { Dma } from "../../src/bus/device.ts";
import type { VirtioDevice } from "../../src/devices/virtio/device.ts";
import * as M from "../../src/devices/virtio/mmio.ts";
import { TestClock, TestLine } from "../support/device-doubles.ts";
import type { Random } from "../vectors/inputs.ts";
import type { FuzzedOutside } from "./board-parts.ts";
import { BASE, BYTES, SUBJECTS, type Subject } from "./virtio-subjects.ts";

/** What is before and after RAM in its buffer must stay as it is. */
const GUARD = 0x1000;
const GUARD_BYTE = 0xa5;

class GuardedMemory implements Dma {
  readonly all = new Uint8Array(BYTES + 2 * GUARD).fill(GUARD_BYTE);
  readonly ram = this.all.subarray(GUARD, GUARD + BYTES);
  readonly words = new Int32Array(this.all.buffer, GUARD, BYTES >> 2);

  view(address: number, length: number): Uint8Array | undefined {
    const at = address - BASE;
    if (!(at >= 0 && length >= 0 && at + length <= BYTES)) return undefined;
    return this.ram.subarray(at, at + length);
  }

  damaged(): boolean {
    return (
      this.all.subarray(0, GUARD).some((byte) => byte !== GUARD_BYTE) ||
      this.all.subarray(GUARD + BYTES).some((byte) => byte !== GUARD_BYTE)
    );
  }
}

const NEXT = 1;
const WRITE = 2;
const INDIRECT = 4;
const INDIRECT_FEATURE = 1 << 28;
const LENGTHS = [0, 1, 2, 15, 16, 17, 44, 511, 512, 4096, 0x1_0000, 0x2_0000, 0x7fff_ffff, 0xffff_ffff];
/** Where a driver of good sense puts things: rings of up to 64 in 0x1000 for each queue, indirect tables, requests, room for answers. */
const RINGS_BYTES = 0x1000;
const TABLES = 0x8000;
const TABLES_MOST = 0x40;
const REQUESTS = 0xa000;
const ANSWERS = 0x1_0000;

export class VirtioFuzzer {
  readonly #memory = new GuardedMemory();
  readonly #clock = new TestClock();
  readonly #outside: FuzzedOutside[] = [];
  readonly #subject: Subject;
  readonly #transport: M.VirtioMmio;
  readonly #device: VirtioDevice;
  readonly #bytes: DataView;
  /** Whether the driver has accepted indirect descriptors, and how many tables it has. */
  #indirect = false;
  #tables = 0;
  /** Requests that a device has used, and resets that it asked for: a fuzzer whose inputs are all refused at the door shows nothing. */
  readonly effects = { used: 0, broken: 0 };

  constructor(name: string) {
    this.#subject = SUBJECTS[name] as Subject;
    this.#device = this.#subject.make({ dma: this.#memory, clock: this.#clock, outside: this.#outside });
    this.#transport = new M.VirtioMmio(this.#device, new TestLine());
    const { ram } = this.#memory;
    this.#bytes = new DataView(ram.buffer, ram.byteOffset, ram.length);
  }

  /** A driver that comes up, offers queues, notifies, and looks on for a while. @throws what a device throws, or for memory it may not touch. */
  input(random: Random): void {
    const hostility = random.pick([0, 0, 1, 4]);
    const size = random.pick([1, 4, 8, 16, 64]);
    const queues = this.#start(random, hostility, size);
    for (let n = 1 + random.below(4); n > 0; n--) {
      this.#set(M.QUEUE_NOTIFY, random.below(queues + (hostility ? 1 : 0)));
      if (random.below(3) === 0 && this.#outside.length > 0) random.pick(this.#outside).happen(random.u32());
      if (random.below(2) === 0) this.#clock.advance(random.pick([0, 1e3, 2e6, 2e9]));
      if (hostility && random.below(4) === 0) this.#poke(random);
      if (random.below(8) === 0) this.#offerMore(random, queues, size);
    }
    this.#clock.advance(2e6);
    for (let queue = 0; queue < queues; queue++) {
      this.effects.used += this.#bytes.getUint16(usedAt(queue) + 2, true);
    }
    if (this.#transport.read(M.STATUS, 4) & 64) this.effects.broken++;
    if (this.#memory.damaged()) throw new Error("memory that is not the guest's has changed");
  }

  #set(register: number, value: number): void {
    this.#transport.write(register, 4, value >>> 0);
  }

  #start(random: Random, hostility: number, size: number): number {
    const odd = (one: number): boolean => hostility > 0 && random.below(Math.ceil(one / hostility)) === 0;
    const set = (register: number, value: number): void => this.#set(register, value);
    for (const status of [0, 1, 3]) set(M.STATUS, status);
    const offered = this.#device.offeredFeatures(0);
    const features = random.pick([offered, offered, offered & random.u32(), odd(10) ? random.u32() : 0]);
    this.#indirect = (features & INDIRECT_FEATURE) !== 0;
    this.#tables = 0;
    for (const [select, bits] of [
      [0, features],
      [1, random.pick([1, 1, 0x101, odd(10) ? random.u32() : 1])],
    ] as const) {
      set(M.DRIVER_FEATURES_SEL, select);
      set(M.DRIVER_FEATURES, bits);
    }
    set(M.STATUS, 11);
    const queues = Math.min(7, this.#device.queues.length);
    for (let queue = 0; queue < queues; queue++) {
      set(M.QUEUE_SEL, queue);
      set(M.QUEUE_NUM, odd(20) ? random.below(2000) : size);
      for (const [register, at] of [
        [M.QUEUE_DESC_LOW, queue * RINGS_BYTES],
        [M.QUEUE_DRIVER_LOW, availableAt(queue)],
        [M.QUEUE_DEVICE_LOW, usedAt(queue)],
      ] as const) {
        set(register, odd(30) ? this.#address(random, 4) : BASE + at);
        set(register + 4, odd(60) ? random.u32() : 0);
      }
      this.#fill(random, queue, size, hostility);
      if (!odd(30)) set(M.QUEUE_READY, 1);
    }
    set(M.STATUS, 15);
    return queues;
  }

  /** An address: of good sense, or with `hostility` near the edges of RAM, in the rings, or anywhere. */
  #address(random: Random, hostility: number): number {
    if (random.below(16) >= hostility) return BASE + ANSWERS + random.below(0x8000);
    const edge = random.pick([0, 16, 4096]);
    return (
      random.pick([
        BASE - edge,
        BASE + BYTES - edge,
        BASE + random.below(0x8000),
        BASE + random.below(BYTES),
        random.u32(),
      ]) >>> 0
    );
  }

  /** Chains in the descriptor table of a queue, and all of them available. */
  #fill(random: Random, queue: number, size: number, hostility: number): void {
    const bytes = this.#bytes;
    const odd = (one: number): boolean => hostility > 0 && random.below(Math.ceil(one / hostility)) === 0;
    const heads: number[] = [];
    for (let i = 0; i < size; ) {
      heads.push(i);
      i = this.#chain(random, queue * RINGS_BYTES, i, size, queue, hostility, false);
    }
    const available = availableAt(queue);
    bytes.setUint16(available, random.below(2), true);
    bytes.setUint16(available + 2, odd(20) ? random.below(0x1_0000) : heads.length, true);
    for (let i = 0; i < size; i++) {
      const head = heads[i % heads.length] as number;
      bytes.setUint16(available + 4 + 2 * i, odd(30) ? random.below(0x1_0000) : head, true);
    }
    bytes.setUint16(available + 4 + 2 * size, random.below(size + 2), true);
    bytes.setUint32(usedAt(queue), 0, true);
  }

  /** One request from descriptor `first` on: what is read, what is written. @returns the descriptor after it. */
  #chain(
    random: Random,
    table: number,
    first: number,
    size: number,
    queue: number,
    hostility: number,
    nested: boolean,
  ): number {
    const bytes = this.#bytes;
    const odd = (one: number): boolean => hostility > 0 && random.below(Math.ceil(one / hostility)) === 0;
    if (!nested && (this.#indirect || odd(60)) && random.below(6) === 0) {
      const count = 1 + random.below(4);
      const at = TABLES + 0x80 * (this.#tables++ % TABLES_MOST);
      let next = 0;
      while (next < count) next = this.#chain(random, at, next, count, queue, hostility, true);
      const length = odd(10) ? random.pick(LENGTHS) : 16 * count;
      const flags = INDIRECT | (odd(10) ? random.below(4) : 0);
      descriptor(bytes, table + 16 * first, odd(10) ? this.#address(random, 8) : BASE + at, length, flags, 0);
      return first + 1;
    }
    const request = REQUESTS + 0x600 * random.below(16);
    const length = this.#subject.request(random, new DataView(bytes.buffer, bytes.byteOffset + request, 0x600));
    // What is read comes in one piece or two, then what is written: data, and a byte of status.
    const cut = random.below(3) === 0 ? random.below(length + 1) : length;
    const pieces: [number, number, number][] = [[BASE + request, cut, 0]];
    if (cut < length) pieces.push([BASE + request + cut, length - cut, 0]);
    if (random.below(8) > 0)
      pieces.push([this.#address(random, hostility), random.pick([1, 44, 512, 4096, 4096, 8192]), WRITE]);
    if (random.below(8) > 0) pieces.push([this.#address(random, hostility), 1, WRITE]);
    if (random.below(16) === 0) pieces.splice(0, length === cut ? 1 : 2);
    if (pieces.length === 0) pieces.push([this.#address(random, hostility), 2048, WRITE]);
    const room = Math.min(pieces.length, size - first);
    for (let i = 0; i < room; i++) {
      const [address, bytesHere, flag] = pieces[i] as [number, number, number];
      const flags = odd(20) ? random.below(8) : flag | (i + 1 < room ? NEXT : 0);
      const next = odd(20) ? random.below(size + 1) : first + i + 1;
      const at = table + 16 * (first + i);
      descriptor(
        bytes,
        at,
        odd(20) ? this.#address(random, 16) : address,
        odd(12) ? random.pick(LENGTHS) : bytesHere,
        flags,
        next,
      );
      if (odd(60)) bytes.setUint32(at + 4, random.u32(), true);
    }
    return first + room;
  }

  /** More is available than before; where the ring has been filled once, it is the same again. */
  #offerMore(random: Random, queues: number, size: number): void {
    const available = availableAt(random.below(queues)) + 2;
    this.#bytes.setUint16(available, (this.#bytes.getUint16(available, true) + 1 + random.below(size)) & 0xffff, true);
  }

  /** Registers and configuration, in any order. */
  #poke(random: Random): void {
    const at = 4 * random.below(M.VIRTIO_MMIO_SIZE / 4);
    const size = random.pick([1, 2, 4] as const);
    if (random.below(2)) this.#transport.read(at, size);
    else this.#transport.write(at, size, random.below(2) ? random.below(64) : random.u32());
  }
}

function availableAt(queue: number): number {
  return queue * RINGS_BYTES + 0x400;
}

function usedAt(queue: number): number {
  return queue * RINGS_BYTES + 0x800;
}

function descriptor(bytes: DataView, at: number, address: number, length: number, flags: number, next: number): void {
  bytes.setUint32(at, address, true);
  bytes.setUint32(at + 4, 0, true);
  bytes.setUint32(at + 8, length, true);
  bytes.setUint16(at + 12, flags, true);
  bytes.setUint16(at + 14, next, true);
}
