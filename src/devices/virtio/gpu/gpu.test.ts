import assert from "node:assert/strict";
import { test } from "node:test";
import { RAM, TestDriver } from "../../../../test/support/virtio-driver.ts";
import { Display, type Rectangle } from "../../../bus/display.ts";
import { Fields } from "../../../snapshot/fields.ts";
import { CONFIG, INTERRUPT_STATUS, STATUS } from "../mmio.ts";
import { COMMAND, RESPONSE } from "./commands.ts";
import { VirtioGpu } from "./gpu.ts";

const EDID = 1 << 1;
const CURSORQ = 1;
/** B8G8R8X8, and with alpha. */
const BGRX = 2;
const BGRA = 1;

class Gpu {
  readonly display = new Display();
  readonly driver: TestDriver;
  readonly damaged: Rectangle[] = [];
  cursors = 0;
  stirs = 0;

  constructor() {
    this.driver = new TestDriver((memory) => new VirtioGpu(memory, this.display));
    this.driver.start(EDID, 2);
    this.display.addViewer({
      surfaceChanged: () => {},
      stirred: () => this.stirs++,
      damaged: (area) => this.damaged.push(area),
      cursorChanged: () => this.cursors++,
    });
  }

  /** A request of 32-bit words after the header. @returns its response. */
  request(type: number, words: readonly number[] = [], { room = 24, flags = 0, fence = 0, queue = 0 } = {}): DataView {
    const message = Uint32Array.of(type, flags, fence, 0, 0, 0, ...words);
    // Each test does few requests: the driver's memory is enough for them.
    const before = this.driver.used(queue).length;
    const offsets = this.driver.offer(queue, [new Uint8Array(message.buffer), room]);
    this.driver.notify(queue);
    const used = this.driver.used(queue);
    assert.equal(used.length, before + 1, "the request has been used");
    const bytes = this.driver.memory.bytes.slice(offsets[1], (offsets[1] as number) + (used.at(-1)?.length ?? 0));
    return new DataView(bytes.buffer);
  }

  type(type: number, words: readonly number[] = []): number {
    return this.request(type, words).getUint32(0, true);
  }

  create(id: number, width: number, height: number, format = BGRX): number {
    return this.type(COMMAND.resourceCreate2d, [id, format, width, height]);
  }

  /** @param pieces of memory: offset and length. */
  attach(id: number, ...pieces: readonly (readonly [number, number])[]): number {
    const entries = pieces.flatMap(([at, length]) => [RAM + at, 0, length, 0]);
    return this.type(COMMAND.resourceAttachBacking, [id, pieces.length, ...entries]);
  }

  transfer(id: number, [x, y, width, height]: readonly number[], offset = 0, high = 0): number {
    return this.type(COMMAND.transferToHost2d, [x!, y!, width!, height!, offset, high, id, 0]);
  }

  scanout(id: number, [x, y, width, height]: readonly number[], scanout = 0): number {
    return this.type(COMMAND.setScanout, [x!, y!, width!, height!, scanout, id]);
  }

  flush(id: number, [x, y, width, height]: readonly number[]): number {
    return this.type(COMMAND.resourceFlush, [x!, y!, width!, height!, id, 0]);
  }

  fill(at: number, words: readonly number[]): void {
    for (const [i, word] of words.entries()) this.driver.memory.data.setUint32(at + 4 * i, word, true);
  }

  /** As 0xRRGGBB. */
  shown(): number[] {
    this.display.refresh();
    return [...(this.display.surface?.pixels ?? [])].map(
      (p) => ((p & 0xff) << 16) | (p & 0xff00) | ((p >>> 16) & 0xff),
    );
  }
}

const AT = 0xc000;

test("what the driver draws, transfers and flushes is shown", () => {
  const gpu = new Gpu();
  assert.equal(gpu.create(1, 4, 2), RESPONSE.okNoData);
  // Two pieces, of which the first ends within a row.
  assert.equal(gpu.attach(1, [AT, 12], [AT + 0x100, 20]), RESPONSE.okNoData);
  gpu.fill(AT, [1, 2, 0xff0203]);
  gpu.fill(AT + 0x100, [4, 5, 6, 7, 8]);
  assert.equal(gpu.transfer(1, [0, 0, 4, 2]), RESPONSE.okNoData);
  assert.equal(gpu.scanout(1, [0, 0, 4, 2]), RESPONSE.okNoData);
  assert.equal(gpu.flush(1, [0, 0, 4, 2]), RESPONSE.okNoData);
  assert.deepEqual(gpu.shown(), [1, 2, 0xff0203, 4, 5, 6, 7, 8]);
  assert.deepEqual(gpu.damaged, [{ x: 0, y: 0, width: 4, height: 2 }]);
});

