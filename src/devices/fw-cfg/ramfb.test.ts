import assert from "node:assert/strict";
import { test } from "node:test";
import { TestMemory } from "../../../test/support/device-doubles.ts";
import { Display, type Rectangle } from "../../bus/display.ts";
import { Fields } from "../../snapshot/fields.ts";
import { FwCfg } from "./fw-cfg.ts";
import * as F from "./keys.ts";
import { Ramfb } from "./ramfb.ts";

const RAM = 0x4000_0000;
const XR24 = 0x34325258;

function setUp() {
  const memory = new TestMemory(RAM, 0x4000);
  const fwCfg = new FwCfg(memory);
  const display = new Display();
  new Ramfb(memory, fwCfg, display);
  const damaged: Rectangle[] = [];
  display.addViewer({
    surfaceChanged: () => {},
    stirred: () => {},
    cursorChanged: () => {},
    damaged: (area) => damaged.push(area),
  });
  const swap = (word: number): number => new DataView(Uint32Array.of(word).buffer).getUint32(0);
  const pixels = (): number[] => {
    display.refresh();
    return [...(display.surface?.pixels ?? [])].map((pixel) => pixel >>> 0);
  };
  return {
    ...{ memory, fwCfg, display, damaged, pixels },
    /** As firmware does, by DMA. */
    configure(address: number, fourcc: number, width: number, height: number, stride: number): void {
      const { data } = memory;
      data.setUint32(0x20, Math.floor(address / 2 ** 32));
      data.setUint32(0x24, address);
      data.setUint32(0x28, fourcc);
      data.setUint32(0x2c, 0);
      data.setUint32(0x30, width);
      data.setUint32(0x34, height);
      data.setUint32(0x38, stride);
      data.setUint32(0, ((F.KEY.firstFile << 16) | F.DMA_SELECT | F.DMA_WRITE) >>> 0);
      data.setUint32(4, 28);
      data.setUint32(8, 0);
      data.setUint32(12, RAM + 0x20);
      fwCfg.write(F.DMA_HIGH, 4, 0);
      fwCfg.write(F.DMA_LOW, 4, swap(RAM));
      assert.equal(data.getUint32(0), 0, "the transfer has been done");
    },
  };
}

test("pixels in RAM are shown when somebody looks, and what has changed is damage", () => {
  const { memory, configure, display, damaged, pixels } = setUp();
  configure(RAM + 0x1000, XR24, 2, 2, 16);
  assert.equal(display.polled, true);
  memory.data.setUint32(0x1000, 0x00112233, true);
  memory.data.setUint32(0x1014, 0xff0000ff, true);
  assert.deepEqual(pixels(), [0xff332211, 0xff000000, 0xff000000, 0xffff0000]);
  damaged.length = 0;
  memory.data.setUint32(0x1010, 0x00ffffff, true);
  pixels();
  assert.deepEqual(damaged, [{ x: 0, y: 1, width: 1, height: 1 }]);
});

for (const [name, bytes, pixel] of [
  ["XB24", [0x11, 0x22, 0x33, 0], 0xff332211],
  ["RG24", [0x33, 0x22, 0x11], 0xff332211],
  ["BG24", [0x11, 0x22, 0x33], 0xff332211],
  ["RX24", [0, 0x33, 0x22, 0x11], 0xff332211],
  ["BX24", [0, 0x11, 0x22, 0x33], 0xff332211],
  ["RG16", [0x1f, 0xf8], 0xffff00ff],
] as const) {
  test(`pixels as ${name}`, () => {
    const { memory, configure, pixels } = setUp();
    memory.bytes.set(bytes, 0x1001);
    configure(RAM + 0x1001, Buffer.from(name).readUInt32LE(0), 1, 1, 0);
    assert.deepEqual(pixels(), [pixel]);
  });
}

test("what makes no sense shows nothing", () => {
  const { configure, display } = setUp();
  for (const [address, fourcc, width, height, stride] of [
    [RAM + 0x1000, 1, 2, 2, 8],
    [RAM + 0x1000, XR24, 0, 2, 8],
    [RAM + 0x1000, XR24, 2, 2, 7],
    [RAM + 0x1000, XR24, 0xffff_ffff, 2, 0],
    [RAM + 0x1000, XR24, 2, 2, 0xffff_ffff],
    [RAM + 0x3fff, XR24, 2, 2, 8],
    [RAM - 4, XR24, 2, 2, 8],
    [2 ** 53, XR24, 2, 2, 8],
  ] as const) {
    configure(address, fourcc, width, height, stride);
    assert.equal(display.surface, undefined);
  }
});

test("a reset takes it away, and what was saved brings it back", () => {
  const { memory, configure, display, fwCfg, pixels } = setUp();
  configure(RAM + 0x1000, XR24, 1, 1, 4);
  memory.data.setUint32(0x1000, 0x010203, true);
  const saved = new Fields(JSON.parse(JSON.stringify(fwCfg.save())), "fw-cfg");
  fwCfg.reset();
  assert.equal(display.surface, undefined);
  fwCfg.restore(saved);
  assert.deepEqual(pixels(), [0xff030201]);
});
