import { type Cursor, type Display, type Rectangle, Surface, union } from "../../bus/display.ts";
import type { InputPort } from "../../bus/input.ts";
import { ByteInput } from "./byte-input.ts";
import { ClientKeyboard } from "./client-keyboard.ts";
import {
  PIXEL_FORMAT_BYTES,
  PixelWriter,
  readClientPixels,
  SERVER_PIXELS,
  writeClientPixels,
} from "./client-pixels.ts";
import { ClientPointer } from "./client-pointer.ts";
import { Handshake, type VncAuthentication } from "./handshake.ts";
import { CLIENT, ENCODING, QEMU_EXTENDED_KEY_EVENT, RESIZE_REASON, RESIZE_STATUS } from "./messages.ts";
import * as rectangles from "./rectangles.ts";
import { DirtyTiles } from "./tiles.ts";
import { encodeZrle } from "./zrle.ts";

/** What is shown while the guest shows nothing. */
const NOTHING = new Surface(640, 480);
/** Pixels of a rectangle, about: a few milliseconds' work between two turns of the guest. */
const RECTANGLE_PIXELS = 256 * 1024;
/** Milliseconds that a client has to get through the handshake. */
const HANDSHAKE_TIME = 30_000;

/** A zlib stream. */
export interface Deflater {
  /** What the stream has for these bytes, with all of them in it (Z_SYNC_FLUSH). One at a time. */
  deflate(bytes: Uint8Array): Promise<Uint8Array>;
  close(): void;
}

/** The connection that a session has with its client. */
export interface RfbConnection {
  /** Sends the bytes, which are not changed afterwards. */
  write(bytes: Uint8Array): void;
  /** Resolves when what was written has left, or nobody will read it. */
  drained(): Promise<void>;
  /** Ends it after what was written; `RfbSession.closed` is called. */
  close(): void;
  later(milliseconds: number, action: () => void): void;
}

export interface RfbSessionParts {
  readonly connection: RfbConnection;
  readonly display: Display;
  readonly input: InputPort;
  /** Of the desktop. */
  readonly name: string;
  readonly authentication: VncAuthentication | undefined;
  readonly deflater: () => Deflater;
  /** The client waits for what changes. */
  readonly wanted: () => void;
  /** The guest has been told of something. */
  readonly happened: () => void;
}

/** The conversation with one client (RFC 6143). Whatever it sends, it cannot do more than use its own keyboard and pointer, or be cut off. */
export class RfbSession {
  readonly #parts: RfbSessionParts;
  readonly #handshake: Handshake;
  readonly #input = new ByteInput();
  readonly #keyboard: ClientKeyboard;
  readonly #pointer: ClientPointer;
  #phase: "handshake" | "open" | "closed" = "handshake";
  #deflater: Deflater | undefined;

  // What the client has asked for.
  #encodings: ReadonlySet<number> = new Set();
  #writer = new PixelWriter(SERVER_PIXELS);
  #wanted: Rectangle | undefined;

  // What it has not been told yet.
  #surface: Surface;
  #tiles: DirtyTiles;
  /** Of the client's picture. */
  #width: number;
  #height: number;
  #cursorDue = false;
  #ledsDue = false;
  #keyEventsDue = false;
  /** Answers to its requests for another size; undefined: none is due. */
  #sizeDue: { readonly reason: number; readonly status: number } | undefined;
  #sending = false;

