// The server as its clients see it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ENCODINGS, RfbClient } from "../../../test/support/rfb-client.ts";
import { type Cursor, Display, type DisplaySource, type Rectangle, Surface } from "../../bus/display.ts";
import type { InputPort } from "../../bus/input.ts";
import { vncAuthentication } from "../../hosts/node/vnc-password.ts";
import { zlibStream } from "../../hosts/node/zlib-stream.ts";
import { RfbServer } from "./server.ts";

class TestSource implements DisplaySource {
  surface: Surface | undefined;
  cursor: Cursor | undefined;
  blank = false;
  polled = false;
  asked: number[] = [];
  answer = true;
  damage: Rectangle[] = [];

  refresh(damaged: (area: Rectangle) => void): void {
    for (const area of this.damage.splice(0)) damaged(area);
  }
  requestSize(width: number, height: number): boolean {
    this.asked.push(width, height);
    return this.answer;
  }
}

class Bench {
  readonly display = new Display();
  readonly source = new TestSource();
  readonly heard: unknown[][] = [];
  leds = { numLock: false, capsLock: false, scrollLock: false };
  #ledsChanged = (): void => {};
  readonly server: RfbServer;
  /** Resolves when a client may be sent more; undefined: at once. */
  blocked: Promise<void> | undefined;
  sent = 0;

  constructor(password?: string) {
    this.display.addSource(this.source);
    const bench = this;
    const input: InputPort = {
      key: (code, pressed) => this.heard.push(["key", code, pressed]),
      pointer: (x, y, buttons) => this.heard.push(["pointer", x, y, ...buttons]),
      wheel: (vertical, horizontal) => this.heard.push(["wheel", vertical, horizontal]),
      get leds() {
        return bench.leds;
      },
      onLeds: (listener) => {
        this.#ledsChanged = listener;
        return () => {};
      },
    };
    this.server = new RfbServer({
      ...{ display: this.display, input, name: "bench", deflater: zlibStream, happened: () => {} },
      authentication: password === undefined ? undefined : vncAuthentication(Buffer.from(password)),
      now: () => performance.now(),
      later: (_milliseconds, action) => void setTimeout(action, 1),
    });
  }

  setLeds(leds: Bench["leds"]): void {
    this.leds = leds;
    this.#ledsChanged();
  }

  show(width: number, height: number): Surface {
    const surface = new Surface(width, height);
    this.source.surface = surface;
    this.display.changed();
    return surface;
  }

  /** @returns a client before its handshake. */
  client(): RfbClient {
    const client = new RfbClient();
    const session = this.server.connect({
      write: (bytes) => {
        this.sent += bytes.length;
        client.receive(bytes);
      },
      drained: () => this.blocked ?? Promise.resolve(),
      close: () => client.end(),
      later: (milliseconds, action) => {
        // The handshake's time is longer than tests take.
        if (milliseconds < 5000) setTimeout(action, 1);
      },
    });
    client.attach({ write: (bytes) => session.receive(bytes), close: () => this.server.disconnected(session) });
    return client;
  }

  async open(...encodings: number[]): Promise<RfbClient> {
    const client = this.client();
    await client.handshake();
    if (encodings.length > 0) client.setEncodings(...encodings);
    return client;
  }

  change(surface: Surface, x: number, y: number, pixel: number): void {
    surface.pixels[y * surface.width + x] = pixel;
    this.source.damage.push({ x, y, width: 1, height: 1 });
    this.display.stirred(this.source);
  }
}

const at = (client: RfbClient, x: number, y: number): number | undefined => client.pixels[y * client.width + x];

