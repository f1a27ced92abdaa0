import { type Backing, PIXEL_BYTES, type Resource } from "./resource.ts";

/** Bytes of the host's memory that one guest's resources may take: as much as QEMU's device gives. */
export const MEMORY_MAX = 256 * 0x10_0000;
/** What a resource costs beside its pixels, and an entry of its backing. */
const RESOURCE_BYTES = 1024;
const ENTRY_BYTES = 16;
/** Pieces of a backing at most, as many as QEMU's device takes. */
const ENTRIES_MAX = 16_384;

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

  clear(): void {
    this.#resources.clear();
    this.#bytes = 0;
  }
}

function costOf({ width, height }: Resource): number {
  return width * height * PIXEL_BYTES + RESOURCE_BYTES;
}
