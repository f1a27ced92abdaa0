// What the tests of devices use in place of a machine.

import type { AccessSize, Clock, Device, Dma, Line, SerialPort } from "../../src/bus/device.ts";

export class TestLine implements Line {
  level = false;
  set(level: boolean): void {
    this.level = level;
  }
}

export class TestSerial implements SerialPort {
  readonly output: number[] = [];
  readonly #input: number[] = [];
  #listener = (): void => {};

  write(bytes: Uint8Array): void {
    this.output.push(...bytes);
  }
  read(max: number): Uint8Array {
    return Uint8Array.from(this.#input.splice(0, max));
  }
  onReadable(listener: () => void): void {
    this.#listener = listener;
  }
  /** Bytes arrive from outside. */
  arrive(...bytes: number[]): void {
    this.#input.push(...bytes);
    this.#listener();
  }
  get waiting(): number {
    return this.#input.length;
  }
}

/** Time that passes only when told to. */
export class TestClock implements Clock {
  #now = 0;
  #alarms: { time: number; callback: () => void }[] = [];

  now(): number {
    return this.#now;
  }
  at(time: number, callback: () => void): () => void {
    const alarm = { time, callback };
    this.#alarms.push(alarm);
    return () => {
      this.#alarms = this.#alarms.filter((a) => a !== alarm);
    };
  }
  advance(nanoseconds: number): void {
    this.#now += nanoseconds;
    const due = this.#alarms.filter((a) => a.time <= this.#now);
    this.#alarms = this.#alarms.filter((a) => a.time > this.#now);
    for (const alarm of due) alarm.callback();
  }
  get pending(): number {
    return this.#alarms.length;
  }
}

/** One region of memory at `base`, between guards that no view reaches. */
export class TestMemory implements Dma {
  readonly base: number;
  readonly bytes: Uint8Array;
  release: Dma["release"];
  readonly #all: Uint8Array;
  static readonly #GUARD = 64;

  constructor(base: number, length: number) {
    this.base = base;
    this.#all = new Uint8Array(length + 2 * TestMemory.#GUARD).fill(0xa5);
    this.bytes = this.#all.subarray(TestMemory.#GUARD, TestMemory.#GUARD + length).fill(0);
  }
  view(address: number, length: number): Uint8Array | undefined {
    const at = address - this.base;
    if (!(at >= 0 && length >= 0 && at + length <= this.bytes.length)) return undefined;
    return this.bytes.subarray(at, at + length);
  }
  /** Of memory, little-endian. */
  get data(): DataView {
    return new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength);
  }
  guardsIntact(): boolean {
    const guard = TestMemory.#GUARD;
    return [...this.#all.subarray(0, guard), ...this.#all.subarray(-guard)].every((b) => b === 0xa5);
  }
}

export interface Access {
  readonly offset: number;
  readonly bytes: AccessSize;
  /** undefined: a read. */
  readonly value: number | undefined;
}

/** Does an access as the bus would; what is read must be an unsigned 32-bit number. */
export function perform(device: Device, { offset, bytes, value }: Access): void {
  if (value !== undefined) {
    device.write(offset, bytes, bytes === 4 ? value : value & (2 ** (8 * bytes) - 1));
    return;
  }
  const read = device.read(offset, bytes);
  if (read !== read >>> 0) throw new Error(`${bytes} bytes at 0x${offset.toString(16)} read as ${read}`);
}
