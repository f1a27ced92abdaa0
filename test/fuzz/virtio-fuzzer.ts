// One virtio device at a time, with a hostile driver: descriptors that loop, point nowhere or claim too much, indirect tables, rings on
// top of each other; and requests that are nearly right, so that what is behind the queue is reached, too.

import type { BlockStore, Dma, SerialPort } from "../../src/bus/device.ts";
import { Virtio9p } from "../../src/devices/virtio/9p/9p.ts";
import { HEADER_BYTES, T } from "../../src/devices/virtio/9p/messages.ts";
import { VirtioBalloon } from "../../src/devices/virtio/balloon/balloon.ts";
import { VirtioBlock } from "../../src/devices/virtio/block/block.ts";
import { VirtioConsole } from "../../src/devices/virtio/console/console.ts";
import { VirtioSerialPorts } from "../../src/devices/virtio/console/ports.ts";
import type { VirtioDevice } from "../../src/devices/virtio/device.ts";
import { VirtioEntropy } from "../../src/devices/virtio/entropy/entropy.ts";
import * as M from "../../src/devices/virtio/mmio.ts";
import { VirtioNet } from "../../src/devices/virtio/net/net.ts";
import { VirtioVsock } from "../../src/devices/virtio/vsock/vsock.ts";
import { Frame, TCP4, TCP6, WHOLE } from "../../src/network/frame.ts";
import type { NetworkLink, Station } from "../../src/network/link.ts";
import { TestClock, TestLine } from "../support/device-doubles.ts";
import type { Random } from "../vectors/inputs.ts";
import { FuzzChannel, type FuzzedOutside, FuzzStreams, fuzzFolder } from "./board-parts.ts";

/** RAM as a guest sees it; what is before and after it in the buffer must stay as it is. */
const BASE = 0x4000_0000;
const BYTES = 0x2_0000;
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

interface Parts {
  readonly dma: GuardedMemory;
  readonly clock: TestClock;
  readonly outside: FuzzedOutside[];
}

/** A device type, and what a driver may ask of it: the readable part of a request, as it would be but for what is random. */
interface Subject {
  readonly make: (parts: Parts) => VirtioDevice;
  readonly request: (random: Random, bytes: DataView) => number;
}

const few = (random: Random): number => (random.below(8) === 0 ? random.u32() : random.below(6));

function scatter(random: Random, bytes: DataView, length: number): number {
  for (let at = 0; at < length; at += 4) bytes.setUint32(at, few(random), true);
  return length;
}

