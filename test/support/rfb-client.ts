// A client of the Remote Framebuffer protocol for tests: it keeps a picture of what it is shown, from Raw and ZRLE rectangles.

import { connect } from "node:net";
import { constants, createInflate, type Inflate } from "node:zlib";
import { encryptChallenge } from "../../src/hosts/node/vnc-password.ts";

export const ENCODINGS = {
  ...{ raw: 0, zrle: 16, desktopSize: -223, cursor: -239, extendedKeys: -258, leds: -261 },
  ...{ extendedDesktopSize: -308, cursorWithAlpha: -314 },
} as const;

export interface Bytes {
  write(bytes: Uint8Array): void;
  close(): void;
}

/** A rectangle of an update: what it was, and for pixels where. */
export interface Seen {
  readonly encoding: number;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

export class RfbClient {
  width = 0;
  height = 0;
  /** 0x00RRGGBB each. */
  pixels = new Uint32Array(0);
  name = "";
  /** Rectangles of all updates so far, without those of pixels. */
  readonly seen: Seen[] = [];
  updates = 0;
  ended = false;
  #out: Bytes = { write: () => {}, close: () => {} };
  #waiting: Uint8Array[] = [];
  #have = 0;
  #wake = (): void => {};
  #inflate: Inflate = createInflate({ finishFlush: constants.Z_SYNC_FLUSH });

  attach(out: Bytes): void {
    this.#out = out;
  }

  static async connect(port: number, password?: string): Promise<RfbClient> {
    const socket = connect(port, "127.0.0.1");
    const client = new RfbClient();
    client.attach({ write: (bytes) => void socket.write(bytes), close: () => void socket.destroy() });
    socket.on("data", (bytes: Buffer) => client.receive(bytes));
    socket.on("error", () => {});
    socket.on("close", () => client.end());
    await client.handshake(password);
    return client;
  }

  receive(bytes: Uint8Array): void {
    this.#waiting.push(bytes.slice());
    this.#have += bytes.length;
    this.#wake();
  }

  end(): void {
    this.ended = true;
    this.#wake();
  }

  close(): void {
    this.#out.close();
    this.#inflate.close();
  }

