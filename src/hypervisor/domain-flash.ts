import type { Bus } from "../bus/bus.ts";
import { Flash } from "../devices/flash/flash.ts";
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

interface Bank {
  readonly window: Window;
  readonly array: Uint8Array;
  /** Numbers of the blocks of BLOCK_BYTES that are not all zeroes. */
  readonly filled: Set<number>;
  /** Reads are of the array, not of the device's state. */
  visible: boolean;
}

const BLOCK_BYTES = 0x4_0000;

const fill = ({ filled }: Bank, start: number, length: number): void => {
  for (let block = Math.floor(start / BLOCK_BYTES); block * BLOCK_BYTES < start + length; block++) filled.add(block);
};

/**
 * A domain's flash. While a bank shows its array, pages of it that are read or executed are mapped read-only, as copies in frames of the domain's;
 * writes, and reads in the other modes, are for the device. The array is the host's memory, and takes some of it where it is touched.
 */
export class DomainFlash {
  readonly #parts: DomainFlashParts;
  readonly #banks: readonly Bank[];

  constructor(parts: DomainFlashParts) {
    this.#parts = parts;
    this.#banks = [MAP.flash0, MAP.flash1].map((window) => this.#add(window));
  }

  #add(window: Window): Bank {
    const bank: Bank = { window, array: new Uint8Array(window.size), filled: new Set(), visible: true };
    const flash = new Flash(bank.array, {
      onArrayVisible: (visible) => {
        bank.visible = visible;
        if (!visible) this.#hide(window, 0, window.size);
      },
      onChange: (start, length) => {
        fill(bank, start, length);
        this.#hide(window, start, length);
      },
    });
    this.#parts.bus.add(window.name, window.base, flash);
    return bank;
  }

  /** What the first bank holds from its start. */
  load(firmware: Uint8Array): void {
    const [bank] = this.#banks;
    if (bank === undefined || firmware.length === 0) return;
    bank.array.set(firmware);
    fill(bank, 0, firmware.length);
  }

  /** Into arrays that hold nothing yet. */
  copyFrom(other: DomainFlash): void {
    for (const [i, { array, filled }] of other.#banks.entries()) {
      const bank = this.#banks[i] as Bank;
      for (const block of filled) {
        bank.filled.add(block);
        bank.array.set(array.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES), block * BLOCK_BYTES);
      }
    }
  }

  /** What the banks hold that is not zeroes: pieces at offsets of a bank. */
  *contents(): Generator<{ readonly bank: number; readonly offset: number; readonly bytes: Uint8Array }> {
    for (const [bank, { array, filled }] of this.#banks.entries()) {
      for (const block of [...filled].sort((a, b) => a - b)) {
        const offset = block * BLOCK_BYTES;
        yield { bank, offset, bytes: array.subarray(offset, offset + BLOCK_BYTES) };
      }
    }
  }

  /** Puts a piece of what `contents` gave where it was. False: no bank has that place. */
  fill(bank: number, offset: number, bytes: Uint8Array): boolean {
    const to = this.#banks[bank];
    if (to === undefined || offset + bytes.length > to.array.length) return false;
    to.array.set(bytes, offset);
    fill(to, offset, bytes.length);
    return true;
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
    memory.bytes(frame).set(bank.array.subarray(at, at + PAGE_BYTES));
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