/** All device types that there are. */
export const SUBJECTS: Readonly<Record<string, Subject>> = {
  block: {
    make: ({ dma, clock }) => new VirtioBlock(dma, fuzzedDisk(), { queues: 2, clock, serial: "fuzz" }),
    request: (random, bytes) => {
      bytes.setUint32(0, random.pick([0, 0, 1, 1, 4, 8, 11, 13, 14, few(random)]), true);
      bytes.setUint32(4, 0, true);
      bytes.setUint32(8, random.pick([0, 1, 2040, 2047, 2048, random.u32()]), true);
      bytes.setUint32(12, random.below(20) === 0 ? random.u32() : 0, true);
      // Ranges of discard and write zeroes.
      for (let at = 16; at < 64; at += 16) {
        bytes.setUint32(at, random.below(2100), true);
        bytes.setUint32(at + 4, random.below(30) === 0 ? random.u32() : 0, true);
        bytes.setUint32(at + 8, random.pick([0, 1, 8, 2048, random.u32()]), true);
        bytes.setUint32(at + 12, random.below(3), true);
      }
      return random.pick([16, 16, 32, 48, 528, 15, 17]);
    },
  },
  net: {
    make: ({ dma, clock, outside }) => {
      const link = new FuzzedLink();
      outside.push(link);
      return new VirtioNet(dma, link, clock);
    },
    request: (random, bytes) => {
      if (random.below(3) === 0) {
        // A command.
        bytes.setUint8(0, random.below(7));
        bytes.setUint8(1, random.below(6));
        scatter(random, new DataView(bytes.buffer, bytes.byteOffset + 2), 40);
        return random.pick([2, 3, 8, 10, 14, 42]);
      }
      const length = random.pick([11, 12, 26, 60, 200, 1500]);
      for (let at = 0; at < length; at += 4) bytes.setUint32(at, random.u32(), true);
      bytes.setUint8(0, random.below(4));
      bytes.setUint8(1, random.pick([0, 1, 4, 0x81, 0x84, 3, 5, few(random) & 0xff]));
      for (const at of [2, 4, 6, 8])
        bytes.setUint16(at, random.pick([0, 14, 34, 54, 1448, 0xffff, random.below(80)]), true);
      return length;
    },
  },
  entropy: {
    make: ({ dma }) => new VirtioEntropy(dma, { fill: (into) => into.fill(0x77) }),
    request: (random, bytes) => scatter(random, bytes, 4 * random.below(3)),
  },
  console: {
    make: ({ dma }) =>
      new VirtioConsole(dma, fuzzedSerial(), { get: () => ({ columns: 80, rows: 25 }), onChange: () => {} }),
    request: (random, bytes) => scatter(random, bytes, 4 * random.below(60)),
  },
  "serial ports": {
    make: ({ dma, clock, outside }) => {
      const ports = ["a", "b"].map((name) => ({ name: new TextEncoder().encode(name), channel: new FuzzChannel() }));
      outside.push(...ports.map(({ channel }) => channel));
      return new VirtioSerialPorts(dma, clock, ports);
    },
    request: (random, bytes) => {
      bytes.setUint32(0, few(random), true);
      bytes.setUint16(4, random.below(9), true);
      bytes.setUint16(6, random.below(3), true);
      return random.pick([8, 8, 8, 7, 9, 200]);
    },
  },
  "9p": {
    make: ({ dma, clock }) => new Virtio9p(dma, clock, fuzzFolder(), new TextEncoder().encode("tag")),
    request: (random, bytes) => {
      scatter(random, bytes, 64);
      const type = random.pick([...Object.values(T)]);
      const length = random.pick([64, 64, 64, 23, 19, 7]);
      bytes.setUint32(0, random.below(20) === 0 ? few(random) : length, true);
      bytes.setUint8(4, random.below(40) === 0 ? random.below(256) : type);
      if (type === T.version) {
        bytes.setUint32(HEADER_BYTES, 0x2000, true);
        const name = new TextEncoder().encode("9P2000.L");
        bytes.setUint16(HEADER_BYTES + 4, name.length, true);
        new Uint8Array(bytes.buffer, bytes.byteOffset).set(name, HEADER_BYTES + 6);
      }
      return length;
    },
  },
  vsock: {
    make: ({ dma, clock, outside }) => {
      const host = new FuzzStreams();
      outside.push(host);
      return new VirtioVsock(dma, clock, host, 3);
    },
    request: (random, bytes) => {
      const length = random.pick([0, 0, 20, few(random)]);
      const words = [3, 0, 2, 0, random.below(4), random.below(4), length, 1 | (random.below(9) << 16)];
      words.push(random.below(4), random.pick([0, 0x1_0000, 0xffff_ffff]), few(random));
      for (const [i, word] of words.entries())
        bytes.setUint32(4 * i, random.below(60) === 0 ? random.u32() : word, true);
      return random.pick([44, 44, 64, 43, 45]);
    },
  },
  balloon: {
    make: ({ dma, clock, outside }) => {
      const device = new VirtioBalloon(dma, clock);
      outside.push({
        happen: (number) => {
          if (number & 1) device.want(number);
          else device.memory();
        },
      });
      return device;
    },
    request: (random, bytes) => {
      // Numbers of pages, or statistics.
      const count = random.below(12);
      for (let i = 0; i < count; i++) {
        const page = BASE / 4096 + random.below(BYTES / 4096 + 2);
        bytes.setUint32(4 * i, random.below(6) === 0 ? random.u32() : page, true);
      }
      return random.pick([4 * count, 10 * random.below(5), 3]);
    },
  },
};

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

