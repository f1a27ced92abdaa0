import type { Bus } from "../bus/bus.ts";
import type { FlashBytes } from "../devices/flash/chip.ts";
import { BLOCK_BYTES, Flash } from "../devices/flash/flash.ts";
import { MAP, type Window } from "../machine/memory-map.ts";
import type { FrameAllocator } from "./allocator.ts";
import { type MachineMemory, PAGE_BYTES } from "./machine-memory.ts";
import type { Stage2Space } from "./stage2-space.ts";

export interface DomainFlashParts {
  readonly memory: MachineMemory;
  readonly frames: FrameAllocator;
  readonly owner: number;
  readonly space: Stage2Space;
  readonly bus: Bus;
}

/** A bank's contents: zeroes, but for the erase blocks that something was put into. Hosts do not like to be asked for 128 MiB for each domain. */
class SparseFlash implements FlashBytes {
  readonly length: number;
  readonly #blocks = new Map<number, Uint8Array>();

  constructor(length: number) {
    this.length = length;
  }

  get(offset: number): number {
    return this.#blocks.get(Math.floor(offset / BLOCK_BYTES))?.[offset % BLOCK_BYTES] ?? 0;
  }

  put(offset: number, value: number): void {
    this.#block(Math.floor(offset / BLOCK_BYTES))[offset % BLOCK_BYTES] = value;
  }

  /** @param bytes from the start. */
  load(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += BLOCK_BYTES)
      this.#block(at / BLOCK_BYTES).set(bytes.subarray(at, at + BLOCK_BYTES));
  }

  /** Copies a piece that is within one block. */
  read(offset: number, into: Uint8Array): void {
    const block = this.#blocks.get(Math.floor(offset / BLOCK_BYTES));
    const start = offset % BLOCK_BYTES;
    if (block === undefined) into.fill(0);
    else into.set(block.subarray(start, start + into.length));
  }

  /** Offsets, ascending, and what is there. */
  pieces(): [number, Uint8Array][] {
    return [...this.#blocks]
      .sort(([a], [b]) => a - b)
      .map(([number, block]): [number, Uint8Array] => [number * BLOCK_BYTES, block]);
  }

  /** Puts a piece where it was. False: there is no such place. */
  fill(offset: number, bytes: Uint8Array): boolean {
    if (offset % BLOCK_BYTES !== 0 || bytes.length !== BLOCK_BYTES || offset + BLOCK_BYTES > this.length) return false;
    this.#block(offset / BLOCK_BYTES).set(bytes);
    return true;
  }

  copyFrom(other: SparseFlash): void {
    this.#blocks.clear();
    for (const [number, block] of other.#blocks) this.#blocks.set(number, block.slice());
  }

  #block(number: number): Uint8Array {
    const known = this.#blocks.get(number);
    if (known !== undefined) return known;
    const block = new Uint8Array(BLOCK_BYTES);
    this.#blocks.set(number, block);
    return block;
  }
}

interface Bank {
  readonly window: Window;
  readonly array: SparseFlash;
  /** Reads are of the array, not of the device's state. */
  visible: boolean;
}

/**
 * A domain's flash. While a bank shows its array, pages of it that are read or executed are mapped read-only, as copies in frames of the domain's;
 * writes, and reads in the other modes, are for the device.
 */
export class DomainFlash {
  readonly #parts: DomainFlashParts;
  readonly #banks: readonly Bank[];

  constructor(parts: DomainFlashParts) {
    this.#parts = parts;
    this.#banks = [MAP.flash0, MAP.flash1].map((window) => this.#add(window));
  }

  #add(window: Window): Bank {
    const bank: Bank = { window, array: new SparseFlash(window.size), visible: true };
    const flash = new Flash(bank.array, {
      onArrayVisible: (visible) => {
        bank.visible = visible;
        if (!visible) this.#hide(window, 0, window.size);
      },
      onChange: (start, length) => this.#hide(window, start, length),
    });
    this.#parts.bus.add(window.name, window.base, flash);
    return bank;
  }

  /** What the first bank holds from its start. */
  load(firmware: Uint8Array): void {
    this.#banks[0]?.array.load(firmware);
  }

  /** What another has. */
  copyFrom(other: DomainFlash): void {
    for (const [i, { array }] of this.#banks.entries()) array.copyFrom((other.#banks[i] as Bank).array);
  }

  /** What the banks hold that is not zeroes: pieces at offsets of a bank. */
  *contents(): Generator<{ readonly bank: number; readonly offset: number; readonly bytes: Uint8Array }> {
    for (const [bank, { array }] of this.#banks.entries())
      for (const [offset, bytes] of array.pieces()) yield { bank, offset, bytes };
  }

  /** Puts a piece of what `contents` gave where it was. False: no bank has that place. */
  fill(bank: number, offset: number, bytes: Uint8Array): boolean {
    return this.#banks[bank]?.array.fill(offset, bytes) ?? false;
  }

  /** A read or fetch that faulted. True: it was of an array, and finds it now. */
  show(ipa: number): boolean {
    const bank = this.#banks.find(({ window: { base, size } }) => ipa >= base && ipa < base + size);
    if (bank === undefined || !bank.visible) return false;
    const { frames, owner, memory, space } = this.#parts;
    const frame = frames.take(owner);
    if (frame < 0) return false;
    const page = Math.floor(ipa / PAGE_BYTES);
    const at = page * PAGE_BYTES - bank.window.base;
    bank.array.read(at, memory.bytes(frame));
    if (space.map(page, frame, false)) return true;
    frames.release(frame, owner);
    return false;
  }

  #hide({ base }: Window, start: number, length: number): void {
    const { space } = this.#parts;
    const first = Math.floor((base + start) / PAGE_BYTES);
    space.discardMapped(first, Math.ceil((base + start + length) / PAGE_BYTES) - first);
  }
}
