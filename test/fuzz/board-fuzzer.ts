// Hostile drivers: random accesses to every window of a board, and virtqueues whose contents make little sense.

import type { BlockStore, SerialPort } from "../../src/bus/device.ts";
import { PeState } from "../../src/cpu/pe-state.ts";
import { CPU_STRIDE } from "../../src/cpu/state-layout.ts";
import * as registers from "../../src/devices/gic/sysreg-ids.ts";
import { HEADER_BYTES, T } from "../../src/devices/virtio/9p/messages.ts";
import * as M from "../../src/devices/virtio/mmio.ts";
import { inflate } from "../../src/hosts/node/inflate.ts";
import { Board } from "../../src/machine/board.ts";
import { MachineClock } from "../../src/machine/clock.ts";
import { allocate, planMemory } from "../../src/machine/linear-plan.ts";
import { MAP, VIRTIO_STRIDE } from "../../src/machine/memory-map.ts";
import type { MachineParts } from "../../src/machine/runnable.ts";
import { CPU_BASE, GIC_STATE_END } from "../../src/memory/linear-layout.ts";
import type { Random } from "../vectors/inputs.ts";
import { FuzzChannel, type FuzzedOutside, FuzzStreams, fuzzFolder } from "./board-parts.ts";

const MiB = 0x10_0000;
const CPUS = 3;
/** Virtio devices that there are. */
const DEVICES = 11;
/** Which of them are told messages, and which of `messages` they are. */
const TOLD: Readonly<Record<number, number>> = { 4: 0, 5: 1, 7: 2 };
/** Not whole pages of WebAssembly: what is after it must stay as it is. */
const RAM_BYTES = 2 * MiB + 0x1000;
/** Flash is larger than any access needs; this much at its end is compared. */
const AREA_BYTES = 0x1_0000;

export interface BoardFuzzer {
  readonly board: Board;
  /** One burst of accesses. @throws what a device throws. */
  burst(random: Random): void;
  /** What is not as it was in linear memory that guests have no way to. */
  damage(): string | undefined;
}

export function makeBoardFuzzer(gicVersion: 2 | 3): BoardFuzzer {
  const plan = planMemory(RAM_BYTES, CPUS, AREA_BYTES);
  const memory = allocate(plan);
  const states = Array.from({ length: CPUS }, (_, i) => new PeState(memory.buffer, CPU_BASE + i * CPU_STRIDE));
  let time = 0;
  let current = 0;
  const outside: FuzzedOutside[] = [];
  const clock = new MachineClock(() => (time += 1000));
  const board = new Board({
    ...{ memory, plan, clock, parts: partsOf(gicVersion, outside), firmware: new Uint8Array(4096).fill(0x11) },
    codeChanged: () => {},
    setLines: (index) => {
      if (states[index] === undefined) throw new RangeError(`lines of PE ${index}`);
    },
    currentCpu: () => current,
    secureAccess: () => false,
    securePower: () => {},
    watchdogExpired: () => {},
  });
  const bytes = new Uint8Array(memory.buffer);
  const ram = bytes.subarray(plan.ram, plan.ram + RAM_BYTES);
  const ramWords = new Int32Array(memory.buffer, plan.ram, RAM_BYTES >> 2);
  const forbidden: readonly (readonly [string, number, number])[] = [
    ["the first page", 0, 0x400],
    ["PE blocks and decoded pages", GIC_STATE_END, plan.flash0],
    ["what comes after RAM", plan.ram + RAM_BYTES, plan.bytes],
  ];
  for (const [, start, end] of forbidden) bytes.fill(0xa5, start, end);
  const data = new Uint32Array(4);
  const windows = board.bus.windows();
  const used = windows.filter(({ name }) => !/virtio-mmio\.(1[1-9]|[23]\d)|flash/.test(name));
  const write = (address: number, length: number, value: number): void => {
    data.fill(value);
    board.bus.write(address, length, data);
  };
  return {
    board,
    burst(random) {
      current = random.below(CPUS);
      time += random.pick([0, 1e3, 1e6, 1e9]);
      if (random.below(200) === 0) board.bus.reset();
      if (random.below(4) === 0) random.pick(outside).happen(random.u32());
      if (random.below(4) === 0) drive(random, write, ramWords);
      if (random.below(16) === 0) firmwareDma(random, write, ramWords);
      if (random.below(32) === 0) systemRegisters(random, board);
      const window = random.below(8) === 0 ? random.pick(windows) : random.pick(used);
      for (let i = 0; i < 12; i++) {
        const length = random.pick([1, 2, 4, 4, 4, 8, 16]);
        const offset = random.below(3) === 0 ? random.below(window.device.size) : random.below(0x120);
        const at = window.base + (random.below(8) === 0 ? offset : offset - (offset % length));
        if (random.below(2) === 0) write(at, length, value(random));
        else board.bus.read(at, length, data);
      }
      // A while later, alarms.
      time += random.pick([0, 1e6, 2e9]);
      clock.runDue();
      if (ram.length !== RAM_BYTES) throw new RangeError("RAM changed its size");
    },
    damage() {
      for (const [name, start, end] of forbidden) {
        const at = bytes.subarray(start, end).findIndex((byte) => byte !== 0xa5);
        if (at >= 0) return `${name} at 0x${(start + at).toString(16)}`;
      }
      return undefined;
    },
  };
}

