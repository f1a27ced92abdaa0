import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { accesses } from "../../../test/support/device-accesses.ts";
import { perform, TestLine } from "../../../test/support/device-doubles.ts";
import { INDIRECT_DESC, TestDriver } from "../../../test/support/virtio-driver.ts";
import { VirtioEntropy } from "./entropy/entropy.ts";
import * as M from "./mmio.ts";

const entropy = () => new TestDriver((memory) => new VirtioEntropy(memory, { fill: (into) => into.fill(0x5a) }));

test("a slot without a device has the magic value and device ID 0", () => {
  const slot = new M.VirtioMmio(undefined, new TestLine());
  assert.equal(slot.read(M.MAGIC_VALUE, 4), 0x74726976);
  assert.equal(slot.read(M.VERSION, 4), 2);
  assert.equal(slot.read(M.DEVICE_ID, 4), 0);
  slot.write(M.STATUS, 4, 1);
  assert.equal(slot.read(M.STATUS, 4), 0);
});

test("a device offers VERSION_1, and takes only what it offered", () => {
  const driver = entropy();
  assert.equal(driver.read(M.DEVICE_ID), 4);
  driver.write(M.DEVICE_FEATURES_SEL, 1);
  assert.equal(driver.read(M.DEVICE_FEATURES) & 1, 1);
  driver.write(M.DEVICE_FEATURES_SEL, 2);
  assert.equal(driver.read(M.DEVICE_FEATURES), 0);
  assert.equal(driver.start(1), false);
  assert.equal(driver.start(INDIRECT_DESC), true);
  assert.equal(driver.read(M.STATUS), 15);
});

test("a driver that does not accept VERSION_1 is refused", () => {
  const driver = entropy();
  driver.write(M.STATUS, 3);
  driver.write(M.STATUS, 11);
  assert.equal(driver.read(M.STATUS), 3);
});

test("features are fixed once they are accepted", () => {
  const driver = entropy();
  driver.start(0);
  driver.write(M.DRIVER_FEATURES_SEL, 1);
  driver.write(M.DRIVER_FEATURES, 0xffff_ffff);
  driver.write(M.STATUS, 15);
  assert.equal(driver.read(M.STATUS), 15);
});

test("queues that do not exist have no size, and no queue becomes larger than it may", () => {
  const driver = entropy();
  driver.write(M.QUEUE_SEL, 1);
  assert.equal(driver.read(M.QUEUE_NUM_MAX), 0);
  driver.write(M.QUEUE_READY, 1);
  assert.equal(driver.read(M.QUEUE_READY), 0);
  driver.write(M.QUEUE_SEL, 0);
  assert.equal(driver.read(M.QUEUE_NUM_MAX), 8);
  for (const size of [0, 3, 16, 0xffff_ffff]) {
    driver.write(M.QUEUE_NUM, size);
    assert.equal(driver.mmio.device?.queues[0]?.size, 8);
  }
});

test("the line is up until the interrupt is acknowledged", () => {
  const driver = entropy();
  driver.start(0);
  driver.offer(0, [4]);
  driver.notify(0);
  assert.equal(driver.line.level, true);
  assert.equal(driver.read(M.INTERRUPT_STATUS), 1);
  driver.write(M.INTERRUPT_ACK, 2);
  assert.equal(driver.line.level, true);
  driver.write(M.INTERRUPT_ACK, 1);
  assert.equal(driver.line.level, false);
});

test("status 0 resets the device, its queues and its interrupt", () => {
  const driver = entropy();
  driver.start(0);
  driver.offer(0, [4]);
  driver.notify(0);
  driver.write(M.STATUS, 0);
  assert.deepEqual([driver.read(M.STATUS), driver.read(M.QUEUE_READY), driver.line.level], [0, 0, false]);
  driver.start(0);
  driver.offer(0, [4]);
  driver.notify(0);
  assert.equal(driver.used(0).length, 1);
});

test("before DRIVER_OK notifications do nothing", () => {
  const driver = entropy();
  driver.start(0);
  driver.write(M.STATUS, 11);
  driver.offer(0, [4]);
  driver.notify(0);
  assert.equal(driver.used(0).length, 0);
});

test("a queue alone can be reset", () => {
  const driver = entropy();
  driver.start(0);
  driver.offer(0, [4]);
  driver.notify(0);
  driver.write(M.QUEUE_RESET, 1);
  assert.equal(driver.read(M.QUEUE_RESET), 0);
  assert.equal(driver.read(M.QUEUE_READY), 0);
  driver.memory.bytes.fill(0, 0, 0x1000);
  driver.setUpQueue(0);
  driver.offer(0, [6]);
  driver.notify(0);
  assert.deepEqual(driver.used(0), [{ head: 0, length: 6 }]);
});

test("any accesses are harmless", () => {
  const registers = Object.values(M).filter((value) => typeof value === "number");
  fc.assert(
    fc.property(accesses(M.VIRTIO_MMIO_SIZE, registers), fc.boolean(), (list, started) => {
      const driver = entropy();
      if (started) driver.start(0);
      for (const access of list) {
        perform(driver.mmio, access);
        assert.equal(driver.line.level, driver.read(M.INTERRUPT_STATUS) !== 0);
      }
      assert.ok(driver.memory.guardsIntact());
    }),
  );
});