for (const encoding of ["raw", "zrle"] as const) {
  test(`a client sees the picture and what changes, as ${encoding}`, async () => {
    const bench = new Bench();
    const surface = bench.show(150, 70);
    // One tile of one colour, one of two, one of sixteen, and one of all.
    for (let y = 0; y < 70; y++) {
      for (let x = 0; x < 150; x++) {
        const tile = (x >> 6) + 3 * (y >> 6);
        const pixel = [0x123456, (x ^ y) & 1 ? 0xffffff : 0, ((x + y) % 16) * 0x010305, x * y * 7 + x][
          tile % 4
        ] as number;
        surface.pixels[y * 150 + x] = (0xff00_0000 | pixel) >>> 0;
      }
    }
    const client = await bench.open(ENCODINGS[encoding]);
    assert.deepEqual([client.width, client.height, client.name], [150, 70, "bench"]);
    client.request(false);
    await client.update();
    const swapped = [...surface.pixels].map((p) => ((p & 0xff) << 16) | (p & 0xff00) | ((p >>> 16) & 0xff));
    assert.deepEqual([...client.pixels], swapped);
    client.request(true);
    bench.change(surface, 149, 69, 0xff00_00ff);
    await client.update();
    assert.equal(at(client, 149, 69), 0xff0000);
    client.close();
  });
}

test("pixels are sent in the format that a client wants", async () => {
  const bench = new Bench();
  bench.show(1, 1).pixels[0] = 0xff33_2211;
  const client = await bench.open(ENCODINGS.raw);
  // 16 bits, big-endian, 5-6-5.
  client.send(0, 0, 0, 0, 16, 16, 1, 1, 0, 31, 0, 63, 0, 31, 11, 5, 0, 0, 0, 0);
  client.request(false);
  const update = await client.read(4 + 12 + 2);
  assert.equal(update.getUint16(16), (2 << 11) | (8 << 5) | 6);
  client.close();
});

test("with a password, only those get in who know it", async () => {
  const bench = new Bench("secret");
  await bench.client().handshake("secret");
  await assert.rejects(bench.client().handshake("Secret"), /wrong password/);
  await assert.rejects(bench.client().handshake(""), /wrong password/);
  const early = bench.client();
  await early.read(12);
  early.send(...Buffer.from("RFB 003.008\n"));
  assert.deepEqual(new Uint8Array((await early.read(2)).buffer), Uint8Array.of(1, 2));
  early.send(1);
  assert.equal((await early.read(4)).getUint32(0), 1);
  early.key(0x61, true);
  assert.deepEqual(bench.heard, []);
});

test("versions 3.3 and 3.7 are spoken, too, and what is no version is not", async () => {
  const bench = new Bench();
  const old = bench.client();
  await old.read(12);
  old.send(...Buffer.from("RFB 003.003\n"), 1);
  assert.equal((await old.read(4)).getUint32(0), 1);
  assert.equal((await old.read(2)).getUint16(0), 640);
  const middle = bench.client();
  await middle.read(12);
  middle.send(...Buffer.from("RFB 003.007\n"), 1, 1);
  await middle.read(2);
  assert.equal((await middle.read(2)).getUint16(0), 640);
  const web = bench.client();
  await web.read(12);
  web.send(...Buffer.from("POST / HTTP/1.1\r\n"));
  assert.equal(web.ended, true);
});

test("keys by their symbol: Shift is what the guest's keyboard needs", async () => {
  const bench = new Bench();
  const client = await bench.open();
  const keys = (...symbols: [number, boolean][]): unknown[][] => {
    bench.heard.length = 0;
    for (const [symbol, pressed] of symbols) client.key(symbol, pressed);
    return bench.heard.map(([, code, pressed]) => [code, pressed]);
  };
  assert.deepEqual(keys([0x61, true], [0x61, false]), [
    [30, true],
    [30, false],
  ]);
  assert.deepEqual(keys([0xffe1, true], [0x41, true], [0x41, false], [0xffe1, false]), [
    [42, true],
    [30, true],
    [30, false],
    [42, false],
  ]);
  // "!" without Shift, as from a telephone; "/" with it, as from a German keyboard.
  assert.deepEqual(keys([0x21, true], [0x21, false]), [
    [42, true],
    [2, true],
    [42, false],
    [2, false],
  ]);
  assert.deepEqual(keys([0xffe1, true], [0x2f, true], [0x2f, false], [0xffe1, false]), [
    [42, true],
    [42, false],
    [53, true],
    [42, true],
    [53, false],
    [42, false],
  ]);
  bench.leds = { ...bench.leds, capsLock: true };
  assert.deepEqual(keys([0x41, true], [0x41, false]), [
    [30, true],
    [30, false],
  ]);
  assert.deepEqual(keys([0xff0d, true], [0xff52, true], [0xffc9, true], [0x12345678, true]), [
    [28, true],
    [103, true],
    [88, true],
  ]);
});

