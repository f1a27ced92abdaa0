import type { Dma } from "../../bus/device.ts";
import { type Display, type DisplaySource, type Rectangle, Surface } from "../../bus/display.ts";
import { convertArea, type PixelFormat, RGB565, type SourceRow } from "../../bus/pixel-format.ts";
import type { FwCfg } from "./fw-cfg.ts";

// The file "etc/ramfb" (QEMU's hw/display/ramfb.c), all big-endian.
const ADDRESS = 0;
const FOURCC = 8;
const WIDTH = 16;
const HEIGHT = 20;
const STRIDE = 24;
const FILE_BYTES = 28;

/** As many as a picture of virtio-gpu's has. */
const SIDE_MAX = 8192;

const fourcc = (text: string): number =>
  [...text].reduce((code, character, i) => code | (character.charCodeAt(0) << (8 * i)), 0) >>> 0;

/** Of linux/drm_fourcc.h: EDK2, U-Boot and SeaBIOS set XR24. */
const FORMATS: ReadonlyMap<number, PixelFormat> = new Map([
  [fourcc("XR24"), { bytes: 4, red: 16, green: 8, blue: 0 }],
  [fourcc("AR24"), { bytes: 4, red: 16, green: 8, blue: 0 }],
  [fourcc("XB24"), { bytes: 4, red: 0, green: 8, blue: 16 }],
  [fourcc("AB24"), { bytes: 4, red: 0, green: 8, blue: 16 }],
  [fourcc("RX24"), { bytes: 4, red: 24, green: 16, blue: 8 }],
  [fourcc("RA24"), { bytes: 4, red: 24, green: 16, blue: 8 }],
  [fourcc("BX24"), { bytes: 4, red: 8, green: 16, blue: 24 }],
  [fourcc("BA24"), { bytes: 4, red: 8, green: 16, blue: 24 }],
  [fourcc("RG24"), { bytes: 3, red: 16, green: 8, blue: 0 }],
  [fourcc("BG24"), { bytes: 3, red: 0, green: 8, blue: 16 }],
  [fourcc("RG16"), RGB565],
]);

interface Frame {
  readonly address: number;
  readonly stride: number;
  readonly format: PixelFormat;
}

/**
 * A framebuffer in the guest's RAM, whose place and format firmware writes to the firmware configuration device. Nobody says when its pixels
 * change: they are compared whenever somebody looks.
 */
export class Ramfb implements DisplaySource {
  readonly cursor = undefined;
  readonly polled = true;
  /** Who sets it up is about to draw. */
  readonly blank = false;
  surface: Surface | undefined;
  readonly #dma: Dma;
  readonly #display: Display;
  readonly #file = new Uint8Array(FILE_BYTES);
  #frame: Frame | undefined;

  constructor(dma: Dma, config: FwCfg, display: Display) {
    this.#dma = dma;
    this.#display = display;
    config.addFile("etc/ramfb", this.#file, {
      written: () => this.#configure(),
      reset: () => {
        this.#file.fill(0);
        this.#configure();
      },
    });
    display.addSource(this);
  }

  requestSize(): boolean {
    return false;
  }

  refresh(damaged: (area: Rectangle) => void): void {
    const { surface } = this;
    const frame = this.#frame;
    if (surface === undefined || frame === undefined) return;
    const { width, height } = surface;
    const rowBytes = width * frame.format.bytes;
    const rowOf = (y: number): SourceRow | undefined => {
      const bytes = this.#dma.view(frame.address + y * frame.stride, rowBytes, false);
      return bytes && { bytes, at: 0 };
    };
    convertArea(frame.format, surface, { x: 0, y: 0, width, height }, rowOf, damaged);
  }

  /** What makes no sense shows nothing. */
  #configure(): void {
    const fields = new DataView(this.#file.buffer);
    const address = fields.getUint32(ADDRESS) * 2 ** 32 + fields.getUint32(ADDRESS + 4);
    const format = FORMATS.get(fields.getUint32(FOURCC));
    const width = fields.getUint32(WIDTH);
    const height = fields.getUint32(HEIGHT);
    this.#frame = undefined;
    this.surface = undefined;
    if (format !== undefined && width > 0 && height > 0 && width <= SIDE_MAX && height <= SIDE_MAX) {
      const stride = fields.getUint32(STRIDE) || width * format.bytes;
      const bytes = stride * (height - 1) + width * format.bytes;
      if (stride >= width * format.bytes && this.#dma.view(address, bytes, false) !== undefined) {
        this.#frame = { address, stride, format };
        this.surface = new Surface(width, height);
      }
    }
    this.#display.changed();
  }
}
