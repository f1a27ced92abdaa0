import type { Dma } from "../bus/device.ts";
import { type MachineMemory, PAGE_BYTES } from "./machine-memory.ts";
import type { Stage2Space } from "./stage2-space.ts";

/** A domain's memory by IPA, for its devices and for who loads it: never anything else than its own RAM. */
export class DomainMemory implements Dma {
  readonly #memory: MachineMemory;
  readonly #space: Stage2Space;

  constructor(memory: MachineMemory, space: Stage2Space) {
    this.#memory = memory;
    this.#space = space;
  }

  /** As Dma. Undefined, too, where the pages are not next to each other in the machine: use views of less. */
  view(address: number, length: number, write: boolean): Uint8Array | undefined {
    if (!(length >= 0 && this.#space.contains(address, Math.max(length, 1)))) return undefined;
    const first = Math.floor(address / PAGE_BYTES);
    const last = Math.floor((address + Math.max(length, 1) - 1) / PAGE_BYTES);
    const frame = this.#space.frameFor(first, write);
    if (frame < 0) return undefined;
    for (let page = first + 1; page <= last; page++) {
      if (this.#space.frameFor(page, write) !== frame + page - first) return undefined;
    }
    return new Uint8Array(this.#memory.buffer, this.#memory.linearOf(frame) + (address % PAGE_BYTES), length);
  }

  discard(address: number, length: number): void {
    const { base, bytes } = this.#space.ram;
    const first = Math.ceil(Math.max(address, base) / PAGE_BYTES);
    const end = Math.floor(Math.min(address + length, base + bytes) / PAGE_BYTES);
    this.#space.discardMapped(first, Math.max(0, end - first));
  }

  /** Copies bytes to RAM. False: not all of it is the domain's, or there is no memory. */
  write(address: number, bytes: Uint8Array): boolean {
    return this.#pieces(address, bytes.length, true, (view, at) => view.set(bytes.subarray(at, at + view.length)));
  }

  /** Zeroes RAM; pages that were never touched stay so. */
  zero(address: number, length: number): boolean {
    for (let at = address; at < address + length; ) {
      const size = Math.min(PAGE_BYTES - (at % PAGE_BYTES), address + length - at);
      const touched = this.#space.frameOf(Math.floor(at / PAGE_BYTES)) >= 0;
      if (touched && !this.#pieces(at, size, true, (view) => view.fill(0))) return false;
      at += size;
    }
    return true;
  }

  /** A copy; undefined when not all of it is the domain's RAM. What was never touched is zero, and stays untouched. */
  read(address: number, length: number): Uint8Array | undefined {
    if (!this.#space.contains(address, length)) return undefined;
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; ) {
      const size = Math.min(PAGE_BYTES - ((address + at) % PAGE_BYTES), length - at);
      const frame = this.#space.frameOf(Math.floor((address + at) / PAGE_BYTES));
      const offset = (address + at) % PAGE_BYTES;
      if (frame >= 0) bytes.set(this.#memory.bytes(frame).subarray(offset, offset + size), at);
      at += size;
    }
    return bytes;
  }

  /** The bytes of a page of RAM by its number from the start of RAM, not to be kept; undefined: it is all zeroes, touched or not. */
  page(number: number): Uint8Array | undefined {
    const frame = this.#space.frameOf(this.#space.ram.base / PAGE_BYTES + number);
    if (frame < 0) return undefined;
    const first = this.#memory.linearOf(frame) >>> 2;
    const { words } = this.#memory;
    for (let i = first; i < first + PAGE_BYTES / 4; i++) if (words[i] !== 0) return this.#memory.bytes(frame);
    return undefined;
  }

  #pieces(address: number, length: number, write: boolean, see: (view: Uint8Array, at: number) => void): boolean {
    for (let at = 0; at < length; ) {
      const size = Math.min(PAGE_BYTES - ((address + at) % PAGE_BYTES), length - at);
      const view = this.view(address + at, size, write);
      if (view === undefined) return false;
      see(view, at);
      at += size;
    }
    return true;
  }
}