test("a part of a resource comes from its place in the backing, and only what has changed is damage", () => {
  const gpu = new Gpu();
  gpu.create(1, 4, 3);
  gpu.attach(1, [AT, 48]);
  gpu.scanout(1, [0, 0, 4, 3]);
  gpu.flush(1, [0, 0, 4, 3]);
  gpu.shown();
  gpu.fill(
    AT,
    Array.from({ length: 12 }, (_, i) => i + 1),
  );
  gpu.damaged.length = 0;
  assert.equal(gpu.transfer(1, [1, 1, 2, 2], 4 * (4 + 1)), RESPONSE.okNoData);
  gpu.flush(1, [0, 1, 4, 2]);
  assert.deepEqual(gpu.shown(), [0, 0, 0, 0, 0, 6, 7, 0, 0, 10, 11, 0]);
  assert.deepEqual(gpu.damaged, [{ x: 1, y: 1, width: 2, height: 2 }]);
});

test("a scanout may be a part of a resource; without a resource it shows nothing", () => {
  const gpu = new Gpu();
  gpu.create(1, 4, 3);
  gpu.attach(1, [AT, 48]);
  gpu.fill(
    AT,
    Array.from({ length: 12 }, (_, i) => i + 1),
  );
  gpu.transfer(1, [0, 0, 4, 3]);
  gpu.scanout(1, [1, 1, 2, 2]);
  gpu.flush(1, [0, 0, 4, 3]);
  assert.deepEqual(gpu.shown(), [6, 7, 10, 11]);
  assert.equal(gpu.scanout(0, [0, 0, 0, 0]), RESPONSE.okNoData);
  assert.equal(gpu.display.surface, undefined);
});

for (const [name, format, word] of [
  ["B8G8R8A8", 1, 0xff112233],
  ["A8R8G8B8", 3, 0x332211ff],
  ["X8R8G8B8", 4, 0x332211ff],
  ["R8G8B8A8", 67, 0xff332211],
  ["X8B8G8R8", 68, 0x112233ff],
  ["A8B8G8R8", 121, 0x112233ff],
  ["R8G8B8X8", 134, 0xff332211],
] as const) {
  test(`pixels as ${name}`, () => {
    const gpu = new Gpu();
    gpu.create(1, 1, 1, format);
    gpu.attach(1, [AT, 4]);
    gpu.fill(AT, [word]);
    gpu.transfer(1, [0, 0, 1, 1]);
    gpu.scanout(1, [0, 0, 1, 1]);
    gpu.flush(1, [0, 0, 1, 1]);
    assert.deepEqual(gpu.shown(), [0x112233]);
    assert.equal(gpu.display.surface?.bytes[3], 255);
  });
}

test("the monitor says which size it prefers, and that it has changed", () => {
  const gpu = new Gpu();
  const size = (): number[] => {
    const info = gpu.request(COMMAND.getDisplayInfo, [], { room: 408 });
    assert.equal(info.byteLength, 408);
    return [32, 36, 40].map((at) => info.getUint32(at, true));
  };
  assert.deepEqual(size(), [1280, 800, 1]);
  gpu.create(1, 4, 4);
  gpu.scanout(1, [0, 0, 4, 4]);
  assert.equal(gpu.display.requestSize(1024, 700), true);
  assert.equal(gpu.driver.read(CONFIG), 1);
  assert.equal(gpu.driver.read(INTERRUPT_STATUS) & 2, 2);
  assert.deepEqual(size(), [1024, 700, 1]);
  gpu.driver.write(CONFIG + 4, 1);
  assert.equal(gpu.driver.read(CONFIG), 0);
  assert.equal(gpu.display.requestSize(9999, 1), true);
  assert.deepEqual(size(), [4095, 64, 1]);
});

