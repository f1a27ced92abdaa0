// The port between devices that have pictures and whoever shows them: a VNC server, a canvas, a file. Devices are its sources, those who
// show are its viewers. Nothing is drawn for nobody: a source only notes what has changed, until a viewer asks for it.

export interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Pixels, row by row from the top, without gaps; black at first. Those that nobody looks at take no memory. */
export class Surface {
  readonly width: number;
  readonly height: number;
  #pixels: Uint32Array<ArrayBuffer> | undefined;

  constructor(width: number, height: number) {
    this.width = width;
    this.height = height;
  }

  /** 0xffBBGGRR each. */
  get pixels(): Uint32Array<ArrayBuffer> {
    this.#pixels ??= new Uint32Array(this.width * this.height).fill(0xff00_0000);
    return this.#pixels;
  }

  /** The same as red, green, blue and alpha (always 255), as a canvas' ImageData takes them. */
  get bytes(): Uint8ClampedArray<ArrayBuffer> {
    return new Uint8ClampedArray(this.pixels.buffer);
  }
}

/** The pointer's picture, to be drawn over the surface by whoever shows it. */
export interface Cursor {
  readonly width: number;
  readonly height: number;
  /** The pixel of the picture that points. */
  readonly hotX: number;
  readonly hotY: number;
  /** 0xAABBGGRR each, the colours multiplied by alpha. */
  readonly pixels: Uint32Array;
}

/** A device that has a picture, or may have one. */
export interface DisplaySource {
  /** undefined: it shows nothing. */
  readonly surface: Surface | undefined;
  /** Nothing has been drawn yet: the surface is all black. */
  readonly blank: boolean;
  /** undefined: it has none, or hides it. */
  readonly cursor: Cursor | undefined;
  /** It does not say when its picture changes: a viewer has to ask again and again. */
  readonly polled: boolean;
  /** Brings the surface up to date; `damaged` is called for what has changed. */
  refresh(damaged: (area: Rectangle) => void): void;
  /** Asks the guest to make its picture of that size. @returns whether the guest can be asked. */
  requestSize(width: number, height: number): boolean;
}

/** All functions may be called from within a device's: they only take note. */
export interface DisplayViewer {
  /** Another surface, or none, takes the place of the one there was. */
  surfaceChanged(): void;
  /** Something has changed: `Display.refresh` will say what. */
  stirred(): void;
  /** A part of the surface has other pixels. Called by `Display.refresh`, whoever asked for it. */
  damaged(area: Rectangle): void;
  cursorChanged(): void;
}

/**
 * A machine's one display. Where several sources have a picture, the first of them is shown, but one that is not blank before one that is:
 * firmware that draws on one of two devices may well clear the other.
 */
export class Display {
  readonly #sources: DisplaySource[] = [];
  readonly #viewers = new Set<DisplayViewer>();
  #surface: Surface | undefined;
  #cursor: Cursor | undefined;

  get surface(): Surface | undefined {
    return this.#surface;
  }
  get cursor(): Cursor | undefined {
    return this.#cursor;
  }
  /** Whether changes are only found by asking for them. */
  get polled(): boolean {
    return this.#shown()?.polled ?? false;
  }

  /** Sources that are added earlier come first. */
  addSource(source: DisplaySource): void {
    this.#sources.push(source);
  }

  /** @returns a function that takes it away. */
  addViewer(viewer: DisplayViewer): () => void {
    this.#viewers.add(viewer);
    return () => this.#viewers.delete(viewer);
  }

  /** Brings the surface up to date, and tells all viewers what has changed. */
  refresh(): void {
    this.#shown()?.refresh((area) => {
      for (const viewer of this.#viewers) viewer.damaged(area);
    });
  }

  /** @returns whether the guest has been asked; it may or may not do so, in its own time. */
  requestSize(width: number, height: number): boolean {
    return this.#shown()?.requestSize(width, height) ?? false;
  }

  /** For sources: the surface or the cursor may be another, or none. */
  changed(): void {
    const source = this.#shown();
    const { surface, cursor } = source ?? { surface: undefined, cursor: undefined };
    const otherSurface = surface !== this.#surface;
    const otherCursor = cursor !== this.#cursor;
    this.#surface = surface;
    this.#cursor = cursor;
    for (const viewer of this.#viewers) {
      if (otherSurface) viewer.surfaceChanged();
      if (otherCursor) viewer.cursorChanged();
    }
  }

  /** For sources: the pixels have changed. */
  stirred(source: DisplaySource): void {
    if (source !== this.#shown()) return;
    for (const viewer of this.#viewers) viewer.stirred();
  }

  #shown(): DisplaySource | undefined {
    const found = this.#sources.filter(({ surface }) => surface !== undefined);
    return found.find(({ blank }) => !blank) ?? found[0];
  }
}

/** What is in both; undefined: nothing. */
export function intersection(a: Rectangle, b: Rectangle): Rectangle | undefined {
  const x = Math.max(a.x, b.x);
  const y = Math.max(a.y, b.y);
  const width = Math.min(a.x + a.width, b.x + b.width) - x;
  const height = Math.min(a.y + a.height, b.y + b.height) - y;
  return width > 0 && height > 0 ? { x, y, width, height } : undefined;
}

/** The smallest that has both in it. */
export function union(a: Rectangle | undefined, b: Rectangle): Rectangle {
  if (a === undefined) return b;
  const x = Math.min(a.x, b.x);
  const y = Math.min(a.y, b.y);
  const width = Math.max(a.x + a.width, b.x + b.width) - x;
  const height = Math.max(a.y + a.height, b.y + b.height) - y;
  return { x, y, width, height };
}
