// Clients that say what makes little sense: to an RFB server whose display changes meanwhile.

import { type Cursor, Display, type DisplaySource, type Rectangle, Surface } from "../../src/bus/display.ts";
import type { InputPort } from "../../src/bus/input.ts";
import { vncAuthentication } from "../../src/hosts/node/vnc-password.ts";
import { CLIENT, ENCODING } from "../../src/network/rfb/messages.ts";
import { RfbServer } from "../../src/network/rfb/server.ts";
import type { RfbSession } from "../../src/network/rfb/session.ts";
import type { Random } from "../vectors/inputs.ts";

const SIZES = [1, 2, 63, 64, 65, 200] as const;
/** Messages of a conversation. */
export const MESSAGES = 40;
/** Bytes that a server may hold for a client: a rectangle, and a little. */
const BACKLOG_MAX = 4 * 256 * 1024 + 0x1_0000;

class Source implements DisplaySource {
  surface: Surface | undefined;
  cursor: Cursor | undefined;
  readonly blank = false;
  polled = false;
  #random: Random | undefined;

  change(random: Random, display: Display): void {
    this.#random = random;
    if (random.below(4) === 0) {
      this.surface = random.below(4) === 0 ? undefined : new Surface(random.pick(SIZES), random.pick(SIZES));
      this.polled = random.below(2) === 0;
    }
    if (random.below(4) === 0) {
      const [width, height] = [random.below(9), random.below(9)];
      const pixels = Uint32Array.from({ length: width * height }, () => random.u32());
      this.cursor = random.below(3) === 0 ? undefined : { width, height, hotX: 0, hotY: 0, pixels };
    }
    display.changed();
    display.stirred(this);
  }

  refresh(damaged: (area: Rectangle) => void): void {
    const { surface } = this;
    const random = this.#random;
    if (surface === undefined || random === undefined) return;
    const [x, y] = [random.below(surface.width), random.below(surface.height)];
    surface.pixels[y * surface.width + x] = random.u32();
    damaged({ x, y, width: random.below(300), height: random.below(300) });
  }

  requestSize(): boolean {
    return true;
  }
}

/** What a server sends is counted; it must not grow while nobody reads. */
class Client {
  readonly session: RfbSession;
  unread = 0;
  /** ... at any time. */
  most = 0;
  /** It was sent some. */
  pixels = false;
  closed = false;
  reads = true;
  #drained: (() => void)[] = [];