test("the EDID is sound, and prefers that size", () => {
  const gpu = new Gpu();
  const response = gpu.request(COMMAND.getEdid, [0, 0], { room: 1056 });
  assert.equal(response.getUint32(0, true), RESPONSE.okEdid);
  assert.equal(response.getUint32(24, true), 128);
  const edid = new Uint8Array(response.buffer, 32, 128);
  assert.deepEqual([...edid.subarray(0, 8)], [0, 255, 255, 255, 255, 255, 255, 0]);
  assert.equal(edid.reduce((sum, byte) => sum + byte, 0) & 0xff, 0);
  assert.equal(edid[56]! | ((edid[58]! >> 4) << 8), 1280);
  assert.equal(edid[59]! | ((edid[61]! >> 4) << 8), 800);
  assert.equal(gpu.type(COMMAND.getEdid, [1, 0]), RESPONSE.errInvalidScanoutId);
});

test("a fenced request's response has its fence", () => {
  const gpu = new Gpu();
  const response = gpu.request(COMMAND.resourceCreate2d, [1, BGRX, 1, 1], { flags: 1, fence: 77 });
  assert.deepEqual([response.getUint32(4, true), response.getUint32(8, true)], [1, 77]);
});

test("a cursor is shown, replaced and hidden", () => {
  const gpu = new Gpu();
  gpu.create(1, 8, 8);
  gpu.scanout(1, [0, 0, 8, 8]);
  gpu.create(2, 64, 64, BGRA);
  gpu.attach(2, [AT, 64 * 64]);
  gpu.fill(AT, [0x80112233]);
  gpu.transfer(2, [0, 0, 64, 16]);
  gpu.request(COMMAND.updateCursor, [0, 5, 5, 0, 2, 3, 999, 0], { queue: CURSORQ });
  const { cursor } = gpu.display;
  assert.deepEqual([cursor?.width, cursor?.hotX, cursor?.hotY, cursor?.pixels[0]], [64, 3, 63, 0x80332211]);
  gpu.request(COMMAND.moveCursor, [0, 6, 6, 0, 2, 0, 0, 0], { queue: CURSORQ });
  gpu.request(COMMAND.updateCursor, [0, 5, 5, 0, 0, 0, 0, 0], { queue: CURSORQ });
  assert.equal(gpu.display.cursor, undefined);
  assert.equal(gpu.cursors, 2);
  const wrong = gpu.request(COMMAND.updateCursor, [0, 0, 0, 0, 1, 0, 0, 0], { queue: CURSORQ });
  assert.equal(wrong.getUint32(0, true), RESPONSE.errInvalidParameter);
});

const HUGE = 0xffff_ffff;

test("requests that make no sense are refused, and do nothing", () => {
  const gpu = new Gpu();
  const { errInvalidParameter, errInvalidResourceId, errInvalidScanoutId, errOutOfMemory, errUnspec } = RESPONSE;
  assert.equal(gpu.create(0, 4, 4), errInvalidResourceId);
  assert.equal(gpu.create(1, 4, 4, 5), errInvalidParameter);
  assert.equal(gpu.create(1, 0, 4), errInvalidParameter);
  assert.equal(gpu.create(1, HUGE, HUGE), errOutOfMemory);
  assert.equal(gpu.create(1, 4, 4), RESPONSE.okNoData);
  assert.equal(gpu.create(1, 4, 4), errInvalidResourceId);
  assert.equal(gpu.transfer(1, [0, 0, 4, 4]), errUnspec);
  assert.equal(gpu.type(COMMAND.resourceDetachBacking, [1, 0]), errUnspec);
  assert.equal(gpu.attach(1, [-4, 8]), errUnspec);
  assert.equal(gpu.attach(1, [0xfff0, 32]), errUnspec);
  assert.equal(gpu.type(COMMAND.resourceAttachBacking, [1, 0x1000_0001]), errInvalidParameter);
  assert.equal(gpu.attach(9, [AT, 4]), errInvalidResourceId);
  assert.equal(gpu.attach(1, [AT, 64]), RESPONSE.okNoData);
  assert.equal(gpu.attach(1, [AT, 64]), errUnspec);
  for (const area of [
    [1, 0, 4, 4],
    [0, 1, 4, 4],
    [HUGE, 0, 2, 1],
    [0, 0, HUGE, HUGE],
    [4, 4, 1, 1],
  ]) {
    assert.equal(gpu.transfer(1, area), errInvalidParameter);
    assert.equal(gpu.scanout(1, area), errInvalidParameter);
    assert.equal(gpu.flush(1, area), errInvalidParameter);
  }
  assert.equal(gpu.scanout(1, [0, 0, 0, 0]), errInvalidParameter);
  assert.equal(gpu.scanout(1, [0, 0, 4, 4], 1), errInvalidScanoutId);
  assert.equal(gpu.scanout(9, [0, 0, 4, 4]), errInvalidResourceId);
  assert.equal(gpu.type(0x0108), errUnspec);
  assert.equal(gpu.type(COMMAND.resourceFlush), errInvalidParameter);
  assert.equal(gpu.display.surface, undefined);
  assert.ok(gpu.driver.memory.guardsIntact());
});