function value(random: Random): number {
  switch (random.below(6)) {
    case 0:
      return random.u32();
    case 1:
      return random.below(64);
    case 2:
      return (1 << random.below(32)) >>> 0;
    case 3:
      return ramAddress(random);
    case 4:
      // Commands of a flash, and what ends them.
      return random.pick([0x10, 0x20, 0x40, 0x50, 0x60, 0x70, 0x90, 0x98, 0xd0, 0xe8, 0xff, 0x01]);
    default:
      return 0xffff_ffff;
  }
}

function ramAddress(random: Random): number {
  const near = random.pick([0, RAM_BYTES - 16, RAM_BYTES, -16, 0x1000, 0x2000, 0x3000]);
  return (MAP.ram.base + (random.below(2) === 0 ? near : random.below(RAM_BYTES))) >>> 0;
}

/** Sets up the queues of a virtio device as a driver does, with rings of little sense, and notifies. */
function drive(random: Random, write: (at: number, bytes: number, value: number) => void, ram: Int32Array): void {
  const slot = random.below(DEVICES);
  const base = MAP.virtio.base + slot * VIRTIO_STRIDE;
  const set = (register: number, value: number): void => write(base + register, 4, value);
  const size = random.pick(TOLD[slot] === undefined ? [1, 2, 4, 8, 256] : [2, 8, 64, 64]);
  for (const status of [0, 1, 3]) set(M.STATUS, status);
  for (const [select, features] of [
    [0, random.pick([0, 0, 0x2, 0x3000_0000, 0xffff_ffff, random.u32()])],
    [1, random.pick([1, 1, 1, 0xffff_ffff])],
  ] as const) {
    set(M.DRIVER_FEATURES_SEL, select);
    set(M.DRIVER_FEATURES, features);
  }
  set(M.STATUS, 11);
  const queues = 1 + random.below(6);
  for (let queue = 0; queue < queues; queue++) {
    const rings = [0x1000, 0x3000, 0x4000].map((at) => at + queue * 0x8000);
    set(M.QUEUE_SEL, queue);
    set(M.QUEUE_NUM, size);
    rings.forEach((at, i) => {
      const address = random.below(8) === 0 ? ramAddress(random) : MAP.ram.base + at;
      set(M.QUEUE_DESC_LOW + 0x10 * i, address);
      set(M.QUEUE_DESC_HIGH + 0x10 * i, random.below(30) === 0 ? random.u32() : 0);
    });
    fillRings(random, ram, rings, size, slot);
    set(M.QUEUE_READY, 1);
  }
  set(M.STATUS, 15);
  for (let i = 0; i < 4; i++) set(M.QUEUE_NOTIFY, random.below(queues + 1));
}

