// Drivers of the GPU and the input devices whose requests make little sense, or a lot of it for somebody who wants memory that is not his.

import { Display } from "../../src/bus/display.ts";
import { COMMAND } from "../../src/devices/virtio/gpu/commands.ts";
import { VirtioGpu } from "../../src/devices/virtio/gpu/gpu.ts";
import { VirtioInputs } from "../../src/devices/virtio/input/input-port.ts";
import * as M from "../../src/devices/virtio/mmio.ts";
import { TestClock, TestLine, TestMemory } from "../support/device-doubles.ts";
import { NEXT, RAM, WRITE } from "../support/virtio-driver.ts";
import type { Random } from "../vectors/inputs.ts";

/** Requests of a burst. */
export const REQUESTS = 40;
const MEMORY = 0x1_0000;
const QUEUE = 0x1000;
const DRIVER_RING = 0x800;
const DEVICE_RING = 0xa00;
const SIZE = 16;
/** Requests are here, 0x200 bytes each, and what they are answered after them. */
const HEAP = 0x4000;
const SLOT = 0x400;
const COMMANDS = [...Object.values(COMMAND), 0, 0x0108, 0x0200, 0xffff_ffff];
/** Numbers of words after the header. */
const WORDS = 12;
const FORMATS = [1, 2, 3, 4, 67, 68, 121, 134, 5];

/** With what a burst begins, so that there is something to make no sense of: commands and their words. */
const SENSIBLE: readonly (readonly number[])[] = [
  [COMMAND.resourceCreate2d, 1, 2, 64, 64],
  [COMMAND.resourceAttachBacking, 1, 2, RAM + 0x8000, 0, 0x1234, 0, RAM + 0xa000, 0, 0x4000, 0],
  [COMMAND.setScanout, 0, 0, 64, 64, 0, 1],
  [COMMAND.transferToHost2d, 0, 0, 64, 64, 0, 0, 1, 0],
  [COMMAND.resourceFlush, 0, 0, 64, 64, 1, 0],
];

export class GpuFuzzer {
  readonly #memory = new TestMemory(RAM, MEMORY);
  readonly #display = new Display();
  readonly #clock = new TestClock();
  readonly #inputs = new VirtioInputs(this.#memory, this.#clock);
  readonly #devices = [
    new VirtioGpu(this.#memory, this.#display, this.#clock),
    this.#inputs.keyboard,
    this.#inputs.tablet,
  ].map((device) => new M.VirtioMmio(device, new TestLine()));
  /** Pictures that were shown, and requests that were answered. */
  shown = 0;
  answered = 0;

