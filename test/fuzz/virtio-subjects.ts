// The virtio devices that are fuzzed, with what they are connected to, and requests for each that are nearly right.

import type { BlockStore, Dma, SerialPort } from "../../src/bus/device.ts";
import { Display } from "../../src/bus/display.ts";
import { Virtio9p } from "../../src/devices/virtio/9p/9p.ts";
import { HEADER_BYTES, T } from "../../src/devices/virtio/9p/messages.ts";
import { VirtioBalloon } from "../../src/devices/virtio/balloon/balloon.ts";
import { VirtioBlock } from "../../src/devices/virtio/block/block.ts";
import { VirtioConsole } from "../../src/devices/virtio/console/console.ts";
import { VirtioSerialPorts } from "../../src/devices/virtio/console/ports.ts";
import type { VirtioDevice } from "../../src/devices/virtio/device.ts";
import { VirtioEntropy } from "../../src/devices/virtio/entropy/entropy.ts";
import { COMMAND } from "../../src/devices/virtio/gpu/commands.ts";
import { VirtioGpu } from "../../src/devices/virtio/gpu/gpu.ts";
import { VirtioKeyboard } from "../../src/devices/virtio/input/keyboard.ts";
import { VirtioTablet } from "../../src/devices/virtio/input/tablet.ts";
import { VirtioNet } from "../../src/devices/virtio/net/net.ts";
import { VirtioVsock } from "../../src/devices/virtio/vsock/vsock.ts";
import { Frame, TCP4, TCP6, WHOLE } from "../../src/network/frame.ts";
import type { NetworkLink, Station } from "../../src/network/link.ts";
import type { TestClock } from "../support/device-doubles.ts";
import type { Random } from "../vectors/inputs.ts";
import { FuzzChannel, type FuzzedOutside, FuzzStreams, fuzzFolder } from "./board-parts.ts";

/** Where RAM is in the guest's physical memory, and how large. */
export const BASE = 0x4000_0000;
export const BYTES = 0x2_0000;

interface Parts {
  readonly dma: Dma;
  readonly clock: TestClock;
  readonly outside: FuzzedOutside[];
}

/** A device type, and what a driver may ask of it: the readable part of a request, as it would be but for what is random. */
export interface Subject {
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
  gpu: {
    make: ({ dma, clock, outside }) => {
      const display = new Display();
      display.addViewer({ surfaceChanged: () => {}, stirred: () => {}, damaged: () => {}, cursorChanged: () => {} });
      const device = new VirtioGpu(dma, display, clock);
      outside.push({ happen: (number) => display.requestSize(number & 0x1fff, (number >>> 13) & 0x1fff) });
      return device;
    },
    request: (random, bytes) => {
      const type = random.pick([
        ...Object.values(COMMAND),
        COMMAND.resourceCreate2d,
        COMMAND.transferToHost2d,
        few(random),
      ]);
      scatter(random, bytes, 200);
      bytes.setUint32(0, type, true);
      bytes.setUint32(4, random.below(2), true);
      const rectangle = (at: number): void => {
        for (let i = 0; i < 16; i += 4)
          bytes.setUint32(at + i, random.below(12) === 0 ? random.u32() : random.below(70), true);
      };
      const id = 1 + random.below(4);
      switch (type) {
        case COMMAND.resourceCreate2d:
          bytes.setUint32(24, id, true);
          bytes.setUint32(28, random.pick([1, 2, 3, 4, 67, 68, 121, 134, few(random)]), true);
          rectangle(32);
          return random.pick([40, 40, 39]);
        case COMMAND.setScanout:
        case COMMAND.resourceFlush:
        case COMMAND.transferToHost2d:
          rectangle(24);
          bytes.setUint32(40, type === COMMAND.setScanout ? random.below(2) : id, true);
          if (type === COMMAND.setScanout) bytes.setUint32(44, random.below(5), true);
          if (type === COMMAND.transferToHost2d) bytes.setUint32(48, id, true);
          return random.pick([48, 56, 56]);
        case COMMAND.resourceAttachBacking:
          bytes.setUint32(24, id, true);
          bytes.setUint32(28, random.below(10) === 0 ? random.u32() : random.below(5), true);
          for (let at = 32; at < 112; at += 16) {
            bytes.setUint32(at, BASE + random.below(BYTES), true);
            bytes.setUint32(at + 4, random.below(20) === 0 ? random.u32() : 0, true);
            bytes.setUint32(at + 8, random.below(10) === 0 ? random.u32() : random.below(0x8000), true);
          }
          return random.pick([32, 48, 64, 96, 112, 40]);
        default:
          bytes.setUint32(24, id, true);
          return random.pick([24, 32, 32, 56]);
      }
    },
  },
  keyboard: {
    make: ({ dma, clock, outside }) => {
      const device = new VirtioKeyboard(dma, () => {}, clock);
      outside.push({ happen: (number) => device.key(number & 0xff, (number & 0x100) !== 0) });
      return device;
    },
    request: inputEvents,
  },
  tablet: {
    make: ({ dma, clock, outside }) => {
      const device = new VirtioTablet(dma, clock);
      outside.push({ happen: (number) => device.pointer(number & 0x7fff, (number >>> 15) & 0x7fff, new Set()) });
      return device;
    },
    request: inputEvents,
  },
};

/** What a driver tells of: the LEDs, say. */
function inputEvents(random: Random, bytes: DataView): number {
  for (let at = 0; at < 32; at += 8) {
    bytes.setUint16(at, random.pick([0, 1, 0x11, random.below(0x20)]), true);
    bytes.setUint16(at + 2, few(random) & 0xffff, true);
    bytes.setUint32(at + 4, few(random), true);
  }
  return random.pick([8, 8, 16, 7, 9]);
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
