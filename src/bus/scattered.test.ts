import assert from "node:assert/strict";
import { test } from "node:test";
import type { Dma } from "./device.ts";
import { ringView, scattered } from "./scattered.ts";

const PAGE = 4096;
const memory = new Uint8Array(8 * PAGE);

/** Pages 0, 1, 2, 3 of a device are pages 5, 6, 1, 3 of memory; page 4 is nowhere. */
const FRAMES = [5, 6, 1, 3];
const dma: Dma = {
  view: (address, length) => {
    const frames: (number | undefined)[] = [];
    for (let page = Math.floor(address / PAGE); page * PAGE < address + Math.max(1, length); page++)
      frames.push(FRAMES[page]);
    if (frames.some((frame, i) => frame === undefined || frame !== (frames[0] as number) + i)) return undefined;
    return new Uint8Array(memory.buffer, (frames[0] as number) * PAGE + (address % PAGE), length);
  },
};

test("memory in several places comes in as few views as there are places, in order", () => {
  const lengths = (address: number, length: number): number[] | undefined =>
    scattered(dma, address, length, true)?.map((view) => view.length);
  assert.deepEqual(lengths(100, 50), [50]);
  assert.deepEqual(lengths(PAGE - 4, 8), [8]);
  assert.deepEqual(lengths(PAGE - 4, PAGE + 4 + 10), [PAGE + 4, 10]);
  assert.deepEqual(lengths(0, 4 * PAGE), [2 * PAGE, PAGE, PAGE]);
});

test("what is not all memory is refused as a whole", () => {
  assert.equal(scattered(dma, 3 * PAGE + 1, PAGE, false), undefined);
  assert.equal(scattered(dma, 4 * PAGE, 1, false), undefined);
  assert.equal(ringView(dma, 3 * PAGE + 1, PAGE, false), undefined);
});

test("words of a ring are where they belong, across pages, too", () => {
  const view = ringView(dma, PAGE, 2 * PAGE, true);
  assert.ok(view);
  assert.equal(view.byteLength, 2 * PAGE);
  view.setUint32(PAGE - 2, 0x12345678, true);
  assert.equal(view.getUint32(PAGE - 2, true), 0x12345678);
  assert.equal(memory[6 * PAGE + PAGE - 2], 0x78);
  assert.equal(memory[1 * PAGE + 1], 0x12);
  view.setUint16(PAGE + 8, 0xfedc, true);
  assert.equal(view.getUint16(PAGE + 8, true), 0xfedc);
  assert.throws(() => view.getUint16(2 * PAGE, true), RangeError);
});