  constructor(parts: RfbSessionParts) {
    this.#parts = parts;
    this.#handshake = new Handshake(parts.connection, parts.authentication);
    this.#keyboard = new ClientKeyboard(parts.input);
    this.#pointer = new ClientPointer(parts.input);
    this.#surface = parts.display.surface ?? NOTHING;
    this.#width = this.#surface.width;
    this.#height = this.#surface.height;
    this.#tiles = new DirtyTiles(this.#width, this.#height);
    this.#handshake.begin();
    parts.connection.later(HANDSHAKE_TIME, () => {
      if (this.#phase === "handshake") this.#close();
    });
  }

  /** Bytes of the client's. */
  receive(bytes: Uint8Array): void {
    if (this.#phase === "closed") return;
    this.#input.add(bytes);
    if (this.#phase === "handshake" && this.#handshake.read(this.#input)) {
      this.#phase = "open";
      this.#parts.connection.write(this.#serverInit());
    }
    if (this.#phase === "open") while (this.#message());
  }

  /** The connection is no more. */
  closed(): void {
    if (this.#phase === "closed") return;
    this.#phase = "closed";
    this.#keyboard.releaseAll();
    this.#pointer.releaseAll();
    this.#parts.happened();
    this.#deflater?.close();
  }

  // What the display says.

  surfaceChanged(): void {
    if (this.#wanted !== undefined) this.#parts.wanted();
  }

  damaged(area: Rectangle): void {
    this.#tiles.add(area);
  }

  cursorChanged(): void {
    this.#cursorDue = true;
  }

  ledsChanged(): void {
    this.#ledsDue = true;
    if (this.waiting) this.#parts.wanted();
  }

  /** Whether the client waits for an update, and could have one. */
  get waiting(): boolean {
    return this.#phase === "open" && this.#wanted !== undefined && !this.#sending;
  }

  /** Sends what is due to a client that waits for it. */
  update(): void {
    if (!this.waiting) return;
    const shown = this.#parts.display.surface ?? NOTHING;
    const head = this.#statusRectangles(shown);
    const area = this.#wanted as Rectangle;
    if (head.length === 0 && !this.#tiles.anyIn(area)) return;
    const tiles = this.#tiles.take(area, RECTANGLE_PIXELS);
    this.#wanted = undefined;
    this.#sending = true;
    this.#send(head, tiles, this.#surface).then(
      () => {
        this.#sending = false;
        if (this.#wanted !== undefined) this.#parts.wanted();
      },
      // The stream has been closed under it.
      () => this.#close(),
    );
  }

  async #send(head: readonly Uint8Array[], tiles: readonly Rectangle[], surface: Surface): Promise<void> {
    const { connection } = this.#parts;
    const writer = this.#writer;
    const zrle = this.#encodings.has(ENCODING.zrle);
    connection.write(rectangles.updateHeader(head.length + tiles.length));
    for (const rectangle of head) connection.write(rectangle);
    for (const area of tiles) {
      if (this.#phase === "closed") return;
      if (zrle) {
        this.#deflater ??= this.#parts.deflater();
        const compressed = await this.#deflater.deflate(encodeZrle(surface, area, writer));
        connection.write(rectangles.zrleRectangle(area, compressed));
      } else {
        connection.write(rectangles.rawRectangle(surface, area, writer));
      }
      // A client that reads slowly gets a rectangle when it has read the one before.
      await connection.drained();
    }
    await connection.drained();
  }

  /** Everything but pixels; notes that the client knows it. */
  #statusRectangles(shown: Surface): Uint8Array[] {
    const encodings = this.#encodings;
    const result: Uint8Array[] = [];
    const due = (encoding: number, flag: boolean, make: () => Uint8Array): void => {
      if (flag && encodings.has(encoding)) result.push(make());
    };
    const { leds } = this.#parts.input;
    due(ENCODING.qemuExtendedKeyEvent, this.#keyEventsDue, rectangles.extendedKeyEventRectangle);
    due(ENCODING.qemuLedState, this.#ledsDue, () => rectangles.ledStateRectangle(leds));
    this.#keyEventsDue = this.#ledsDue = false;
    if (this.#cursorDue) result.push(...this.#cursorRectangles(this.#parts.display.cursor));
    this.#cursorDue = false;
    result.push(...this.#sizeRectangles(shown));
    return result;
  }

  #cursorRectangles(cursor: Cursor | undefined): Uint8Array[] {
    if (this.#encodings.has(ENCODING.cursorWithAlpha)) return [rectangles.cursorWithAlphaRectangle(cursor)];
    return this.#encodings.has(ENCODING.cursor) ? [rectangles.cursorRectangle(cursor, this.#writer)] : [];
  }

  /** The client's picture becomes what is shown; without its leave to change the size, as much of it as there is room for. */
  #sizeRectangles(shown: Surface): Uint8Array[] {
    const extended = this.#encodings.has(ENCODING.extendedDesktopSize);
    const { width, height } = shown;
    const other = width !== this.#width || height !== this.#height;
    const resize = other && (extended || this.#encodings.has(ENCODING.desktopSize));
    if (resize) {
      this.#width = width;
      this.#height = height;
    }
    if (shown !== this.#surface) {
      this.#surface = shown;
      this.#tiles = new DirtyTiles(Math.min(this.#width, width), Math.min(this.#height, height));
    }
    const due = this.#sizeDue ?? { reason: RESIZE_REASON.server, status: RESIZE_STATUS.ok };
    const asked = this.#sizeDue !== undefined;
    this.#sizeDue = undefined;
    if (extended && (resize || asked)) {
      return [rectangles.extendedDesktopSizeRectangle(width, height, due.reason, due.status)];
    }
    return resize ? [rectangles.desktopSizeRectangle(width, height)] : [];
  }

  #close(): void {
    if (this.#phase === "closed") return;
    this.#parts.connection.close();
    this.closed();
  }

  #serverInit(): Uint8Array {
    const name = Uint8Array.from(this.#parts.name, (character) => character.charCodeAt(0));
    const bytes = new Uint8Array(4 + PIXEL_FORMAT_BYTES + 4 + name.length);
    const fields = new DataView(bytes.buffer);
    const shown = this.#parts.display.surface ?? NOTHING;
    this.#surface = shown;
    this.#width = shown.width;
    this.#height = shown.height;
    this.#tiles = new DirtyTiles(shown.width, shown.height);
    fields.setUint16(0, shown.width);
    fields.setUint16(2, shown.height);
    writeClientPixels(fields, 4, SERVER_PIXELS);
    fields.setUint32(4 + PIXEL_FORMAT_BYTES, name.length);
    bytes.set(name, 4 + PIXEL_FORMAT_BYTES + 4);
    return bytes;
  }

  /** @returns whether a whole message was there. */
  #message(): boolean {
    const input = this.#input;
    if (input.length === 0 || this.#phase !== "open") return false;
    const type = input.peek(1).getUint8(0);
    const length = this.#lengthOf(type);
    if (length === undefined) {
      this.#close();
      return false;
    }
    if (input.length < length) return false;
    const fields = input.peek(length);
    this.#handle(type, fields);
    // A guest has no clipboard here: the text is passed by. Lengths below 0 are those of extensions.
    input.skip(type === CLIENT.clientCutText ? length + Math.abs(fields.getInt32(4)) : length);
    return true;
  }

  /** Bytes of a message, or of what tells how long it is; undefined: there is no such message. */
  #lengthOf(type: number): number | undefined {
    const input = this.#input;
    switch (type) {
      case CLIENT.setPixelFormat:
        return 4 + PIXEL_FORMAT_BYTES;
      case CLIENT.setEncodings:
        return input.length < 4 ? 4 : 4 + 4 * input.peek(4).getUint16(2);
      case CLIENT.framebufferUpdateRequest:
        return 10;
      case CLIENT.keyEvent:
        return 8;
      case CLIENT.pointerEvent:
        return 6;
      case CLIENT.clientCutText:
        return 8;
      case CLIENT.setDesktopSize:
        return input.length < 8 ? 8 : 8 + 16 * input.peek(8).getUint8(6);
      case CLIENT.qemu:
        if (input.length < 2) return 2;
        return input.peek(2).getUint8(1) === QEMU_EXTENDED_KEY_EVENT ? 12 : undefined;
      default:
        return undefined;
    }
  }

  #handle(type: number, fields: DataView): void {
    switch (type) {
      case CLIENT.setPixelFormat:
        this.#setPixelFormat(fields);
        break;
      case CLIENT.setEncodings:
        this.#setEncodings(fields);
        break;
      case CLIENT.framebufferUpdateRequest:
        this.#updateRequest(fields);
        break;
      case CLIENT.keyEvent:
        this.#keyboard.symbol(fields.getUint32(4), fields.getUint8(1) !== 0);
        this.#parts.happened();
        break;
      case CLIENT.pointerEvent: {
        const { width, height } = this.#surface;
        this.#pointer.event(fields.getUint8(1), fields.getUint16(2), fields.getUint16(4), width, height);
        this.#parts.happened();
        break;
      }
      case CLIENT.setDesktopSize:
        this.#setDesktopSize(fields);
        break;
      case CLIENT.qemu:
        this.#extendedKeyEvent(fields);
        break;
    }
  }

  #setPixelFormat(fields: DataView): void {
    const format = readClientPixels(fields, 4);
    if (format === undefined) {
      this.#close();
      return;
    }
    this.#writer = new PixelWriter(format);
    // Cursors are in this format, too.
    this.#cursorDue ||= this.#parts.display.cursor !== undefined;
  }

  #setEncodings(fields: DataView): void {
    const before = this.#encodings;
    const encodings = new Set<number>();
    const known: ReadonlySet<number> = new Set(Object.values(ENCODING));
    for (let at = 4; at < fields.byteLength; at += 4) {
      const encoding = fields.getInt32(at);
      if (known.has(encoding)) encodings.add(encoding);
    }
    this.#encodings = encodings;
    const isNew = (encoding: number): boolean => encodings.has(encoding) && !before.has(encoding);
    this.#keyEventsDue ||= isNew(ENCODING.qemuExtendedKeyEvent);
    this.#ledsDue ||= isNew(ENCODING.qemuLedState);
    const cursor = isNew(ENCODING.cursor) || isNew(ENCODING.cursorWithAlpha);
    this.#cursorDue ||= cursor && this.#parts.display.cursor !== undefined;
    if (isNew(ENCODING.extendedDesktopSize)) {
      // By which it learns that the server knows of this.
      this.#sizeDue ??= { reason: RESIZE_REASON.server, status: RESIZE_STATUS.ok };
    }
  }

  #updateRequest(fields: DataView): void {
    const u16 = (at: number): number => fields.getUint16(at);
    const area = { x: u16(2), y: u16(4), width: u16(6), height: u16(8) };
    if (fields.getUint8(1) === 0) this.#tiles.add(area);
    this.#wanted = union(this.#wanted, area);
    this.#parts.wanted();
  }

  #setDesktopSize(fields: DataView): void {
    const width = fields.getUint16(2);
    const height = fields.getUint16(4);
    const possible = width > 0 && height > 0;
    const forwarded = possible && this.#parts.display.requestSize(width, height);
    const status = forwarded
      ? RESIZE_STATUS.forwarded
      : possible
        ? RESIZE_STATUS.prohibited
        : RESIZE_STATUS.invalidLayout;
    this.#sizeDue = { reason: RESIZE_REASON.thisClient, status };
    this.#parts.happened();
    this.#parts.wanted();
  }

  #extendedKeyEvent(fields: DataView): void {
    const pressed = fields.getUint16(2) !== 0;
    const scancode = fields.getUint32(8);
    // Without a scancode the symbol has to do.
    if (scancode === 0) this.#keyboard.symbol(fields.getUint32(4), pressed);
    else this.#keyboard.scancode(scancode, pressed);
    this.#parts.happened();
  }
}
