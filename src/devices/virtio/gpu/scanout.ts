import { type Cursor, type DisplaySource, intersection, type Rectangle, Surface, union } from "../../../bus/display.ts";
import { convertArea, type PixelFormat } from "../../../bus/pixel-format.ts";
import { FORMATS } from "./formats.ts";
import { PIXEL_BYTES, type Resource } from "./resource.ts";

/** The part of a resource that the monitor shows. What the driver flushes is converted when somebody looks. */
export class Scanout implements DisplaySource {
  readonly polled = false;
  surface: Surface | undefined;
  cursor: Cursor | undefined;
  requestSize: (width: number, height: number) => boolean = () => false;
  #resource: Resource | undefined;
  #area: Rectangle = { x: 0, y: 0, width: 0, height: 0 };
  /** In the surface: what has been flushed since it was looked at. */
  #dirty: Rectangle | undefined;

  get resource(): Resource | undefined {
    return this.#resource;
  }
  get area(): Rectangle {
    return this.#area;
  }

  /** @param area inside of the resource, not empty. */
  show(resource: Resource, area: Rectangle): void {
    this.#resource = resource;
    this.#area = area;
    const { width, height } = area;
    // Guests flip between buffers: that is a change of pixels and nothing else.
    if (this.surface?.width !== width || this.surface.height !== height) this.surface = new Surface(width, height);
    this.#dirty = { x: 0, y: 0, width, height };
  }

  hide(): void {
    this.#resource = undefined;
    this.surface = undefined;
    this.#dirty = undefined;
  }

  /** @param area of the resource. @returns whether that changes what is shown. */
  flush(area: Rectangle): boolean {
    const seen = intersection(area, this.#area);
    if (seen === undefined) return false;
    this.#dirty = union(this.#dirty, { ...seen, x: seen.x - this.#area.x, y: seen.y - this.#area.y });
    return true;
  }

  refresh(damaged: (area: Rectangle) => void): void {
    const resource = this.#resource;
    const { surface } = this;
    const dirty = this.#dirty;
    if (resource === undefined || surface === undefined || dirty === undefined) return;
    this.#dirty = undefined;
    const format = FORMATS.get(resource.format) as PixelFormat;
    const { bytes } = resource;
    const { x, y: top } = this.#area;
    convertArea(
      format,
      surface,
      dirty,
      (y) => ({ bytes, at: ((top + y) * resource.width + x + dirty.x) * PIXEL_BYTES }),
      damaged,
    );
  }
}