const NEXT = 1;
const WRITE = 2;
const LENGTHS = [0, 1, 15, 16, 511, 512, 1024, 4096, 0x10000, 0x7fffffff, 0xffffffff];

function fillRings(
  random: Random,
  ram: Int32Array,
  [desc, avail]: readonly number[],
  size: number,
  slot: number,
): void {
  const set = (i: number, address: number, length: number, flags: number, next: number): void => {
    const high = random.below(TOLD[slot] === undefined ? 20 : 100) === 0 ? random.u32() : 0;
    ram.set([address, high, length, flags | (next << 16)], ((desc as number) + 16 * i) >> 2);
  };
  // NEXT, WRITE and INDIRECT in any combination.
  for (let i = 0; i < size; i++) {
    set(i, ramAddress(random), random.pick(LENGTHS), random.below(8), random.below(size + 1));
  }
  // A request of a block device: its header, data, and a byte for the status.
  for (let i = 0; i + 3 <= size; i += 3) {
    if (random.below(3) === 0) continue;
    const header = 0x38_000 + 16 * i;
    ram.set([random.pick([0, 1, 4, 8, 11, 13]), 0, random.pick([0, 1, 2040, 2048, -1]), 0], header >> 2);
    set(i, MAP.ram.base + header, 16, NEXT, i + 1);
    set(
      i + 1,
      MAP.ram.base + random.below(MiB),
      random.pick([16, 512, 512, 4096]),
      NEXT | random.pick([0, WRITE]),
      i + 2,
    );
    set(i + 2, ramAddress(random), 1, WRITE, 0);
  }
  const kind = TOLD[slot];
  if (random.below(8) === 0 || (kind !== undefined && random.below(5) > 0)) messages(random, ram, set, size, kind);
  ram[(avail as number) >> 2] = random.below(2) | (random.pick([0, 1, size, size, size, size, size + 1, 0xffff]) << 16);
  for (let i = 0; i < size; i++) {
    const head = (): number =>
      random.below(TOLD[slot] === undefined ? 8 : 64) === 0
        ? random.below(size + 1)
        : 3 * random.below(Math.ceil(size / 3));
    ram[((avail as number) >> 2) + 1 + (i >> 1)] = head() | (head() << 16);
  }
}

/** What devices other than disks are told: a message to read, and room for an answer. */
function messages(
  random: Random,
  ram: Int32Array,
  set: (i: number, address: number, length: number, flags: number, next: number) => void,
  size: number,
  usual: number | undefined,
): void {
  const few = (): number => (random.below(8) === 0 ? random.u32() : random.below(6));
  for (let i = 0; i + 2 <= size; i += 3) {
    const at = 0x40_000 + 0x100 * i;
    const words = ram.subarray(at >> 2, (at >> 2) + 16);
    for (let n = 0; n < words.length; n++) words[n] = few();
    const kind = usual === undefined || random.below(8) === 0 ? random.below(3) : usual;
    let length = 64;
    if (kind === 0) {
      // 9P: size, type and tag, a fid, another, what may be names.
      const type = random.pick([
        T.version,
        T.attach,
        T.walk,
        T.walk,
        T.lopen,
        T.readdir,
        T.read,
        T.write,
        T.getattr,
        T.lcreate,
      ]);
      const bytes = new Uint8Array(words.buffer, words.byteOffset, 64);
      if (type === T.version) bytes.set([0, 0x20, 0, 0, 8, 0, ...new TextEncoder().encode("9P2000.L")], HEADER_BYTES);
      bytes.set([64, 0, 0, 0, type, i, 0]);
    } else if (kind === 1) {
      // vsock: CIDs, ports, a length, stream, an operation, credit.
      words.set([
        3,
        0,
        2,
        0,
        random.below(4),
        random.below(4),
        random.pick([0, 0, 20, few()]),
        1 | (random.below(9) << 16),
      ]);
      words.set([random.below(4), random.pick([0, 0x1_0000, -1]), few()], 8);
    } else {
      // Control messages of serial ports.
      words.set([random.below(4), random.below(8) | (random.below(3) << 16)]);
      length = 8;
    }
    set(i, MAP.ram.base + at, length, NEXT, i + 1);
    set(
      i + 1,
      MAP.ram.base + 0x80_000 + 0x2000 * (i & 31),
      random.below(32) === 0 ? 0 : random.pick([44, 0x1000, 0x2000]),
      WRITE,
      0,
    );
  }
}

