import type { AccessSize, Clock, Dma } from "../../../bus/device.ts";
import type { Cursor, Display, Rectangle } from "../../../bus/display.ts";
import type { PixelFormat } from "../../../bus/pixel-format.ts";
import { scattered } from "../../../bus/scattered.ts";
import type { Fields, Saved } from "../../../snapshot/fields.ts";
import type { Chain } from "../chain.ts";
import { VirtioDevice } from "../device.ts";
import type { Queue } from "../queue.ts";
import {
  COMMAND,
  CURSOR_SIDE,
  DISPLAY_INFO_BYTES,
  EDID_RESPONSE_BYTES,
  FLAG_FENCE,
  HEADER,
  MEMORY_ENTRY_BYTES,
  REQUEST_BYTES,
  RESPONSE,
} from "./commands.ts";
import { makeEdid, SIDE_MAX, SIDE_MIN } from "./edid.ts";
import { FORMATS } from "./formats.ts";
import { PIXEL_BYTES, Resource } from "./resource.ts";
import { ResourceTable } from "./resource-table.ts";
import { isShowable, Scanout } from "./scanout.ts";

const DEVICE_ID_GPU = 16;
const F_EDID = 1 << 1;
const CONTROLQ = 0;
const CONTROL_QUEUE_SIZE = 256;
const CURSOR_QUEUE_SIZE = 16;

// Configuration (virtio 1.2, 5.7.4).
const EVENTS_READ = 0;
const EVENTS_CLEAR = 4;
const NUM_SCANOUTS = 8;
const CONFIG_BYTES = 16;
const EVENT_DISPLAY = 1;

/** The only scanout there is. */
const SCANOUT = 0;
/** Bytes that are copied between two looks at the clock. */
const COPY_PIECE = 0x10_0000;
/** What the monitor prefers at first. */
const WIDTH = 1280;
const HEIGHT = 800;

/** A request that cannot be done, and why: the response's type. */
class Refused {
  readonly type: number;
  constructor(type: number) {
    this.type = type;
  }
}

/** GPU device (virtio 1.2, 5.7), 2D, with one scanout. */
export class VirtioGpu extends VirtioDevice {
  readonly id = DEVICE_ID_GPU;
  readonly #dma: Dma;
  readonly #display: Display;
  readonly #scanout = new Scanout();
  readonly #resources = new ResourceTable();
  #width = WIDTH;
  #height = HEIGHT;