function fuzzedDisk(): BlockStore {
  const contents = new Uint8Array(0x10_0000);
  const check = (offset: number, bytes: number): void => {
    // A device that asks for this has not looked at what it was told: no message of a host's.
    if (!(offset >= 0 && bytes >= 0 && offset + bytes <= contents.length))
      throw new BeyondTheDisk(`${bytes} at ${offset}`);
    if (offset === 512) throw new Error("a bad sector");
  };
  return {
    bytes: contents.length,
    readOnly: false,
    read: (offset, into) => {
      check(offset, into.length);
      into.set(contents.subarray(offset, offset + into.length));
    },
    write: (offset, from) => {
      check(offset, from.length);
      contents.set(from, offset);
    },
    writeZeroes: (offset, bytes) => {
      check(offset, bytes);
      contents.fill(0, offset, offset + bytes);
    },
    discard: check,
    flush: () => {},
  };
}

/** Devices take errors of a host's disk as such; this one is kept until somebody asks. */
class BeyondTheDisk extends Error {
  constructor(message: string) {
    super(message);
    beyond.push(message);
  }
}
const beyond: string[] = [];

/** Accesses outside of a disk, since this was last asked. */
export function accessesBeyondTheDisk(): string[] {
  return beyond.splice(0);
}

function fuzzedSerial(): SerialPort {
  let input = 0;
  return { write: () => {}, read: (max) => new Uint8Array(Math.min(max, input++ % 40)), onReadable: () => {} };
}

/** A network that has any frame for the guest, at any time. */
class FuzzedLink implements NetworkLink, FuzzedOutside {
  readonly mac = Uint8Array.of(0x52, 0x54, 0, 1, 2, 3);
  readonly #frame = new Frame();
  #station: Station | undefined;
  #waiting = 0;
  #number = 0;

  attach(station: Station): void {
    this.#station = station;
  }
  setOffloads(): void {}
  transmit(frame: Frame): void {
    if (!frame.sane) throw new Error("a frame that makes no sense went out");
    this.#waiting++;
  }
  receive(): Frame | undefined {
    if (this.#waiting === 0) return undefined;
    this.#waiting--;
    const frame = this.#frame;
    this.#number = (Math.imul(this.#number, 1664525) + 1013904223) >>> 0;
    const number = this.#number;
    frame.bytes.fill(number & 0xff, 0, 100);
    // To all; IPv4 or IPv6 with TCP.
    frame.bytes.fill(0xff, 0, 6);
    const six = (number & 0x100) !== 0;
    frame.view.setUint16(12, six ? 0x86dd : 0x0800);
    frame.view.setUint8(14, six ? 0x60 : 0x45);
    const length = 60 + (number & 0x200 ? number % 65_000 : number % 1400);
    frame.complete(length);
    if (number & 0x400) {
      frame.checksumStart = six ? 54 : 34;
      frame.checksumOffset = 16;
      frame.view.setUint8(frame.checksumStart + 12, 0x50);
      frame.segmentation = number & 0x800 ? (six ? TCP6 : TCP4) : WHOLE;
      frame.segmentBytes = 1 + (number % 1448);
      if (length < frame.checksumStart + 20) frame.complete(length);
    }
    return frame;
  }
  reset(): void {
    this.#waiting = 0;
  }
  happen(number: number): void {
    this.#number ^= number;
    this.#waiting = Math.min(40, this.#waiting + (number % 4));
    if (number % 64 === 0) this.#station?.announce();
    else this.#station?.ready();
  }
}