/** fw_cfg's DMA: a control structure somewhere, big-endian. */
function firmwareDma(random: Random, write: (at: number, bytes: number, value: number) => void, ram: Int32Array): void {
  const at = random.below(RAM_BYTES - 16) & ~3;
  const swap = (n: number): number => ((n << 24) | ((n & 0xff00) << 8) | ((n >>> 8) & 0xff00) | (n >>> 24)) >>> 0;
  const control = random.below(32) | (random.below(0x30) << 16);
  ram.set(
    [swap(control), swap(random.pick(LENGTHS)), random.below(10) === 0 ? random.u32() : 0, swap(ramAddress(random))],
    at >> 2,
  );
  write(MAP.fwCfg.base + 16, 4, random.below(10) === 0 ? random.u32() : 0);
  write(MAP.fwCfg.base + 20, 4, swap(random.below(4) === 0 ? random.u32() : MAP.ram.base + at));
}

const ICC = Object.values(registers).filter((id) => typeof id === "number");

/** CPU interface registers of a GICv3. */
function systemRegisters(random: Random, board: Board): void {
  const icc = board.interruptSysregs;
  if (icc === undefined) return;
  for (let i = 0; i < 8; i++) {
    const id = random.below(8) === 0 ? random.below(0x1_0000) : random.pick(ICC);
    const view = random.below(32);
    if (random.below(2)) icc.write(random.below(CPUS), id, value(random) | 0, value(random) | 0, view);
    else icc.read(random.below(CPUS), id, view);
  }
}

function partsOf(gicVersion: 2 | 3, outside: FuzzedOutside[]): MachineParts {
  let input = 0;
  const serial: SerialPort = {
    write: () => {},
    read: (max) => new Uint8Array(Math.min(max, input++ % 40)),
    onReadable: () => {},
  };
  const disk = (readOnly: boolean): BlockStore => {
    const contents = new Uint8Array(MiB);
    return {
      bytes: contents.length,
      readOnly,
      read: (offset, into) => {
        if (offset + into.length > contents.length) throw new RangeError("read beyond the disk");
        if (offset === 512) throw new Error("a bad sector");
        into.set(contents.subarray(offset, offset + into.length));
      },
      write: (offset, from) => {
        if (readOnly || offset + from.length > contents.length) throw new RangeError("write beyond the disk");
        contents.set(from, offset);
      },
      writeZeroes: (offset, bytes) => {
        if (readOnly || offset + bytes > contents.length) throw new RangeError("write beyond the disk");
        contents.fill(0, offset, offset + bytes);
      },
      discard: () => {},
      flush: () => {},
    };
  };
  const host = new FuzzStreams();
  const serialPorts = ["a", "b"].map((name) => ({ name, channel: new FuzzChannel() }));
  outside.push(host, ...serialPorts.map(({ channel }) => channel));
  return {
    ...{
      vsock: { host, cid: 3 },
      balloon: true,
      display: true,
      serialPorts,
      shares: [{ tag: "shared", folder: fuzzFolder() }],
    },
    ...{ memory: RAM_BYTES, cpus: CPUS, cpu: "max", gicVersion, tier: "interpreter", append: "console=hvc0" },
    ...{ loads: [], disks: [{ store: disk(false) }, { store: disk(true) }], serial, inflate },
    kernel: { name: "kernel", bytes: new Uint8Array(100) },
    terminalSize: { get: () => ({ columns: 80, rows: 25 }), onChange: () => {} },
    entropy: { fill: (into) => into.fill(0x77) },
    wallClock: { now: () => 1e12 },
    monotonic: () => 0,
    artifacts: { native: new Uint8Array(0), interpreter: new Uint8Array(0), handlers: "" },
  };
}
