import type { LinearAddress, PhysicalAddress } from "../base/addresses.ts";
import { linear } from "../base/addresses.ts";
import type { Dma } from "../bus/device.ts";
import {
  PHYS_REGION_BASE,
  PHYS_REGION_BYTES,
  PHYS_REGION_FLAGS,
  PHYS_REGION_MAX,
  PHYS_REGION_NO_READ,
  PHYS_REGION_PA,
  PHYS_REGION_READ_ONLY,
  PHYS_REGION_SECURE,
  PHYS_REGION_SIZE,
  PHYS_REGIONS,
} from "./linear-layout.ts";

/** Granule of regions: what a translation can map. */
const PAGE = 4096;

export interface MemoryRegion {
  readonly name: string;
  readonly pa: number;
  readonly bytes: number;
  /** Where its first byte is in linear memory. */
  readonly base: number;
  /** PHYS_REGION_READ_ONLY, PHYS_REGION_NO_READ, PHYS_REGION_SECURE. */
  readonly flags: number;
}

/**
 * The parts of guest physical memory that linear memory backs. It writes the table that the table walker reads (linear-layout.ts);
 * guest memory itself is only ever in linear memory.
 */
export class GuestMemory implements Dma {
  /** Called after setFlags has changed a region: translations that were cached of it may no longer hold. */
  onFlagsChange: () => void = () => {};
  /** As Dma. Set where the host takes memory back. */
  release: ((bytes: Uint8Array) => void) | undefined;

  readonly #buffer: ArrayBufferLike;
  readonly #table: DataView;
  readonly #regions: { name: string; pa: number; bytes: number; base: number; flags: number }[] = [];

  /** @param buffer of the machine's WebAssembly.Memory, which never grows. */
  constructor(buffer: ArrayBufferLike) {
    this.#buffer = buffer;
    this.#table = new DataView(buffer, PHYS_REGIONS, (PHYS_REGION_MAX + 1) * PHYS_REGION_SIZE);
    this.#table.setInt32(0, 0, true);
  }

  /**
   * @param pa first address, page aligned. @param bytes a multiple of the page size.
   * @throws RangeError when that is not so, the region is not inside linear memory or overlaps another, or the table is full.
   */
  addRegion(pa: PhysicalAddress, bytes: number, base: LinearAddress, flags = 0, name = "memory"): void {
    if (bytes <= 0 || pa % PAGE !== 0 || bytes % PAGE !== 0 || base % PAGE !== 0) {
      throw new RangeError(`region ${name}: not a whole number of pages`);
    }
    if (base + bytes > this.#buffer.byteLength) throw new RangeError(`region ${name}: beyond linear memory`);
    if (this.#regions.some((r) => pa < r.pa + r.bytes && r.pa < pa + bytes)) {
      throw new RangeError(`region ${name}: overlaps another`);
    }
    const index = this.#regions.length;
    if (index === PHYS_REGION_MAX) throw new RangeError(`region ${name}: no more than ${PHYS_REGION_MAX} regions`);
    this.#regions.push({ name, pa, bytes, base, flags });
    const entry = entryOffset(index);
    setUint64(this.#table, entry + PHYS_REGION_PA, pa);
    setUint64(this.#table, entry + PHYS_REGION_BYTES, bytes);
    this.#table.setUint32(entry + PHYS_REGION_BASE, base, true);
    this.#table.setUint32(entry + PHYS_REGION_FLAGS, flags, true);
    this.#table.setInt32(0, index + 1, true);
  }

  /** @throws RangeError when no region starts at `pa`. */
  setFlags(pa: PhysicalAddress, flags: number): void {
    const index = this.#regions.findIndex((r) => r.pa === pa);
    const region = this.#regions[index];
    if (region === undefined) throw new RangeError(`no region starts at 0x${pa.toString(16)}`);
    if (region.flags === flags) return;
    region.flags = flags;
    this.#table.setUint32(entryOffset(index) + PHYS_REGION_FLAGS, flags, true);
    this.onFlagsChange();
  }

  regions(): readonly MemoryRegion[] {
    return this.#regions;
  }

  view(address: number, length: number, write: boolean): Uint8Array | undefined {
    const region = this.#find(address, length);
    if (region === undefined) return undefined;
    // Devices' accesses are Non-secure.
    if (region.flags & (PHYS_REGION_NO_READ | PHYS_REGION_SECURE) || (write && region.flags & PHYS_REGION_READ_ONLY))
      return undefined;
    return new Uint8Array(this.#buffer, region.base + (address - region.pa), length);
  }

  /** Where the byte at `pa` is in linear memory, whatever the region's flags; undefined where there is no memory. */
  linearOf(pa: PhysicalAddress): LinearAddress | undefined {
    const region = this.#find(pa, 1);
    return region === undefined ? undefined : linear(region.base + (pa - region.pa));
  }

  /** For loaders, which may write what the guest may only read. False when [pa, pa + length) is not in one region. */
  write(pa: PhysicalAddress, bytes: Uint8Array): boolean {
    const target = this.#raw(pa, bytes.length);
    target?.set(bytes);
    return target !== undefined;
  }

  /** As write: `length` times `value`. */
  fill(pa: PhysicalAddress, length: number, value: number): boolean {
    const target = this.#raw(pa, length);
    target?.fill(value);
    return target !== undefined;
  }

  /** A copy of [pa, pa + length), for people and tests; undefined when it is not in one region. */
  read(pa: PhysicalAddress, length: number): Uint8Array | undefined {
    return this.#raw(pa, length)?.slice();
  }

  #raw(pa: number, length: number): Uint8Array | undefined {
    const region = this.#find(pa, length);
    return region && new Uint8Array(this.#buffer, region.base + (pa - region.pa), length);
  }

  #find(address: number, length: number): MemoryRegion | undefined {
    if (!(length >= 0)) return undefined;
    for (const region of this.#regions) {
      const offset = address - region.pa;
      if (offset >= 0 && offset < region.bytes && length <= region.bytes - offset) return region;
    }
    return undefined;
  }
}

function entryOffset(index: number): number {
  return (index + 1) * PHYS_REGION_SIZE;
}

function setUint64(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, value % 2 ** 32, true);
  view.setUint32(offset + 4, Math.floor(value / 2 ** 32), true);
}
