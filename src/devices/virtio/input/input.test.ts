import assert from "node:assert/strict";
import { test } from "node:test";
import { TestClock } from "../../../../test/support/device-doubles.ts";
import { TestDriver } from "../../../../test/support/virtio-driver.ts";
import type { PointerButton } from "../../../bus/input.ts";
import { CONFIG } from "../mmio.ts";
import { VirtioInputs } from "./input-port.ts";

function setUp(which: "keyboard" | "tablet") {
  let inputs: VirtioInputs | undefined;
  const driver = new TestDriver((memory) => {
    inputs = new VirtioInputs(memory, new TestClock());
    return inputs[which];
  });
  driver.start(0, 2);
  const at: number[] = [];
  return {
    driver,
    inputs: inputs as VirtioInputs,
    offer(count: number): void {
      for (let i = 0; i < count; i++) at.push(...driver.offer(0, [8], at.length % TestDriver.SIZE));
    },
    /** Type, code and value of all events so far. */
    events(): number[][] {
      return driver.used(0).map((_, i) => {
        const { data } = driver.memory;
        const from = at[i] as number;
        return [data.getUint16(from, true), data.getUint16(from + 2, true), data.getInt32(from + 4, true)];
      });
    },
    select(select: number, subsel: number): Uint8Array {
      driver.mmio.write(CONFIG, 1, select);
      driver.mmio.write(CONFIG + 1, 1, subsel);
      const size = driver.mmio.read(CONFIG + 2, 1);
      return Uint8Array.from({ length: size }, (_, i) => driver.mmio.read(CONFIG + 8 + i, 1));
    },
  };
}

const SYN = [0, 0, 0];
const buttons = (...names: PointerButton[]): ReadonlySet<PointerButton> => new Set(names);

test("keys that are pressed and let go are events, once each", () => {
  const { inputs, offer, events } = setUp("keyboard");
  offer(8);
  inputs.key(30, true);
  inputs.key(30, true);
  inputs.key(31, false);
  inputs.key(30, false);
  inputs.key(0x110, true);
  assert.deepEqual(events(), [[1, 30, 1], SYN, [1, 30, 0], SYN]);
});

test("events wait for the driver's buffers; too many are lost, but no key stays pressed", () => {
  const { driver, inputs, offer, events } = setUp("keyboard");
  inputs.key(30, true);
  for (let i = 0; i < 5000; i++) inputs.key(31, i % 2 === 0);
  inputs.key(30, false);
  let first: number[][] = [];
  let last: number[][] = [];
  for (let i = 0; i < 300; i++) {
    offer(8);
    driver.notify(0);
    const all = events();
    if (i === 0) first = all;
    last = all.slice(-2);
    if (all.length < 8 * (i + 1)) break;
  }
  assert.deepEqual(first.slice(0, 3), [[1, 30, 1], SYN, [1, 31, 1]]);
  assert.deepEqual(last, [[1, 30, 0], SYN]);
});

test("lights are those that the guest sets", () => {
  const { driver, inputs } = setUp("keyboard");
  let changes = 0;
  inputs.onLeds(() => changes++);
  for (const event of [
    [0x11, 1, 1],
    [0x11, 9, 1],
    [0x11, 0, 0],
  ]) {
    const bytes = new DataView(new ArrayBuffer(8));
    bytes.setUint16(0, event[0]!, true);
    bytes.setUint16(2, event[1]!, true);
    bytes.setInt32(4, event[2]!, true);
    driver.offer(1, [new Uint8Array(bytes.buffer)]);
    driver.notify(1);
  }
  driver.offer(1, [new Uint8Array(3)]);
  driver.notify(1);
  assert.deepEqual(inputs.leds, { numLock: false, capsLock: true, scrollLock: false });
  assert.equal(changes, 1);
});

test("the pointer says where it is, its buttons and its wheels", () => {
  const { inputs, offer, events } = setUp("tablet");
  offer(8);
  inputs.pointer(100, 99_999, buttons());
  inputs.pointer(100, 99_999, buttons("left"));
  inputs.wheel(-1, 0);
  inputs.pointer(100, 99_999, buttons("left"));
  assert.deepEqual(events(), [[3, 0, 100], [3, 1, 0x7fff], SYN, [1, 0x110, 1], SYN, [2, 8, -1], SYN]);
});

test("the configuration says what there is", () => {
  const { select } = setUp("tablet");
  assert.equal(String.fromCharCode(...select(1, 0)), "Atoll tablet");
  assert.deepEqual([...select(0x11, 3)], [3]);
  assert.deepEqual([...select(0x12, 1)].slice(0, 8), [0, 0, 0, 0, 0xff, 0x7f, 0, 0]);
  assert.deepEqual([...select(0x12, 2)], []);
  assert.deepEqual([...select(0x11, 0x14)], []);
  assert.deepEqual([...select(0x77, 0)], []);
  const keyboard = setUp("keyboard");
  const keys = keyboard.select(0x11, 1);
  assert.equal(keys[0], 0xfe);
  assert.equal(keys.length, 32);
  assert.deepEqual([...keyboard.select(0x11, 0x11)], [7]);
});

test("nothing happens without a driver", () => {
  const { driver, inputs, offer, events } = setUp("keyboard");
  driver.write(0x70, 0);
  inputs.key(30, true);
  driver.start(0, 2);
  offer(4);
  driver.notify(0);
  inputs.key(30, true);
  assert.deepEqual(events(), [[1, 30, 1], SYN]);
});