  constructor(server: RfbServer, later: (action: () => void) => void) {
    this.session = server.connect({
      write: (bytes) => {
        if (!this.reads) this.unread += bytes.length;
        this.most = Math.max(this.most, this.unread);
        this.pixels ||= bytes.length > 200;
      },
      drained: () =>
        this.reads || this.closed ? Promise.resolve() : new Promise((resolve) => this.#drained.push(resolve)),
      close: () => {
        this.closed = true;
      },
      later: (milliseconds, action) => {
        if (milliseconds < 10_000) later(action);
      },
    });
  }

  read(): void {
    this.unread = 0;
    for (const resolve of this.#drained.splice(0)) resolve();
  }
}

export class RfbFuzzer {
  readonly #display = new Display();
  readonly #source = new Source();
  readonly #waiting: (() => void)[] = [];
  readonly #servers: readonly RfbServer[];
  #time = 0;
  /** Clients that were sent pixels. */
  served = 0;
  #pressed = new Set<number>();

  constructor() {
    this.#display.addSource(this.#source);
    const input: InputPort = {
      key: (code, pressed) => {
        if (!Number.isInteger(code) || code < 1 || code > 255) throw new Error(`key ${code}`);
        if (pressed) this.#pressed.add(code);
        else this.#pressed.delete(code);
      },
      pointer: (x, y) => {
        if (!(x >= 0 && x <= 0x7fff && y >= 0 && y <= 0x7fff)) throw new Error(`pointer at ${x},${y}`);
      },
      wheel: () => {},
      leds: { numLock: false, capsLock: false, scrollLock: false },
      onLeds: () => () => {},
    };
    this.#servers = [undefined, vncAuthentication(Buffer.from("secret"))].map(
      (authentication) =>
        new RfbServer({
          ...{ display: this.#display, input, name: "fuzz", authentication, happened: () => {} },
          // A stream that does not compress: zlib is not what is looked for.
          deflater: () => ({ deflate: async (bytes) => bytes, close: () => {} }),
          now: () => this.#time,
          later: (_milliseconds, action) => void this.#waiting.push(action),
        }),
    );
  }

  /** One conversation. @throws what a server throws, or an Error that says what it has done. */
  async conversation(random: Random): Promise<void> {
    const server = random.below(8) === 0 ? this.#servers[1]! : this.#servers[0]!;
    const client = new Client(server, (action) => this.#waiting.push(action));
    client.reads = random.below(3) > 0;
    const bytes: number[] = [];
    if (random.below(20) > 0) {
      const version = random.pick([3, 7, 8, 8, 8, 9]);
      bytes.push(...Buffer.from(`RFB 003.00${version}\n`), ...(version === 3 ? [1] : [1, 1]));
    }
    for (let i = 0; i < MESSAGES; i++) bytes.push(...message(random));
    // In pieces of any size.
    for (let at = 0; at < bytes.length; ) {
      const length = random.pick([1, 7, 64, 1000]);
      client.session.receive(Uint8Array.from(bytes.slice(at, at + length)));
      at += length;
      if (random.below(4) === 0) this.#source.change(random, this.#display);
      if (random.below(3) === 0) await this.#turn();
      if (client.reads || random.below(8) === 0) client.read();
    }
    for (let i = 0; i < 4; i++) await this.#turn();
    client.closed = true;
    client.read();
    if (client.pixels) this.served++;
    if (client.most > BACKLOG_MAX) throw new Error(`${client.most} bytes waited for a client that did not read`);
    server.disconnected(client.session);
    await this.#turn();
    if (this.#pressed.size > 0) throw new Error(`keys ${[...this.#pressed]} stay pressed`);
    if (this.#waiting.length > 20) throw new Error(`${this.#waiting.length} actions wait`);
  }

  async #turn(): Promise<void> {
    this.#time += 100;
    for (const action of this.#waiting.splice(0)) action();
    await null;
    await null;
    await null;
  }
}

function message(random: Random): number[] {
  const u8 = (): number => random.pick([0, 0, 1, 1, 255, random.below(256)]);
  const u16 = (): number[] =>
    random.pick([
      [0, 0],
      [0, 1],
      [0, 64],
      [255, 255],
      [u8(), u8()],
    ]);
  const u32 = (): number[] => [...u16(), ...u16()];
  const of = (count: number, make: () => number[]): number[] => Array.from({ length: count }, make).flat();
  switch (random.below(10)) {
    case 0: {
      const odd = random.below(100) === 0;
      const bits = odd ? u8() : random.pick([8, 16, 32, 32]);
      const shift = (): number => (odd ? u8() : random.below(bits));
      const shifts = [shift(), shift(), shift()];
      return [CLIENT.setPixelFormat, 0, 0, 0, bits, u8(), u8(), odd ? 0 : 1, ...of(3, u16), ...shifts, 0, 0, 0];
    }
    case 1: {
      const known = Object.values(ENCODING);
      const count = random.below(6);
      const encoding = (): number[] => {
        const number = random.below(4) === 0 ? random.u32() : random.pick(known);
        return [number >>> 24, number >>> 16, number >>> 8, number].map((byte) => byte & 0xff);
      };
      return [CLIENT.setEncodings, 0, 0, count, ...of(count, encoding)];
    }
    case 2:
    case 3:
    case 4:
      return [CLIENT.framebufferUpdateRequest, u8(), ...of(4, u16)];
    case 5:
      return [CLIENT.keyEvent, u8(), 0, 0, ...random.pick([[0, 0, 0, random.below(128)], [0, 0, 0xff, u8()], u32()])];
    case 6:
      return [CLIENT.pointerEvent, u8(), ...u16(), ...u16()];
    case 7: {
      const length = random.below(20);
      return random.below(200) === 0
        ? [CLIENT.clientCutText, 0, 0, 0, ...u32()]
        : [CLIENT.clientCutText, 0, 0, 0, 0, 0, 0, length, ...of(length, () => [u8()])];
    }
    case 8: {
      const screens = random.below(3);
      return [CLIENT.setDesktopSize, 0, ...u16(), ...u16(), screens, 0, ...of(screens * 4, u32)];
    }
    default:
      if (random.below(200) === 0) return of(random.below(30), () => [random.below(256)]);
      return [CLIENT.qemu, 0, ...u16(), ...u32(), 0, 0, 0, u8()];
  }
}
