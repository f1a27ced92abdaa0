import type { Fields, Saved } from "../../../snapshot/fields.ts";
import { type Backing, PIXEL_BYTES, Resource } from "./resource.ts";

/** Bytes of the host's memory that one guest's resources may take: as much as QEMU's device gives. */
export const MEMORY_MAX = 256 * 0x10_0000;
/** What a resource costs beside its pixels, and an entry of its backing. */
const RESOURCE_BYTES = 1024;
const ENTRY_BYTES = 16;
/** Pieces of a backing at most, as many as QEMU's device takes. */
const ENTRIES_MAX = 16_384;

/** How many resources there can be. */
const RESOURCES_MAX = MEMORY_MAX / RESOURCE_BYTES;

/** A guest's resources by their IDs, within what they may take of the host's memory. */
export class ResourceTable {
  readonly #resources = new Map<number, Resource>();
  #bytes = 0;

  get(id: number): Resource | undefined {
    return this.#resources.get(id);
  }

  values(): Iterable<Resource> {
    return this.#resources.values();
  }

  /** @returns false when there is no memory for it. */
  add(resource: Resource): boolean {
    const bytes = costOf(resource);
    if (bytes > MEMORY_MAX - this.#bytes) return false;
    this.#bytes += bytes;
    this.#resources.set(resource.id, resource);
    return true;
  }

  remove(resource: Resource): void {
    this.detach(resource);
    this.#bytes -= costOf(resource);
    this.#resources.delete(resource.id);
  }

  hasRoomForEntries(count: number): boolean {
    return count <= ENTRIES_MAX && count * ENTRY_BYTES <= MEMORY_MAX - this.#bytes;
  }

  attach(resource: Resource, backing: Backing): void {
    resource.backing = backing;
    this.#bytes += backing.ends.length * ENTRY_BYTES;
  }

  detach(resource: Resource): void {
    this.#bytes -= (resource.backing?.ends.length ?? 0) * ENTRY_BYTES;
    resource.backing = undefined;
  }

  /** Without pixels. */
  save(): Saved[] {
    return [...this.#resources.values()].map(({ id, format, width, height, backing }) => ({
      ...{ id, format, width, height },
      backing: backing && { addresses: [...backing.addresses], ends: [...backing.ends] },
    }));
  }

  restore(state: Fields): void {
    this.clear();
    for (const saved of state.list("resources", RESOURCES_MAX)) {
      const id = saved.whole("id", 0xffff_ffff, 1);
      const format = saved.whole("format");
      if (this.#resources.has(id)) throw saved.wrong("id");
      if (!Resource.isFormat(format)) throw saved.wrong("format");
      const resource = new Resource(
        id,
        format,
        saved.whole("width", 0xffff_ffff, 1),
        saved.whole("height", 0xffff_ffff, 1),
      );
      if (!this.add(resource)) throw saved.wrong("size");
      if (!saved.has("backing")) continue;
      const backing = saved.object("backing");
      const addresses = Float64Array.from(backing.wholes("addresses", ENTRIES_MAX, Number.MAX_SAFE_INTEGER));
      const ends = Float64Array.from(backing.wholes("ends", ENTRIES_MAX, Number.MAX_SAFE_INTEGER));
      if (addresses.length !== ends.length || !this.hasRoomForEntries(ends.length)) throw backing.wrong("ends");
      if (ends.some((end, i) => end < (ends[i - 1] ?? 0))) throw backing.wrong("ends");
      this.attach(resource, { addresses, ends });
    }
  }

  clear(): void {
    this.#resources.clear();
    this.#bytes = 0;
  }
}

function costOf({ width, height }: Resource): number {
  return width * height * PIXEL_BYTES + RESOURCE_BYTES;
}
