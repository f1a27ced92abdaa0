import assert from "node:assert/strict";
import { test } from "node:test";
import { TestSerial } from "../../../../test/support/device-doubles.ts";
import { RAM, TestDriver } from "../../../../test/support/virtio-driver.ts";
import type { TerminalSize } from "../../../bus/device.ts";
import { CONFIG, CONFIG_GENERATION, DEVICE_FEATURES, INTERRUPT_STATUS } from "../mmio.ts";
import { VirtioConsole } from "./console.ts";

const RECEIVE = 0;
const TRANSMIT = 1;
const F_SIZE = 1;

class Terminal implements TerminalSize {
  size: { columns: number; rows: number } | undefined;
  resized = (): void => {};
  get() {
    return this.size;
  }
  onChange(listener: () => void): void {
    this.resized = listener;
  }
}

function setUp(size?: { columns: number; rows: number }) {
  const port = new TestSerial();
  const terminal = new Terminal();
  terminal.size = size;
  const driver = new TestDriver((memory) => new VirtioConsole(memory, port, terminal));
  return { port, terminal, driver };
}

test("what is transmitted goes out", () => {
  const { port, driver } = setUp();
  driver.start(0, 2);
  driver.offer(TRANSMIT, [Uint8Array.of(1, 2), Uint8Array.of(3)]);
  driver.notify(TRANSMIT);
  assert.deepEqual(port.output, [1, 2, 3]);
  assert.deepEqual(driver.used(TRANSMIT), [{ head: 0, length: 0 }]);
});

test("bytes that arrive fill the buffers that wait; the rest stays outside until there are more", () => {
  const { port, driver } = setUp();
  port.arrive(9);
  driver.start(0, 2);
  const [first = 0] = driver.offer(RECEIVE, [2], 0);
  driver.notify(RECEIVE);
  assert.deepEqual(driver.used(RECEIVE), [{ head: 0, length: 1 }]);
  assert.equal(driver.memory.bytes[first], 9);
  const [second = 0] = driver.offer(RECEIVE, [3], 1);
  driver.notify(RECEIVE);
  assert.equal(driver.used(RECEIVE).length, 1);
  port.arrive(5, 6, 7, 8);
  assert.deepEqual(driver.used(RECEIVE)[1], { head: 1, length: 3 });
  assert.deepEqual([...driver.memory.bytes.subarray(second, second + 3)], [5, 6, 7]);
  assert.equal(port.waiting, 1);
  assert.equal(driver.read(INTERRUPT_STATUS), 1);
});

test("the terminal's size is in the configuration, and changes are told", () => {
  const { terminal, driver } = setUp({ columns: 100, rows: 30 });
  driver.start(F_SIZE, 2);
  assert.equal(driver.read(CONFIG), 100 | (30 << 16));
  const generation = driver.read(CONFIG_GENERATION);
  terminal.size = { columns: 80, rows: 25 };
  terminal.resized();
  assert.equal(driver.mmio.read(CONFIG + 2, 2), 25);
  assert.notEqual(driver.read(CONFIG_GENERATION), generation);
  assert.equal(driver.read(INTERRUPT_STATUS), 2);
});

test("without a terminal there is no size feature", () => {
  const { driver } = setUp();
  assert.equal(driver.read(DEVICE_FEATURES) & F_SIZE, 0);
});

test("an emergency write needs no driver", () => {
  const { port, driver } = setUp();
  driver.write(CONFIG + 8, 0x141);
  assert.deepEqual(port.output, [0x41]);
});

test("a receive buffer that is not memory breaks the device, and loses nothing", () => {
  const { port, driver } = setUp();
  driver.start(0, 2);
  driver.setDescriptor(RECEIVE, 0, { address: RAM - 1, length: 4, flags: 2 });
  driver.publish(RECEIVE, 0);
  port.arrive(1);
  assert.equal(driver.mmio.device?.status, 15 | 64);
  assert.equal(port.waiting, 1);
});