  constructor() {
    const check = (): void => {};
    for (let i = 0x8000; i < MEMORY; i++) this.#memory.bytes[i] = Math.imul(i, 0x9e37) >>> 5;
    this.#display.addViewer({
      surfaceChanged: check,
      stirred: check,
      cursorChanged: check,
      damaged: () => this.shown++,
    });
  }

  /** @throws what a device throws, or an Error that says what is not as it has to be. */
  burst(random: Random): void {
    const device = this.#devices[random.below(6) === 0 ? 1 + random.below(2) : 0] as M.VirtioMmio;
    const set = (register: number, value: number): void => device.write(register, 4, value);
    for (const status of [0, 1, 3]) set(M.STATUS, status);
    set(M.DRIVER_FEATURES_SEL, 0);
    set(M.DRIVER_FEATURES, random.pick([0, 2, 2, 0x3000_0002]));
    set(M.DRIVER_FEATURES_SEL, 1);
    set(M.DRIVER_FEATURES, 1);
    set(M.STATUS, 11);
    const { data } = this.#memory;
    for (let queue = 0; queue < 2; queue++) {
      const base = RAM + queue * QUEUE;
      this.#memory.bytes.fill(0, queue * QUEUE, (queue + 1) * QUEUE);
      set(M.QUEUE_SEL, queue);
      set(M.QUEUE_NUM, SIZE);
      set(M.QUEUE_DESC_LOW, base);
      set(M.QUEUE_DRIVER_LOW, base + DRIVER_RING);
      set(M.QUEUE_DEVICE_LOW, base + DEVICE_RING);
      set(M.QUEUE_READY, 1);
    }
    set(M.STATUS, 15);
    for (let i = 0; i < REQUESTS; i++) {
      const queue = random.below(5) === 0 ? 1 : 0;
      const used = data.getUint16(queue * QUEUE + DEVICE_RING + 2, true);
      this.#offer(random, queue, i);
      set(M.QUEUE_NOTIFY, queue);
      this.#outside(random, device);
      if (random.below(8) === 0) this.#look();
      // A request that takes more than a turn.
      for (let turns = 0; this.#clock.pending > 0 && turns < 4; turns++) this.#clock.advance(1);
      if (data.getUint16(queue * QUEUE + DEVICE_RING + 2, true) !== used) this.answered++;
    }
    if (!this.#memory.guardsIntact()) throw new Error("memory that is not the guest's has changed");
    this.#look();
  }

  #look(): void {
    const surface = this.#display.surface;
    if (surface !== undefined && surface.width * surface.height < 2 ** 20) {
      this.#display.refresh();
      if (surface.pixels.length !== surface.width * surface.height)
        throw new Error("a picture is not as large as it says");
    }
  }

  #outside(random: Random, device: M.VirtioMmio): void {
    switch (random.below(8)) {
      case 0:
        this.#inputs.key(random.below(260), random.below(2) === 0);
        break;
      case 1:
        this.#inputs.pointer(random.below(0x9000), random.below(0x9000), new Set(random.below(2) ? ["left"] : []));
        break;
      case 2:
        this.#display.requestSize(random.pick([0, 1, 640, 5000, 65535]), random.pick([0, 480, 65535]));
        break;
      case 3:
        device.write(M.CONFIG + random.below(160), random.pick([1, 2, 4]), random.u32());
        device.read(M.CONFIG + random.below(160), random.pick([1, 2, 4]));
    }
  }

  /** One chain: what is read, in one buffer or two, and room for an answer. */
  #offer(random: Random, queue: number, index: number): void {
    const { data } = this.#memory;
    const slot = index % 4;
    const at = HEAP + slot * SLOT;
    const sensible = SENSIBLE[index];
    if (sensible !== undefined && random.below(8) > 0) this.#sensible(at, sensible);
    else this.#message(random, at, random.pick(COMMANDS));
    const descriptor = (i: number, address: number, length: number, flags: number): void => {
      const to = queue * QUEUE + (slot * 4 + i) * 16;
      data.setUint32(to, address, true);
      data.setUint32(to + 4, random.below(200) === 0 ? 1 : 0, true);
      data.setUint32(to + 8, length, true);
      data.setUint16(to + 12, flags, true);
      data.setUint16(to + 14, slot * 4 + i + 1, true);
    };
    const length = sensible !== undefined ? 128 : random.pick([8, 24, 32, 48, 56, 80, 128, 128, 128]);
    const split = random.below(length);
    const room = random.pick([0, 4, 24, 408, 1056]);
    descriptor(0, RAM + at, split, NEXT);
    descriptor(1, RAM + at + split, length - split, room === 0 ? 0 : NEXT);
    descriptor(2, RAM + 0x8000 + random.below(0x100), room, WRITE);
    const ring = queue * QUEUE + DRIVER_RING;
    const next = data.getUint16(ring + 2, true);
    data.setUint16(ring + 4 + 2 * (next % SIZE), slot * 4, true);
    data.setUint16(ring + 2, next + (random.below(500) === 0 ? random.below(0x10000) : 1), true);
  }

  #sensible(at: number, [command, ...words]: readonly number[]): void {
    this.#memory.bytes.fill(0, at, at + 128);
    this.#memory.data.setUint32(at, command as number, true);
    for (const [i, word] of words.entries()) this.#memory.data.setUint32(at + 24 + 4 * i, word, true);
  }

  #message(random: Random, at: number, command: number): void {
    const { data } = this.#memory;
    data.setUint32(at, command, true);
    data.setUint32(at + 4, random.below(3), true);
    for (let i = 2; i < 6; i++) data.setUint32(at + 4 * i, random.below(9), true);
    const side = (): number =>
      random.pick([0, 1, 2, 4, 7, 8, 64, 64, 100, 0x4000, 0x1_0000, 0x7fff_ffff, 0xffff_ffff, random.u32()]);
    const id = (): number => random.pick([0, 1, 1, 2, 2, 3, random.u32()]);
    const body = (): number[] => {
      const area = [random.pick([0, 0, 0, side()]), random.pick([0, 0, 0, side()]), side(), side()];
      switch (command) {
        case COMMAND.resourceCreate2d:
          return [id(), random.pick(FORMATS), side(), side()];
        case COMMAND.setScanout:
          return [...area, random.below(20) === 0 ? 1 : 0, id()];
        case COMMAND.transferToHost2d:
          return [...area, random.pick([0, 0, 4, side()]), random.below(20) === 0 ? random.u32() : 0, id()];
        case COMMAND.resourceFlush:
          return [...area, id()];
        case COMMAND.updateCursor:
          return [0, side(), side(), 0, id(), side(), side()];
        case COMMAND.resourceAttachBacking: {
          const entry = (): number[] => [
            random.below(20) === 0 ? random.u32() : RAM + random.below(MEMORY),
            random.below(40) === 0 ? random.u32() : 0,
            random.pick([0, 1, 3, 256, 4096, 0x4000, side()]),
            0,
          ];
          return [
            id(),
            random.pick([0, 1, 2, 3, 6, 16_385, 0x1000_0000, 0xffff_ffff]),
            ...entry(),
            ...entry(),
            ...entry(),
          ];
        }
        default:
          return [id(), side()];
      }
    };
    const words = body();
    for (let i = 0; i < WORDS + 12; i++) data.setUint32(at + 24 + 4 * i, words[i] ?? random.below(3), true);
  }
}