test("keys by their place, for clients that can, and all are let go when one goes", async () => {
  const bench = new Bench();
  const client = await bench.open(ENCODINGS.extendedKeys);
  client.request(true);
  await client.update();
  assert.deepEqual(
    client.seen.map(({ encoding }) => encoding),
    [ENCODINGS.extendedKeys],
  );
  const key = (scancode: number, pressed: boolean): void =>
    client.send(255, 0, 0, pressed ? 1 : 0, 0, 0, 0, 0, 0, 0, 0, scancode);
  key(0x1e, true);
  key(0x9d, true);
  key(0xff, true);
  client.pointer(1, 0, 0);
  client.close();
  assert.deepEqual(bench.heard, [
    ["key", 30, true],
    ["key", 97, true],
    ["pointer", 0, 0, "left"],
    ["key", 30, false],
    ["key", 97, false],
    ["pointer", 0, 0],
  ]);
});

test("the pointer has the whole picture for its range, and its wheel has notches", async () => {
  const bench = new Bench();
  bench.show(101, 11);
  const client = await bench.open();
  client.pointer(0, 100, 10);
  client.pointer(4, 50, 65535);
  client.pointer(8, 0, 0);
  client.pointer(0, 0, 0);
  assert.deepEqual(bench.heard, [
    ["pointer", 0x7fff, 0x7fff],
    ["pointer", 0x4000, 0x7fff, "right"],
    ["pointer", 0, 0],
    ["wheel", 1, 0],
    ["pointer", 0, 0],
  ]);
});

test("a client asks for another size, and is told what has become of it", async () => {
  const bench = new Bench();
  bench.show(64, 64);
  const client = await bench.open(ENCODINGS.raw, ENCODINGS.extendedDesktopSize);
  client.request(true);
  await client.update();
  const screen = [0, 0, 0, 0, 0, 0, 0, 0, 3, 32, 2, 88, 0, 0, 0, 0];
  client.send(251, 0, 3, 32, 2, 88, 1, 0, ...screen);
  client.request(true);
  await client.update();
  assert.deepEqual(bench.source.asked, [800, 600]);
  assert.deepEqual(
    client.seen.map(({ x, y, width }) => [x, y, width]),
    [
      [0, 0, 64],
      [1, 4, 64],
    ],
  );
  client.request(true);
  bench.show(800, 600);
  await client.update();
  assert.deepEqual([client.width, client.height, client.pixels.length], [800, 600, 480_000]);
  bench.source.answer = false;
  client.send(251, 0, 3, 32, 2, 88, 1, 0, ...screen);
  client.send(251, 0, 0, 0, 0, 0, 0, 0);
  client.request(true);
  await client.update();
  assert.deepEqual([client.seen.at(-1)?.x, client.seen.at(-1)?.y], [1, 3]);
});

test("a client that cannot change its size is shown what there is room for", async () => {
  const bench = new Bench();
  bench.show(64, 64);
  const client = await bench.open(ENCODINGS.raw);
  client.request(false);
  await client.update();
  client.request(true);
  bench.show(200, 10).pixels.fill(0xffff_ffff);
  await client.update();
  assert.deepEqual([client.width, at(client, 63, 9), at(client, 0, 10)], [64, 0xffffff, 0]);
});