test("offsets beyond the backing transfer nothing", () => {
  const gpu = new Gpu();
  gpu.create(1, 2, 1);
  gpu.attach(1, [AT, 8]);
  gpu.fill(AT, [1, 2]);
  assert.equal(gpu.transfer(1, [0, 0, 2, 1], 4), RESPONSE.okNoData);
  assert.equal(gpu.transfer(1, [0, 0, 2, 1], HUGE, HUGE), RESPONSE.okNoData);
  gpu.scanout(1, [0, 0, 2, 1]);
  gpu.flush(1, [0, 0, 2, 1]);
  assert.deepEqual(gpu.shown(), [2, 0]);
});

test("a guest's resources take so much memory and no more, and give it back", () => {
  const gpu = new Gpu();
  // 64 MiB each.
  for (const id of [1, 2, 3]) assert.equal(gpu.create(id, 4096, 4096), RESPONSE.okNoData);
  assert.equal(gpu.create(4, 4096, 4096), RESPONSE.errOutOfMemory);
  assert.equal(gpu.type(COMMAND.resourceUnref, [2, 0]), RESPONSE.okNoData);
  assert.equal(gpu.create(4, 4096, 4096), RESPONSE.okNoData);
});

test("a resource that is shown can go, and a reset leaves nothing", () => {
  const gpu = new Gpu();
  gpu.create(1, 4, 4);
  gpu.scanout(1, [0, 0, 4, 4]);
  assert.equal(gpu.type(COMMAND.resourceUnref, [1, 0]), RESPONSE.okNoData);
  assert.equal(gpu.display.surface, undefined);
  gpu.create(1, 4, 4);
  gpu.scanout(1, [0, 0, 4, 4]);
  gpu.driver.write(STATUS, 0);
  gpu.driver.memory.bytes.fill(0);
  assert.equal(gpu.display.surface, undefined);
  gpu.driver.start(EDID, 2);
  assert.equal(gpu.flush(1, [0, 0, 1, 1]), RESPONSE.errInvalidResourceId);
});

test("what was saved is shown again, from the guest's memory", () => {
  const gpu = new Gpu();
  gpu.create(1, 2, 2);
  gpu.attach(1, [AT, 8], [AT + 64, 8]);
  gpu.scanout(1, [1, 0, 1, 2]);
  gpu.create(2, 64, 64, BGRA);
  gpu.request(COMMAND.updateCursor, [0, 0, 0, 0, 2, 7, 8, 0], { queue: CURSORQ });
  gpu.display.requestSize(800, 600);
  gpu.fill(AT, [1, 2]);
  gpu.fill(AT + 64, [3, 4]);
  const saved = JSON.stringify(gpu.driver.mmio.save());
  gpu.driver.mmio.reset();
  assert.equal(gpu.display.surface, undefined);
  gpu.driver.mmio.restore(new Fields(JSON.parse(saved), "gpu"));
  gpu.driver.mmio.resumed();
  assert.deepEqual(gpu.shown(), [2, 4]);
  assert.deepEqual([gpu.display.cursor?.hotX, gpu.display.cursor?.hotY], [7, 8]);
  assert.equal(gpu.request(COMMAND.getDisplayInfo, [], { room: 408 }).getUint32(32, true), 800);
  for (const [from, to] of [
    ['"id":1,', '"id":2,'],
    ['"width":2,', '"width":4294967295,'],
    ['"area":[1', '"area":[2'],
    ['"ends":[8,16]', '"ends":[16,8]'],
    ['"resource":1', '"resource":9'],
  ] as const) {
    gpu.driver.mmio.reset();
    assert.ok(saved.includes(from));
    assert.throws(() => gpu.driver.mmio.restore(new Fields(JSON.parse(saved.replace(from, to)), "gpu")), /possible/);
  }
});