  /** The next bytes. @throws when the connection ends before. */
  async read(length: number): Promise<DataView> {
    while (this.#have < length) {
      if (this.ended) throw new Error("the server has ended the connection");
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const all = Buffer.concat(this.#waiting);
    this.#waiting = [all.subarray(length)];
    this.#have -= length;
    const bytes = Uint8Array.from(all.subarray(0, length));
    return new DataView(bytes.buffer);
  }

  send(...bytes: number[]): void {
    this.#out.write(Uint8Array.from(bytes));
  }

  /** @throws an Error with the server's reason when it refuses. */
  async handshake(password?: string, version = "RFB 003.008\n"): Promise<void> {
    await this.read(12);
    this.send(...Buffer.from(version));
    const count = (await this.read(1)).getUint8(0);
    const types = new Uint8Array((await this.read(count)).buffer);
    this.send(types[0] as number);
    if (types[0] === 2) {
      const challenge = new Uint8Array((await this.read(16)).buffer);
      this.send(...encryptChallenge(challenge, Buffer.from(password ?? "")));
    }
    if ((await this.read(4)).getUint32(0) !== 0) {
      const length = (await this.read(4)).getUint32(0);
      throw new Error(Buffer.from((await this.read(length)).buffer).toString());
    }
    this.send(1);
    const init = await this.read(24);
    this.#resize(init.getUint16(0), init.getUint16(2));
    this.name = Buffer.from((await this.read(init.getUint32(20))).buffer).toString();
  }

  setEncodings(...encodings: number[]): void {
    const message = new DataView(new ArrayBuffer(4 + 4 * encodings.length));
    message.setUint8(0, 2);
    message.setUint16(2, encodings.length);
    for (const [i, encoding] of encodings.entries()) message.setInt32(4 + 4 * i, encoding);
    this.#out.write(new Uint8Array(message.buffer));
  }

  request(incremental: boolean, width = this.width, height = this.height): void {
    this.send(3, incremental ? 1 : 0, 0, 0, 0, 0, width >> 8, width & 255, height >> 8, height & 255);
  }

  key(keysym: number, pressed: boolean): void {
    this.send(4, pressed ? 1 : 0, 0, 0, keysym >>> 24, (keysym >> 16) & 255, (keysym >> 8) & 255, keysym & 255);
  }

  /** Types text that has no line feeds, and Return. */
  async type(text: string): Promise<void> {
    for (const symbol of [...[...text].map((character) => character.charCodeAt(0)), 0xff0d]) {
      this.key(symbol, true);
      this.key(symbol, false);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  pointer(mask: number, x: number, y: number): void {
    this.send(5, mask, x >> 8, x & 255, y >> 8, y & 255);
  }

  /** Reads one update. */
  async update(): Promise<void> {
    const head = await this.read(4);
    if (head.getUint8(0) !== 0) throw new Error(`message ${head.getUint8(0)}`);
    for (let i = 0; i < head.getUint16(2); i++) await this.#rectangle();
    this.updates++;
  }

  async #rectangle(): Promise<void> {
    const head = await this.read(12);
    const [x, y, width, height] = [0, 2, 4, 6].map((at) => head.getUint16(at)) as [number, number, number, number];
    const encoding = head.getInt32(8);
    const data = async (length: number): Promise<Uint8Array> => new Uint8Array((await this.read(length)).buffer);
    let bytes = new Uint8Array(0);
    switch (encoding) {
      case ENCODINGS.raw: {
        const words = new Uint32Array((await data(width * height * 4)).buffer);
        for (const [i, word] of words.entries()) this.#put(x + (i % width), y + Math.floor(i / width), word);
        return;
      }
      case ENCODINGS.zrle:
        await this.#zrle(x, y, width, height, await data((await this.read(4)).getUint32(0)));
        return;
      case ENCODINGS.desktopSize:
        this.#resize(width, height);
        break;
      case ENCODINGS.extendedDesktopSize:
        bytes = Uint8Array.from(await data(4));
        await data(16 * (bytes[0] as number));
        this.#resize(width, height);
        break;
      case ENCODINGS.cursor:
        bytes = Uint8Array.from(await data(width * height * 4 + Math.ceil(width / 8) * height));
        break;
      case ENCODINGS.cursorWithAlpha:
        bytes = Uint8Array.from(await data(4 + width * height * 4));
        break;
      case ENCODINGS.leds:
        bytes = Uint8Array.from(await data(1));
        break;
      case ENCODINGS.extendedKeys:
        break;
      default:
        throw new Error(`encoding ${encoding}`);
    }
    this.seen.push({ encoding, x, y, width, height, data: bytes });
  }

  async #zrle(x: number, y: number, width: number, height: number, compressed: Uint8Array): Promise<void> {
    const pieces: Buffer[] = [];
    const collect = (piece: Buffer): void => void pieces.push(piece);
    this.#inflate.on("data", collect);
    await new Promise<void>((resolve, reject) => {
      this.#inflate.once("error", reject);
      this.#inflate.write(compressed, () => {
        this.#inflate.off("error", reject);
        resolve();
      });
    });
    this.#inflate.off("data", collect);
    const bytes = Buffer.concat(pieces);
    let at = 0;
    const colour = (): number => {
      at += 3;
      return (bytes[at - 3] as number) | ((bytes[at - 2] as number) << 8) | ((bytes[at - 1] as number) << 16);
    };
    for (let top = y; top < y + height; top += 64) {
      for (let left = x; left < x + width; left += 64) {
        const w = Math.min(64, x + width - left);
        const h = Math.min(64, y + height - top);
        const kind = bytes[at++] as number;
        if (kind > 16) throw new Error(`subencoding ${kind}`);
        const palette = Array.from({ length: kind }, colour);
        const bits = kind === 2 ? 1 : kind <= 4 ? 2 : 4;
        for (let row = 0; row < h; row++) {
          let bit = 0;
          for (let column = 0; column < w; column++) {
            if (kind === 0) this.#put(left + column, top + row, colour());
            else if (kind === 1) this.#put(left + column, top + row, palette[0] as number);
            else {
              const index = ((bytes[at + (bit >> 3)] as number) >> (8 - bits - (bit & 7))) & ((1 << bits) - 1);
              this.#put(left + column, top + row, palette[index] as number);
              bit += bits;
            }
          }
          at += Math.ceil(bit / 8);
        }
      }
    }
    if (at !== bytes.length) throw new Error(`${bytes.length - at} bytes too many`);
  }

  #put(x: number, y: number, pixel: number): void {
    if (x >= this.width || y >= this.height) throw new Error(`pixel ${x},${y} of ${this.width}x${this.height}`);
    this.pixels[y * this.width + x] = pixel & 0xff_ffff;
  }

  #resize(width: number, height: number): void {
    if (width === this.width && height === this.height) return;
    this.width = width;
    this.height = height;
    this.pixels = new Uint32Array(width * height);
  }
}