test("cursors, with alpha for those who want it", async () => {
  const bench = new Bench();
  bench.show(8, 8);
  const plain = await bench.open(ENCODINGS.raw, ENCODINGS.cursor);
  const alpha = await bench.open(ENCODINGS.raw, ENCODINGS.cursorWithAlpha);
  bench.source.cursor = { width: 2, height: 1, hotX: 1, hotY: 0, pixels: Uint32Array.of(0xff00_00ff, 0x1000_0000) };
  bench.display.changed();
  for (const client of [plain, alpha]) {
    client.request(true);
    await client.update();
  }
  const [cursor] = plain.seen;
  assert.deepEqual([cursor?.x, cursor?.width], [1, 2]);
  assert.deepEqual([...(cursor?.data ?? [])], [0, 0, 0xff, 0, 0, 0, 0, 0, 0x80]);
  assert.deepEqual([...(alpha.seen[0]?.data ?? [])], [0, 0, 0, 0, 0xff, 0, 0, 0xff, 0, 0, 0, 0x10]);
  bench.source.cursor = undefined;
  bench.display.changed();
  plain.request(true);
  await plain.update();
  assert.equal(plain.seen.at(-1)?.width, 0);
});

test("the keyboard's lights are told", async () => {
  const bench = new Bench();
  const client = await bench.open(ENCODINGS.leds);
  client.request(true);
  await client.update();
  client.request(true);
  await new Promise((resolve) => setTimeout(resolve, 20));
  bench.setLeds({ numLock: true, capsLock: true, scrollLock: false });
  await client.update();
  assert.deepEqual(
    client.seen.map(({ encoding, data }) => [encoding, data[0]]).filter(([encoding]) => encoding === ENCODINGS.leds),
    [
      [ENCODINGS.leds, 0],
      [ENCODINGS.leds, 6],
    ],
  );
});

test("a client that does not read is sent one rectangle, and keeps nobody waiting", async () => {
  const bench = new Bench();
  const surface = bench.show(1024, 1024);
  const slow = await bench.open(ENCODINGS.raw);
  let drain = (): void => {};
  bench.blocked = new Promise((resolve) => {
    drain = resolve;
  });
  slow.request(false);
  await new Promise((resolve) => setTimeout(resolve, 100));
  const before = bench.sent;
  for (let i = 0; i < 1000; i++) {
    slow.request(i % 2 === 0);
    bench.change(surface, i, i, 0xff00_0000 + i);
  }
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(bench.sent, before);
  assert.ok(before < 1.2 * 2 ** 20, `${before} bytes`);
  bench.blocked = undefined;
  const quick = await bench.open(ENCODINGS.zrle);
  quick.request(false);
  await quick.update();
  assert.equal(at(quick, 999, 999), 0xe70300);
  drain();
  await slow.update();
  await slow.update();
  assert.equal(at(slow, 999, 999), 0xe70300);
});

test("what a client copies is passed by, and what is no message ends the connection", async () => {
  const bench = new Bench();
  const client = await bench.open();
  client.send(6, 0, 0, 0, 0, 0, 0, 5, 104, 101);
  client.send(108, 108, 111, 4, 1, 0, 0, 0, 0, 0, 0x61);
  // An extension's length is below 0.
  client.send(6, 0, 0, 0, 0xff, 0xff, 0xff, 0xfe, 1, 2, 4, 0, 0, 0, 0, 0, 0, 0x61);
  assert.deepEqual(
    bench.heard.map(([, code, pressed]) => [code, pressed]),
    [
      [30, true],
      [30, false],
    ],
  );
  client.send(99);
  assert.equal(client.ended, true);
  const colourMap = await bench.open();
  colourMap.send(0, 0, 0, 0, 8, 8, 0, 0, 0, 7, 0, 7, 0, 3, 0, 3, 6, 0, 0, 0);
  assert.equal(colourMap.ended, true);
});