  constructor(dma: Dma, display: Display, clock?: Clock) {
    super(dma, F_EDID, [CONTROL_QUEUE_SIZE, CURSOR_QUEUE_SIZE], CONFIG_BYTES, clock);
    this.#dma = dma;
    this.#display = display;
    this.config.setUint32(NUM_SCANOUTS, 1, true);
    this.#scanout.requestSize = (width, height) => this.#requestSize(width, height);
    display.addSource(this.#scanout);
  }

  override reset(): void {
    super.reset();
    this.#resources.clear();
    this.#scanout.hide();
    this.#scanout.cursor = undefined;
    this.config.setUint32(EVENTS_READ, 0, true);
    this.#display.changed();
  }

  /** Without the pixels of resources: they are filled anew from their backing, which is the guest's memory. */
  override save(): Saved {
    return {
      ...super.save(),
      size: [this.#width, this.#height],
      resources: this.#resources.save(),
      scanout: this.#scanout.save(),
    };
  }

  override restore(state: Fields): void {
    super.restore(state);
    const [width = WIDTH, height = HEIGHT] = state.wholes("size", 2, SIDE_MAX);
    this.#width = Math.max(SIDE_MIN, width);
    this.#height = Math.max(SIDE_MIN, height);
    this.#resources.restore(state);
    this.#scanout.restore(state.object("scanout"), (id) => this.#resources.get(id));
  }

  override resumed(): void {
    for (const resource of this.#resources.values()) resource.fill(this.#dma, resource.whole, 0, 0, resource.height);
    if (this.#scanout.resource !== undefined) this.#scanout.flush(this.#scanout.resource.whole);
    this.#display.changed();
    this.#display.stirred(this.#scanout);
  }

  override writeConfig(offset: number, bytes: AccessSize, value: number): void {
    if (offset !== EVENTS_CLEAR || bytes !== 4) return;
    this.config.setUint32(EVENTS_READ, this.config.getUint32(EVENTS_READ, true) & ~value, true);
  }

  protected override notified(queue: Queue, index: number): void {
    if (index === CONTROLQ) this.serve(queue, (chain) => this.#control(chain, queue));
    else this.serve(queue, (chain) => this.#cursor(chain));
  }

  /** The monitor is another size (5.7.6.7, VIRTIO_GPU_EVENT_DISPLAY). */
  #requestSize(width: number, height: number): boolean {
    if (!this.running) return false;
    const within = (side: number): number => Math.min(SIDE_MAX, Math.max(SIDE_MIN, Math.floor(side)));
    if (within(width) === this.#width && within(height) === this.#height) return true;
    this.#width = within(width);
    this.#height = within(height);
    this.changeConfig((config) => {
      config.setUint32(EVENTS_READ, config.getUint32(EVENTS_READ, true) | EVENT_DISPLAY, true);
    });
    return true;
  }

  /** @returns bytes written; undefined when the request goes on in the next turn. */
  #control(chain: Chain, queue: Queue): number | undefined {
    const request = new DataView(new ArrayBuffer(REQUEST_BYTES.transferToHost2d));
    const bytes = chain.read(0, new Uint8Array(request.buffer));
    let response: Uint8Array | undefined;
    try {
      response = this.#execute(request, bytes, chain, queue);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      response = answer(error.type);
    }
    if (response === undefined) return undefined;
    return respond(chain, request, response);
  }

  #execute(request: DataView, bytes: number, chain: Chain, queue: Queue): Uint8Array | undefined {
    const enough = (least: number): void => {
      if (bytes < least) throw new Refused(RESPONSE.errInvalidParameter);
    };
    enough(HEADER.bytes);
    const u32 = (at: number): number => request.getUint32(at, true);
    const area = (): Rectangle => ({ x: u32(24), y: u32(28), width: u32(32), height: u32(36) });
    switch (u32(HEADER.type)) {
      case COMMAND.getDisplayInfo:
        return this.#displayInfo();
      case COMMAND.getEdid:
        enough(REQUEST_BYTES.getEdid);
        if (u32(24) !== SCANOUT) throw new Refused(RESPONSE.errInvalidScanoutId);
        return this.#edid();
      case COMMAND.resourceCreate2d:
        enough(REQUEST_BYTES.resourceCreate2d);
        this.#create(u32(24), u32(28), u32(32), u32(36));
        break;
      case COMMAND.resourceUnref:
        enough(REQUEST_BYTES.resourceUnref);
        this.#unref(this.#resource(u32(24)));
        break;
      case COMMAND.setScanout:
        enough(REQUEST_BYTES.setScanout);
        this.#setScanout(area(), u32(40), u32(44));
        break;
      case COMMAND.resourceFlush:
        enough(REQUEST_BYTES.resourceFlush);
        this.#flush(this.#resource(u32(40)), area());
        break;
      case COMMAND.transferToHost2d: {
        enough(REQUEST_BYTES.transferToHost2d);
        const offset = u32(40) + u32(44) * 2 ** 32;
        if (!this.#transfer(this.#resource(u32(48)), area(), offset, queue)) return undefined;
        break;
      }
      case COMMAND.resourceAttachBacking:
        enough(REQUEST_BYTES.resourceAttachBacking);
        this.#attach(this.#resource(u32(24)), u32(28), chain);
        break;
      case COMMAND.resourceDetachBacking: {
        enough(REQUEST_BYTES.resourceDetachBacking);
        const resource = this.#resource(u32(24));
        if (resource.backing === undefined) throw new Refused(RESPONSE.errUnspec);
        this.#resources.detach(resource);
        break;
      }
      default:
        throw new Refused(RESPONSE.errUnspec);
    }
    return answer(RESPONSE.okNoData);
  }

  #displayInfo(): Uint8Array {
    const response = answer(RESPONSE.okDisplayInfo, DISPLAY_INFO_BYTES);
    const fields = new DataView(response.buffer);
    fields.setUint32(HEADER.bytes + 8, this.#width, true);
    fields.setUint32(HEADER.bytes + 12, this.#height, true);
    fields.setUint32(HEADER.bytes + 16, 1, true);
    return response;
  }

  #edid(): Uint8Array {
    const edid = makeEdid(this.#width, this.#height);
    const response = answer(RESPONSE.okEdid, EDID_RESPONSE_BYTES);
    new DataView(response.buffer).setUint32(HEADER.bytes, edid.length, true);
    response.set(edid, HEADER.bytes + 8);
    return response;
  }

  #resource(id: number): Resource {
    const resource = this.#resources.get(id);
    if (resource === undefined) throw new Refused(RESPONSE.errInvalidResourceId);
    return resource;
  }

  #create(id: number, format: number, width: number, height: number): void {
    if (id === 0 || this.#resources.get(id) !== undefined) throw new Refused(RESPONSE.errInvalidResourceId);
    if (!Resource.isFormat(format) || width === 0 || height === 0) throw new Refused(RESPONSE.errInvalidParameter);
    if (!this.#resources.add(new Resource(id, format, width, height))) throw new Refused(RESPONSE.errOutOfMemory);
  }

  #unref(resource: Resource): void {
    if (this.#scanout.resource === resource) this.#hide();
    this.#resources.remove(resource);
  }

  #hide(): void {
    this.#scanout.hide();
    this.#display.changed();
  }

  #setScanout(area: Rectangle, scanout: number, id: number): void {
    if (scanout !== SCANOUT) throw new Refused(RESPONSE.errInvalidScanoutId);
    if (id === 0) {
      this.#hide();
      return;
    }
    const resource = this.#resource(id);
    if (!isShowable(area) || !resource.contains(area)) throw new Refused(RESPONSE.errInvalidParameter);
    this.#scanout.show(resource, area);
    this.#display.changed();
    this.#display.stirred(this.#scanout);
  }

  #flush(resource: Resource, area: Rectangle): void {
    if (!resource.contains(area)) throw new Refused(RESPONSE.errInvalidParameter);
    if (this.#scanout.resource !== resource || !this.#scanout.flush(area)) return;
    this.#display.changed();
    this.#display.stirred(this.#scanout);
  }

  /** @returns whether it has been done; otherwise it goes on in the next turn, from `queue.progress`, which counts rows. */
  #transfer(resource: Resource, area: Rectangle, offset: number, queue: Queue): boolean {
    if (!resource.contains(area)) throw new Refused(RESPONSE.errInvalidParameter);
    if (resource.backing === undefined) throw new Refused(RESPONSE.errUnspec);
    if (area.width === 0) return true;
    const rows = Math.max(1, Math.floor(COPY_PIECE / (area.width * PIXEL_BYTES)));
    while (queue.progress < area.height) {
      const end = Math.min(area.height, queue.progress + rows);
      resource.fill(this.#dma, area, offset, queue.progress, end);
      queue.progress = end;
      if (end < area.height && this.turnOver) return false;
    }
    return true;
  }

  #attach(resource: Resource, count: number, chain: Chain): void {
    if (resource.backing !== undefined) throw new Refused(RESPONSE.errUnspec);
    const at = REQUEST_BYTES.resourceAttachBacking;
    if (count * MEMORY_ENTRY_BYTES > chain.readableBytes - at) throw new Refused(RESPONSE.errInvalidParameter);
    if (!this.#resources.hasRoomForEntries(count)) throw new Refused(RESPONSE.errOutOfMemory);
    const entries = new DataView(new ArrayBuffer(count * MEMORY_ENTRY_BYTES));
    chain.read(at, new Uint8Array(entries.buffer));
    const addresses = new Float64Array(count);
    const ends = new Float64Array(count);
    let bytes = 0;
    for (let i = 0; i < count; i++) {
      const entry = i * MEMORY_ENTRY_BYTES;
      const address = entries.getUint32(entry, true) + entries.getUint32(entry + 4, true) * 2 ** 32;
      const length = entries.getUint32(entry + 8, true);
      if (scattered(this.#dma, address, length, false) === undefined) throw new Refused(RESPONSE.errUnspec);
      bytes += length;
      addresses[i] = address;
      ends[i] = bytes;
    }
    this.#resources.attach(resource, { addresses, ends });
  }

  /** 5.7.6.10. Drivers give no room for a response. */
  #cursor(chain: Chain): number {
    const request = new DataView(new ArrayBuffer(REQUEST_BYTES.cursor));
    const bytes = chain.read(0, new Uint8Array(request.buffer));
    const u32 = (at: number): number => request.getUint32(at, true);
    let type: number = RESPONSE.okNoData;
    if (bytes < REQUEST_BYTES.cursor) type = RESPONSE.errInvalidParameter;
    else if (u32(24) !== SCANOUT) type = RESPONSE.errInvalidScanoutId;
    else if (u32(HEADER.type) === COMMAND.updateCursor) type = this.#updateCursor(u32(40), u32(44), u32(48));
    // Where the pointer is, who shows the cursor knows best.
    else if (u32(HEADER.type) !== COMMAND.moveCursor) type = RESPONSE.errUnspec;
    return respond(chain, request, answer(type));
  }

  #updateCursor(id: number, hotX: number, hotY: number): number {
    if (id === 0) {
      this.#scanout.cursor = undefined;
    } else {
      const resource = this.#resources.get(id);
      if (resource === undefined) return RESPONSE.errInvalidResourceId;
      if (resource.width !== CURSOR_SIDE || resource.height !== CURSOR_SIDE) return RESPONSE.errInvalidParameter;
      this.#scanout.cursor = cursorOf(resource, hotX, hotY);
    }
    this.#display.changed();
    return RESPONSE.okNoData;
  }
}

function cursorOf(resource: Resource, hotX: number, hotY: number): Cursor {
  const { width, height } = resource;
  const { red, green, blue, alpha } = FORMATS.get(resource.format) as PixelFormat;
  const words = new Uint32Array(resource.bytes.buffer);
  const pixels = words.map((word) => {
    const byte = (shift: number): number => (word >>> shift) & 0xff;
    return (
      (((alpha === undefined ? 0xff : byte(alpha)) << 24) | (byte(blue) << 16) | (byte(green) << 8) | byte(red)) >>> 0
    );
  });
  return { width, height, hotX: Math.min(hotX, width - 1), hotY: Math.min(hotY, height - 1), pixels };
}

function answer(type: number, bytes: number = HEADER.bytes): Uint8Array<ArrayBuffer> {
  const response = new Uint8Array(bytes);
  new DataView(response.buffer).setUint32(HEADER.type, type, true);
  return response;
}

/** 5.7.6.7: a fenced request's response has its fence. Requests are done in their order, so that a response is a fence. */
function respond(chain: Chain, request: DataView, response: Uint8Array): number {
  if (request.getUint32(HEADER.flags, true) & FLAG_FENCE) {
    new DataView(response.buffer).setUint32(HEADER.flags, FLAG_FENCE, true);
    const fence = new Uint8Array(request.buffer, HEADER.fenceId, HEADER.contextId + 4 - HEADER.fenceId);
    response.set(fence, HEADER.fenceId);
  }
  return chain.write(0, response);
}
