import { type Cursor, type DisplaySource, intersection, type Rectangle, Surface, union } from "../../../bus/display.ts";
import { convertArea, type PixelFormat } from "../../../bus/pixel-format.ts";
import { type Fields, hex, type Saved } from "../../../snapshot/fields.ts";
import { CURSOR_SIDE } from "./commands.ts";
import { FORMATS } from "./formats.ts";
import { PIXEL_BYTES, type Resource } from "./resource.ts";

/** Pixels: more than a large monitor has. */
const LOOK_MAX = 2 ** 24;

/** Pixels of what is shown, in each direction: what protocols that show it can say. */
const SHOWN_MAX = 16_384;

/** Whether a scanout of that size can be shown. */
export function isShowable({ width, height }: Rectangle): boolean {
  return width > 0 && height > 0 && width <= SHOWN_MAX && height <= SHOWN_MAX;
}

function restoreCursor(state: Fields): Cursor {
  const [hotX = 0, hotY = 0] = state.wholes("hot", 2, CURSOR_SIDE - 1);
  const bytes = CURSOR_SIDE * CURSOR_SIDE * 4;
  const pixels = new Uint32Array(state.bytes("pixels", bytes, bytes).slice().buffer);
  return { width: CURSOR_SIDE, height: CURSOR_SIDE, hotX, hotY, pixels };
}

/** The part of a resource that the monitor shows. What the driver flushes is converted when somebody looks. */
export class Scanout implements DisplaySource {
  readonly polled = false;
  cursor: Cursor | undefined;
  requestSize: (width: number, height: number) => boolean = () => false;
  #surface: Surface | undefined;
  blank = true;
  #resource: Resource | undefined;
  #area: Rectangle = { x: 0, y: 0, width: 0, height: 0 };
  /** In the surface: what has been flushed since it was looked at. */
  #dirty: Rectangle | undefined;

  get surface(): Surface | undefined {
    return this.#surface;
  }
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
    if (this.#surface?.width !== width || this.#surface.height !== height) {
      this.#surface = new Surface(width, height);
    }
    this.#dirty = { x: 0, y: 0, width, height };
  }

  hide(): void {
    this.#resource = undefined;
    this.#surface = undefined;
    this.blank = true;
    this.#dirty = undefined;
  }

  /** @param area of the resource. @returns whether that changes what is shown. */
  flush(area: Rectangle): boolean {
    const resource = this.#resource;
    const seen = intersection(area, this.#area);
    if (resource === undefined || seen === undefined) return false;
    this.blank &&= this.#isBlack(resource, seen);
    this.#dirty = union(this.#dirty, { ...seen, x: seen.x - this.#area.x, y: seen.y - this.#area.y });
    return true;
  }

  save(): Saved {
    const { x, y, width, height } = this.#area;
    const { cursor } = this;
    return {
      resource: this.#resource?.id ?? 0,
      area: [x, y, width, height],
      cursor: cursor && {
        hot: [cursor.hotX, cursor.hotY],
        pixels: hex(new Uint8Array(cursor.pixels.buffer, cursor.pixels.byteOffset, cursor.pixels.byteLength)),
      },
    };
  }

  restore(state: Fields, resourceOf: (id: number) => Resource | undefined): void {
    this.hide();
    this.cursor = state.has("cursor") ? restoreCursor(state.object("cursor")) : undefined;
    const id = state.whole("resource");
    if (id === 0) return;
    const resource = resourceOf(id);
    const [x = 0, y = 0, width = 0, height = 0] = state.wholes("area", 4);
    const area = { x, y, width, height };
    if (resource === undefined || !isShowable(area) || !resource.contains(area)) throw state.wrong("area");
    this.show(resource, area);
  }

  /** Pictures that are too large to look at all of them are not. */
  #isBlack({ bytes, width, format }: Resource, area: Rectangle): boolean {
    if (area.width * area.height > LOOK_MAX) return false;
    const words = new Uint32Array(bytes.buffer);
    const { red, green, blue } = FORMATS.get(format) as PixelFormat;
    const colours = (0xff << red) | (0xff << green) | (0xff << blue);
    for (let y = area.y; y < area.y + area.height; y++) {
      const start = y * width + area.x;
      for (let i = start; i < start + area.width; i++) if ((words[i] as number) & colours) return false;
    }
    return true;
  }

  refresh(damaged: (area: Rectangle) => void): void {
    const resource = this.#resource;
    const surface = this.#surface;
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
